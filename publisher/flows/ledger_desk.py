"""The desk between the ledger and the postman: due letters out, claims and outcomes in. Floor: `flows`.

    look ahead (nothing claimed) -> letter -> claim ─┐
                                 outcome of the last ┴─> tray -> one transaction for all lines -> both go on

What all lines put on the tray in one turn of the event loop is written in one transaction: its commit is what
costs. SQLite is written right there, in the loop: a commit takes less than handing it to a thread and back. While
somebody else holds its lock, and with a database server, the store's thread writes, and what comes meanwhile gathers
for the next transaction.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from publisher.clock import Clock
from publisher.digest.letter import LetterForm
from publisher.errors import LetterError, NotFound, StoreBusy
from publisher.flows.crossing import across
from publisher.flows.gate import Gate
from publisher.flows.letters import Letters
from publisher.mail.backoff import next_attempt, resend_at
from publisher.mail.circuit import Circuit
from publisher.mail.replies import Scope, Verdict
from publisher.model import DeliveryState, Issue, SubscriberState
from publisher.smtp.postman import Handed, Letter
from publisher.store import FIRST, HeldStore, Job, Key, Kind, Outcome, Store, Transaction, Transactions

SENDING = "sending letters"
"""The step of a run that others may help with."""

CLAIM = timedelta(minutes=15)
"""How long a claim holds; longer than the ten minutes a relay may take to answer a letter."""

AHEAD = 500
"""Letters looked up at once."""
STALE_S = 1.0
"""What was looked up longer ago is looked up again: who left meanwhile would cost a connection."""
AGAIN = timedelta(minutes=1)
"""So often deferred letters whose time has come are looked for, while planned ones are sent."""
REST_S = 0.002
"""Where one commit follows upon another, they rest so long: more lines then share the next one. Where two thirds of
them wait already there is no rest: the relay has the others."""
FORMS = 256
"""Editions whose letters are kept ready at a time; bounds memory."""

Progress = Callable[[str, int, int], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the settings say about letters that do not get through at once."""

    resend: bool
    first_wait: timedelta


@dataclass(slots=True)
class _Tray:
    """What is to be written: outcomes, then claims. Letters refused before they were claimed are claimed first."""

    late: list[Job] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    bounced: list[tuple[int, str]] = field(default_factory=list)
    given_back: list[Job] = field(default_factory=list)
    put_off: list[tuple[Job, datetime, str, str]] = field(default_factory=list)
    circuits: dict[str, Circuit] = field(default_factory=dict)
    recorded: list[asyncio.Future[None]] = field(default_factory=list)
    unfit: list[Job] = field(default_factory=list)
    claims: list[tuple[Job, asyncio.Future[bool]]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.outcomes or self.claims or self.given_back or self.unfit or self.recorded)

    @property
    def needs_more(self) -> bool:
        """Whether there is more on it than claims, and outcomes of letters that were claimed."""
        return bool(self.late or self.unfit or self.given_back or self.bounced or self.put_off or self.circuits)

    @property
    def is_waited_for(self) -> bool:
        return bool(self.claims or self.recorded)

    def keep(self, other: _Tray) -> None:
        """Take over what `other` could not write down; who waited for it has been told."""
        self.late[:0] = other.late
        self.outcomes[:0] = other.outcomes
        self.bounced[:0] = other.bounced
        self.given_back[:0] = other.given_back
        self.put_off[:0] = other.put_off
        self.circuits = other.circuits | self.circuits


