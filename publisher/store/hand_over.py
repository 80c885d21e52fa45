"""Handing letters over: looked up, claimed, written down, given back, or lost with their process. Floor: store.

The claims of the ledger; `deliveries` draws the whole of it. Three statements run once or twice for every letter of an
issue, so they are the driver's own: written out here, bound by place, each row by its primary key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa

from publisher.model import PENDING_STATES, DeliveryState, IssueState, SubscriberState
from publisher.store.columns import UtcTime, batches
from publisher.store.ledger_view import LedgerView
from publisher.store.schema import deliveries, issues, subscribers

WAITING = (DeliveryState.PLANNED, DeliveryState.DEFERRED)
_HANDING_OVER = deliveries.c.state == DeliveryState.HANDING_OVER
_OUTCOMES = frozenset(DeliveryState) - {DeliveryState.PLANNED, DeliveryState.HANDING_OVER}
_ON_THE_WAY = (*sorted(PENDING_STATES), DeliveryState.UNCERTAIN)
_newer = deliveries.alias("newer")
TAKEN_OVER = (subscribers.c.watermark >= issues.c.upto_seq) | sa.exists().where(
    _newer.c.subscriber_id == deliveries.c.subscriber_id,
    _newer.c.issue_id > deliveries.c.issue_id,
    _newer.c.state.in_(_ON_THE_WAY),
)
_LEFT = {
    SubscriberState.PAUSED: "paused",
    SubscriberState.BOUNCED: "bounced",
    SubscriberState.PENDING: "not confirmed",
}

_HAND_OVER = f"""
UPDATE deliveries SET claimed_from = state, state = '{DeliveryState.HANDING_OVER}', attempts = attempts + 1,
    claim_until = ?, changed = ?
WHERE issue_id = ? AND subscriber_id = ? AND state = ?
    AND EXISTS (SELECT 1 FROM issues, subscribers WHERE issues.id = ? AND issues.state = '{IssueState.SENDING}'
        AND subscribers.id = ? AND subscribers.state = '{SubscriberState.ACTIVE}'
        AND subscribers.watermark < issues.upto_seq)
    AND NOT EXISTS (SELECT 1 FROM deliveries AS newer WHERE newer.subscriber_id = ? AND newer.issue_id > ?
        AND newer.state IN ({", ".join(f"'{state}'" for state in _ON_THE_WAY)}))
"""  # noqa: S608  (the words are our own enums)
_RAISE_WATERMARK = "UPDATE subscribers SET watermark = ? WHERE id = ? AND watermark < ?"
_RECORD = f"""
UPDATE deliveries SET state = ?, reply = ?, reason = ?, next_attempt = ?, changed = ?,
    claimed_from = NULL, claim_until = NULL
