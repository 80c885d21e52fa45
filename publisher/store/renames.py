"""A topic gets another name: everything that was under the old one is under the new one. Floor: store.

Filings keep their numbers, so no reader gets an article again; subscriptions move, so no reader is lost.
"""

from __future__ import annotations

import sqlalchemy as sa

from publisher.store.counters import STAMP, TOUCHED, lock, next_number
from publisher.store.schema import archives, articles, departures, edition_articles, feeds, filings, subscriptions


class Renames:
    """Renaming topics in one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def rename(self, old: str, new: str) -> bool:
        """Put everything of topic `old` under `new`. Where an article or reader is under both already, one of the two
        stays: of filings the older one. False: there was nothing under `old`."""
        lock(self._connection)
        known = (filings, departures, feeds, archives, subscriptions)
        if not any(self._holds(table, old) for table in known):
            return False
        for table, owner in ((filings, "article_key"), (departures, "article_key"), (subscriptions, "subscriber_id")):
            self._merge(table, owner, old, new)
        if self._holds(feeds, new):  # two feeds become one: what was in the old one enters the other one now
            for table in (archives, feeds):
                self._connection.execute(sa.delete(table).where(table.c.topic == old))
            self._enter(new)
        else:
            for table in (archives, feeds):
                self._connection.execute(sa.update(table).where(table.c.topic == old).values(topic=new))
            written = sa.update(archives).where(archives.c.topic == new)
            self._connection.execute(written.values(written=False))  # under their new address
        self._connection.execute(sa.update(edition_articles).where(edition_articles.c.topic == old).values(topic=new))
        self._touch(new)
        return True

    def _holds(self, table: sa.Table, topic: str) -> bool:
        return self._connection.execute(sa.select(sa.exists().where(table.c.topic == topic))).scalar_one()

    def _merge(self, table: sa.Table, owner: str, old: str, new: str) -> None:
        both = table.alias("both")
        doubled = sa.select(both.c[owner]).where(both.c.topic == old)
        self._connection.execute(sa.delete(table).where(table.c.topic == new, table.c[owner].in_(doubled)))
        self._connection.execute(sa.update(table).where(table.c.topic == old).values(topic=new))

    def _enter(self, topic: str) -> None:
        """Articles that the feed's archives may have passed are changed now, in the order they had."""
        keys = self._connection.scalars(
            sa.select(filings.c.seq).where(filings.c.topic == topic).order_by(filings.c.stamp)
        ).all()
        first = next_number(self._connection, STAMP, len(keys)) if keys else 0
        for place, seq in enumerate(keys):
            self._connection.execute(sa.update(filings).where(filings.c.seq == seq).values(stamp=first + place))
        self._connection.execute(sa.update(feeds).where(feeds.c.topic == topic).values(articles=len(keys)))

    def _touch(self, topic: str) -> None:
        touched = next_number(self._connection, TOUCHED)
        of_topic = sa.select(filings.c.article_key).where(filings.c.topic == topic)
        self._connection.execute(sa.update(articles).where(articles.c.key.in_(of_topic)).values(touched=touched))
        self._connection.execute(sa.update(feeds).where(feeds.c.topic == topic).values(touched=touched))
