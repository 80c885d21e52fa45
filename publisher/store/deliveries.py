"""The ledger: one row for each letter of an issue, written before the wire. Floor: store.

    planned ──hand_over──> handing over ──record──> accepted | rejected | deferred | uncertain
       │  │                     ├──release──> back where it was: nothing had been sent
       │  │                     └──recover──> uncertain: its process is gone
       │  ├─ (reader left meanwhile: at hand_over; cancel) ──> suppressed
       │  └──supersede, expire──> expired       retry: rejected, expired, uncertain ──> planned

A waiting letter whose articles a later letter brings is never sent: `supersede` expires it as soon as that one is
planned, and `hand_over` looks again, because the older one may have been in somebody's hands at that moment.

Of an issue that is paused nothing is handed over; `resume` goes on where it was. A cancelled one is at its end: what
still waits of it is suppressed, and its readers get the articles with their next issue.

An issue that waits for the editor (`approve`, `refuse`) is planned like any other, and nothing of it is handed over.

Every arrow is a conditional update: it moves a row only out of the state it was decided on, so two processes never
move the same row. The rows of an issue always sum up to what `plan` selected; `plan` alone adds rows, nothing
removes one. A reader's watermark moves in the transaction that records `accepted`, and when an issue
had nothing new for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from publisher.model import PENDING_STATES, DeliveryState, IssueState, SubscriberState
from publisher.store.columns import batches
from publisher.store.hand_over import HANDING_OVER, TAKEN_OVER, WAITING, HandOver
from publisher.store.ledger_sql import WORDS, Job
from publisher.store.ledger_view import OF_OPEN_ISSUES
from publisher.store.schema import deliveries, issues, subscribers

_SENDING = IssueState.SENDING
_IN_DOUBT = deliveries.c.state == DeliveryState.UNCERTAIN
_reader = subscribers.alias("reader")
_SENT_AGAIN = (_IN_DOUBT & deliveries.c.next_attempt.is_not(None)) & sa.exists().where(
    _reader.c.id == deliveries.c.subscriber_id, _reader.c.state == SubscriberState.ACTIVE
)
"""A letter in doubt that is going to be sent again, unless a later letter took it over (TAKEN_OVER). One without a
time is in doubt for good: its reader gets the articles with the next issue."""

PlannedRow = tuple[int, int | None, DeliveryState, str]
"""subscriber_id, edition_id, state (planned or suppressed), reason."""


class Deliveries(HandOver):
    """The ledger in one transaction."""

    def plan(self, issue_id: int, rows: Iterable[PlannedRow], now: datetime) -> int:
        """Select readers for an issue: one row each, once. Returns how many; a planned row needs its edition."""
        selected, time = 0, self._sql.time(now)
        for batch in batches(map(_planned, rows)):
            self._sql.plan(issue_id, batch, time)
            selected += len(batch)
        more = issues.c.selected + selected
        self._connection.execute(sa.update(issues).where(issues.c.id == issue_id).values(selected=more))
        return selected

    def supersede(self, issue_id: int, now: datetime) -> int:
        """Expire what other issues still have waiting for the readers this issue has planned a letter for: its
        letter covers their articles too. Returns how many."""
        query = sa.select(issues.c.frequency, issues.c.number).where(issues.c.id == issue_id)
        frequency, number = self._connection.execute(query).one()
        covered = deliveries.alias("covered")
        readers = sa.select(covered.c.subscriber_id).where(
            covered.c.issue_id == issue_id, covered.c.state == DeliveryState.PLANNED
        )
        return self._move(
            DeliveryState.EXPIRED,
            now,
            OF_OPEN_ISSUES,
            deliveries.c.state.in_(WAITING),
            deliveries.c.issue_id != issue_id,
            deliveries.c.subscriber_id.in_(readers),
            reason=f"taken over by {frequency}-{number}",
        )

    def advance_idle(self, issue_id: int) -> int:
        """Move the readers on for whom this issue had nothing (their row is suppressed): so readers who look back
        equally far stay one class. Not those with an older letter still on the way. Returns how many."""
        upto = sa.select(issues.c.upto_seq).where(issues.c.id == issue_id).scalar_subquery()
        row = deliveries.alias("row")
        idle = sa.select(row.c.subscriber_id).where(
            row.c.issue_id == issue_id, row.c.state == DeliveryState.SUPPRESSED, row.c.edition_id.is_(None)
        )
        on_the_way = sa.exists().where(
            deliveries.c.subscriber_id == subscribers.c.id,
            deliveries.c.state.in_([*PENDING_STATES, DeliveryState.UNCERTAIN]),
        )
        return self._connection.execute(
            sa.update(subscribers)
            .where(subscribers.c.id.in_(idle), subscribers.c.watermark < upto, ~on_the_way)
            .values(watermark=upto)
        ).rowcount

    def due(self, now: datetime, *, include_uncertain: bool) -> int:
        """How many letters could be handed over now, about: readers who left meanwhile are counted too."""
        later = deliveries.c.next_attempt <= now
        ready = (deliveries.c.state == DeliveryState.PLANNED) | ((deliveries.c.state == DeliveryState.DEFERRED) & later)
        if include_uncertain:
            ready |= _IN_DOUBT & later
        return self._being_sent(ready)

    def waiting(self, *, include_uncertain: bool, state: IssueState = _SENDING) -> int:
        """Letters of issues being sent (or in another `state`) that are still to go out, now or later; those in doubt
        where they are to be sent again."""
        still: sa.ColumnElement[bool] = deliveries.c.state.in_(PENDING_STATES)
        if include_uncertain:
            still |= _SENT_AGAIN
        return self._being_sent(still, state)

    def next_due(self, *, include_uncertain: bool) -> datetime | None:
        """When the first letter that waits for its time may go out; None: none waits for a time."""
        waits: sa.ColumnElement[bool] = deliveries.c.state == DeliveryState.DEFERRED
        if include_uncertain:
            waits |= _SENT_AGAIN
        of_these = deliveries.c.issue_id.in_(sa.select(issues.c.id).where(issues.c.state == _SENDING))
        query = sa.select(sa.func.min(deliveries.c.next_attempt))
        has_time = deliveries.c.next_attempt.is_not(None)
        first: datetime | None = self._connection.execute(query.where(of_these, has_time, waits)).scalar_one()
        return first

    def waiting_at(self, domain: str) -> int:
        """Letters still to go out to readers at `domain`."""
        there = subscribers.c.email_key.endswith(f"@{domain}", autoescape=True)
        readers = sa.exists().where(subscribers.c.id == deliveries.c.subscriber_id, there)
        return self._being_sent(deliveries.c.state.in_(WAITING) & readers)

    def waiting_by_domain(self) -> dict[str, int]:
        """Letters still to go out, by the domain of their readers."""
        place = sa.func.instr if self._connection.dialect.name == "sqlite" else sa.func.strpos
        domain = sa.func.substr(subscribers.c.email_key, place(subscribers.c.email_key, "@") + 1).label("domain")
        joined = deliveries.join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        of_these = deliveries.c.issue_id.in_(sa.select(issues.c.id).where(issues.c.state == _SENDING))
        waits = deliveries.c.state.in_(WAITING)
        query = sa.select(domain, sa.func.count()).select_from(joined).where(of_these, waits)
        return {row[0]: row[1] for row in self._connection.execute(query.group_by(sa.text("domain")))}

    def put_off(self, jobs: Sequence[Job], until: datetime, now: datetime, *, reply: str, reason: str) -> int:
        """Defer claimed letters that the relay turned away for a fault that is not theirs: no attempt is counted.
        Returns how many."""
        values = {"reply": reply, "attempts": deliveries.c.attempts - 1}
        moved = 0
        for job in jobs:
            mine = (deliveries.c.issue_id == job.issue_id, deliveries.c.subscriber_id == job.subscriber_id)
            self._connection.execute(sa.update(deliveries).where(*mine, HANDING_OVER).values(values))
            moved += self._move(DeliveryState.DEFERRED, now, *mine, HANDING_OVER, reason=reason, next_attempt=until)
        return moved

    def pause(self, issue_id: int) -> bool:
        """Hand nothing of this issue over until it is resumed. False if it is not being sent."""
        return self._turn(issue_id, [_SENDING], {"state": IssueState.PAUSED})

    def resume(self, issue_id: int) -> bool:
        """Let a paused issue be sent again. False if it is not paused."""
        return self._turn(issue_id, [IssueState.PAUSED], {"state": _SENDING})

    def approve(self, issue_id: int, now: datetime) -> bool:
        """Let an issue that waits for it be sent, as if it was composed now. False if it does not wait."""
        return self._turn(issue_id, [IssueState.WAITING], {"state": _SENDING, "composed": now})

    def refuse(self, issue_id: int, now: datetime) -> bool:
        """Send nothing of an issue that waits for approval. False if it does not wait."""
        ended = {"state": IssueState.REFUSED, "finished": now}
        if not self._turn(issue_id, [IssueState.WAITING], ended):
            return False
        waiting = deliveries.c.state.in_(WAITING)
        self._move(
            DeliveryState.SUPPRESSED, now, waiting, deliveries.c.issue_id == issue_id, reason="the issue was refused"
        )
        return True

    def cancel(self, issue_id: int, now: datetime) -> int | None:
        """End an issue that is being sent or paused: what waits of it is suppressed, a letter in somebody's hands
        goes its way. Returns how many letters will not be sent, or sent again; None if there was nothing to cancel."""
        if not self._turn(issue_id, [_SENDING, IssueState.PAUSED], {"state": IssueState.CANCELLED}):
            return None
        return self._settle_cancelled(now)

    def finish_issues(self, now: datetime, *, include_uncertain: bool) -> int:
        """Finish every issue in which nothing is pending any more; gives how many. `include_uncertain`: a letter in
        doubt is going to be sent again, unless a later letter took it over. What came back to wait of a cancelled
        issue is suppressed."""
        self._settle_cancelled(now)
        sending = self._open_in(_SENDING)
        over = [issue_id for issue_id in sending if not self._some_pending(issue_id, or_doubtful=include_uncertain)]
        ended = {"state": IssueState.FINISHED, "finished": now}
        self._connection.execute(sa.update(issues).where(issues.c.id.in_(over)).values(ended))
        return len(over)

    def full(self, before: datetime) -> list[tuple[int, int, str]]:
        """Issue, reader and the relay's reply of letters that `expire` would give up because of their mailbox (RFC 3463
        section 3.3)."""
        query = sa.select(deliveries.c.issue_id, deliveries.c.subscriber_id, deliveries.c.reply).where(
            *_deferred_of_issues(before), deliveries.c.reply.like("4__ 4.2.%")
        )
        return [(row[0], row[1], row[2]) for row in self._connection.execute(query)]

    def expire(self, before: datetime, now: datetime) -> int:
        """Give up what is still deferred of issues composed before `before`. Returns how many."""
        return self._move(DeliveryState.EXPIRED, now, *_deferred_of_issues(before), reason="given up")

    def hold(self, before: datetime, now: datetime) -> int:
        """Send no letter again that is still in doubt of issues composed before `before`. Returns how many."""
        old = sa.select(issues.c.id).where(issues.c.composed < before)
        doubtful = (_IN_DOUBT, deliveries.c.next_attempt.is_not(None), deliveries.c.issue_id.in_(old))
        return self._move(DeliveryState.UNCERTAIN, now, *doubtful, reason="in doubt for good: given up")

    def retry(self, issue_id: int, now: datetime) -> int | None:
        """Plan the letters again that did not arrive (rejected, expired, uncertain), for active readers whom no
        later letter has reached or is about to. A finished issue is then `sending` again; one that is paused or waits
        for approval stays so. Returns how many; None if the issue was cancelled or refused, which is for good."""
        state = sa.select(issues.c.state).where(issues.c.id == issue_id).with_for_update()
        if self._connection.execute(state).scalar_one() in {IssueState.CANCELLED, IssueState.REFUSED}:
            return None
        other = deliveries.alias("other")
        upto = sa.select(issues.c.upto_seq).where(issues.c.id == issue_id).scalar_subquery()
        behind = sa.select(subscribers.c.id).where(
            subscribers.c.state == SubscriberState.ACTIVE, subscribers.c.watermark < upto
        )
        on_the_way = sa.exists().where(
            other.c.subscriber_id == deliveries.c.subscriber_id,
            other.c.issue_id > issue_id,
            other.c.state.in_([*PENDING_STATES, DeliveryState.UNCERTAIN]),
        )
        planned = self._move(
            DeliveryState.PLANNED,
            now,
            deliveries.c.issue_id == issue_id,
            deliveries.c.state.in_([DeliveryState.REJECTED, DeliveryState.EXPIRED, DeliveryState.UNCERTAIN]),
            deliveries.c.edition_id.is_not(None),
            deliveries.c.subscriber_id.in_(behind),
            ~on_the_way,
            reason="",
        )
        if planned:
            self._turn(issue_id, [IssueState.FINISHED], {"state": _SENDING, "finished": None})
        return planned

    def _being_sent(self, condition: sa.ColumnElement[bool], state: IssueState = _SENDING) -> int:
        """How many deliveries of issues being sent, or in another `state`, are so."""
        joined = deliveries.join(issues, (issues.c.id == deliveries.c.issue_id) & (issues.c.state == state))
        return self._connection.execute(sa.select(sa.func.count()).select_from(joined).where(condition)).scalar_one()

    def _turn(self, issue_id: int, states: Sequence[IssueState], values: Mapping[str, object]) -> bool:
        found = sa.update(issues).where(issues.c.id == issue_id, issues.c.state.in_(states)).values(values)
        return self._connection.execute(found).rowcount > 0

    def _settle_cancelled(self, now: datetime) -> int:
        """Suppress what waits of cancelled issues, and send nothing of them again that is in doubt; one of which
        nothing is in hand any more is finished. Returns how many letters that were."""
        cancelled = self._open_in(IssueState.CANCELLED)
        waiting = deliveries.c.state.in_(WAITING)
        of_these = deliveries.c.issue_id.in_(cancelled)
        settled = self._move(DeliveryState.SUPPRESSED, now, waiting, of_these, reason="the issue was cancelled")
        again = (_IN_DOUBT, deliveries.c.next_attempt.is_not(None), of_these)
        settled += self._move(DeliveryState.UNCERTAIN, now, *again, reason="in doubt for good: the issue was cancelled")
        over = [issue_id for issue_id in cancelled if not self._some_pending(issue_id, or_doubtful=False)]
        self._connection.execute(sa.update(issues).where(issues.c.id.in_(over)).values(finished=now))
        return settled

    def _open_in(self, state: IssueState) -> Sequence[int]:
        """Issues in `state` that are not finished; nobody else changes them before this transaction ends."""
        query = sa.select(issues.c.id).where(issues.c.state == state, issues.c.finished.is_(None))
        return self._connection.scalars(query.with_for_update()).all()

    def _some_pending(self, issue_id: int, *, or_doubtful: bool) -> bool:
        """Whether something has still to happen to a letter of the issue, or to one in doubt. Looked for in the order
        of the key: a database that hopes to come upon one soon would else begin with the letters of other issues."""
        first = sa.select(deliveries.c.subscriber_id).order_by(deliveries.c.subscriber_id).limit(1)
        first = first.where(deliveries.c.issue_id == issue_id)
        if self._connection.execute(first.where(deliveries.c.state.in_(PENDING_STATES))).first() is not None:
            return True
        doubtful = (
            first.join_from(deliveries, issues, issues.c.id == deliveries.c.issue_id)
            .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
            .where(_SENT_AGAIN, sa.not_(TAKEN_OVER))
        )
        return or_doubtful and self._connection.execute(doubtful).first() is not None


def _deferred_of_issues(before: datetime) -> Sequence[sa.ColumnElement[bool]]:
    """Deliveries that are deferred, of issues composed before then."""
    old = sa.select(issues.c.id).where(issues.c.finished.is_(None), issues.c.composed < before)
    return (
        deliveries.c.state == DeliveryState.DEFERRED, deliveries.c.next_attempt.is_not(None),
        deliveries.c.issue_id.in_(old),
    )  # fmt: skip


def _planned(row: PlannedRow) -> tuple[int, int | None, str, str]:
    subscriber_id, edition_id, state, reason = row
    if state is not DeliveryState.PLANNED and state is not DeliveryState.SUPPRESSED:
        raise ValueError(f"a delivery is planned or suppressed at first, not {state}")
    if state is DeliveryState.PLANNED and edition_id is None:
        raise ValueError("a planned delivery needs an edition")
    return subscriber_id, edition_id, WORDS[state], reason
