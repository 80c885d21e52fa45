"""The mail room: wishes that wait -> service letters -> relay, beside everything else. Floor: `flows`.

    settle what was asked -> due letters -> claim (row before the content) -> hand over -> outcome recorded

It works when it is woken, and looks by itself every few seconds for what another process left. A letter is claimed for
a while; if its process dies, the claim runs out and the letter goes again with the same bytes. So none is lost.

The relays are used in the order of config.toml: the next one when one is out, or at its limits. Of these limits a part
is kept for the mail room (see `mail.rates`). The caps of domains are for digests.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from publisher.clock import Clock
from publisher.config import RelaySettings, SmtpSettings
from publisher.errors import LetterError, PublisherError, RelayUnavailable
from publisher.flows.crossing import across
from publisher.flows.deliver import Post
from publisher.flows.late_log import log
from publisher.flows.sending import endpoint_of, meter_of
from publisher.flows.service_press import ServicePress
from publisher.flows.sign_up import SignUpParts, settle_asked
from publisher.flows.struck_off import refused, take_note
from publisher.mail.backoff import CEILING, DOUBT, next_attempt
from publisher.mail.circuit import CLOSED, RELAY, Circuit, after_failure
from publisher.mail.replies import Scope
from publisher.mail.scoring import BounceKind
from publisher.model import DeliveryState
from publisher.smtp.endpoint import Endpoint
from publisher.smtp.postman import PAUSES_S, Handed, Letter, deliver_all
from publisher.store import Kind, ServiceLetter, Store, Transaction

if TYPE_CHECKING:
    from publisher.flows.meter import Meter

AHEAD = 100
"""Letters looked up at once."""
CLAIM = timedelta(minutes=15)
"""How long a claim holds; longer than the ten minutes a relay may take to answer a letter."""
POLL_S = 5.0
"""How often it looks for work by itself, in seconds."""
FAILED_POLL_S = 30.0
LIMIT_WAIT_S = 2.0
"""A limit that lets a letter out within so many seconds is waited for, `TRIES` times: a digest asks it as well."""
TRIES = 10

T = TypeVar("T")


class MailRoom:
    """Sends service letters by `post`, as `press` makes them."""

    def __init__(self, parts: SignUpParts, post: Post, press: ServicePress) -> None:
        self._parts = parts
        self._post = post
        self._press = press
        self._woken: asyncio.Event | None = None

    def addresses(self, email: str) -> list[str]:
        """The keyed hashes under which the mailbox may be kept, the present one first. Raises UsageError."""
        return self._parts.addresses(email)

    def wake(self) -> None:
        """There is something to do: call it in the event loop, after the transaction that made it."""
        if self._woken is not None:
            self._woken.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while the block lasts; at its end the letter in hand is finished."""
        self._woken, stop = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(self._again_and_again(self._woken, stop))
        try:
            yield
        finally:
            woken, self._woken = self._woken, None
            stop.set()
            woken.set()
            await task

    async def work_off(
        self, stop: asyncio.Event | None = None, *, patient: bool = False
    ) -> Mapping[DeliveryState, int]:
        """Settle every wish and send every letter that is due and that limits let out; tells what became of them.

        When all relays are left alone for a while they are tried nevertheless, unless `patient`. Raises
        RelayUnavailable when none can be used; the letters wait.
        """
        await across(settle_asked, self._parts)
        states: Counter[DeliveryState] = Counter()
        if not await across(self._any_due):
            return states
        if self._post.is_local:
            async with endpoint_of(self._post) as endpoint:
                await self._hand_over(endpoint, self._sending(states), self._post.smtp, stop)
            return states
        problems: list[str] = []
        ways = await across(self._ways, patient)
        for number, (relay, circuit) in enumerate(ways, 1):
            last = number == len(ways)
            try:
                await self._over(relay, circuit, states, stop, last=last)
            except RelayUnavailable as error:
                problems.append(str(error))
            if not await across(self._any_due) or (stop is not None and stop.is_set()):
                return states
        if problems and len(problems) == len(ways):
            raise RelayUnavailable("\n".join(problems))
        return states

    def _any_due(self) -> bool:
        with self._parts.store.read() as tx:
            return bool(tx.service_letters.due(self._parts.clock(), 1))

    def _ways(self, patient: bool) -> list[tuple[RelaySettings, Circuit]]:
        """The relays that may be used, in turn."""
        now = self._parts.clock()
        with self._parts.store.read() as tx:
            known = tx.circuits.all(Kind.RELAY)
        ways = [(relay, known.get(relay.name, CLOSED)) for relay in self._post.relays]
        usable = [way for way in ways if not way[1].is_open(now)]
        if usable or patient:
            return usable
        return [(relay, circuit.early(now)) for relay, circuit in ways]

    async def _over(
        self,
        relay: RelaySettings,
        circuit: Circuit,
        states: Counter[DeliveryState],
        stop: asyncio.Event | None,
        *,
        last: bool,
    ) -> None:
        """Send what is due over `relay`, as far as its limits go; what it says of itself is remembered."""
        from publisher.flows.fleet import KNOCKS_S  # noqa: PLC0415  (late: few sites have several relays)
        from publisher.flows.outlook import allowed_by  # noqa: PLC0415

        meter = meter_of(relay, allowed_by(relay), self._write, self._parts.clock)
        sending = self._sending(states, meter)
        endpoint = Endpoint.from_settings(relay, timeout_s=self._post.smtp.timeout_seconds)
        try:
            await self._hand_over(endpoint, sending, relay, stop, pauses_s=PAUSES_S if last else KNOCKS_S)
        except RelayUnavailable as error:
            await self._keep(relay, after_failure(circuit, self._parts.clock(), str(error), RELAY, final=True))
            raise
        else:
            if circuit is not CLOSED and sending.got_through:
                await self._keep(relay, CLOSED)
        finally:
            if meter is not None:
                await meter.close()

    async def _hand_over(
        self,
        endpoint: Endpoint,
        sending: _Sending,
        way: RelaySettings | SmtpSettings,
        stop: asyncio.Event | None,
        *,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        await deliver_all(
            endpoint,
            sending.letters(),
            connections=1,
            letters_per_connection=way.letters_per_connection,
            claim=sending.claim,
            on_result=sending.take,
            stop=stop,
            pauses_s=pauses_s,
        )

    def _sending(self, states: Counter[DeliveryState], meter: Meter | None = None) -> _Sending:
        first_wait = timedelta(minutes=self._post.smtp.retry_minutes)
        store, clock = self._parts.store, self._parts.clock
        return _Sending(store, self._press, clock, first_wait=first_wait, states=states, meter=meter)

    async def _keep(self, relay: RelaySettings, circuit: Circuit) -> None:
        now = self._parts.clock()
        await self._write(lambda tx: tx.circuits.keep(Kind.RELAY, relay.name, circuit, now))

    async def _write(self, work: Callable[[Transaction], T]) -> T:
        def there() -> T:
            with self._parts.store.write() as tx:
                return work(tx)

        return await across(there)

    async def _again_and_again(self, woken: asyncio.Event, stop: asyncio.Event) -> None:
        while not stop.is_set():
            woken.clear()
            pause = POLL_S
            try:
                states = await self.work_off(stop, patient=True)
                if states:
                    log("mail_room").info("service_letters", **{state.value: count for state, count in states.items()})
            except (PublisherError, OSError) as error:
                log("mail_room").error("service_letters.failed", problem=str(error))
                pause = FAILED_POLL_S
            with suppress(TimeoutError):
                await asyncio.wait_for((stop if pause > POLL_S else woken).wait(), pause)


class _Sending:
    """One sending over one relay: letters out, claims and outcomes in. `states` counts what became of them."""

    def __init__(
        self,
        store: Store,
        press: ServicePress,
        clock: Clock,
        *,
        first_wait: timedelta,
        states: Counter[DeliveryState],
        meter: Meter | None,
    ) -> None:
        self._store = store
        self._press = press
        self._clock = clock
        self._first_wait = first_wait
        self._meter = meter
        self._seen: set[int] = set()
        self._claimed: set[int] = set()
        self._states = states
        self.got_through = False
        """Whether the relay took a letter, or spoke of its reader alone."""

    async def letters(self) -> AsyncIterator[Letter[ServiceLetter]]:
        while batch := await across(self._look):
            for row in batch:
                self._seen.add(row.id)
                try:
                    content = await across(self._press.letter, row)
                except LetterError as error:
                    await across(self._record, row, DeliveryState.REJECTED, str(error))
                    continue
                if self._meter is not None and not await self._spends(self._meter):
                    return
                yield Letter(row, self._press.envelope_sender, row.email, content)

    async def _spends(self, meter: Meter) -> bool:
        """Whether the relay's limits let a letter out; a short wait is waited for."""
        for _ in range(TRIES):
            if await meter.spends():
                return True
            wait_s = meter.ready_at - self._clock().timestamp()
            if wait_s > LIMIT_WAIT_S:
                return False
            await asyncio.sleep(max(wait_s, 0.001))
        return False

    async def claim(self, row: ServiceLetter) -> bool:
        ours = await across(self._claim, row)
        if ours:
            self._claimed.add(row.id)
        else:
            self._unspent()
        return ours

    async def take(self, handed: Handed[ServiceLetter]) -> None:
        row, verdict = handed.ref, handed.verdict
        wait: timedelta | None = None
        if verdict.state is DeliveryState.PLANNED:
            self._unspent()
            if row.id not in self._claimed:
                return
            wait = timedelta()
        elif verdict.scope is Scope.RELAY and verdict.state is DeliveryState.DEFERRED:
            await across(self._record, row, DeliveryState.PLANNED, handed.reply, timedelta())  # its circuit waits
            self._unspent()
            return
        elif verdict.state is DeliveryState.UNCERTAIN:
            wait = min(DOUBT * 2 ** min(row.attempts, 10), CEILING)
        elif verdict.state is DeliveryState.DEFERRED:
            now = self._clock()
            chance = random.random()  # noqa: S311  (spreads load, guards nothing)
            again = next_attempt(row.attempts + 1, now, self._first_wait, spread=chance, greylisted=verdict.greylisted)
            wait = again - now
        self.got_through |= verdict.state is DeliveryState.ACCEPTED or verdict.scope is Scope.READER
        await across(self._record, row, verdict.state, handed.reply, wait, verdict.bounce)

    def _unspent(self) -> None:
        if self._meter is not None:
            self._meter.put_back()

    def _look(self) -> list[ServiceLetter]:
        now = self._clock()
        with self._store.read() as tx:
            due = tx.service_letters.due(now, AHEAD + len(self._seen))
        return [row for row in due if row.id not in self._seen]

    def _claim(self, row: ServiceLetter) -> bool:
        now = self._clock()
        with self._store.write() as tx:
            return tx.service_letters.claim(row, now, now + CLAIM)

    def _record(
        self,
        row: ServiceLetter,
        state: DeliveryState,
        reply: str,
        wait: timedelta | None = None,
        bounce: BounceKind | None = None,
    ) -> None:
        now = self._clock()
        if state is not DeliveryState.PLANNED:  # that one goes on at once, over another relay perhaps
            self._states[state] += 1
        if state is DeliveryState.UNCERTAIN:
            state = DeliveryState.DEFERRED  # nothing here is worth a person's look: it goes again
        with self._store.write() as tx:
            again = None if wait is None else now + wait
            tx.service_letters.record(row.id, state, now, reply=reply, next_attempt=again)
            reader = None if bounce is None else tx.subscribers.find(row.email)
            if bounce is not None and reader is not None:
                take_note(tx, refused(f"letter/{row.id}", bounce, reply, now, reader=reader.id, issue=None), now)
