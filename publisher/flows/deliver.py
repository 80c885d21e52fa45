"""Deliver: planned deliveries -> letters -> relay -> outcomes. Floor: `flows`.

    recover what a killed process left -> give up what is too old -> claim (row before the wire) -> letter
        -> hand over -> outcome, recorded before that connection's next letter -> issue finished when nothing is pending

Safe to repeat: a delivery is claimed by a conditional update, and a letter sent again is the same letter byte for byte.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from publisher.clock import Clock
from publisher.config import SmtpSettings
from publisher.digest.letter import LetterForm
from publisher.errors import LetterError, RelayUnavailable
from publisher.flows.crossing import across
from publisher.flows.letters import Letters
from publisher.flows.reports import DeliverReport
from publisher.mail.backoff import next_attempt
from publisher.model import DeliveryState, Issue, SubscriberState
from publisher.smtp.endpoint import Endpoint
from publisher.smtp.outbox import outbox
from publisher.smtp.postman import Handed, Letter, deliver_all
from publisher.store import Job, Outcome, Store, Transaction

CLAIM = timedelta(minutes=15)
"""How long a claim holds; longer than the ten minutes a relay may take to answer a letter."""

DOUBT = timedelta(minutes=10)
"""A letter whose reply was lost waits so long before it is sent again, byte for byte the same."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Post:
    """How letters get out: made by `letters`, sent as `smtp` says, or kept in the folder `outbox_path`."""

    letters: Letters
    smtp: SmtpSettings
    outbox_path: Path

    @property
    def is_local(self) -> bool:
        return not self.smtp.host

    def endpoint(self) -> AbstractAsyncContextManager[Endpoint]:
        return outbox(self.outbox_path) if self.is_local else _relay(self.smtp)


@asynccontextmanager
async def _relay(smtp: SmtpSettings) -> AsyncIterator[Endpoint]:
    yield Endpoint.from_settings(smtp)


async def deliver(
    store: Store, post: Post, *, clock: Clock, progress: Progress, stop: asyncio.Event | None = None
) -> DeliverReport:
    """Send everything that is due now; tells what became of it. The caller holds the run's lock.

    A relay that cannot be used is told in the report's `problem`; its letters stay planned or deferred.
    """
    desk = _Desk(store, post, clock, progress)
    await across(desk.open)
    problem = ""
    if desk.total:
        try:
            async with post.endpoint() as endpoint:
                await deliver_all(
                    endpoint,
                    desk.letters(),
                    connections=post.smtp.connections,
                    letters_per_connection=post.smtp.letters_per_connection,
                    on_result=desk.take,
                    stop=stop,
                )
        except RelayUnavailable as error:
            problem = str(error)
        finally:
            await across(desk.close)
    return DeliverReport(
        states=dict(desk.states),
        problem=problem,
        outbox=str(post.outbox_path) if post.is_local else "",
        waiting=await across(desk.waiting),
    )


class _Desk:
    """Stands between the ledger and the postman: hands out claimed letters, takes results back.

    The results that came in are written in the same transaction as the next claim, so a letter costs one commit, and
    no connection gets its next letter before the outcome of its last one is durable.
    """

    def __init__(self, store: Store, post: Post, clock: Clock, progress: Progress) -> None:
        self._store = store
        self._post = post
        self._clock = clock
        self._progress = progress
        self._resend = post.smtp.on_uncertain == "resend"
        self._results: list[Outcome] = []
        self._bounced: list[tuple[int, str]] = []
        self._given_back: list[Job] = []
        self._forms: dict[int, tuple[Issue, LetterForm]] = {}
        self.total = 0
        self.states: Counter[DeliveryState] = Counter()

    def open(self) -> None:
        """Put right what a killed process left, give up what is too old, and count what is due."""
        now = self._clock()
        with self._store.write() as tx:
            tx.deliveries.recover(now, force=True)
            tx.deliveries.expire(now - timedelta(hours=self._post.smtp.give_up_hours), now)
            self.total = tx.deliveries.due(now, include_uncertain=self._resend)
            tx.deliveries.finish_issues(now, include_uncertain=self._resend)

    async def letters(self) -> AsyncIterator[Letter[Job]]:
        while True:
            jobs = await across(self._exchange)
            if not jobs:
                return
            for job in jobs:
                try:
                    content = await across(self._letter, job)
                except LetterError as error:
                    self._note(job, DeliveryState.REJECTED, reply="", reason=str(error))
                else:
                    yield Letter(job, self._post.letters.sender, job.email, content)

    async def take(self, handed: Handed[Job]) -> None:
        job, verdict = handed.ref, handed.verdict
        state, when = verdict.state, None
        if state is DeliveryState.PLANNED:
            self._given_back.append(job)
            return
        if state is DeliveryState.DEFERRED:
            when = next_attempt(
                job.attempts,
                self._clock(),
                timedelta(minutes=self._post.smtp.retry_minutes),
                spread=random.random(),  # noqa: S311  (spreads load, guards nothing)
                greylisted=verdict.greylisted,
            )
        elif state is DeliveryState.UNCERTAIN:
            when = self._clock() + DOUBT
        if verdict.bounced:
            self._bounced.append((job.subscriber_id, verdict.reason))
        self._note(job, state, reply=handed.reply, reason=verdict.reason, next_attempt=when)

    def close(self) -> None:
        """Write the last results, and finish the issues that have nothing pending any more."""
        now = self._clock()
        with self._store.write() as tx:
            self._write_results(tx, now)
            tx.deliveries.finish_issues(now, include_uncertain=self._resend)

    def waiting(self) -> int:
        with self._store.read() as tx:
            return tx.deliveries.pending()

    def _note(
        self, job: Job, state: DeliveryState, *, reply: str, reason: str, next_attempt: datetime | None = None
    ) -> None:
        self._results.append(
            Outcome(
                issue_id=job.issue_id,
                subscriber_id=job.subscriber_id,
                state=state,
                reply=reply,
                reason="" if state is DeliveryState.ACCEPTED else reason,
                next_attempt=next_attempt,
            )
        )
        self.states[state] += 1
        self._progress("sending letters", self.states.total(), max(self.total, self.states.total()))

    def _exchange(self) -> list[Job]:
        now = self._clock()
        with self._store.write() as tx:
            self._write_results(tx, now)
            return tx.deliveries.claim(now, 1, include_uncertain=self._resend, claim_until=now + CLAIM)

    def _write_results(self, tx: Transaction, now: datetime) -> None:
        tx.deliveries.record(self._results, now)
        tx.deliveries.release(self._given_back, now)
        for subscriber_id, reason in self._bounced:
            tx.subscribers.set_state(subscriber_id, SubscriberState.BOUNCED, now, reason=reason)
        self._given_back.clear()
        self._results.clear()
        self._bounced.clear()

    def _letter(self, job: Job) -> bytes:
        edition_id = job.edition_id
        if edition_id is None:
            raise LetterError("edition", "a delivery without one")
        if edition_id not in self._forms:
            with self._store.read() as tx:
                issue = tx.issues.get(job.issue_id)
                edition, rendering = tx.issues.edition(edition_id), tx.issues.rendering(edition_id)
            self._forms[edition_id] = (issue, self._post.letters.form(issue, edition, rendering))
        issue, form = self._forms[edition_id]
        return self._post.letters.letter(form, issue, job.subscriber_id, job.email)
