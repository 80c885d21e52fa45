"""Several relays, or one with limits: each letter to the relay whose turn it is, and to another when one is out.

    desk -> letter -> whose turn, by weight? -> a token of its limits -> its queue -> its postman -> result -> desk
                                                                              '- it is out: the letter goes back there
Floor: `flows`.

A relay that is out (its circuit is open) gets nothing until its time has come; then one letter tries. One that hangs
loses its turns to the others. When all are out they are tried a few times more, and then the sending ends.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import datetime

from publisher.clock import Clock
from publisher.config import RelaySettings
from publisher.errors import RelayUnavailable
from publisher.flows.crossing import Write
from publisher.flows.domains import WAIT_S, Domains
from publisher.flows.ledger_desk import LedgerDesk
from publisher.flows.meter import Instant, Meter
from publisher.mail.circuit import CLOSED, RELAY, Circuit, after_failure
from publisher.mail.replies import NOT_TRIED, Scope
from publisher.mail.turns import Turns
from publisher.model import DeliveryState
from publisher.smtp.endpoint import Endpoint
from publisher.smtp.postman import PAUSES_S, Handed, Letter, deliver_all
from publisher.store import Job, Kind

KNOCKS_S = (0.2, 0.4)
"""Waits between attempts to reach a relay where another one can take its letters."""
AHEAD = 3
"""Letters that a relay has at once for each of its connections: one on the wire, one behind it, one made ready."""
STALL_S = 5.0
"""A relay that has all it can hold and answers nothing for so long loses its turns until it does."""

Tell = Callable[[str], None]


class Carrier:
    """One relay of a sending: what it has in hand, and whether it may have more."""

    def __init__(self, relay: RelaySettings, endpoint: Endpoint, circuit: Circuit, meter: Meter | None) -> None:
        self.name = relay.name
        self.relay = relay
        self.endpoint = endpoint
        self.circuit = circuit
        self.meter = meter
        self.queue: asyncio.Queue[Letter[Job] | None] = asyncio.Queue()
        self.in_hand = 0
        self.running = False
        self.stalled = False

    @property
    def room(self) -> int:
        most = 1 if self.circuit.until is not None else AHEAD * self.relay.connections
        return most - self.in_hand

    async def letters(self) -> AsyncIterator[Letter[Job]]:
        while (letter := await self.queue.get()) is not None:
            yield letter

    def at_once(self) -> Letter[Job] | None:
        """A letter that is there already."""
        with suppress(asyncio.QueueEmpty):
            letter = self.queue.get_nowait()
            if letter is None:
                self.queue.put_nowait(None)  # the end is for who waits
            return letter
        return None


class Fleet:
    """The relays of one sending."""

    def __init__(
        self,
        carriers: Sequence[Carrier],
        desk: LedgerDesk,
        domains: Domains,
        *,
        write: Write,
        clock: Clock,
        instant: Instant,
        tell: Tell,
    ) -> None:
        self._carriers = list(carriers)
        self._desk = desk
        self._domains = domains
        self._write = write
        self._clock = clock
        self._instant = instant
        self._tell = tell
        self._rounds = list(PAUSES_S) if len(self._carriers) > 1 else []
        self._turns = Turns({carrier: carrier.relay.weight for carrier in self._carriers})
        self._changed = asyncio.Event()
        self._halt = asyncio.Event()  # begin nothing more: asked to stop, or failed
        self._over = asyncio.Event()  # no letter will come any more
        self._came_back = False
        self._error: Exception | None = None
        self._problems: dict[str, str] = {}
        self.carried: Counter[str] = Counter()
        """Letters that each relay accepted."""

    async def run(self, stop: asyncio.Event | None) -> str:
        """Send what the desk has. Returns the problem when no relay can be used any more, else ""."""
        watch = asyncio.create_task(self._watch(stop)) if stop else None
        if all(carrier.circuit.is_open(self._clock()) for carrier in self._carriers):
            self._try_all()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._dispatch())
                for carrier in self._carriers:
                    group.create_task(self._carry(carrier))
        finally:
            if watch:
                watch.cancel()
        for carrier in self._carriers:
            await self._take_back(carrier)
            if carrier.meter is not None:
                await carrier.meter.close()
        await self._domains.close()
        if self._error is not None:
            raise self._error
        return "\n".join(self._told()) if self._all_out() else ""

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._end()

    def _end(self, error: Exception | None = None) -> None:
        """Finish what is in hand and begin nothing more."""
        self._error = self._error or error
        self._halt.set()
        self._domains.stop()
        self._changed.set()
        for carrier in self._carriers:
            carrier.queue.put_nowait(None)

    # --- letters to relays --------------------------------------------------------------------------------------------

    async def _dispatch(self) -> None:
        try:
            while True:
                async with aclosing(self._desk.letters()) as letters:
                    async for letter in letters:
                        if not await self._hand(letter):
                            return
                await self._until(lambda: self._came_back or not any(carrier.in_hand for carrier in self._carriers))
                if not self._came_back or self._halt.is_set():
                    return
                self._came_back = False
        except Exception as error:  # raised by `run`, when the letters in hand are finished
            self._end(error)
        finally:
            self._over.set()
            self._changed.set()
            for carrier in self._carriers:
                carrier.queue.put_nowait(None)

    async def _hand(self, letter: Letter[Job]) -> bool:
        """Give `letter` to the relay whose turn it is. False when none will take it in this sending."""
        while not self._halt.is_set():
            self._changed.clear()
            carrier, wait_s = await self._next_carrier()
            if carrier is not None and not carrier.circuit.is_open(self._clock()):  # it may have failed meanwhile
                carrier.in_hand += 1
                carrier.queue.put_nowait(letter)
                return True
            if self._all_out() and not await self._tried_again():
                break
            if wait_s > WAIT_S:
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(max(wait_s, 0.001), 1.0))
        await self._desk.take(Handed(letter.ref, NOT_TRIED))
        return False

    async def _next_carrier(self) -> tuple[Carrier | None, float]:
        """The relay whose turn it is, with a token spent; else how long to wait for one, in seconds."""
        now = self._clock()
        ready = [carrier for carrier in self._carriers if not carrier.circuit.is_open(now) and not carrier.stalled]
        limited: list[float] = []
        while ready:
            carrier = self._turns.next(ready)
            if carrier.room < 1 and (carrier.circuit.until is not None or not await self._gets_room(carrier)):
                ready.remove(carrier)
            elif carrier.meter is None or await carrier.meter.spends():
                return carrier, 0.0
            else:
                limited.append(carrier.meter.ready_at - self._instant())
                ready.remove(carrier)
            if self._halt.is_set():
                break
        usable = sum(not carrier.circuit.is_open(now) for carrier in self._carriers)
        # one that has all it can hold will answer before
        return None, min(limited, default=0.0) if len(limited) == usable else min([*limited, WAIT_S])

    async def _gets_room(self, carrier: Carrier) -> bool:
        """Wait for a relay whose turn it is and that has all it can hold: weights divide the letters, not speed."""
        until = asyncio.get_running_loop().time() + STALL_S
        held = carrier.in_hand
        while carrier.room < 1 and not self._halt.is_set() and not carrier.circuit.until:
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                carrier.stalled = True
                return False
            self._changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)
            if carrier.in_hand != held:
                held, until = carrier.in_hand, asyncio.get_running_loop().time() + STALL_S
        return carrier.room > 0 and carrier.circuit.until is None

    async def _until(self, true: Callable[[], bool]) -> None:
        while not self._halt.is_set() and not true():
            self._changed.clear()
            await self._changed.wait()

    # --- relays -------------------------------------------------------------------------------------------------------

    async def _carry(self, carrier: Carrier) -> None:
        """One relay, from each time that it may be tried until it fails."""
        try:
            while not (self._over.is_set() or self._halt.is_set()):
                if carrier.circuit.is_open(self._clock()):
                    await self._rest(carrier)
                    continue
                try:
                    await self._deliver(carrier)
                except RelayUnavailable as error:
                    await self._failed(carrier, error)
        except Exception as error:  # raised by `run`, when the letters in hand are finished
            self._end(error)

    async def _deliver(self, carrier: Carrier) -> None:
        alone = len(self._carriers) == 1
        await deliver_all(
            carrier.endpoint,
            carrier.letters(),
            connections=carrier.relay.connections,
            letters_per_connection=carrier.relay.letters_per_connection,
            claim=lambda job: self._claim(carrier, job),
            on_result=lambda handed: self._result(carrier, handed),
            stop=self._halt,
            pauses_s=PAUSES_S if alone else KNOCKS_S,
            at_once=carrier.at_once,
            tell=self._tell if alone else None,
        )

    async def _rest(self, carrier: Carrier) -> None:
        """Until its time has come, or everything is over."""
        until = carrier.circuit.until
        seconds = (until - self._clock()).total_seconds() if until else 0.0
        self._changed.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), max(seconds, 0.01))

    async def _claim(self, carrier: Carrier, job: Job) -> bool:
        """Whether this letter may be sent; of one that may not nothing more is heard."""
        ours = await self._desk.claim(job)
        if not ours:
            carrier.in_hand -= 1
            self._changed.set()
        return ours

    async def _result(self, carrier: Carrier, handed: Handed[Job]) -> None:
        state, scope = handed.verdict.state, handed.verdict.scope
        if scope is Scope.RELAY and state is DeliveryState.DEFERRED and self._others(carrier):
            handed = Handed(handed.ref, NOT_TRIED)
            state = DeliveryState.PLANNED
        await self._desk.take(handed)
        if state is DeliveryState.PLANNED:
            self._came_back = True
            if carrier.meter is not None:
                carrier.meter.put_back()
        elif state is DeliveryState.ACCEPTED or scope is Scope.READER:
            self.carried[carrier.name] += state is DeliveryState.ACCEPTED
            if carrier.circuit is not CLOSED:
                await self._keep(carrier, CLOSED)
            self._problems.pop(carrier.name, None)
            self._rounds = list(PAUSES_S) if len(self._carriers) > 1 else []
        carrier.in_hand -= 1
        carrier.stalled = False
        self._changed.set()

    async def _failed(self, carrier: Carrier, error: RelayUnavailable) -> None:
        """Leave it alone for a while; what it has not begun goes to the others."""
        self._problems[carrier.name] = str(error)
        await self._keep(carrier, after_failure(carrier.circuit, self._clock(), str(error), RELAY, final=True))
        if self._others(carrier):
            self._tell(f"{error}; its letters go to the other relays")
        await self._take_back(carrier)

    async def _take_back(self, carrier: Carrier) -> None:
        while not carrier.queue.empty():
            letter = carrier.queue.get_nowait()
            if letter is not None:
                await self._desk.take(Handed(letter.ref, NOT_TRIED))
                carrier.in_hand -= 1
                self._came_back = True
                if carrier.meter is not None:
                    carrier.meter.put_back()
        carrier.stalled = False
        self._changed.set()

    async def _keep(self, carrier: Carrier, circuit: Circuit) -> None:
        carrier.circuit = circuit
        now = self._clock()
        await self._write(lambda tx: tx.circuits.keep(Kind.RELAY, carrier.name, circuit, now))

    def _others(self, carrier: Carrier) -> list[Carrier]:
        """Relays that may be used beside this one."""
        now = self._clock()
        return [other for other in self._carriers if other is not carrier and not other.circuit.is_open(now)]

    def _all_out(self) -> bool:
        now = self._clock()
        return all(carrier.circuit.is_open(now) for carrier in self._carriers)

    async def _tried_again(self) -> bool:
        """All relays are out: wait a little and let each one try. False when that was done often enough."""
        if not self._rounds:
            return False
        pause = self._rounds.pop(0)
        self._tell("\n".join([*self._told(), f"no relay can be used; trying all again in {pause:g} s"]))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._halt.wait(), pause)
        self._try_all()
        return not self._halt.is_set()

    def _told(self) -> list[str]:
        return [self._problems[one.name] for one in self._carriers if one.name in self._problems]

    def _try_all(self) -> None:
        now: datetime = self._clock()
        for carrier in self._carriers:
            if carrier.circuit.is_open(now):
                carrier.circuit = carrier.circuit.early(now)
        self._changed.set()


def carriers(
    relays: Sequence[RelaySettings],
    circuits: Mapping[str, Circuit],
    *,
    timeout_s: float,
    make_meter: Callable[[RelaySettings], Meter | None],
) -> list[Carrier]:
    """The relays of config.toml as a sending finds them."""
    return [
        Carrier(
            relay,
            Endpoint.from_settings(relay, timeout_s=timeout_s),
            circuits.get(relay.name, CLOSED),
            make_meter(relay),
        )
        for relay in relays
    ]
