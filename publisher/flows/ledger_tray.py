"""The tray: claims and outcomes of all lines, gathered and written in one transaction. Floor: `flows`.

What all lines put on the tray in one turn of the event loop is written together: its commit is what costs. SQLite is
written right there, in the loop: a commit takes less than handing it to a thread and back; while somebody else holds
its lock the store's thread writes. A database server is told what to write, and answers when it has. What comes
meanwhile gathers for the next transaction.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from publisher.clock import Clock
from publisher.errors import StoreBusy, StoreError
from publisher.flows.crossing import across
from publisher.flows.struck_off import take_note
from publisher.mail.circuit import Circuit
from publisher.smtp.lane import Told
from publisher.store import BounceEvent, HeldStore, Job, Key, Kind, Outcome, Store, Transactions

CLAIM = timedelta(minutes=15)
"""How long a claim holds; longer than the ten minutes a relay may take to answer a letter."""

CLOSING_S = 10.0
"""So long the last answers of the relay are kept for a store that is away: most likely it is started anew, and then
learns of each letter that was taken."""

REST_S = 0.002
"""Where one commit follows upon another, they rest so long: more lines then share the next one. Where half of them
wait already there is no rest: the relay has the others, and is not to wait for us."""


@dataclass(slots=True)
class Batch:
    """What is written in one transaction: outcomes, then claims. Letters refused before they were claimed are claimed
    first. `denied` were claimed in vain, because nobody is to get them any more: that is written down afterwards."""

    late: list[Job] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    refusals: list[BounceEvent] = field(default_factory=list)
    given_back: list[Job] = field(default_factory=list)
    put_off: list[tuple[Job, datetime, str, str]] = field(default_factory=list)
    circuits: dict[str, Circuit] = field(default_factory=dict)
    recorded: list[asyncio.Future[None]] = field(default_factory=list)
    unfit: list[Job] = field(default_factory=list)
    denied: list[Job] = field(default_factory=list)
    claims: list[tuple[Job, Told]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.outcomes or self.claims or self.given_back or self.unfit or self.denied or self.recorded)

    @property
    def needs_more(self) -> bool:
        """Whether there is more on it than claims, and outcomes of letters that were claimed."""
        rare = (self.late, self.unfit, self.denied, self.given_back, self.refusals, self.put_off, self.circuits)
        return any(rare)

    @property
    def is_waited_for(self) -> bool:
        return bool(self.claims or self.recorded)

    def keep(self, other: Batch) -> None:
        """Take over what `other` could not write down; who waited for it has been told."""
        self.late[:0] = other.late
        self.outcomes[:0] = other.outcomes
        self.refusals[:0] = other.refusals
        self.given_back[:0] = other.given_back
        self.put_off[:0] = other.put_off
        self.denied[:0] = other.denied
        self.circuits = other.circuits | self.circuits


class LedgerTray:
    """Put things on `batch`, then `schedule` it, or ask to be told with `claim` or `recorded`.

    `settled` is called with each batch that was written and the keys of its claims that are ours, before those who
    wait are told. `lines`: how many may wait at the same time.
    """

    def __init__(
        self, store: Store, held: HeldStore, *, clock: Clock, lines: int, settled: Callable[[Batch, set[Key]], None]
    ) -> None:
        self._store = store
        self._held = held
        self._clock = clock
        self._lines = lines
        self._settled = settled
        self._loop = asyncio.get_running_loop()
        self.batch = Batch()
        self._soon = False
        self._later: asyncio.TimerHandle | None = None
        self._rest_until = 0.0
        self._free = asyncio.Event()  # nobody writes what was on it
        self._free.set()
        self._writer: asyncio.Task[None] | None = None  # the loop itself would let it be collected

    def claim(self, job: Job, told: Told) -> None:
        """Tells when the claim is durable, and with it all that is on the tray now: True where this letter may be
        sent."""
        self.batch.claims.append((job, told))
        self.schedule()

    def claimed(self, job: Job) -> asyncio.Future[bool]:
        """`claim`, for one who waits."""
        future: asyncio.Future[bool] = self._loop.create_future()
        self.claim(job, partial(_tell, future))
        return future

    def recorded(self) -> asyncio.Future[None]:
        """Done when all that is on the tray now is durable."""
        future: asyncio.Future[None] = self._loop.create_future()
        self.batch.recorded.append(future)
        self.schedule()
        return future

    def schedule(self) -> None:
        """Have what is on it written: at once, or where something was written just now, when it has rested (REST_S)."""
        if self._soon or not self._free.is_set():
            return
        rest = self._rest_until - time.monotonic()
        if 2 * len(self.batch.claims) >= self._lines or rest <= 0:
            self._soon = True
            if self._later is not None:
                self._later.cancel()
            self._loop.call_soon(self._empty)
        elif self._later is None:
            self._later = self._loop.call_later(rest, self._empty)

    def _empty(self) -> None:
        self._soon, self._later = False, None
        if not self.batch or not self._free.is_set():
            return
        batch, self.batch = self.batch, Batch()
        if not self._held.at_hand:
            if batch.needs_more:
                self._write_across(batch, self._held)
            else:
                self._begin(batch)
            return
        try:
            ours = self._write(self._held, batch)
        except StoreBusy:
            self._write_across(batch, self._store)
        except Exception as error:
            self._failed(batch, error)
        else:
            self._done(batch, ours)
            if self.batch.denied:
                self.schedule()

    def _write_across(self, batch: Batch, store: Transactions | HeldStore) -> None:
        self._free.clear()
        self._writer = self._loop.create_task(self._written_across(batch, store))

    async def _written_across(self, batch: Batch, store: Transactions | HeldStore) -> None:
        result: set[Key] | Exception
        try:
            result = await across(self._write, store, batch)
        except Exception as error:
            result = error
        except BaseException:
            self._free.set()
            raise
        self._landed(batch, result)

    def _begin(self, batch: Batch) -> None:
        """Have the server write `batch`. Meanwhile the loop has its hands free; neither a thread nor a task waits."""
        self._free.clear()
        now = self._clock()
        try:
            jobs = [job for job, _ in batch.claims]
            socket = self._held.begin_exchange(batch.outcomes, jobs, now, now + CLAIM)
        except Exception as error:
            self._landed(batch, error)
        else:
            self._loop.add_reader(socket, self._heard, batch, socket)

    def _heard(self, batch: Batch, socket: int) -> None:
        self._loop.remove_reader(socket)  # first: who finds the connection lost closes it
        try:
            ours = self._held.answer()
        except Exception as error:
            self._landed(batch, error)
            return
        if ours is None:
            self._loop.add_reader(socket, self._heard, batch, socket)
            return
        self._note_denied([job for job, _ in batch.claims], ours)
        self._landed(batch, ours)

    def _landed(self, batch: Batch, result: set[Key] | Exception) -> None:
        """`batch` was written by somebody else, with these claims that are ours, or was not."""
        again = True
        try:
            if isinstance(result, Exception):
                self._failed(batch, result)
                again = self.batch.is_waited_for  # else a store that is gone would be asked for ever
            else:
                self._done(batch, result)
        finally:
            self._free.set()
            if again and self.batch:
                self.schedule()

    def _write(self, store: Transactions | HeldStore, batch: Batch) -> set[Key]:
        now = self._clock()
        until = now + CLAIM
        if isinstance(store, HeldStore) and not batch.needs_more:
            jobs = [job for job, _ in batch.claims]
            ours = store.exchange(batch.outcomes, jobs, now, until)
            self._note_denied(jobs, ours)
            return ours
        with store.write() as tx:
            if batch.late or batch.unfit:
                tx.deliveries.hand_over([*batch.late, *batch.unfit], now, until)
            tx.deliveries.dismiss(batch.denied, now)
            tx.deliveries.record(batch.outcomes, now)
            tx.deliveries.release(batch.given_back, now)
            for job, until_then, reply, reason in batch.put_off:
                tx.deliveries.put_off([job], until_then, now, reply=reply, reason=reason)
            for domain, circuit in batch.circuits.items():
                tx.circuits.keep(Kind.DOMAIN, domain, circuit, now)
            for refusal in batch.refusals:
                take_note(tx, refusal, now)
            return tx.deliveries.hand_over([job for job, _ in batch.claims], now, until)

    def _note_denied(self, jobs: list[Job], ours: set[Key]) -> None:
        """Not written here: if that failed, the claims which are ours and durable would be taken for nobody's."""
        if len(ours) < len(jobs):
            self.batch.denied += [job for job in jobs if job.key not in ours]

    def _done(self, batch: Batch, ours: set[Key]) -> None:
        self._rest_until = time.monotonic() + REST_S  # the loop's own time stands still within a turn
        self._settled(batch, ours)
        for recorded in batch.recorded:
            if not recorded.done():
                recorded.set_result(None)
        for job, told in batch.claims:
            told(job.key in ours)

    def _failed(self, batch: Batch, error: Exception) -> None:
        self.batch.keep(batch)
        for recorded in batch.recorded:
            _tell(recorded, error)
        for _, told in batch.claims:
            told(error)

    async def written(self) -> None:
        """Wait until what is on it now is written."""
        if self.batch or not self._free.is_set():
            await self.recorded()

    async def close(self) -> None:
        """Write what is left. While the store is away it is tried again, for what is not written is sent twice; raises
        what the store raises in the end."""
        while not self._free.is_set():
            await self._free.wait()
        batch, self.batch = self.batch, Batch()
        end = time.monotonic() + CLOSING_S
        while batch:
            try:
                await across(self._write, self._store, batch)
            except StoreError:
                if time.monotonic() >= end:
                    raise
                await asyncio.sleep(CLOSING_S / 20)
            else:
                self._done(batch, set())
                return


def _tell(future: asyncio.Future[Any], result: bool | Exception) -> None:
    if future.done():  # who waited has given up
        return
    if isinstance(result, Exception):
        future.set_exception(result)
        future.exception()  # who gives up waiting need not hear of it
    else:
        future.set_result(result)
