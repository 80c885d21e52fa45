"""The desk between the ledger and the postman: due letters out, claims and outcomes in. Floor: `flows`.

    look ahead (nothing claimed) -> letter -> claim ─┐
                                 outcome of the last ┴─> tray -> one transaction for all lines -> both go on

It says which letter is next and what an answer means for it; `ledger_tray` writes.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from publisher.clock import Clock
from publisher.digest.letter import LetterForm
from publisher.errors import LetterError, StoreBusy
from publisher.flows.crossing import across
from publisher.flows.domains import Domains
from publisher.flows.ledger_tray import Batch, LedgerTray
from publisher.flows.letters import Letters
from publisher.flows.struck_off import refused
from publisher.mail.backoff import next_attempt, resend_at
from publisher.mail.replies import Scope, Verdict
from publisher.mail.scoring import IN_A_ROW, BounceKind
from publisher.model import DeliveryState, Issue
from publisher.smtp.postman import Handed, Letter
from publisher.store import FIRST, HeldStore, Job, Key, Outcome, Store, Transaction

SENDING = "sending letters"
"""The step of a run that others may help with."""

AHEAD = 500
"""Letters looked up at once."""
STALE_S = 1.0
"""What was looked up longer ago is looked up again: who left meanwhile would cost a connection."""
AGAIN = timedelta(minutes=1)
"""So often deferred letters whose time has come are looked for, while planned ones are sent."""
FORMS = 256
"""Editions whose letters are kept ready at a time; bounds memory."""

Progress = Callable[[str, int, int], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the settings say about letters that do not get through at once."""

    resend: bool
    first_wait: timedelta