WHERE issue_id = ? AND subscriber_id = ? AND state = '{DeliveryState.HANDING_OVER}'
"""  # noqa: S608


class Key(NamedTuple):
    """What names a delivery, and its place in the order in which letters are looked up."""

    issue_id: int
    subscriber_id: int


FIRST = Key(0, 0)
"""Before every delivery."""


class Job(NamedTuple):
    """A letter that is due: it waits in `state`, and `attempts` counts the one to come. `fit` is false where nothing
    may be sent any more: its reader left, or a later letter covered it."""

    key: Key
    edition_id: int | None
    state: DeliveryState
    attempts: int
    email: str
    fit: bool

    @property
    def issue_id(self) -> int:
        return self.key.issue_id

    @property
    def subscriber_id(self) -> int:
        return self.key.subscriber_id

    def __repr__(self) -> str:
        return f"Job({self.key}, {self.state}, attempts={self.attempts})"  # no address


class Outcome(NamedTuple):
    """How a claimed delivery ended, or that it is to be tried again at `next_attempt`. No addresses in `reply`."""

    issue_id: int
    subscriber_id: int
    state: DeliveryState
    reply: str = ""
    reason: str = ""
    next_attempt: datetime | None = None


OfIssue = TypeVar("OfIssue", Job, Outcome)


class HandOver(LedgerView):
    """The part of the ledger that deals with claims."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self._last_filings: dict[int, int] = {}

    def upcoming(self, state: DeliveryState, now: datetime, limit: int, *, after: Key = FIRST) -> list[Job]:
        """Up to `limit` letters of issues being sent that wait in `state` and are due, in the order of their keys.

        Nothing is claimed yet: `hand_over` decides. Of uncertain letters only those that may be sent again.
        """
        key = sa.tuple_(deliveries.c.issue_id, deliveries.c.subscriber_id)
        conditions = [deliveries.c.state == state, key > sa.tuple_(*map(sa.literal, after))]
        if state is not DeliveryState.PLANNED:
            never = deliveries.c.next_attempt.is_(None)
            conditions.append(never | (deliveries.c.next_attempt <= now))
        fit = (subscribers.c.state == SubscriberState.ACTIVE) & (subscribers.c.watermark < issues.c.upto_seq)
        if state is DeliveryState.UNCERTAIN:  # what may have been sent is never called suppressed or expired here
            conditions += [fit, sa.not_(TAKEN_OVER)]
        query = (
            sa.select(*deliveries.c["issue_id", "subscriber_id", "edition_id", "attempts"], subscribers.c.email, fit)
            .join_from(deliveries, issues, issues.c.id == deliveries.c.issue_id)
            .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id, isouter=True)
            .where(issues.c.state == IssueState.SENDING, *conditions)
            .order_by(deliveries.c.issue_id, deliveries.c.subscriber_id)
            .limit(limit)
        )
        rows = self._connection.execute(query).all()
        return [Job(Key(row[0], row[1]), row[2], state, row[3] + 1, row[4] or "", bool(row[5])) for row in rows]

    def hand_over(self, jobs: Sequence[Job], now: datetime, claim_until: datetime) -> set[Key]:
        """Claim these letters, `handing over` from here on until `claim_until`; gives the keys of those that are ours.

        The others must not be sent. One whose reader left since it was looked up becomes suppressed, one that a later
        letter took over expires; those of an issue that is not being sent any more stay as they are.

        If this process dies, each claimed letter is uncertain: claim what is about to be sent, and no more.
        """
        if not jobs:
            return set()
        convert = _time_converter(self._connection.dialect)
        moment, until = convert(now), convert(claim_until)
        rows = [(until, moment, *job.key, job.state.value, *job.key, *reversed(job.key)) for job in jobs]
        ours = {job.key for job, changed in zip(jobs, self._each(_HAND_OVER, rows), strict=True) if changed}
        if len(ours) < len(jobs):
            self._dismiss([job for job in jobs if job.key not in ours], now)
        return ours

    def record(self, outcomes: Sequence[Outcome], now: datetime) -> int:
        """Write down how claimed letters ended. A row that is not `handing over` any more is left alone. A reader
        whose letter was accepted has everything up to the issue's last filing. Returns how many rows changed."""
        if not outcomes:
            return 0
        convert = _time_converter(self._connection.dialect)
        moment = convert(now)
        rows = []
        for o in outcomes:
            if o.state not in _OUTCOMES:
                raise ValueError(f"{o.state} is no outcome of a letter")
            again = o.next_attempt and convert(o.next_attempt)
            rows.append((o.state.value, o.reply, o.reason, again, moment, o.issue_id, o.subscriber_id))
        held = self._each(_RECORD, rows)
        upto = {issue_id: self._upto(issue_id) for issue_id in {o.issue_id for o in outcomes}}
        reached = [
            (upto[o.issue_id], o.subscriber_id, upto[o.issue_id])
            for o, was_held in zip(outcomes, held, strict=True)
            if was_held and o.state is DeliveryState.ACCEPTED
        ]
        if reached:
            self._many(_RAISE_WATERMARK, reached)
        return sum(held)

    def release(self, jobs: Sequence[Job], now: datetime) -> int:
        """Give claims back of which nothing was sent: each is again what it was. Returns how many."""
        released = 0
        for issue_id, some in _by_issue(jobs):
            released += self._connection.execute(
                sa.update(deliveries)
                .where(
                    deliveries.c.issue_id == issue_id,
                    deliveries.c.subscriber_id.in_([job.subscriber_id for job in some]),
                    _HANDING_OVER,
                )
                .values(
                    state=deliveries.c.claimed_from,
                    attempts=deliveries.c.attempts - 1,
                    claimed_from=None,
                    claim_until=None,
                    changed=now,
                )
            ).rowcount
        return released

    def recover(self, now: datetime, *, force: bool = False) -> int:
        """Letters whose claim ran out become uncertain: nobody knows whether the relay took them. `force`: all
        claims, when the run lock is ours and nobody else can be sending. Returns how many."""
        conditions = [_HANDING_OVER] if force else [_HANDING_OVER, deliveries.c.claim_until <= now]
        return self._move(DeliveryState.UNCERTAIN, now, *conditions, reason="interrupted while it was handed over")

    # --- within -------------------------------------------------------------------------------------------------

    def _upto(self, issue_id: int) -> int:
        """The last filing that an issue covers; it never changes."""
        if issue_id not in self._last_filings:
            query = sa.select(issues.c.upto_seq).where(issues.c.id == issue_id)
            self._last_filings[issue_id] = self._connection.execute(query).scalar_one()
        return self._last_filings[issue_id]

    def _dismiss(self, jobs: Collection[Job], now: datetime) -> None:
        """Settle waiting letters that nobody is to get any more."""
        for issue_id, some in _by_issue([job for job in jobs if job.state in WAITING]):
            numbers = [job.subscriber_id for job in some]
            query = (
                sa.select(deliveries.c.subscriber_id, subscribers.c.state, TAKEN_OVER)
                .join_from(deliveries, issues, issues.c.id == deliveries.c.issue_id)
                .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id, isouter=True)
                .where(deliveries.c.issue_id == issue_id, deliveries.c.subscriber_id.in_(numbers))
            )
            settled: defaultdict[tuple[DeliveryState, str], list[int]] = defaultdict(list)
            for subscriber_id, reader, taken_over in self._connection.execute(query):
                if reader is not SubscriberState.ACTIVE:
                    settled[DeliveryState.SUPPRESSED, _LEFT.get(reader, "left")].append(subscriber_id)
                elif taken_over:
                    settled[DeliveryState.EXPIRED, "taken over by a later issue"].append(subscriber_id)
            for (state, reason), readers in settled.items():
                of_these = (deliveries.c.issue_id == issue_id, deliveries.c.subscriber_id.in_(readers))
                self._move(state, now, deliveries.c.state.in_(WAITING), *of_these, reason=reason)

    def _move(self, state: DeliveryState, now: datetime, *conditions: sa.ColumnElement[bool], reason: str) -> int:
        values = {
            "state": state,
            "reason": reason,
            "next_attempt": None,
            "claimed_from": None,
            "claim_until": None,
            "changed": now,
        }
        return self._connection.execute(sa.update(deliveries).where(*conditions).values(values)).rowcount

    def _many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Run `statement` for each of `rows`."""
        with self._cursor() as cursor:
            cursor.executemany(self._in_style(statement), rows)

    def _each(self, statement: str, rows: Sequence[tuple[object, ...]]) -> list[bool]:
        """Whether `statement` changed a row of the table, for each of `rows`."""
        with self._cursor() as cursor:
            if self._connection.dialect.name == "sqlite":
                return [cursor.execute(statement, row).rowcount > 0 for row in rows]
            cursor.executemany(self._in_style(statement) + " RETURNING 1", rows, returning=True)  # one round trip
            changed = []
            for _ in rows:
                changed.append(cursor.fetchone() is not None)
                cursor.nextset()
            return changed

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        dialect = self._connection.dialect
        assert dialect.dbapi is not None
        cursor = self._connection.connection.cursor()
        try:
            yield cursor
        except dialect.dbapi.Error as error:
            raise sa.exc.DBAPIError.instance("", None, error, dialect.dbapi.Error, dialect=dialect) from error
        finally:
            cursor.close()

    def _in_style(self, statement: str) -> str:
        return statement if self._connection.dialect.name == "sqlite" else statement.replace("?", "%s")


@lru_cache(maxsize=8)
def _time_converter(dialect: sa.Dialect) -> Callable[[datetime | None], object]:
    """How the driver takes a time."""
    return UtcTime().dialect_impl(dialect).bind_processor(dialect) or (lambda moment: moment)


def _by_issue(items: Sequence[OfIssue]) -> Iterator[tuple[int, Sequence[OfIssue]]]:
    """`items` by their issue, in batches, the lowest issue first."""
    found: defaultdict[int, list[OfIssue]] = defaultdict(list)
    for item in items:
        found[item.issue_id].append(item)
    for issue_id in sorted(found):
        for batch in batches(found[issue_id]):
            yield issue_id, batch
