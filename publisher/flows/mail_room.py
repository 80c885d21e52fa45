"""The mail room: wishes that wait -> service letters -> relay, beside everything else. Floor: `flows`.

    settle what was asked -> due letters -> claim (row before the content) -> hand over -> outcome recorded

It works when it is woken, and looks by itself every few seconds for what another process left. A letter is claimed for
a while; if its process dies, the claim runs out and the letter goes again with the same bytes. So none is lost.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from publisher.clock import Clock
from publisher.errors import LetterError, PublisherError
from publisher.flows.crossing import across
from publisher.flows.deliver import DOUBT, Post
from publisher.flows.late_log import log
from publisher.flows.service_press import ServicePress
from publisher.flows.sign_up import SignUpParts, settle_asked
from publisher.mail.backoff import next_attempt
from publisher.model import DeliveryState
from publisher.smtp.postman import Handed, Letter, deliver_all
from publisher.store import ServiceLetter, Store

AHEAD = 100
"""Letters looked up at once."""
CLAIM = timedelta(minutes=15)
"""How long a claim holds; longer than the ten minutes a relay may take to answer a letter."""
POLL_S = 5.0
"""How often it looks for work by itself, in seconds."""
FAILED_POLL_S = 30.0


class MailRoom:
    """Sends service letters by `post`, as `press` makes them."""

    def __init__(self, parts: SignUpParts, post: Post, press: ServicePress) -> None:
        self._parts = parts
        self._post = post
        self._press = press
        self._woken: asyncio.Event | None = None

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

    async def work_off(self, stop: asyncio.Event | None = None) -> Mapping[DeliveryState, int]:
        """Settle every wish and send every letter that is due; tells what became of the letters.

        Raises RelayUnavailable when the relay cannot be used; the letters wait.
        """
        await across(settle_asked, self._parts)
        sending = _Sending(self._parts.store, self._press, self._parts.clock, self._post)
        if not await across(sending.any_due):
            return {}
        async with self._post.endpoint() as endpoint:
            await deliver_all(
                endpoint,
                sending.letters(),
                connections=1,
                letters_per_connection=self._post.smtp.letters_per_connection,
                claim=sending.claim,
                on_result=sending.take,
                stop=stop,
            )
        return sending.states

    async def _again_and_again(self, woken: asyncio.Event, stop: asyncio.Event) -> None:
        while not stop.is_set():
            woken.clear()
            pause = POLL_S
            try:
                states = await self.work_off(stop)
                if states:
                    log("mail_room").info("service_letters", **{state.value: count for state, count in states.items()})
            except (PublisherError, OSError) as error:
                log("mail_room").error("service_letters.failed", problem=str(error))
                pause = FAILED_POLL_S
            with suppress(TimeoutError):
                await asyncio.wait_for((stop if pause > POLL_S else woken).wait(), pause)


class _Sending:
    """One sending: letters out, claims and outcomes in."""

    def __init__(self, store: Store, press: ServicePress, clock: Clock, post: Post) -> None:
        self._store = store
        self._press = press
        self._clock = clock
        self._first_wait = timedelta(minutes=post.smtp.retry_minutes)
        self._seen: set[int] = set()
        self._claimed: set[int] = set()
        self.states: Counter[DeliveryState] = Counter()

    def any_due(self) -> bool:
        now = self._clock()
        with self._store.read() as tx:
            return bool(tx.service_letters.due(now, 1))

    async def letters(self) -> AsyncIterator[Letter[ServiceLetter]]:
        while batch := await across(self._look):
            for row in batch:
                self._seen.add(row.id)
                try:
                    content = await across(self._press.letter, row)
                except LetterError as error:
                    await across(self._record, row, DeliveryState.REJECTED, str(error))
                else:
                    yield Letter(row, self._press.envelope_sender, row.email, content)

    async def claim(self, row: ServiceLetter) -> bool:
        ours = await across(self._claim, row)
        if ours:
            self._claimed.add(row.id)
        return ours

    async def take(self, handed: Handed[ServiceLetter]) -> None:
        row, verdict = handed.ref, handed.verdict
        wait: timedelta | None = None
        if verdict.state is DeliveryState.PLANNED:
            if row.id not in self._claimed:
                return
            wait = timedelta()
        elif verdict.state is DeliveryState.UNCERTAIN:
            wait = DOUBT
        elif verdict.state is DeliveryState.DEFERRED:
            now = self._clock()
            chance = random.random()  # noqa: S311  (spreads load, guards nothing)
            again = next_attempt(row.attempts + 1, now, self._first_wait, spread=chance, greylisted=verdict.greylisted)
            wait = again - now
        await across(self._record, row, verdict.state, handed.reply, wait)

    def _look(self) -> list[ServiceLetter]:
        now = self._clock()
        with self._store.read() as tx:
            due = tx.service_letters.due(now, AHEAD + len(self._seen))
        return [row for row in due if row.id not in self._seen]

    def _claim(self, row: ServiceLetter) -> bool:
        now = self._clock()
        with self._store.write() as tx:
            return tx.service_letters.claim(row, now, now + CLAIM)

    def _record(self, row: ServiceLetter, state: DeliveryState, reply: str, wait: timedelta | None = None) -> None:
        now = self._clock()
        self.states[state] += 1
        if state is DeliveryState.UNCERTAIN:
            state = DeliveryState.DEFERRED  # nothing here is worth a person's look: it goes again
        with self._store.write() as tx:
            again = None if wait is None else now + wait
            tx.service_letters.record(row.id, state, now, reply=reply, next_attempt=again)
