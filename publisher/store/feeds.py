"""What each topic's feed is made of: how many articles, and when it changed last. Floor: store.

One row per topic, kept right by whatever files, removes, changes or withdraws an article, so that a run need not count
what is filed nor look at topics in which nothing happened.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from publisher.model import ALL
from publisher.store.columns import batches
from publisher.store.counters import TOUCHED, next_number
from publisher.store.schema import articles, departures, feeds, filings
from publisher.store.upsert import upsert


class Feeds:
    """The feeds of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def counts(self) -> dict[str, int]:
        """Articles of each topic that has any, and of `all`."""
        query = sa.select(feeds.c.topic, feeds.c.articles).where((feeds.c.articles > 0) | (feeds.c.topic == ALL))
        return {ALL: 0, **{row.topic: row.articles for row in self._connection.execute(query)}}

    def touched_since(self, touched: int) -> frozenset[str]:
        """Topics with an article whose content, filings or state changed since `last_touched` gave that number."""
        return frozenset(self._connection.scalars(sa.select(feeds.c.topic).where(feeds.c.touched > touched)))


def count(connection: sa.Connection, changes: Mapping[str, int]) -> None:
    """Add to the number of articles of each topic; topics that were never counted begin at 0."""
    wanted = sorted(topic for topic, change in changes.items() if change)  # always in one order: no deadlock
    if not wanted:
        return
    row = {"articles": 0, "touched": 0, "archives": 0, "archived_upto": 0}
    rows = [{"topic": topic, **row} for topic in wanted]
    connection.execute(upsert(connection, feeds).on_conflict_do_nothing(), rows)
    connection.execute(
        sa.update(feeds)
        .where(feeds.c.topic == sa.bindparam("of_topic"))
        .values(articles=feeds.c.articles + sa.bindparam("more")),
        [{"of_topic": topic, "more": changes[topic]} for topic in wanted],
    )


def touch(connection: sa.Connection, keys: Collection[str], also: Iterable[str] = ()) -> None:
    """Something changed in these articles: their pages and every feed that they are, or were, in are to be made anew.
    `also` are topics that one of them just left."""
    touched = next_number(connection, TOUCHED)
    topics = set(also)
    for batch in batches(keys):
        connection.execute(sa.update(articles).where(articles.c.key.in_(batch)).values(touched=touched))
        for table in (filings, departures):
            topics.update(connection.scalars(_topics_of(table, batch)))
    for some in batches(sorted(topics)):
        connection.execute(sa.update(feeds).where(feeds.c.topic.in_(some)).values(touched=touched))


def _topics_of(table: sa.Table, keys: Collection[str]) -> sa.Select[Any]:
    return sa.select(table.c.topic).where(table.c.article_key.in_(keys)).distinct()
