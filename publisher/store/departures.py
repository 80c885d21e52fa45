"""Articles that left a topic, or everything: what a feed still has to say of them. Floor: store.

    filing -> withdrawn by the operator -> notice -> tombstone -> over        (`restore` brings the filings back)
    filing -> taken out of the topic ------------> tombstone -> over          (filing it again takes the row away)

A row keeps the whole filing, so that a restored article has its place again. `archived` says that an archive may hold
the article: then only an archived tombstone ends it for somebody who reads the archives, and the row is one of the
lines that archives are cut from (see `archives`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from publisher.errors import NotFound
from publisher.model import ALL, DepartureState
from publisher.store import feeds
from publisher.store.columns import batches
from publisher.store.counters import SEQ, STAMP, lock, next_number
from publisher.store.schema import articles, departures, filings
from publisher.store.schema import feeds as feeds_table

_KEPT = ("seq", "article_key", "topic", "rule", "filed_at", "published")
_A_SECOND = timedelta(seconds=1)
_LOOK_S = 60  # seconds that are looked at in one statement, at least
_ROW = departures.c


@dataclass(frozen=True, slots=True)
class Departure:
    """That an article left `topic`; `left` (UTC) is the tombstone's date, None as long as there is a notice."""

    topic: str
    state: DepartureState
    left: datetime | None
    withdrawn: bool


