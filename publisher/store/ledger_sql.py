"""The statements that run for every letter, in the driver's own way, for each database. Floor: store.

SQLite runs a prepared statement for each row faster than anything made of many rows; PostgreSQL takes all rows of a
transaction as arrays, in one statement and one way to the server. Both do the same, and the same tests hold both to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa

from publisher.model import PENDING_STATES, DeliveryState, IssueState, SubscriberState
from publisher.store.columns import UtcTime

WORDS = {state: state.value for state in DeliveryState}
"""The states as the database keeps them; an enum's own `value` costs more than a look at this."""

_ACCEPTED = WORDS[DeliveryState.ACCEPTED]

ON_THE_WAY = (*sorted(PENDING_STATES), DeliveryState.UNCERTAIN)
"""A letter in one of these reaches its reader, or may have."""


class Key(NamedTuple):
    """What names a delivery, and its place in the order in which letters are looked up."""

    issue_id: int
    subscriber_id: int


class Ended(NamedTuple):
    """How a claimed letter ended, as the statements take it."""

    key: Key
    state: str
    reply: str
    reason: str
    next_attempt: object


class LedgerSql(Protocol):
    """Each gives the keys of the rows that changed."""

    def time(self, moment: datetime | None) -> object:
        """`moment` as the driver takes it."""
        ...

    def claim(self, claims: Sequence[tuple[Key, str]], now: object, until: object) -> set[Key]:
        """Each key with the state it waits in: `handing over` if its reader may still get it."""
        ...

    def record(self, ended: Sequence[Ended], now: object) -> set[Key]:
        """Of those that are `handing over`. Whose letter was accepted has everything up to its issue's last filing."""
        ...

    def exchange(
        self, ended: Sequence[Ended], claims: Sequence[tuple[Key, str]], now: object, until: object
    ) -> set[Key]:
        """`record`, then `claim`, in a transaction of its own and on the shortest way. Only while no other is open on
        this connection. Gives what was claimed."""
        ...


_MAY_GET_IT = f"""
    EXISTS (SELECT 1 FROM issues, subscribers WHERE issues.id = {{issue}} AND issues.state = '{IssueState.SENDING}'
        AND subscribers.id = {{reader}} AND subscribers.state = '{SubscriberState.ACTIVE}'
        AND subscribers.watermark < issues.upto_seq)
    AND NOT EXISTS (SELECT 1 FROM deliveries AS newer WHERE newer.subscriber_id = {{reader}}
        AND newer.issue_id > {{issue}} AND newer.state IN ({", ".join(f"'{state}'" for state in ON_THE_WAY)}))
"""  # noqa: S608  (the words are our own enums)
_HELD = f"state = '{DeliveryState.HANDING_OVER}'"
_NOW_HELD = f"claimed_from = deliveries.state, {_HELD}, attempts = attempts + 1"
_NOT_HELD = "claimed_from = NULL, claim_until = NULL"


