"""The ledger's statements on SQLite. Floor: store.

What an exchange mostly brings are letters of one issue that were accepted, and claims that hold: that is a statement
each for all of them. If one of the rows is not as it should be, nothing was done, and it goes row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from publisher.model import DeliveryState
from publisher.store.ledger_sql import (
    ACCEPTED,
    HELD,
    MAY_GET_IT,
    NOT_HELD,
    NOW_HELD,
    WORDS,
    Job,
    Key,
    Outcome,
    driver_errors,
    time_converter,
)

_TOGETHER = 100
"""Rows of one statement at most: SQLite takes 999 values."""

_PLAN = """
    INSERT INTO deliveries (issue_id, changed, subscriber_id, edition_id, state, reason, attempts, reply)
    VALUES (?, ?, ?, ?, ?, ?, 0, '')
"""
_CLAIM = f"""
    UPDATE deliveries SET {NOW_HELD}, claim_until = ?1, changed = ?2
    WHERE issue_id = ?3 AND subscriber_id = ?4 AND state = ?5 AND {MAY_GET_IT.format(issue="?3", reader="?4")}
"""  # noqa: S608  (the words are our own enums)
_RECORD = f"""
    UPDATE deliveries SET state = ?4, reply = ?5, reason = ?6, next_attempt = ?7, changed = ?1, {NOT_HELD}
    WHERE issue_id = ?2 AND subscriber_id = ?3 AND {HELD}
"""  # noqa: S608
_RAISE = """
    UPDATE subscribers SET watermark = (SELECT upto_seq FROM issues WHERE id = ?1)
    WHERE id = ?2 AND watermark < (SELECT upto_seq FROM issues WHERE id = ?1)
"""


class _NotAlike(Exception):
    """The rows cannot be changed by one statement."""


class SqliteSql:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.time = time_converter(connection.dialect)

    def plan(self, issue_id: int, rows: Sequence[tuple[int, int | None, str, str]], now: object) -> None:
        with _cursor(self._connection) as cursor:
            cursor.executemany(_PLAN, [(issue_id, now, *row) for row in rows])

    def claim(self, jobs: Sequence[Job], now: object, until: object) -> set[Key]:
        with _cursor(self._connection) as cursor:
            return _claim(cursor, jobs, now, until)

    def record(self, outcomes: Sequence[Outcome], now: object) -> set[Key]:
        with _cursor(self._connection) as cursor:
            return self._record(cursor, outcomes, now)

    def exchange(self, outcomes: Sequence[Outcome], jobs: Sequence[Job], now: object, until: object) -> set[Key]:
        with _cursor(self._connection) as cursor:
            try:
                with _transaction(cursor):
                    _accept_together(cursor, outcomes, now)
                    return _claim_together(cursor, jobs, now, until)
            except _NotAlike:
                with _transaction(cursor):
                    self._record(cursor, outcomes, now)
                    return _claim(cursor, jobs, now, until)

    def _record(self, cursor: Any, outcomes: Sequence[Outcome], now: object) -> set[Key]:
        held = set()
        for key, state, reply, reason, again in outcomes:
            values = (now, *key, WORDS[state], reply, reason, self.time(again))
            if cursor.execute(_RECORD, values).rowcount > 0:
                held.add(key)
        accepted = [one.key for one in outcomes if one.state is DeliveryState.ACCEPTED and one.key in held]
        cursor.executemany(_RAISE, accepted)
        return held


def _claim(cursor: Any, jobs: Sequence[Job], now: object, until: object) -> set[Key]:
    return {job.key for job in jobs if cursor.execute(_CLAIM, (until, now, *job.key, WORDS[job.state])).rowcount > 0}


# --- together -----------------------------------------------------------------------------------------------------


def _claim_together(cursor: Any, jobs: Sequence[Job], now: object, until: object) -> set[Key]:
    if not jobs:
        return set()
    issue, state = jobs[0].issue_id, jobs[0].state
    readers = [job.key.subscriber_id for job in jobs if job.key.issue_id == issue and job.state is state]
    ours = {job.key for job in jobs}
    if not len(readers) == len(ours) == len(jobs) <= _TOGETHER:
        raise _NotAlike
    if cursor.execute(_claims(len(readers)), (until, now, issue, WORDS[state], *readers)).rowcount != len(readers):
        raise _NotAlike
    return ours


def _accept_together(cursor: Any, outcomes: Sequence[Outcome], now: object) -> None:
    if not outcomes:
        return
    issue = outcomes[0].key.issue_id
    readers: list[int] = []
    replies: list[object] = []
    for (issue_id, reader), state, reply, reason, _ in outcomes:
        if issue_id != issue or state is not DeliveryState.ACCEPTED or reason:
            raise _NotAlike
        readers.append(reader)
        replies += (reader, reply)
    if len(readers) > _TOGETHER:
        raise _NotAlike
    if cursor.execute(_acceptances(len(readers)), (*replies, now, issue, *readers)).rowcount != len(readers):
        raise _NotAlike
    cursor.execute(_raises(len(readers)), (issue, *readers))


@lru_cache(maxsize=_TOGETHER)
def _claims(rows: int) -> str:
    return f"""
        UPDATE deliveries SET {NOW_HELD}, claim_until = ?1, changed = ?2
        WHERE issue_id = ?3 AND subscriber_id IN ({_marks(5, rows)}) AND state = ?4
            AND {MAY_GET_IT.format(issue="?3", reader="deliveries.subscriber_id")}
    """  # noqa: S608


@lru_cache(maxsize=_TOGETHER)
def _acceptances(rows: int) -> str:
    replies = " ".join(f"WHEN ?{number} THEN ?{number + 1}" for number in range(1, 2 * rows, 2))
    now, issue = 2 * rows + 1, 2 * rows + 2
    return f"""
        UPDATE deliveries SET state = '{ACCEPTED}', reply = CASE subscriber_id {replies} END, reason = '',
            next_attempt = NULL, changed = ?{now}, {NOT_HELD}
        WHERE issue_id = ?{issue} AND subscriber_id IN ({_marks(issue + 1, rows)}) AND {HELD}
    """  # noqa: S608


@lru_cache(maxsize=_TOGETHER)
def _raises(rows: int) -> str:
    return f"""
        UPDATE subscribers SET watermark = (SELECT upto_seq FROM issues WHERE id = ?1)
        WHERE id IN ({_marks(2, rows)}) AND watermark < (SELECT upto_seq FROM issues WHERE id = ?1)
    """  # noqa: S608


def _marks(first: int, count: int) -> str:
    return ", ".join(f"?{number}" for number in range(first, first + count))


# --- the driver ---------------------------------------------------------------------------------------------------


@contextmanager
def _transaction(cursor: Any) -> Iterator[None]:
    cursor.execute("BEGIN IMMEDIATE")
    try:
        yield
        cursor.execute("COMMIT")
    except BaseException:
        if cursor.connection.in_transaction:  # some errors have undone it already
            cursor.execute("ROLLBACK")
        raise


@contextmanager
def _cursor(connection: sa.Connection) -> Iterator[Any]:
    """A cursor of the driver in the transaction of `connection`."""
    with driver_errors(connection):
        cursor = connection.connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()
