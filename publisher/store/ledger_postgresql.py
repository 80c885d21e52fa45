"""The ledger's statements on PostgreSQL: all rows of a transaction as arrays, in one way to the server. Floor: store.

Each statement is planned once, without a look at the values: a plan of ten rows' own takes longer than to follow it.
The exchange speaks libpq's own language, so that nobody has to stand by while the server writes.
"""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult

from publisher.store.ledger_sql import (
    ACCEPTED,
    HELD,
    MAY_GET_IT,
    NOT_HELD,
    NOW_HELD,
    WORDS,
    AtServer,
    Job,
    Key,
    Outcome,
    driver_errors,
    time_converter,
)

_PLAN = """
    INSERT INTO deliveries (issue_id, changed, subscriber_id, edition_id, state, reason, attempts, reply)
    SELECT $1, $2, one.*, 0, '' FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::text[]) AS one
"""
_CLAIM = f"""
    UPDATE deliveries SET {NOW_HELD}, claim_until = $1, changed = $2
    FROM unnest($3::bigint[], $4::bigint[], $5::text[]) AS one (issue_id, subscriber_id, state)
    WHERE deliveries.issue_id = one.issue_id AND deliveries.subscriber_id = one.subscriber_id
        AND deliveries.state = one.state AND {MAY_GET_IT.format(issue="one.issue_id", reader="one.subscriber_id")}
    RETURNING deliveries.issue_id, deliveries.subscriber_id
"""  # noqa: S608  (the words are our own enums)
_END = f"""
    WITH held AS (
        UPDATE deliveries SET state = one.state, reply = one.reply, reason = one.reason,
            next_attempt = one.next_attempt, changed = $1, {NOT_HELD}
        FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
            AS one (issue_id, subscriber_id, state, reply, reason, next_attempt)
        WHERE deliveries.issue_id = one.issue_id AND deliveries.subscriber_id = one.subscriber_id
            AND deliveries.{HELD}
        RETURNING deliveries.issue_id, deliveries.subscriber_id, deliveries.state
    ), reached AS (
        SELECT subscriber_id, max(upto_seq) AS watermark FROM held JOIN issues ON issues.id = held.issue_id
        WHERE held.state = '{ACCEPTED}' GROUP BY subscriber_id
    )
"""  # noqa: S608
_RAISE = """
    UPDATE subscribers SET watermark = reached.watermark FROM reached
    WHERE subscribers.id = reached.subscriber_id AND subscribers.watermark < reached.watermark
"""
_RECORD = f"{_END}, raised AS ({_RAISE}) SELECT issue_id, subscriber_id FROM held"  # noqa: S608

_STATEMENTS = {b"publisher_claim": _CLAIM, b"publisher_end": _END + _RAISE}
_CLAIM_FORMATS = (Format.TEXT, Format.TEXT, Format.BINARY, Format.BINARY, Format.BINARY)
_END_FORMATS = (Format.TEXT, *[Format.BINARY] * 5, Format.TEXT)
_BIGINT, _TEXT = 20, 25
"""The server's numbers for these types."""