class Departures:
    """The departures of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def withdraw(self, key: str, now: datetime, reason: str = "") -> bool:
        """Take an article out of lists, digests and counts. Its feeds show a notice in its place, from a new `updated`
        on. It stays known, so that no import brings it back, and filing it has no effect. False: it was out already.

        Raises NotFound.
        """
        lock(self._connection)
        updated, withdrawn = self._dates(key)
        if withdrawn is not None:
            return False
        (moment,) = free_seconds(self._connection, [max(now, updated + _A_SECOND)])
        stamp = next_number(self._connection, STAMP)
        self._connection.execute(
            sa.update(articles)
            .where(articles.c.key == key)
            .values(withdrawn=moment, withdrawal=reason, updated=moment, stamp=stamp)
        )
        leave(self._connection, key, None, stamp=stamp, left=None)
        feeds.touch(self._connection, [key])
        return True

    def restore(self, key: str, now: datetime) -> bool:
        """Undo `withdraw`: the article is filed where it was, with an `updated` after every tombstone (RFC 6721).

        Its filing under `all` has its old number: by that a digest knows who had the article. False: it was not out.
        Raises NotFound.
        """
        lock(self._connection)
        updated, withdrawn = self._dates(key)
        if withdrawn is None:
            return False
        mine = (_ROW.article_key == key, _ROW.withdrawn)
        rows = self._connection.execute(sa.select(departures).where(*mine).order_by(_ROW.seq)).mappings().all()
        last = max([updated, *(row["left"] for row in rows if row["left"] is not None)])
        (moment,) = free_seconds(self._connection, [max(now, last + _A_SECOND)])
        stamp = next_number(self._connection, STAMP)
        self._connection.execute(
            sa.update(articles)
            .where(articles.c.key == key)
            .values(withdrawn=None, withdrawal="", updated=moment, stamp=stamp)
        )
        self._connection.execute(sa.delete(departures).where(*mine))
        back = []
        for row in rows:
            kept = {name: row[name] for name in _KEPT} | {"stamp": stamp}
            back.append(kept if row["topic"] == ALL else kept | {"seq": next_number(self._connection, SEQ)})
        if back:
            self._connection.execute(sa.insert(filings), back)
        feeds.count(self._connection, Counter(row["topic"] for row in rows))
        feeds.touch(self._connection, [key])
        return True

    def pass_phases(self, now: datetime, *, notice: timedelta, tombstone: timedelta) -> int:
        """Turn notices older than `notice` into tombstones, and end tombstones older than `tombstone`; how many."""
        due = self._due_notices(now - notice)
        if due:
            lock(self._connection)
            stamp = next_number(self._connection, STAMP)
            for key, withdrawn in due:
                self._connection.execute(
                    sa.update(departures)
                    .where(_ROW.article_key == key, _ROW.state == DepartureState.NOTICE)
                    .values(
                        state=DepartureState.TOMBSTONE,
                        left=withdrawn + notice,
                        stamp=stamp,
                        archived=_ROW.archived | _has_archives(departures),
                    )
                )
                stamp = next_number(self._connection, STAMP)
        over = (_ROW.state == DepartureState.TOMBSTONE, _ROW.left <= now - tombstone)
        ended = self._connection.scalars(sa.select(_ROW.article_key).where(*over).distinct()).all()
        if ended:
            self._connection.execute(sa.update(departures).where(*over).values(state=DepartureState.OVER))
        keys = {key for key, _ in due} | set(ended)
        if keys:
            feeds.touch(self._connection, keys)
        return len(keys)

    def phases_due(self, now: datetime, *, notice: timedelta, tombstone: timedelta) -> bool:
        """Whether `pass_phases` would do anything."""
        over = (_ROW.state == DepartureState.TOMBSTONE, _ROW.left <= now - tombstone)
        ended = sa.select(_ROW.article_key).where(*over).limit(1)
        return bool(self._due_notices(now - notice)) or self._connection.execute(ended).first() is not None

    def of(self, key: str) -> list[Departure]:
        """Where the article was, by topic."""
        query = sa.select(_ROW.topic, _ROW.state, _ROW.left, _ROW.withdrawn).where(_ROW.article_key == key)
        return [Departure(*row) for row in self._connection.execute(query.order_by(_ROW.topic))]

    def _dates(self, key: str) -> tuple[datetime, datetime | None]:
        """When the article was last updated, and when it was withdrawn."""
        query = sa.select(articles.c.updated, articles.c.withdrawn).where(articles.c.key == key)
        for updated, withdrawn in self._connection.execute(query):
            return updated, withdrawn
        raise NotFound("article", key)

    def _due_notices(self, before: datetime) -> list[tuple[str, datetime]]:
        query = (
            sa.select(articles.c.key, articles.c.withdrawn)
            .join_from(departures, articles)
            .where(_ROW.state == DepartureState.NOTICE, articles.c.withdrawn <= before)
            .distinct()
            .order_by(articles.c.key)
        )
        return [(key, withdrawn) for key, withdrawn in self._connection.execute(query)]


def leave(
    connection: sa.Connection, key: str, topics: Collection[str] | None, *, stamp: int, left: datetime | None
) -> int:
    """Move the filings of an article under `topics` (None: all of them) to the departures; how many there were.

    With `left` they are tombstones of that date, without it the article was withdrawn.
    """
    mine = [filings.c.article_key == key]
    if topics is not None:
        mine.append(filings.c.topic.in_(topics))
    gone = connection.scalars(sa.select(filings.c.topic).where(*mine)).all()
    if not gone:
        return 0
    facts = {
        "stamp": stamp,
        "state": DepartureState.NOTICE if left is None else DepartureState.TOMBSTONE,
        "left": left,
        "withdrawn": left is None,
    }
    columns = [filings.c[name] for name in _KEPT] + [
        sa.literal(value, departures.c[name].type) for name, value in facts.items()
    ]
    connection.execute(
        sa.insert(departures).from_select(
            [*_KEPT, *facts, "archived"], sa.select(*columns, _has_archives(filings)).where(*mine)
        )
    )
    connection.execute(sa.delete(filings).where(*mine))
    feeds.count(connection, dict.fromkeys(gone, -1))
    return len(gone)


def come_again(connection: sa.Connection, filed: Mapping[tuple[str, str], datetime]) -> None:
    """Articles that are filed in topics they left, (article, topic) -> when they were filed: an article gets an
    `updated` after its tombstone there, or readers would take it for deleted (RFC 6721); so it changes in all its
    feeds. No article is filed and departed in one topic."""
    floors: dict[str, datetime] = {}
    seqs: list[int] = []
    query = sa.select(_ROW.seq, _ROW.article_key, _ROW.topic, _ROW.left, articles.c.updated)
    query = query.join_from(departures, articles)
    for batch in batches({key: None for key, _ in filed}):
        for seq, key, topic, left, updated in connection.execute(query.where(_ROW.article_key.in_(batch))):
            if (key, topic) in filed:
                seqs.append(seq)
                floor = max(filed[key, topic], left + _A_SECOND, updated + _A_SECOND)
                floors[key] = max(floors.get(key, floor), floor)
    _renew(connection, [(key, floors[key]) for key in dict.fromkeys(key for key, _ in filed) if key in floors])
    for some_seqs in batches(seqs):
        connection.execute(sa.delete(departures).where(_ROW.seq.in_(some_seqs)))


def _renew(connection: sa.Connection, floors: Sequence[tuple[str, datetime]]) -> None:
    """Give each of these articles a new stamp and a new `updated`, from the second named with it on."""
    if not floors:
        return
    moments = free_seconds(connection, [floor for _, floor in floors])
    first = next_number(connection, STAMP, len(floors))
    rows = [
        {"of_key": name, "to_stamp": number, "to_moment": moment}
        for number, ((name, _), moment) in enumerate(zip(floors, moments, strict=True), first)
    ]
    key: sa.BindParameter[str] = sa.bindparam("of_key")
    stamp: sa.BindParameter[int] = sa.bindparam("to_stamp")
    dated = sa.update(articles).values(updated=sa.bindparam("to_moment"), stamp=stamp)
    for some in batches(rows):
        connection.execute(dated.where(articles.c.key == key), some)
        connection.execute(sa.update(filings).values(stamp=stamp).where(filings.c.article_key == key), some)


def free_seconds(connection: sa.Connection, floors: Sequence[datetime]) -> list[datetime]:
    """For each of `floors` the first second from it on that no article has as `updated`, nor any other of them gets:
    equal ones make validators warn and readers shuffle the entries. Equal floors get theirs in the order given.

    Looks at many seconds at once, however many articles come back together or came before them.
    """
    span = timedelta(seconds=max(len(floors), _LOOK_S))
    free = list(floors)
    taken: set[datetime] = set()
    moment = looked = min(floors)
    for place in sorted(range(len(floors)), key=floors.__getitem__):
        moment = max(moment, floors[place])
        while moment >= looked or moment in taken:
            if moment < looked:
                moment += _A_SECOND
            else:
                looked = moment + span
                times = sa.select(articles.c.updated).where(articles.c.updated >= moment, articles.c.updated < looked)
                taken = set(connection.scalars(times))
        free[place] = moment
        moment += _A_SECOND
    return free


def _has_archives(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.exists().where(feeds_table.c.topic == table.c.topic, feeds_table.c.archives > 0)
