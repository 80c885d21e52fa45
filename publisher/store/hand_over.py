"""Handing letters over: looked up, claimed, written down, given back, or lost with their process. Floor: store.

The claims of the ledger; `deliveries` draws the whole of it. What runs for every letter of an issue is in `ledger_sql`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from publisher.model import DeliveryState, IssueState, SubscriberState
from publisher.store.columns import batches
from publisher.store.ledger_sql import ON_THE_WAY, AtServer, Job, Key, Outcome, ledger_sql
from publisher.store.ledger_view import OF_OPEN_ISSUES, LedgerView
from publisher.store.schema import deliveries, issues, subscribers

WAITING = (DeliveryState.PLANNED, DeliveryState.DEFERRED)
HANDING_OVER = deliveries.c.state == DeliveryState.HANDING_OVER
_OUTCOMES = frozenset(DeliveryState) - {DeliveryState.PLANNED, DeliveryState.HANDING_OVER}
_newer = deliveries.alias("newer")
TAKEN_OVER = (subscribers.c.watermark >= issues.c.upto_seq) | sa.exists().where(
    _newer.c.subscriber_id == deliveries.c.subscriber_id,
    _newer.c.issue_id > deliveries.c.issue_id,
    _newer.c.state.in_(ON_THE_WAY),
)
_LEFT = {
    SubscriberState.PAUSED: "paused",
    SubscriberState.BOUNCED: "bounced",
    SubscriberState.PENDING: "not confirmed",
}

_SENDING = (
    sa.select(issues.c.id)
    .where(issues.c.state == IssueState.SENDING, issues.c.id >= sa.bindparam("issue", type_=sa.Integer))
    .order_by(issues.c.id)
)


@cache
def _waiting_in(state: DeliveryState) -> sa.Select[Any]:
    """What waits in `state` and is due, of one issue, behind one reader. Put together once: relays wait meanwhile."""
    fit = (subscribers.c.state == SubscriberState.ACTIVE) & (subscribers.c.watermark < issues.c.upto_seq)
    query = (
        sa.select(*deliveries.c["subscriber_id", "edition_id", "attempts"], subscribers.c.email, fit)
        .join_from(deliveries, issues, issues.c.id == deliveries.c.issue_id)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id, isouter=True)
        .where(deliveries.c.issue_id == sa.bindparam("issue"), deliveries.c.subscriber_id > sa.bindparam("reader"))
        .where(deliveries.c.state == state)
        .order_by(deliveries.c.subscriber_id)
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )
    if state is not DeliveryState.PLANNED:
        query = query.where(deliveries.c.next_attempt <= sa.bindparam("now"))
    if state is DeliveryState.UNCERTAIN:  # what may have been sent is never called suppressed or expired here
        query = query.where(fit, sa.not_(TAKEN_OVER))
    return query


FIRST = Key(0, 0)
"""Before every delivery."""


class HandOver(LedgerView):
    """The part of the ledger that deals with claims."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self._sql = ledger_sql(connection)

    def upcoming(
        self, state: DeliveryState, now: datetime, limit: int, *, after: Key = FIRST, domain: str = ""
    ) -> list[Job]:
        """Up to `limit` letters of issues being sent that wait in `state` and are due, in the order of their keys;
        with `domain` only those to readers there.

        Nothing is claimed yet: `hand_over` decides. Of uncertain letters only those that may be sent again.
        """
        found: list[Job] = []
        for issue_id in self._connection.scalars(_SENDING, {"issue": after.issue_id}).all():
            reader = after.subscriber_id if issue_id == after.issue_id else 0
            found += self._upcoming_of(Key(issue_id, reader), state, now, limit - len(found), domain)
            if len(found) == limit:
                break
        return found

    def _upcoming_of(self, after: Key, state: DeliveryState, now: datetime, limit: int, domain: str) -> list[Job]:
        """Those of one issue: so each database follows the order of its keys, whatever else it might think of."""
        query = _waiting_in(state)
        if domain:
            query = query.where(subscribers.c.email_key.endswith(f"@{domain}", autoescape=True))
        values = {"issue": after.issue_id, "reader": after.subscriber_id, "now": now, "limit": limit}
        rows: Sequence[Any] = self._connection.execute(query, values).all()
        return [
            Job(Key(after.issue_id, reader), edition_id, state, attempts + 1, email or "", bool(is_fit))
            for reader, edition_id, attempts, email, is_fit in rows
        ]

    def hand_over(self, jobs: Sequence[Job], now: datetime, claim_until: datetime) -> set[Key]:
        """Claim these letters, `handing over` from here on until `claim_until`; gives the keys of those that are ours.

        The others must not be sent. One whose reader left since it was looked up becomes suppressed, one that a later
        letter took over expires; those of an issue that is not being sent any more stay as they are.

        If this process dies, each claimed letter is uncertain: claim what is about to be sent, and no more.
        """
        if not jobs:
            return set()
        ours = self._sql.claim(jobs, self._sql.time(now), self._sql.time(claim_until))
        if len(ours) < len(jobs):
            self.dismiss([job for job in jobs if job.key not in ours], now)
        return ours

    def record(self, outcomes: Sequence[Outcome], now: datetime) -> int:
        """Write down how claimed letters ended. A row that is not `handing over` any more is left alone. A reader
        whose letter was accepted has everything up to the issue's last filing. Returns how many rows changed."""
        if not outcomes:
            return 0
        return len(self._sql.record(_checked(outcomes), self._sql.time(now)))

    def exchange(
        self, outcomes: Sequence[Outcome], jobs: Sequence[Job], now: datetime, claim_until: datetime
    ) -> set[Key]:
        """`record`, then `hand_over`, in a transaction of its own and on the shortest way: for one who does nothing
        else a thousand times a second. What is not ours is left as it is; `dismiss` settles it."""
        time = self._sql.time
        return self._sql.exchange(_checked(outcomes), jobs, time(now), time(claim_until))

    def begin_exchange(
        self, outcomes: Sequence[Outcome], jobs: Sequence[Job], now: datetime, claim_until: datetime
    ) -> int:
        """Have the server do an `exchange`, and do not wait for it. Gives the socket on which its answer comes."""
        time = self._sql.time
        return self._at_server.begin(_checked(outcomes), jobs, time(now), time(claim_until))

    def exchange_answer(self) -> set[Key] | None:
        """What the exchange that was begun gives; None as long as the server is at work."""
        return self._at_server.answer()

    @property
    def _at_server(self) -> AtServer:
        assert isinstance(self._sql, AtServer), "SQLite has no server"
        return self._sql

    def release(self, jobs: Sequence[Job], now: datetime) -> int:
        """Give claims back of which nothing was sent: each is again what it was. Returns how many."""
        released = 0
        for issue_id, some in _by_issue(jobs):
            released += self._connection.execute(
                sa.update(deliveries)
                .where(
                    deliveries.c.issue_id == issue_id,
                    deliveries.c.subscriber_id.in_([job.subscriber_id for job in some]),
                    HANDING_OVER,
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

    def recover(self, now: datetime, again: datetime, *, force: bool = False) -> int:
        """Letters whose claim ran out become uncertain, to be sent `again` then: nobody knows whether the relay took
        them. `force`: all claims, when the run lock is ours and nobody else can be sending. Returns how many."""
        conditions = [OF_OPEN_ISSUES, HANDING_OVER, *([] if force else [deliveries.c.claim_until <= now])]
        reason = "interrupted while it was handed over"
        return self._move(DeliveryState.UNCERTAIN, now, *conditions, reason=reason, next_attempt=again)

    # --- within -------------------------------------------------------------------------------------------------

    def dismiss(self, jobs: Collection[Job], now: datetime) -> None:
        """Settle those of these letters that wait, and that nobody is to get any more."""
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

    def _move(
        self,
        state: DeliveryState,
        now: datetime,
        *conditions: sa.ColumnElement[bool],
        reason: str,
        next_attempt: datetime | None = None,
    ) -> int:
        values = {
            "state": state,
            "reason": reason,
            "next_attempt": next_attempt,
            "claimed_from": None,
            "claim_until": None,
            "changed": now,
        }
        return self._connection.execute(sa.update(deliveries).where(*conditions).values(values)).rowcount


def _checked(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    states = {outcome.state for outcome in outcomes}
    if not states <= _OUTCOMES:
        raise ValueError("a state that is no outcome of a letter")
    deferred = DeliveryState.DEFERRED
    if deferred in states and any(one.state is deferred and one.next_attempt is None for one in outcomes):
        raise ValueError("a deferred letter needs the time of its next attempt")
    return outcomes


def _by_issue(jobs: Sequence[Job]) -> Iterator[tuple[int, Sequence[Job]]]:
    """`jobs` by their issue, in batches, the lowest issue first."""
    found: defaultdict[int, list[Job]] = defaultdict(list)
    for job in jobs:
        found[job.issue_id].append(job)
    for issue_id in sorted(found):
        for batch in batches(found[issue_id]):
            yield issue_id, batch