class SqliteSql:
    _CLAIM = f"""
        UPDATE deliveries SET {_NOW_HELD}, claim_until = ?1, changed = ?2
        WHERE issue_id = ?3 AND subscriber_id = ?4 AND state = ?5 AND {_MAY_GET_IT.format(issue="?3", reader="?4")}
    """  # noqa: S608
    _RECORD = f"""
        UPDATE deliveries SET state = ?4, reply = ?5, reason = ?6, next_attempt = ?7, changed = ?1, {_NOT_HELD}
        WHERE issue_id = ?2 AND subscriber_id = ?3 AND {_HELD}
    """  # noqa: S608
    _RAISE = """
        UPDATE subscribers SET watermark = (SELECT upto_seq FROM issues WHERE id = ?1)
        WHERE id = ?2 AND watermark < (SELECT upto_seq FROM issues WHERE id = ?1)
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.time = _time_converter(connection.dialect)

    def claim(self, claims: Sequence[tuple[Key, str]], now: object, until: object) -> set[Key]:
        with _cursor(self._connection) as cursor:
            return self._claim(cursor, claims, now, until)

    def record(self, ended: Sequence[Ended], now: object) -> set[Key]:
        with _cursor(self._connection) as cursor:
            return self._record(cursor, ended, now)

    def exchange(
        self, ended: Sequence[Ended], claims: Sequence[tuple[Key, str]], now: object, until: object
    ) -> set[Key]:
        with _cursor(self._connection) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                self._record(cursor, ended, now)
                ours = self._claim(cursor, claims, now, until)
                cursor.execute("COMMIT")
            except BaseException:
                if cursor.connection.in_transaction:  # some errors have undone it already
                    cursor.execute("ROLLBACK")
                raise
            return ours

    def _claim(self, cursor: Any, claims: Sequence[tuple[Key, str]], now: object, until: object) -> set[Key]:
        return {key for key, state in claims if cursor.execute(self._CLAIM, (until, now, *key, state)).rowcount > 0}

    def _record(self, cursor: Any, ended: Sequence[Ended], now: object) -> set[Key]:
        held = {one[0] for one in ended if cursor.execute(self._RECORD, (now, *one[0], *one[1:])).rowcount > 0}
        cursor.executemany(self._RAISE, [one[0] for one in ended if one[1] == _ACCEPTED and one[0] in held])
        return held


class PostgresqlSql:
    _CLAIM = f"""
        UPDATE deliveries SET {_NOW_HELD}, claim_until = %s, changed = %s
        FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS one (issue_id, subscriber_id, state)
        WHERE deliveries.issue_id = one.issue_id AND deliveries.subscriber_id = one.subscriber_id
            AND deliveries.state = one.state AND {_MAY_GET_IT.format(issue="one.issue_id", reader="one.subscriber_id")}
        RETURNING deliveries.issue_id, deliveries.subscriber_id
    """  # noqa: S608
    _RECORD = f"""
        WITH held AS (
            UPDATE deliveries SET state = one.state, reply = one.reply, reason = one.reason,
                next_attempt = one.next_attempt, changed = %s, {_NOT_HELD}
            FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
                AS one (issue_id, subscriber_id, state, reply, reason, next_attempt)
            WHERE deliveries.issue_id = one.issue_id AND deliveries.subscriber_id = one.subscriber_id
                AND deliveries.{_HELD}
            RETURNING deliveries.issue_id, deliveries.subscriber_id, deliveries.state
        ), reached AS (
            SELECT subscriber_id, max(upto_seq) AS watermark FROM held JOIN issues ON issues.id = held.issue_id
            WHERE held.state = '{_ACCEPTED}' GROUP BY subscriber_id
        ), raised AS (
            UPDATE subscribers SET watermark = reached.watermark FROM reached
            WHERE subscribers.id = reached.subscriber_id AND subscribers.watermark < reached.watermark
        )
        SELECT issue_id, subscriber_id FROM held
    """  # noqa: S608

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.time = _time_converter(connection.dialect)

    def claim(self, claims: Sequence[tuple[Key, str]], now: object, until: object) -> set[Key]:
        return self._changed(self._CLAIM, self._claims(claims, now, until))

    def record(self, ended: Sequence[Ended], now: object) -> set[Key]:
        return self._changed(self._RECORD, self._outcomes(ended, now))

    def exchange(
        self, ended: Sequence[Ended], claims: Sequence[tuple[Key, str]], now: object, until: object
    ) -> set[Key]:
        with _cursor(self._connection) as cursor:
            connection = cursor.connection
            connection.autocommit = True  # what then goes to the server in one breath is one transaction
            try:
                with connection.pipeline():
                    if ended:
                        cursor.execute(self._RECORD, self._outcomes(ended, now))
                    if claims:
                        cursor.execute(self._CLAIM, self._claims(claims, now, until))
                return set(map(Key._make, cursor.fetchall())) if claims else set()
            finally:
                if not connection.closed:
                    connection.autocommit = False

    def _claims(self, claims: Sequence[tuple[Key, str]], now: object, until: object) -> tuple[object, ...]:
        issues, readers = zip(*(key for key, _ in claims), strict=True)
        return until, now, list(issues), list(readers), [state for _, state in claims]

    def _outcomes(self, ended: Sequence[Ended], now: object) -> tuple[object, ...]:
        keys, *outcomes = zip(*ended, strict=True)
        issues, readers = zip(*keys, strict=True)
        return now, list(issues), list(readers), *map(list, outcomes)

    def _changed(self, statement: str, values: tuple[object, ...]) -> set[Key]:
        with _cursor(self._connection) as cursor:
            return set(map(Key._make, cursor.execute(statement, values).fetchall()))


def ledger_sql(connection: sa.Connection) -> LedgerSql:
    return SqliteSql(connection) if connection.dialect.name == "sqlite" else PostgresqlSql(connection)


@lru_cache(maxsize=8)
def _time_converter(dialect: sa.Dialect) -> Callable[[datetime | None], object]:
    return UtcTime().dialect_impl(dialect).bind_processor(dialect) or (lambda moment: moment)


@contextmanager
def _cursor(connection: sa.Connection) -> Iterator[Any]:
    """A cursor of the driver in the transaction of `connection`; its errors are SQLAlchemy's, as everywhere."""
    dialect = connection.dialect
    assert dialect.dbapi is not None
    cursor = connection.connection.cursor()
    try:
        yield cursor
    except dialect.dbapi.Error as error:
        raise sa.exc.DBAPIError.instance("", None, error, dialect.dbapi.Error, dialect=dialect) from error
    finally:
        cursor.close()
