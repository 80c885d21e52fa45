"""Filings: which article entered which topic, in one order for ever. Floor: store.

The counter of `seq` is one row that a writer locks first. Another writer waits until the first one's filings can be
seen, so nobody ever sees a number appear below one already read, and a number is never given twice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from publisher.model import Filing
from publisher.store.columns import batches
from publisher.store.counters import SEQ, TOUCHED, next_number
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
        # both counters, in the order that `Articles` takes them too: two writers wait in line instead of for each other
        names = sa.select(counters.c.name, counters.c.value).order_by(counters.c.name).with_for_update()
        last: int = dict(self._connection.execute(names).all())[SEQ]
        existing: set[tuple[str, str]] = set()
        copies: dict[str, tuple[int, datetime] | None] = {}
        for batch in batches({item.article_key: None for item in items}):
            pairs = sa.select(filings.c.article_key, filings.c.topic).where(filings.c.article_key.in_(batch))
            existing.update((key, topic) for key, topic in self._connection.execute(pairs))
            facts = sa.select(articles.c.key, articles.c.stamp, articles.c.published, articles.c.withdrawn)
            for key, stamp, published, withdrawn in self._connection.execute(facts.where(articles.c.key.in_(batch))):
                copies[key] = (stamp, published) if withdrawn is None else None
        added: list[Filing] = []
        rows: list[dict[str, object]] = []
        for item in items:
            copy = copies[item.article_key]
            if copy is None or (item.article_key, item.topic) in existing:
                continue
            existing.add((item.article_key, item.topic))
            last += 1
            filing = Filing(item.article_key, item.topic, last, item.rule, item.filed_at)
            added.append(filing)
            rows.append({column.name: getattr(filing, column.name) for column in _FIELDS})
            rows[-1].update(stamp=copy[0], published=copy[1])
        for some in batches(rows):
            self._connection.execute(sa.insert(filings), some)
        if added:
            self._connection.execute(sa.update(counters).where(counters.c.name == SEQ).values(value=last))
            self._touch({filing.article_key: None for filing in added})
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

    def remove(self, article_key: str, topics: Collection[str]) -> int:
        """Take an article out of `topics`; their numbers are never used again. Returns how many there were."""
        removed = self._connection.execute(
            sa.delete(filings).where(filings.c.article_key == article_key, filings.c.topic.in_(topics))
        ).rowcount
        if removed:
            self._touch([article_key])
        return removed

    def _touch(self, keys: Collection[str]) -> None:
        """An article's page and entries name its topics."""
        touched = next_number(self._connection, TOUCHED)
        for batch in batches(keys):
            self._connection.execute(sa.update(articles).where(articles.c.key.in_(batch)).values(touched=touched))

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

    def newest_of_any(self, topics: Collection[str], limit: int) -> list[str]:
        """Keys of the articles filed under at least one of `topics`, each once, by falling stamp."""
        stamps: dict[str, int] = {}
        for topic in topics:  # a short walk down the index for each, instead of a sort of everything filed there
            query = sa.select(filings.c.article_key, filings.c.stamp).where(filings.c.topic == topic)
            stamps.update(self._connection.execute(query.order_by(filings.c.stamp.desc()).limit(limit)).tuples())
        return sorted(stamps, key=stamps.__getitem__, reverse=True)[:limit]

    def newest_of_both(self, topic: str, other: str, limit: int) -> list[str]:
        """Keys of the articles filed under `topic` and under `other`, by falling stamp."""
        also = filings.alias("also")
        query = (
            sa.select(filings.c.article_key)
            .join(also, (also.c.article_key == filings.c.article_key) & (also.c.topic == other))
            .where(filings.c.topic == topic)
        )
        return list(self._connection.scalars(query.order_by(filings.c.stamp.desc()).limit(limit)))

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
