"""A topic gets another name: everything that was under the old one is under the new one. Floor: store.

Filings keep their numbers, so no reader gets an article again; subscriptions move, so no reader is lost.
Articles that name the topic themselves name it by the new one from then on, so none of them leaves it.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from publisher.store import feeds as feed_rows
from publisher.store.columns import batches
from publisher.store.counters import STAMP, TOUCHED, lock, next_number
from publisher.store.departures import come_again
from publisher.store.schema import archives, articles, departures, edition_articles, feeds, filings, subscriptions


class Renames:
    """Renaming topics in one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def rename(self, names: Mapping[str, str]) -> bool:
        """Put everything of each old topic under its new name. Where an article or reader is under both already, one
        of the two stays: of filings the older one. False: there was nothing to put right."""
        lock(self._connection)
        moved = [self._move(old, new) for old, new in names.items()]
        came = [self._come_again(new) for new in sorted(set(names.values()))]
        if not any(moved) and not any(came):
            return False  # whatever names a topic is filed there, or was: no need to look through all articles
        self._name_anew(names)
        return True

    def _move(self, old: str, new: str) -> bool:
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

    def _come_again(self, topic: str) -> bool:
        """Of two topics that became one an article may have been in the one and have left the other."""
        both = sa.and_(filings.c.article_key == departures.c.article_key, filings.c.topic == departures.c.topic)
        query = sa.select(filings.c.article_key, filings.c.topic, filings.c.filed_at).join_from(
            departures, filings, both
        )
        rows = self._connection.execute(query.where(departures.c.topic == topic).order_by(filings.c.seq)).all()
        if not rows:
            return False
        come_again(self._connection, {(row.article_key, row.topic): row.filed_at for row in rows})
        feed_rows.touch(self._connection, [row.article_key for row in rows])
        return True

    def _name_anew(self, names: Mapping[str, str]) -> None:
        """What articles themselves name; filed by that, they would leave the new topic for the old one."""
        column = articles.c.explicit_topics
        written = sa.type_coerce(column, sa.Text)
        query = sa.select(articles.c.key, column).where(sa.or_(*(written.contains(f'"{old}"') for old in names)))
        changed = [
            {"of_key": key, "named": tuple(dict.fromkeys(names.get(slug, slug) for slug in named))}
            for key, named in self._connection.execute(query)
        ]
        statement = sa.update(articles).where(articles.c.key == sa.bindparam("of_key"))
        for batch in batches(changed):
            self._connection.execute(statement.values(explicit_topics=sa.bindparam("named")), batch)

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