class LedgerDesk:
    """One sending's desk. `open`, then `letters`, `claim` and `take` are the postman's; `close` at the end."""

    def __init__(
        self,
        store: Store,
        held: HeldStore,
        *,
        letters: Letters,
        gate: Gate,
        rules: Rules,
        clock: Clock,
        progress: Progress,
        total: int,
        lines: int,
    ) -> None:
        self._store = store
        self._held = held
        self._letters = letters
        self._gate = gate
        self._rules = rules
        self._clock = clock
        self._progress = progress
        self._total = total
        self._lines = lines
        self._loop = asyncio.get_running_loop()
        self._tray = _Tray()
        self._soon = False
        self._later: asyncio.TimerHandle | None = None
        self._rest_until = 0.0
        self._writing: asyncio.Task[None] | None = None
        self._out: set[Key] = set()
        self._claimed: set[Key] = set()
        self._place: dict[DeliveryState, Key] = {}
        self._none_left: set[DeliveryState] = set()
        self._looked_for_deferred = clock()
        self._forms: dict[int, tuple[Issue, LetterForm]] = {}
        self._done_letters = 0
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
                    self._put_aside(job)
                    continue
                if not self._gate.passes(job):
                    continue
                self._out.add(job.key)
                try:
                    letter = self._letter(job, self._forms.get(job.edition_id or 0) or await self._form(job))
                except LetterError as error:
                    self._let_go(job)
                    self._note(job, DeliveryState.REJECTED, reply="", reason=str(error))
                    await self._on_tray()
                else:
                    yield letter

    async def _ahead(self) -> list[Job]:
        while True:
            if self._gate.holding and (found := await self._left_behind()):
                return found
            if self._clock() - self._looked_for_deferred >= AGAIN:
                self._looked_for_deferred = self._clock()
                self._place.pop(DeliveryState.DEFERRED, None)
                self._none_left.clear()
            found = await self._visit(self._look)
            if not found and self._place and not self._gate.holding:
                await self._written()  # once more from the beginning, for what was planned or put back meanwhile
                self._place.clear()
                self._none_left.clear()
                found = await self._visit(self._look)
            if found or not (self._gate.holding and await self._gate.wait()):
                return found

    async def _left_behind(self) -> list[Job]:
        """Letters to domains that had to wait and may have some now."""
        found: list[Job] = []
        for domain, room in await self._gate.opened():
            for state, after in self._gate.lift(domain).items():
                some = await self._visit(self._look_at, domain, state, after, room)
                if len(some) == room:
                    self._gate.mark(domain, state, some[-1].key)
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

    def _put_aside(self, job: Job) -> None:
        self._tray.unfit.append(job)
        self._schedule()

    # --- in: claims and outcomes --------------------------------------------------------------------------------------

    def claim(self, job: Job) -> asyncio.Future[bool]:
        """Done when the claim is durable: True where this letter may be sent."""
        future: asyncio.Future[bool] = self._loop.create_future()
        self._tray.claims.append((job, future))
        self._schedule()
        return future

    def take(self, handed: Handed[Job]) -> asyncio.Future[None]:
        """Done when the result is durable."""
        job, verdict = handed.ref, handed.verdict
        state, when = verdict.state, None
        self._gate.left(job)
        if state is DeliveryState.PLANNED or job.key in self._claimed:  # else it looks due until `_done`
            self._out.discard(job.key)
        if state is DeliveryState.PLANNED:
            self._place.pop(job.state, None)  # it lies behind us: look for it again
            self._none_left.discard(job.state)
            self._gate.unspent(job)
            if job.key in self._claimed:
                self._claimed.discard(job.key)
                self._tray.given_back.append(job)
            return self._on_tray()
        self._tray.circuits.update(self._gate.heard(job, verdict))
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
                self._tray.put_off.append((job, when, handed.reply, verdict.reason))
                return self._on_tray()
        elif state is DeliveryState.UNCERTAIN:
            when = resend_at(job.attempts, self._clock(), doubted=job.state is DeliveryState.UNCERTAIN)
        if verdict.bounced:
            self._tray.bounced.append((job.subscriber_id, verdict.reason))
        self._note(job, state, reply=handed.reply, reason=verdict.reason, again=when)
        return self._on_tray()

    def _note(self, job: Job, state: DeliveryState, *, reply: str, reason: str, again: datetime | None = None) -> None:
        self._late_unless_claimed(job)
        reason = "" if state is DeliveryState.ACCEPTED else reason
        self._tray.outcomes.append(Outcome(job.issue_id, job.subscriber_id, state, reply, reason, again))

    def _late_unless_claimed(self, job: Job) -> None:
        if job.key in self._claimed:
            self._claimed.discard(job.key)
        else:
            self._tray.late.append(job)

    def _let_go(self, job: Job) -> None:
        self._out.discard(job.key)
        self._gate.left(job)

    def _on_tray(self) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self._loop.create_future()
        self._tray.recorded.append(future)
        self._schedule()
        return future

    # --- the tray -----------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        """Have the tray written: at once, or where something was written just now, when it has rested (REST_S)."""
        if self._writing is not None or self._soon:
            return
        rest = self._rest_until - time.monotonic()
        if 3 * len(self._tray.claims) >= 2 * self._lines or rest <= 0:
            self._soon = True
            if self._later is not None:
                self._later.cancel()
            self._loop.call_soon(self._empty)
        elif self._later is None:
            self._later = self._loop.call_later(rest, self._empty)

    def _empty(self) -> None:
        self._soon, self._later = False, None
        if self._writing is not None or not self._tray:
            return
        tray, self._tray = self._tray, _Tray()
        if not self._held.at_hand:
            self._writing = self._loop.create_task(self._write_across(tray, self._held))
            return
        try:
            ours = self._write(self._held, tray)
        except StoreBusy:
            self._writing = self._loop.create_task(self._write_across(tray, self._store))
        except Exception as error:
            self._failed(tray, error)
        else:
            self._rest_until = time.monotonic() + REST_S  # the loop's own time stands still within a turn
            self._done(tray, ours)

    async def _write_across(self, tray: _Tray, store: Transactions | HeldStore) -> None:
        again = True
        try:
            ours = await across(self._write, store, tray)
        except Exception as error:
            self._failed(tray, error)
            again = self._tray.is_waited_for  # else a store that is gone would be asked for ever
        else:
            self._done(tray, ours)
        finally:
            self._writing = None
            if again and self._tray:
                self._schedule()

    def _write(self, store: Transactions | HeldStore, tray: _Tray) -> set[Key]:
        now = self._clock()
        until = now + CLAIM
        if isinstance(store, HeldStore) and not tray.needs_more:
            jobs = [job for job, _ in tray.claims]
            ours = store.exchange(tray.outcomes, jobs, now, until)
            if len(ours) < len(jobs):
                with store.write() as tx:
                    tx.deliveries.dismiss([job for job in jobs if job.key not in ours], now)
            return ours
        with store.write() as tx:
            if tray.late or tray.unfit:
                tx.deliveries.hand_over([*tray.late, *tray.unfit], now, until)
            tx.deliveries.record(tray.outcomes, now)
            tx.deliveries.release(tray.given_back, now)
            for job, until_then, reply, reason in tray.put_off:
                tx.deliveries.put_off([job], until_then, now, reply=reply, reason=reason)
            for domain, circuit in tray.circuits.items():
                tx.circuits.keep(Kind.DOMAIN, domain, circuit, now)
            for subscriber_id, reason in tray.bounced:
                with suppress(NotFound):  # removed meanwhile
                    if tx.subscribers.get(subscriber_id).state is SubscriberState.ACTIVE:
                        tx.subscribers.set_state(subscriber_id, SubscriberState.BOUNCED, now, reason=reason)
            return tx.deliveries.hand_over([job for job, _ in tray.claims], now, until)

    def _done(self, tray: _Tray, ours: set[Key]) -> None:
        if tray.outcomes or tray.put_off:
            accepted = 0
            for outcome in tray.outcomes:
                if outcome.state is DeliveryState.ACCEPTED:
                    accepted += 1
                else:
                    self.states[outcome.state] += 1
            if accepted:
                self.states[DeliveryState.ACCEPTED] += accepted
            if tray.put_off:
                self.states[DeliveryState.DEFERRED] += len(tray.put_off)
            self._done_letters += len(tray.outcomes) + len(tray.put_off)
            # who is told may stop what would follow
            self._progress(SENDING, self._done_letters, max(self._total, self._done_letters))
        self._out.difference_update(job.key for job in tray.late)
        for job, future in tray.claims:
            if job.key in ours:
                self._claimed.add(job.key)
            else:
                self._let_go(job)
            if not future.done():
                future.set_result(job.key in ours)
        for recorded in tray.recorded:
            if not recorded.done():
                recorded.set_result(None)

    def _failed(self, tray: _Tray, error: Exception) -> None:
        self._tray.keep(tray)
        waiting: list[asyncio.Future[Any]] = [claim for _, claim in tray.claims]
        for future in [*waiting, *tray.recorded]:
            if not future.done():
                future.set_exception(error)
                future.exception()  # who gave up waiting need not hear of it

    async def _written(self) -> None:
        """Wait until what is on the tray now is written."""
        if self._tray or self._writing is not None:
            await self._on_tray()

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
        while self._writing is not None:
            await asyncio.wait([self._writing])
        tray, self._tray = self._tray, _Tray()
        if tray:
            await across(self._write, self._store, tray)
            self._done(tray, set())


def _is_no_fault_of_the_letter(verdict: Verdict, reply: str) -> bool:
    """Whether the relay spoke of itself or of us. One that only hung up may have done so for the letter's sake."""
    return verdict.scope is Scope.RELAY or (verdict.scope is Scope.CONNECTION and bool(reply))
