"""What another content means for an article's dates and its place in feeds. Floor: `flows`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from publisher.model import Article
from publisher.store import Transaction


def revised(old: Article, new: Article, *, note: str, minor: bool, stamp: int, moment: datetime) -> Article:
    """`new`, the content that takes the place of `old`, with its dates: `moment` becomes `updated` and `corrected`,
    `stamp` its place in feeds. A `minor` edit moves neither; what says the same is no new revision."""
    if replace(new, explicit_topics=old.explicit_topics) == old:
        # filed elsewhere, or a better note: it says what it said, so there is no new date for readers
        return replace(new, correction=note or old.correction) if old.corrected else new
    if minor:
        return replace(new, revision=old.revision + 1)
    updated = max(moment, old.updated + timedelta(seconds=1))
    return replace(new, updated=updated, revision=old.revision + 1, stamp=stamp, corrected=updated, correction=note)


def free_seconds(tx: Transaction, count: int, now: datetime) -> list[datetime]:
    """The `count` latest seconds up to `now` that no article has as `updated` yet, ascending.

    Two entries of one feed with the same `updated` make validators warn and readers shuffle them.
    """
    free: list[datetime] = []
    end = now
    while len(free) < count:
        start = end - timedelta(seconds=max(count, 60))
        taken = tx.articles.updated_times(start, end)
        moment = end
        while moment > start and len(free) < count:
            if moment not in taken:
                free.append(moment)
            moment -= timedelta(seconds=1)
        end = start
    return free[::-1]
