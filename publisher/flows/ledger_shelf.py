"""The shelf beside the desk: letters that are due, looked up ahead of their turn. Floor: `flows`.

Nothing here is claimed. What lies here for long is looked up again, for its reader may have left. A store that is not
at hand is asked for the next ones while the last ones are still being taken.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TypeVar

from publisher.clock import Clock
from publisher.errors import StoreBusy, StoreError
from publisher.flows.crossing import across
from publisher.model import DeliveryState
from publisher.store import FIRST, HeldStore, Job, Key, Store, Transaction

AT_HAND = 100
"""Letters looked up at once where that keeps the event loop: the relay has no more than ten or so to go on with."""
AHEAD = 500
"""Letters looked up at once in a store that is not at hand; the next ones are asked for when FEW are left."""
FEW = 200
STALE_S = 1.0
"""What was looked up longer ago is looked up again: who left meanwhile would cost a connection."""
AGAIN = timedelta(minutes=1)
"""So often deferred letters whose time has come are looked for, while planned ones are sent."""

T = TypeVar("T")


class Shelf:
    """Letters that are due: uncertain and deferred ones first (the former only to `resend`), then as planned.

    `out`: the keys of those that were begun and are not `over`; they are still due as far as the store knows.
    """

    def __init__(self, store: Store, held: HeldStore, *, resend: bool, clock: Clock) -> None:
        self._store = store
        self._held = held
        self._clock = clock
        self.out: set[Key] = set()
        self._over: set[Key] = set()  # while somebody looks: what they saw of these holds no more
        self._lookers = 0
        states = (DeliveryState.UNCERTAIN, DeliveryState.DEFERRED, DeliveryState.PLANNED)
        self._states = states if resend else states[1:]
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[Job] = deque()
        self._stale_at = 0.0
        self._coming: asyncio.Task[list[Job]] | None = None
        self._coming_stale_at = 0.0
        self._place: dict[DeliveryState, Key] = {}  # of the last one taken
        self._none_left: set[DeliveryState] = set()
        self._looked_for_deferred = clock()

    # --- taking -------------------------------------------------------------------------------------------------------

    def take(self) -> Job | None:
        """The next one, if it is here."""
        if self._loop.time() > self._stale_at:
            self._jobs.clear()
        if not self._jobs and not self._came():
            return None
        job = self._jobs.popleft()
        self._place[job.state] = job.key
        if len(self._jobs) == FEW and self._coming is None and not self._held.at_hand:
            self._lookers += 1
            self._coming_stale_at = self._loop.time() + STALE_S
            self._coming = asyncio.create_task(across(self._behind, self._jobs[-1]))
        return job

    def put(self, jobs: Sequence[Job]) -> None:
        """Put `jobs`, just looked up, where nothing is left."""
        self._jobs = deque([job for job in jobs if job.key not in self._over] if self._over else jobs)
        self._stale_at = self._loop.time() + STALE_S

    def put_back(self, job: Job) -> None:
        """`job` was taken a moment ago, and is to be the next one again."""
        self._jobs.appendleft(job)

    def _came(self) -> bool:
        """Whether those that were asked for in time are here now."""
        if self._coming is None or not self._coming.done():
            return False
        self.put(self._coming.result())
        self._stale_at = self._coming_stale_at
        self._forget_coming()
        return bool(self._jobs) and self._loop.time() <= self._stale_at

    # --- looking up ---------------------------------------------------------------------------------------------------

    def look_at_once(self) -> bool:
        """Look for more where that takes no time; whether something is here now."""
        if not self._held.at_hand:
            return False
        with suppress(StoreBusy), self._held.write() as tx:
            self.put(self._due(tx))
        return bool(self._jobs)

    async def look(self) -> bool:
        """Look for more; whether something is here now."""
        if self._coming is not None:
            await asyncio.wait([self._coming])
            if self._came():
                return True
        with self.looking():
            self.put(await self.visit(self._due))
        return bool(self._jobs)

    def look_behind(self, state: DeliveryState) -> None:
        """Letters that wait in `state` were given back: they are to be looked for from the beginning."""
        self._place.pop(state, None)
        self._none_left.discard(state)
        self._jobs.clear()
        self._forget_coming()

    def over(self, key: Key) -> None:
        """That letter is not out any more."""
        self.out.discard(key)
        if self._lookers:
            self._over.add(key)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """A look beside the event loop, and the `put` of what was seen: letters end meanwhile."""
        self._lookers += 1
        try:
            yield
        finally:
            self._looked()

    def _looked(self) -> None:
        self._lookers -= 1
        if not self._lookers:
            self._over.clear()

    def _forget_coming(self) -> None:
        if self._coming is not None:
            self._coming = None
            self._looked()

    @property
    def begun(self) -> bool:
        """Whether something was taken since the beginning."""
        return bool(self._place)

    def from_the_beginning(self) -> None:
        """Look for what was planned or put back behind what was taken."""
        self._place.clear()
        self._none_left.clear()

    async def visit(self, look: Callable[[Transaction], T]) -> T:
        """`look` at the store where a transaction costs least."""
        if self._held.at_hand:
            with suppress(StoreBusy), self._held.write() as tx:
                return look(tx)

        def from_outside() -> T:
            with self._store.read() as tx:
                return look(tx)

        return await across(from_outside)

    async def close(self) -> None:
        """Wait for what was asked for."""
        if self._coming is not None:
            await asyncio.wait([self._coming])

    def _due(self, tx: Transaction) -> list[Job]:
        now = self._clock()
        limit = AT_HAND if self._held.at_hand else AHEAD
        if now - self._looked_for_deferred >= AGAIN:
            self._looked_for_deferred = now
            self._place.pop(DeliveryState.DEFERRED, None)
            self._none_left.clear()
        for state in self._states:
            if state in self._none_left:
                continue
            found = tx.deliveries.upcoming(state, now, limit, after=self._place.get(state, FIRST))
            if any(job.key not in self.out for job in found):
                return found
            self._none_left.add(state)
        return []

    def _behind(self, job: Job) -> list[Job]:
        """Those behind `job`. What goes wrong is told by whoever looks for more with nothing left."""
        with suppress(StoreError), self._store.read() as tx:
            return tx.deliveries.upcoming(job.state, self._clock(), AHEAD, after=job.key)
        return []
