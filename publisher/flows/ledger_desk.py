"""The desk between the ledger and the postman: due letters out, claims and outcomes in. Floor: `flows`.

    shelf (nothing claimed) -> letter -> claim ─┐
                            outcome of the last ┴─> tray -> one transaction for all lines -> both go on

It says which letter is next and what an answer means for it; `ledger_shelf` looks up, `ledger_tray` writes, and where
letters are signed a `signing_table` makes them.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from publisher.clock import Clock
from publisher.digest.letter import LetterForm
from publisher.errors import LetterError, StoreBusy
from publisher.flows.domains import Domains
from publisher.flows.ledger_shelf import Shelf
from publisher.flows.ledger_tray import Batch, LedgerTray
from publisher.flows.letters import Letters
from publisher.flows.making_table import MakingTable, Order, Table, Work
from publisher.flows.signing_table import SigningTable
from publisher.flows.struck_off import refused
from publisher.mail.backoff import next_attempt, resend_at
from publisher.mail.replies import Scope, Verdict
from publisher.mail.scoring import IN_A_ROW, BounceKind
from publisher.model import DeliveryState, Issue
from publisher.smtp.hand import Handed, Letter
from publisher.smtp.lane import Told
from publisher.store import HeldStore, Job, Key, Outcome, Store, Transaction

SENDING = "sending letters"
"""The step of a run that others may help with."""

FORMS = 256
"""Editions whose letters are kept ready at a time; bounds memory."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the settings say about letters that do not get through at once."""

    resend: bool
    first_wait: timedelta


