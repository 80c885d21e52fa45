"""Filings: which article entered which topic, in one order for ever. Floor: store.

The counter of `seq` is one row that a writer locks first. Another writer waits until the first one's filings can be
seen, so nobody ever sees a number appear below one already read, and a number is never given twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from publisher.model import Filing
from publisher.store import feeds
from publisher.store.columns import batches
from publisher.store.counters import SEQ, STAMP, lock, next_number
from publisher.store.departures import come_again, leave
from publisher.store.schema import articles, counters, filings

_FIELDS = (filings.c.article_key, filings.c.topic, filings.c.seq, filings.c.rule, filings.c.filed_at)


@dataclass(frozen=True, slots=True)
class NewFiling:
    """A filing that has no number yet; `rule` says in words why."""

    article_key: str
    topic: str
    rule: str
    filed_at: datetime


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A filing with what decides whether and where it stands in a letter."""

    seq: int
    topic: str
    article_key: str
    published: datetime
    first_seen: datetime
    language: str


class Filings:
    """The filings of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, items: Sequence[NewFiling]) -> list[Filing]:
        """File articles, numbered in the order of `items`, and return what was new.

        Left alone: an article already in the topic, and a withdrawn article. An unknown article is a bug (KeyError).
        """
        last = lock(self._connection)[SEQ]
        existing: set[tuple[str, str]] = set()
        dates: dict[str, datetime | None] = {}
        for batch in batches({item.article_key: None for item in items}):
            pairs = sa.select(filings.c.article_key, filings.c.topic).where(filings.c.article_key.in_(batch))
            existing.update((key, topic) for key, topic in self._connection.execute(pairs))
            facts = sa.select(articles.c.key, articles.c.published, articles.c.withdrawn)
            for key, published, withdrawn in self._connection.execute(facts.where(articles.c.key.in_(batch))):
                dates[key] = published if withdrawn is None else None
        added: list[Filing] = []
        rows: list[dict[str, object]] = []
        for item in items:
            published_at = dates[item.article_key]
            if published_at is None or (item.article_key, item.topic) in existing:
                continue
            existing.add((item.article_key, item.topic))
            last += 1
            filing = Filing(item.article_key, item.topic, last, item.rule, item.filed_at)
            added.append(filing)
            rows.append({column.name: getattr(filing, column.name) for column in _FIELDS})
            rows[-1]["published"] = published_at
        if not added:
            return added
        stamp = next_number(self._connection, STAMP, len(rows))
        for number, row in enumerate(rows, stamp):
            row["stamp"] = number
        for some in batches(rows):
            self._connection.execute(sa.insert(filings), some)
        self._connection.execute(sa.update(counters).where(counters.c.name == SEQ).values(value=last))
        come_again(self._connection, {(filing.article_key, filing.topic): filing.filed_at for filing in added})
        feeds.count(self._connection, Counter(filing.topic for filing in added))
        feeds.touch(self._connection, {filing.article_key: None for filing in added})
        return added

    def of(self, article_key: str) -> list[Filing]:
        """By rising seq."""
        return self.of_many([article_key]).get(article_key, [])

    def of_many(self, keys: Collection[str]) -> dict[str, list[Filing]]:
        """The filings of each of `keys` that has any, by rising seq."""
        found: dict[str, list[Filing]] = {}
        for batch in batches(keys):
            query = sa.select(*_FIELDS).where(filings.c.article_key.in_(batch)).order_by(filings.c.seq)
            for row in self._connection.execute(query):
                found.setdefault(row.article_key, []).append(Filing(*row))
        return found

    def remove(self, article_key: str, topics: Collection[str], now: datetime) -> int:
        """Take an article out of `topics`, whose feeds say so; its numbers are never used again. Returns how many
        there were."""
        lock(self._connection)
        query = sa.select(articles.c.updated).where(articles.c.key == article_key)
        updated = self._connection.execute(query).scalar_one_or_none()
        if updated is None:
            return 0
        left = max(now, updated)  # of an entry and a tombstone the later one counts
        stamp = next_number(self._connection, STAMP)
        removed = leave(self._connection, article_key, topics, stamp=stamp, left=left)
        if removed:
            feeds.touch(self._connection, [article_key])
        return removed

    def last_seq(self) -> int:
        """The highest number ever given, 0 in an empty store. Every filing up to it can be seen."""
        last: int = self._connection.execute(sa.select(counters.c.value).where(counters.c.name == SEQ)).scalar_one()
        return last

    def window(self, *, after: int, upto: int) -> list[WindowRow]:
        """Filings with after < seq <= upto, by rising seq."""
        query = (
            sa.select(
                filings.c.seq,
                filings.c.topic,
                filings.c.article_key,
                articles.c.published,
                articles.c.first_seen,
                articles.c.language,
            )
            .join_from(filings, articles)
            .where(filings.c.seq > after, filings.c.seq <= upto)
            .order_by(filings.c.seq)
        )
        return [WindowRow(*row) for row in self._connection.execute(query)]

    def keys_filed_before(self, keys: Collection[str], seq: int) -> set[str]:
        """Those of `keys` with a filing numbered `seq` or lower."""
        return {
            key
            for batch in batches(keys)
            for key in self._connection.scalars(
                sa.select(filings.c.article_key)
                .where(filings.c.article_key.in_(batch), filings.c.seq <= seq)
                .distinct()
            )
        }
