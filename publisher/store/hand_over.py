"""Handing letters over: claimed, written down, given back, or lost with their process. Floor: store.

The claims of the ledger; `deliveries` draws the whole of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from publisher.model import PENDING_STATES, Delivery, DeliveryState, SubscriberState
from publisher.store.columns import batches
from publisher.store.ledger_view import FIELDS, LedgerView, delivery
from publisher.store.schema import deliveries, issues, subscribers

WAITING = (DeliveryState.PLANNED, DeliveryState.DEFERRED)
_HANDING_OVER = deliveries.c.state == DeliveryState.HANDING_OVER
_OUTCOMES = frozenset(DeliveryState) - {DeliveryState.PLANNED, DeliveryState.HANDING_OVER}
_newer = deliveries.alias("newer")
TAKEN_OVER = (subscribers.c.watermark >= issues.c.upto_seq) | sa.exists().where(
    _newer.c.subscriber_id == deliveries.c.subscriber_id,
    _newer.c.issue_id > deliveries.c.issue_id,
    _newer.c.state.in_([*PENDING_STATES, DeliveryState.UNCERTAIN]),
)
_LEFT = {
    SubscriberState.PAUSED: "paused",
    SubscriberState.BOUNCED: "bounced",
    SubscriberState.PENDING: "not confirmed",
}


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed delivery, `attempts` counting this one, with the address it goes to."""

    delivery: Delivery
    email: str = field(repr=False)

    @property
    def issue_id(self) -> int:
        return self.delivery.issue_id

    @property
    def subscriber_id(self) -> int:
        return self.delivery.subscriber_id

    @property
    def edition_id(self) -> int | None:
        return self.delivery.edition_id

    @property
    def attempts(self) -> int:
        return self.delivery.attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
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

    def claim(
        self,
        now: datetime,
        limit: int,
        *,
        include_uncertain: bool,
        claim_until: datetime,
        issue_id: int | None = None,
    ) -> list[Job]:
        """Take up to `limit` letters that are due: uncertain ones, then deferred, then planned. They are `handing
        over` from here on, until `claim_until`. A waiting letter whose reader left meanwhile becomes suppressed, one
        that a later letter took over expires.

        If this process dies, each of them is uncertain: claim no more than there are open connections.
        """
        jobs: list[Job] = []
        states = (DeliveryState.UNCERTAIN, DeliveryState.DEFERRED, DeliveryState.PLANNED)
        for state in states if include_uncertain else states[1:]:
            while len(jobs) < limit:
                rows = self._due(state, now, limit - len(jobs), issue_id)
                if not rows:
                    break
                jobs += self._take(rows, now, claim_until)
        return jobs

    def record(self, outcomes: Sequence[Outcome], now: datetime) -> int:
        """Write down how claimed letters ended. A row that is not `handing over` any more is left alone. A reader
        whose letter was accepted has everything up to the issue's last filing. Returns how many rows changed."""
        changed = 0
        for issue_id, some in _by_issue(outcomes):
            ids = [outcome.subscriber_id for outcome in some]
            held = set(self._locked(issue_id, ids))
            rows = {outcome.subscriber_id: outcome for outcome in some if outcome.subscriber_id in held}
            if not rows:
                continue
            self._connection.execute(_record_statement(), [_recorded(outcome, now) for outcome in rows.values()])
            changed += len(rows)
            accepted = [number for number, outcome in rows.items() if outcome.state is DeliveryState.ACCEPTED]
            self._raise_watermarks(issue_id, accepted)
        return changed

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

    def _due(self, state: DeliveryState, now: datetime, limit: int, issue_id: int | None) -> Sequence[Sequence[Any]]:
        conditions = [deliveries.c.state == state]
        if issue_id is not None:
            conditions.append(deliveries.c.issue_id == issue_id)
        if state is not DeliveryState.PLANNED:
            never = deliveries.c.next_attempt.is_(None)
            conditions.append(never | (deliveries.c.next_attempt <= now))
        if state is DeliveryState.UNCERTAIN:  # what may have been sent is never called suppressed or expired here
            conditions += [subscribers.c.state == SubscriberState.ACTIVE, sa.not_(TAKEN_OVER)]
        query = (
            sa.select(*FIELDS, subscribers.c.email, subscribers.c.state.label("reader"), TAKEN_OVER.label("taken_over"))
            .join_from(deliveries, issues, issues.c.id == deliveries.c.issue_id)
            .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id, isouter=True)
            .where(*conditions)
            .order_by(deliveries.c.issue_id, deliveries.c.subscriber_id)
            .limit(limit)
            .with_for_update(of=deliveries, skip_locked=True)
        )
        return self._connection.execute(query).all()

    def _take(self, rows: Sequence[Sequence[Any]], now: datetime, claim_until: datetime) -> list[Job]:
        jobs: list[Job] = []
        over: defaultdict[tuple[int, DeliveryState, str], list[int]] = defaultdict(list)
        for *values, email, reader, taken_over in rows:
            letter = delivery(values)
            if reader is not SubscriberState.ACTIVE:
                over[letter.issue_id, DeliveryState.SUPPRESSED, _LEFT.get(reader, "left")].append(letter.subscriber_id)
            elif taken_over:
                over[letter.issue_id, DeliveryState.EXPIRED, "taken over by a later issue"].append(letter.subscriber_id)
            else:
                attempts = letter.attempts + 1
                jobs.append(
                    Job(replace(letter, state=DeliveryState.HANDING_OVER, attempts=attempts, changed=now), email)
                )
        for (issue_id, state, reason), readers in over.items():
            of_these = (deliveries.c.issue_id == issue_id, deliveries.c.subscriber_id.in_(readers))
            self._move(state, now, deliveries.c.state.in_(WAITING), *of_these, reason=reason)
        for issue_id, some in _by_issue(jobs):
            self._connection.execute(
                sa.update(deliveries)
                .where(
                    deliveries.c.issue_id == issue_id,
                    deliveries.c.subscriber_id.in_([job.subscriber_id for job in some]),
                    deliveries.c.state != DeliveryState.HANDING_OVER,
                )
                .values(
                    claimed_from=deliveries.c.state,
                    state=DeliveryState.HANDING_OVER,
                    attempts=deliveries.c.attempts + 1,
                    claim_until=claim_until,
                    changed=now,
                )
            )
        return jobs

    def _locked(self, issue_id: int, subscriber_ids: Sequence[int]) -> Iterator[int]:
        for batch in batches(subscriber_ids):
            query = sa.select(deliveries.c.subscriber_id).where(
                deliveries.c.issue_id == issue_id, deliveries.c.subscriber_id.in_(batch), _HANDING_OVER
            )
            yield from self._connection.scalars(query.order_by(deliveries.c.subscriber_id).with_for_update())

    def _raise_watermarks(self, issue_id: int, subscriber_ids: Sequence[int]) -> None:
        upto = sa.select(issues.c.upto_seq).where(issues.c.id == issue_id).scalar_subquery()
        for batch in batches(subscriber_ids):
            self._connection.execute(
                sa.update(subscribers)
                .where(subscribers.c.id.in_(batch), subscribers.c.watermark < upto)
                .values(watermark=upto)
            )

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