class LedgerDesk:
    """One sending's desk. `letters`, `claim` and `take` are the postman's, and `at_once` and `swap` its quick ones;
    `close` at the end."""

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
        self._held = held
        self._letters = letters
        self._domains = domains
        self._rules = rules
        self._clock = clock
        self._progress = progress
        self._total = total
        self._tray = LedgerTray(store, held, clock=clock, lines=lines, settled=self._settled)
        self._claimed: set[Key] = set()
        self._shelf = Shelf(store, held, resend=rules.resend, clock=clock)
        self._forms: dict[int, tuple[Issue, LetterForm]] = {}
        work = Work(self._orders(), self._order_at_once, self._make, self._refuse)
        self._table: Table = SigningTable(work, ahead=2 * lines) if letters.are_signed else MakingTable(work)
        self._done_letters = 0
        self._doubtful = 0
        self.states: Counter[DeliveryState] = Counter()

    # --- out: letters -------------------------------------------------------------------------------------------------

    async def letters(self) -> AsyncGenerator[Letter[Job], None]:
        """Every letter that is due, about in the shelf's order."""
        async for letter in self._table.letters():
            if self._passes(letter.ref):
                yield letter

    def at_once(self) -> Letter[Job] | None:
        """The next letter, unless somebody has to be waited for: then `letters` has it."""
        while (letter := self._table.at_once()) is not None and not self._passes(letter.ref):
            pass
        return letter

    def _passes(self, job: Job) -> bool:
        """Whether its domain may have this letter now; else it is not begun any more. Asked when the letter is wanted,
        for while it was made others of the domain may have been refused."""
        passes = self._domains.passes(job)
        if not passes:
            self._shelf.over(job.key)
        return passes

    async def _orders(self) -> AsyncGenerator[Order, None]:
        while await self._ahead():
            while (job := self._shelf.take()) is not None:
                if not self._wanted(job):
                    continue
                self._shelf.out.add(job.key)
                try:
                    made = self._forms.get(job.edition_id or 0) or await self._form(job)
                except LetterError as error:
                    self._refuse(job, error)
                    await self._tray.recorded()
                else:
                    yield Order(job, *made)

    def _order_at_once(self) -> Order | None:
        while True:
            job = self._shelf.take()
            if job is None:
                if self._domains.holding or not self._shelf.look_at_once():
                    return None
                continue
            if not self._wanted(job):
                continue
            made = self._forms.get(job.edition_id or 0) or self._form_at_once(job)
            if made is None:
                self._shelf.put_back(job)
                return None
            self._shelf.out.add(job.key)
            return Order(job, *made)

    def _wanted(self, job: Job) -> bool:
        """Whether `job` is nobody's yet, its reader may still get it, and its domain is not known to wait."""
        if job.key in self._shelf.out or self._domains.is_behind(job):
            return False
        if not job.fit:
            self._tray.batch.unfit.append(job)
            self._tray.schedule()
        return job.fit

    async def _ahead(self) -> bool:
        """Fill the shelf; False when there is nothing more to be sent now."""
        while True:
            if self._domains.holding and await self._left_behind():
                return True
            found = await self._shelf.look()
            if not found and self._shelf.begun and not self._domains.holding:
                await self._tray.written()  # once more from the beginning, for what was planned or put back meanwhile
                self._shelf.from_the_beginning()
                found = await self._shelf.look()
            if found or not (self._domains.holding and await self._domains.wait()):
                return found

    async def _left_behind(self) -> bool:
        """Put letters to domains that had to wait, and may have some now, on the shelf; whether there are any."""
        found: list[Job] = []
        with self._shelf.looking():
            for domain, room in await self._domains.opened():
                for state, after in self._domains.lift(domain).items():
                    some = await self._shelf.visit(partial(self._look_at, domain, state, after, room))
                    if len(some) == room:
                        self._domains.mark(domain, state, some[-1].key)
                    found += some
            self._shelf.put(found)
        return bool(found)

    def _look_at(self, domain: str, state: DeliveryState, after: Key, limit: int, tx: Transaction) -> list[Job]:
        return tx.deliveries.upcoming(state, self._clock(), limit, after=after, domain=domain)

    def _make(self, order: Order) -> Letter[Job]:
        job, issue, form = order
        reader = job.key.subscriber_id
        sender = self._letters.envelope_sender(issue.id, reader)
        return Letter(job, sender, job.email, self._letters.pieces(form, issue, reader, job.email))

    def _refuse(self, job: Job, error: LetterError) -> None:
        """No letter can be made for this one."""
        self._shelf.over(job.key)
        self._note(job, DeliveryState.REJECTED, reply="", reason=str(error))
        self._tray.schedule()

    async def _form(self, job: Job) -> tuple[Issue, LetterForm]:
        return self._keep_form(job, await self._shelf.visit(partial(self._read_form, job)))

    def _form_at_once(self, job: Job) -> tuple[Issue, LetterForm] | None:
        if self._held.at_hand:
            with suppress(StoreBusy, LetterError), self._held.write() as tx:
                return self._keep_form(job, self._read_form(job, tx))
        return None

    def _read_form(self, job: Job, tx: Transaction) -> tuple[Issue, LetterForm]:
        if job.edition_id is None:
            raise LetterError("edition", "a delivery without one")
        issue = tx.issues.get(job.issue_id)
        return issue, self._letters.form(issue, tx.issues.rendering(job.edition_id))

    def _keep_form(self, job: Job, made: tuple[Issue, LetterForm]) -> tuple[Issue, LetterForm]:
        if len(self._forms) >= FORMS:
            del self._forms[next(iter(self._forms))]
        self._forms[job.edition_id or 0] = made
        return made

    # --- in: claims and outcomes --------------------------------------------------------------------------------------

    def claim(self, job: Job) -> asyncio.Future[bool]:
        """Done when the claim is durable: True where this letter may be sent."""
        return self._tray.claimed(job)

    def swap(self, handed: Handed[Job], job: Job, told: Told) -> None:
        """`take` of a letter that was accepted, and `claim` of `job`: durable together, and told then."""
        self._accepted(handed)
        self._tray.claim(job, told)

    def take(self, handed: Handed[Job]) -> asyncio.Future[None]:
        """Done when the result is durable."""
        job, verdict = handed.ref, handed.verdict
        state, when = verdict.state, None
        if state is DeliveryState.ACCEPTED:
            self._accepted(handed)
            return self._tray.recorded()
        self._domains.left(job)
        if state is DeliveryState.PLANNED or job.key in self._claimed:  # else it looks due until `_done`
            self._shelf.over(job.key)
        if state is DeliveryState.PLANNED:
            self._shelf.look_behind(job.state)
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

    def _accepted(self, handed: Handed[Job]) -> None:
        job = handed.ref
        self._domains.left(job)
        if job.key in self._claimed:
            self._shelf.over(job.key)
        if self._domains.circuits:
            self._tray.batch.circuits.update(self._domains.heard(job, handed.verdict))
        self._doubtful = 0
        self._note(job, DeliveryState.ACCEPTED, reply=handed.reply, reason="")

    def _blame(self, job: Job, verdict: Verdict, reply: str) -> None:
        """Have what the answer says of the reader remembered, unless the relay says it of everybody."""
        self._doubtful = self._doubtful + 1 if verdict.bounce is BounceKind.DOUBTFUL else 0
        if verdict.bounce is not None and self._doubtful <= IN_A_ROW:
            letter = f"{job.issue_id}/{job.subscriber_id}"
            seen = refused(letter, verdict.bounce, reply, self._clock(), reader=job.subscriber_id, issue=job.issue_id)
            self._tray.batch.refusals.append(seen)

    def _note(self, job: Job, state: DeliveryState, *, reply: str, reason: str, again: datetime | None = None) -> None:
        self._late_unless_claimed(job)
        self._tray.batch.outcomes.append(Outcome(job.key, state, reply, reason, again))

    def _late_unless_claimed(self, job: Job) -> None:
        if job.key in self._claimed:
            self._claimed.discard(job.key)
        else:
            self._tray.batch.late.append(job)

    def _let_go(self, job: Job) -> None:
        self._shelf.over(job.key)
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
        for job in batch.late:
            self._shelf.over(job.key)
        for job, _ in batch.claims:
            if job.key in ours:
                self._claimed.add(job.key)
            else:
                self._let_go(job)

    async def close(self) -> None:
        """Write what is left; raises what the store raises."""
        await self._table.close()
        await self._shelf.close()
        await self._tray.close()


def _is_no_fault_of_the_letter(verdict: Verdict, reply: str) -> bool:
    """Whether the relay spoke of itself or of us. One that only hung up may have done so for the letter's sake."""
    return verdict.scope is Scope.RELAY or (verdict.scope is Scope.CONNECTION and bool(reply))