class PostgresqlSql(AtServer):
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.time = time_converter(connection.dialect)
        self._pg: PGconn | None = None
        self._claimed: set[Key] = set()
        self._error: psycopg.Error | None = None

    def plan(self, issue_id: int, rows: Sequence[tuple[int, int | None, str, str]], now: object) -> None:
        driver: Any = self._connection.connection.dbapi_connection
        with driver_errors(self._connection), psycopg.RawCursor(driver) as cursor:
            cursor.execute(_PLAN.encode(), [issue_id, now, *map(list, zip(*rows, strict=True))])

    def claim(self, jobs: Sequence[Job], now: object, until: object) -> set[Key]:
        issues, readers = zip(*(job.key for job in jobs), strict=True)
        states = [WORDS[job.state] for job in jobs]
        return self._changed(_CLAIM, [until, now, list(issues), list(readers), states])

    def record(self, outcomes: Sequence[Outcome], now: object) -> set[Key]:
        keys, states, replies, reasons, again = zip(*outcomes, strict=True)
        issues, readers = zip(*keys, strict=True)
        texts = ([WORDS[state] for state in states], list(replies), list(reasons))
        return self._changed(_RECORD, [now, list(issues), list(readers), *texts, list(map(self.time, again))])

    def exchange(self, outcomes: Sequence[Outcome], jobs: Sequence[Job], now: object, until: object) -> set[Key]:
        socket = self.begin(outcomes, jobs, now, until)
        while (ours := self.answer()) is None:
            select.select([socket], [], [])
        return ours

    def begin(self, outcomes: Sequence[Outcome], jobs: Sequence[Job], now: object, until: object) -> int:
        with driver_errors(self._connection):
            pg = self._pg or self._prepared()
            statements = []
            if outcomes:
                statements.append((b"publisher_end", self._of_ended(outcomes, now), _END_FORMATS))
            if jobs:
                statements.append((b"publisher_claim", _of_claims(jobs, now, until), _CLAIM_FORMATS))
            self._claimed, self._error = set(), None
            pg.enter_pipeline_mode()  # what goes to the server in one breath is one transaction
            for name, values, formats in statements:
                pg.send_query_prepared(name, values, formats)
            pg.pipeline_sync()
            while pg.flush():  # these few kilobytes fit into what the system keeps for a socket
                select.select([], [pg.socket], [])
            return pg.socket

    def answer(self) -> set[Key] | None:
        pg = self._pg
        assert pg is not None, "nothing was begun"
        with driver_errors(self._connection):
            pg.consume_input()
            while not pg.is_busy():
                result = pg.get_result()
                if result is None:  # the end of one statement
                    continue
                if result.status == ExecStatus.PIPELINE_SYNC:
                    pg.exit_pipeline_mode()
                    if self._error is not None:
                        raise self._error
                    return self._claimed
                if result.status == ExecStatus.TUPLES_OK:
                    self._claimed = set(_keys(result))
                elif result.status == ExecStatus.FATAL_ERROR:
                    self._error = error_from_result(result)
        return None

    def _prepared(self) -> PGconn:
        driver: Any = self._connection.connection.dbapi_connection
        pg: PGconn = driver.pgconn
        pg.exec_(b"SET plan_cache_mode = force_generic_plan")
        for name, statement in _STATEMENTS.items():
            result = pg.prepare(name, statement.encode())
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result)
        self._pg = pg
        return pg

    def _of_ended(self, outcomes: Sequence[Outcome], now: object) -> list[bytes]:
        keys, states, replies, reasons, again = zip(*outcomes, strict=True)
        issues, readers = zip(*keys, strict=True)
        times = ",".join("NULL" if moment is None else f'"{self.time(moment)}"' for moment in again)
        texts = (_texts([WORDS[state] for state in states]), _texts(replies), _texts(reasons))
        return [str(now).encode(), _numbers(issues), _numbers(readers), *texts, f"{{{times}}}".encode()]

    def _changed(self, statement: str, values: list[object]) -> set[Key]:
        driver: Any = self._connection.connection.dbapi_connection
        with driver_errors(self._connection), psycopg.RawCursor(driver) as cursor:
            return set(map(Key._make, cursor.execute(statement.encode(), values).fetchall()))


def _of_claims(jobs: Sequence[Job], now: object, until: object) -> list[bytes]:
    issues, readers = zip(*(job.key for job in jobs), strict=True)
    states = _texts([WORDS[job.state] for job in jobs])
    return [str(until).encode(), str(now).encode(), _numbers(issues), _numbers(readers), states]


def _numbers(values: Sequence[int]) -> bytes:
    return _array(_BIGINT, [value.to_bytes(8, "big") for value in values])


def _texts(values: Sequence[str]) -> bytes:
    return _array(_TEXT, [value.encode() for value in values])


def _array(kind: int, items: Sequence[bytes]) -> bytes:
    """As the server itself writes one down: of one dimension, without NULLs, of that type, so long, from 1."""
    head = (1, 0, kind, len(items), 1)
    return b"".join([_length(number) for number in head] + [_length(len(item)) + item for item in items])


def _length(number: int) -> bytes:
    return number.to_bytes(4, "big")


def _keys(result: PGresult) -> Iterator[Key]:
    for row in range(result.ntuples):
        yield Key(int(result.get_value(row, 0) or 0), int(result.get_value(row, 1) or 0))