def _record_statement() -> sa.Update:
    names = ("state", "reply", "reason", "next_attempt", "changed")
    return (
        sa.update(deliveries)
        .where(
            deliveries.c.issue_id == sa.bindparam("of_issue"),
            deliveries.c.subscriber_id == sa.bindparam("of_subscriber"),
            _HANDING_OVER,
        )
        .values({**{name: sa.bindparam(f"new_{name}") for name in names}, "claimed_from": None, "claim_until": None})
    )


def _recorded(outcome: Outcome, now: datetime) -> dict[str, object]:
    if outcome.state not in _OUTCOMES:
        raise ValueError(f"{outcome.state} is no outcome of a letter")
    return {
        "of_issue": outcome.issue_id,
        "of_subscriber": outcome.subscriber_id,
        "new_state": outcome.state,
        "new_reply": outcome.reply,
        "new_reason": outcome.reason,
        "new_next_attempt": outcome.next_attempt,
        "new_changed": now,
    }


def _by_issue(items: Sequence[OfIssue]) -> Iterator[tuple[int, Sequence[OfIssue]]]:
    """`items` by their issue, in batches, the lowest issue first."""
    found: defaultdict[int, list[OfIssue]] = defaultdict(list)
    for item in items:
        found[item.issue_id].append(item)
    for issue_id in sorted(found):
        for batch in batches(found[issue_id]):
            yield issue_id, batch