class LedgerDesk:
    """One sending's desk. `letters`, `claim` and `take` are the postman's; `close` at the end."""

    def __init__(
        self,
        store: Store,
        held: HeldStore,
        *,
        letters: Letters,
        domains: Domains,
        rules: Rules,
        clock: Clock,
        progress: Progress,
        total: int,
        lines: int,
    ) -> None:
        self._store = store
        self._held = held
        self._letters = letters
        self._domains = domains
        self._rules = rules
        self._clock = clock
        self._progress = progress
        self._total = total
        self._loop = asyncio.get_running_loop()
        self._tray = LedgerTray(store, held, clock=clock, lines=lines, settled=self._settled)
        self._out: set[Key] = set()
        self._claimed: set[Key] = set()
        self._place: dict[DeliveryState, Key] = {}
        self._none_left: set[DeliveryState] = set()
        self._looked_for_deferred = clock()
        self._forms: dict[int, tuple[Issue, LetterForm]] = {}
        self._done_letters = 0
        self._doubtful = 0
        self.states: Counter[DeliveryState] = Counter()

    # --- out: letters -------------------------------------------------------------------------------------------------

    async def letters(self) -> AsyncGenerator[Letter[Job], None]:
        """Every letter that is due, uncertain and deferred ones first, then as planned."""
        while jobs := await self._ahead():
            looked = self._loop.time()
            for job in jobs:
                if self._loop.time() - looked > STALE_S:
                    break
                self._place[job.state] = job.key
                if job.key in self._out:
                    continue
                if not job.fit:
                    self._tray.batch.unfit.append(job)
                    self._tray.schedule()
                    continue
                if not self._domains.passes(job):
                    continue
                self._out.add(job.key)
                try:
                    letter = self._letter(job, self._forms.get(job.edition_id or 0) or await self._form(job))
                except LetterError as error:
                    self._let_go(job)
                    self._note(job, DeliveryState.REJECTED, reply="", reason=str(error))
                    await self._tray.recorded()
                else:
                    yield letter

    async def _ahead(self) -> list[Job]:
        while True:
            if self._domains.holding and (found := await self._left_behind()):
                return found
            if self._clock() - self._looked_for_deferred >= AGAIN:
                self._looked_for_deferred = self._clock()
                self._place.pop(DeliveryState.DEFERRED, None)
                self._none_left.clear()
            found = await self._visit(self._look)
            if not found and self._place and not self._domains.holding:
                await self._tray.written()  # once more from the beginning, for what was planned or put back meanwhile
                self._place.clear()
                self._none_left.clear()
                found = await self._visit(self._look)
            if found or not (self._domains.holding and await self._domains.wait()):
                return found

    async def _left_behind(self) -> list[Job]:
        """Letters to domains that had to wait and may have some now."""
        found: list[Job] = []
        for domain, room in await self._domains.opened():
            for state, after in self._domains.lift(domain).items():
                some = await self._visit(self._look_at, domain, state, after, room)
                if len(some) == room:
                    self._domains.mark(domain, state, some[-1].key)
                found += some
        return found

    def _look_at(self, tx: Transaction, domain: str, state: DeliveryState, after: Key, limit: int) -> list[Job]:
        return tx.deliveries.upcoming(state, self._clock(), limit, after=after, domain=domain)

    def _look(self, tx: Transaction) -> list[Job]:
        now = self._clock()
        states = (DeliveryState.UNCERTAIN, DeliveryState.DEFERRED, DeliveryState.PLANNED)
        for state in states if self._rules.resend else states[1:]:
            if state in self._none_left:
                continue
            found = tx.deliveries.upcoming(state, now, AHEAD, after=self._place.get(state, FIRST))
            if any(job.key not in self._out for job in found):
                return found
            self._none_left.add(state)
        return []

    def _letter(self, job: Job, made: tuple[Issue, LetterForm]) -> Letter[Job]:
        issue, form = made
        reader = job.key.subscriber_id
        sender = self._letters.envelope_sender(issue.id, reader)
        return Letter(job, sender, job.email, self._letters.pieces(form, issue, reader, job.email))

    async def _form(self, job: Job) -> tuple[Issue, LetterForm]:
        if job.edition_id is None:
            raise LetterError("edition", "a delivery without one")
        made = await self._visit(self._read_form, job.issue_id, job.edition_id)
        if len(self._forms) >= FORMS:
            del self._forms[next(iter(self._forms))]
        self._forms[job.edition_id] = made
        return made

    def _read_form(self, tx: Transaction, issue_id: int, edition_id: int) -> tuple[Issue, LetterForm]:
        issue, edition = tx.issues.get(issue_id), tx.issues.edition(edition_id)
        return issue, self._letters.form(issue, edition, tx.issues.rendering(edition_id))

    # --- in: claims and outcomes --------------------------------------------------------------------------------------

    def claim(self, job: Job) -> asyncio.Future[bool]:
        """Done when the claim is durable: True where this letter may be sent."""
        return self._tray.claim(job)

    def take(self, handed: Handed[Job]) -> asyncio.Future[None]:
        """Done when the result is durable."""
        job, verdict = handed.ref, handed.verdict
        state, when = verdict.state, None
        self._domains.left(job)
        if state is DeliveryState.PLANNED or job.key in self._claimed:  # else it looks due until `_done`
            self._out.discard(job.key)
        if state is DeliveryState.PLANNED:
            self._place.pop(job.state, None)  # it lies behind us: look for it again
            self._none_left.discard(job.state)
            self._domains.unspent(job)
            if job.key in self._claimed:
                self._claimed.discard(job.key)
                self._tray.batch.given_back.append(job)
            return self._tray.recorded()
        self._tray.batch.circuits.update(self._domains.heard(job, verdict))
        if state is DeliveryState.DEFERRED:
            when = next_attempt(
                job.attempts,
                self._clock(),
                self._rules.first_wait,
                spread=random.random(),  # noqa: S311  (spreads load, guards nothing)
                greylisted=verdict.greylisted,
            )
            if _is_no_fault_of_the_letter(verdict, handed.reply):
                self._late_unless_claimed(job)
                self._tray.batch.put_off.append((job, when, handed.reply, verdict.reason))
                return self._tray.recorded()
        elif state is DeliveryState.UNCERTAIN:
            when = resend_at(job.attempts, self._clock(), doubted=job.state is DeliveryState.UNCERTAIN)
        self._blame(job, verdict, handed.reply)
        self._note(job, state, reply=handed.reply, reason=verdict.reason, again=when)
        return self._tray.recorded()

    def _blame(self, job: Job, verdict: Verdict, reply: str) -> None:
        """Have what the answer says of the reader remembered, unless the relay says it of everybody."""
        self._doubtful = self._doubtful + 1 if verdict.bounce is BounceKind.DOUBTFUL else 0
        if verdict.bounce is not None and self._doubtful <= IN_A_ROW:
            letter = f"{job.issue_id}/{job.subscriber_id}"
            seen = refused(letter, verdict.bounce, reply, self._clock(), reader=job.subscriber_id, issue=job.issue_id)
            self._tray.batch.refusals.append(seen)

    def _note(self, job: Job, state: DeliveryState, *, reply: str, reason: str, again: datetime | None = None) -> None:
        self._late_unless_claimed(job)
        reason = "" if state is DeliveryState.ACCEPTED else reason
        self._tray.batch.outcomes.append(Outcome(job.issue_id, job.subscriber_id, state, reply, reason, again))

    def _late_unless_claimed(self, job: Job) -> None:
        if job.key in self._claimed:
            self._claimed.discard(job.key)
        else:
            self._tray.batch.late.append(job)

    def _let_go(self, job: Job) -> None:
        self._out.discard(job.key)
        self._domains.left(job)

    def _settled(self, batch: Batch, ours: set[Key]) -> None:
        if batch.outcomes or batch.put_off:
            accepted = 0
            for outcome in batch.outcomes:
                if outcome.state is DeliveryState.ACCEPTED:
                    accepted += 1
                else:
                    self.states[outcome.state] += 1
            if accepted:
                self.states[DeliveryState.ACCEPTED] += accepted
            if batch.put_off:
                self.states[DeliveryState.DEFERRED] += len(batch.put_off)
            self._done_letters += len(batch.outcomes) + len(batch.put_off)
            # who is told may stop what would follow
            self._progress(SENDING, self._done_letters, max(self._total, self._done_letters))
        self._out.difference_update(job.key for job in batch.late)
        for job, _ in batch.claims:
            if job.key in ours:
                self._claimed.add(job.key)
            else:
                self._let_go(job)

    async def _visit(self, look: Callable[..., T], *arguments: object) -> T:
        """`look(tx, ...)` where a transaction costs least."""
        if self._held.at_hand:
            with suppress(StoreBusy), self._held.write() as tx:
                return look(tx, *arguments)

        def from_outside() -> T:
            with self._store.read() as tx:
                return look(tx, *arguments)

        return await across(from_outside)

    async def close(self) -> None:
        """Write what is left; raises what the store raises."""
        await self._tray.close()


def _is_no_fault_of_the_letter(verdict: Verdict, reply: str) -> bool:
    """Whether the relay spoke of itself or of us. One that only hung up may have done so for the letter's sake."""
    return verdict.scope is Scope.RELAY or (verdict.scope is Scope.CONNECTION and bool(reply))
