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
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from publisher.clock import Clock
from publisher.config import SmtpSettings
from publisher.digest.letter import LetterForm
from publisher.errors import LetterError, NotFound, RelayUnavailable
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

T = TypeVar("T")


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
            await desk.close()
    return DeliverReport(
        states=dict(desk.states),
        problem=problem,
        outbox=str(post.outbox_path) if post.is_local else "",
        waiting=await across(desk.waiting),
    )


@dataclass(slots=True)
class _Tray:
    """What came back and is not written down yet."""

    results: list[Outcome] = field(default_factory=list)
    given_back: list[Job] = field(default_factory=list)
    bounced: list[tuple[int, str]] = field(default_factory=list)

    def put_back(self, other: _Tray) -> None:
        self.results[:0] = other.results
        self.given_back[:0] = other.given_back
        self.bounced[:0] = other.bounced


class _Desk:
    """Stands between the ledger and the postman: hands out claimed letters, takes results back.

    The results that came in are written in the same transaction as the next claim, so a letter costs one commit, and
    no connection gets its next letter before the outcome of its last one is durable. Results are put on a tray in the
    event loop alone, and the store's thread gets the whole tray: it never touches one that is still being filled.
    """

    def __init__(self, store: Store, post: Post, clock: Clock, progress: Progress) -> None:
        self._store = store
        self._post = post
        self._clock = clock
        self._progress = progress
        self._resend = post.smtp.on_uncertain == "resend"
        self._tray = _Tray()
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
            jobs = await self._hand_in(self._exchange)
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
            self._tray.given_back.append(job)
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
            self._tray.bounced.append((job.subscriber_id, verdict.reason))
        self._note(job, state, reply=handed.reply, reason=verdict.reason, next_attempt=when)

    async def close(self) -> None:
        """Write the last results, and finish the issues that have nothing pending any more."""
        await self._hand_in(self._finish)

    def _finish(self, tray: _Tray) -> None:
        now = self._clock()
        with self._store.write() as tx:
            _write_down(tx, tray, now)
            tx.deliveries.finish_issues(now, include_uncertain=self._resend)

    def waiting(self) -> int:
        with self._store.read() as tx:
            return tx.deliveries.pending()

    def _note(
        self, job: Job, state: DeliveryState, *, reply: str, reason: str, next_attempt: datetime | None = None
    ) -> None:
        self._tray.results.append(
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

    async def _hand_in(self, write: Callable[[_Tray], T]) -> T:
        """Let the store's thread `write` the tray; what could not be written stays for the next time."""
        tray, self._tray = self._tray, _Tray()
        try:
            return await across(write, tray)
        except BaseException:
            self._tray.put_back(tray)
            raise

    def _exchange(self, tray: _Tray) -> list[Job]:
        now = self._clock()
        with self._store.write() as tx:
            _write_down(tx, tray, now)
            return tx.deliveries.claim(now, 1, include_uncertain=self._resend, claim_until=now + CLAIM)

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


def _write_down(tx: Transaction, tray: _Tray, now: datetime) -> None:
    tx.deliveries.record(tray.results, now)
    tx.deliveries.release(tray.given_back, now)
    for subscriber_id, reason in tray.bounced:
        with suppress(NotFound):  # removed meanwhile
            if tx.subscribers.get(subscriber_id).state is SubscriberState.ACTIVE:
                tx.subscribers.set_state(subscriber_id, SubscriberState.BOUNCED, now, reason=reason)
