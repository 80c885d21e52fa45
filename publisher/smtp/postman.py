"""The postman: some connections, each with one letter in hand at a time, and a result for each letter. Floor: `smtp`.

    letters -> worker (one session each) -> hand over -> verdict -> on_result

A worker takes the next letter only when the last one's result was recorded, so that a crash leaves at most one letter
per connection in doubt. What speaks of a reader ends that reader's letter only; what speaks of a worn connection is
tried again at once on a new one; what speaks of the relay stops all, blames nobody and gives the letters back.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from publisher.errors import Refused, RelayUnavailable
from publisher.mail.replies import LOST_CONNECTION, LOST_REPLY, NOT_TRIED, Scope, Stage, Verdict, decide
from publisher.model import DeliveryState
from publisher.smtp.endpoint import Endpoint
from publisher.smtp.session import Session, connect

R = TypeVar("R")

PAUSES_S = (1.0, 4.0, 15.0)
"""Waits between attempts to reach the relay; after the last one it counts as unavailable."""
IN_A_ROW = {Scope.CONNECTION: 5, Scope.LETTER: 20}
"""So many failures of one kind without a success between them are no accident: the relay, or our letters."""


@dataclass(frozen=True, slots=True)
class Letter(Generic[R]):
    """One letter to hand over; `ref` is the caller's name for it and comes back with the result."""

    ref: R
    sender: str
    recipient: str = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Handed(Generic[R]):
    """What became of a letter. `reply` is the relay's last answer without addresses, or "".

    State PLANNED (verdict NOT_TRIED): it was given back, nothing of it reached the relay; not an attempt.
    """

    ref: R
    verdict: Verdict
    reply: str = ""


async def deliver_all(
    endpoint: Endpoint,
    letters: AsyncIterable[Letter[R]],
    *,
    connections: int,
    letters_per_connection: int,
    on_result: Callable[[Handed[R]], Awaitable[None]],
    stop: asyncio.Event | None = None,
    local_hostname: str | None = None,
    pauses_s: Sequence[float] = PAUSES_S,
) -> None:
    """Hand over all `letters`, with at most `connections` at a time, each renewed after `letters_per_connection`.

    `letters` is read one by one, never two at once. `on_result` is awaited exactly once for each letter that was
    read, before its worker reads another; several workers may be in it at the same time, so it may gather results
    and record them together. When `stop` is set, letters in hand are finished and nothing more is read.

    Raises RelayUnavailable after the letters in hand are finished and the others given back; an error of `letters`
    or `on_result` likewise. Cancelled, it closes all connections: letters in hand then have no result and are in doubt.
    """
    postman = _Postman(
        endpoint,
        letters,
        letters_per_connection=letters_per_connection,
        on_result=on_result,
        local_hostname=local_hostname,
        pauses_s=pauses_s,
    )
    await postman.run(connections, stop)


class _Postman(Generic[R]):
    def __init__(
        self,
        endpoint: Endpoint,
        letters: AsyncIterable[Letter[R]],
        *,
        letters_per_connection: int,
        on_result: Callable[[Handed[R]], Awaitable[None]],
        local_hostname: str | None,
        pauses_s: Sequence[float],
    ) -> None:
        self._endpoint = endpoint
        self._letters = aiter(letters)
        self.letters_per_connection = letters_per_connection
        self._on_result = on_result
        self._local_hostname = local_hostname
        self._pauses_s = pauses_s
        self._reading = asyncio.Lock()
        self._connecting = asyncio.Lock()  # one at a time: relays count logins, and one knock tells all
        self._exhausted = asyncio.Event()
        self._ended = asyncio.Event()  # asked to stop, or failed
        self._failure: Exception | None = None
        self._given_back: deque[Letter[R]] = deque()
        self._open = 0
        self._in_a_row: Counter[Scope] = Counter()

    async def run(self, connections: int, stop: asyncio.Event | None) -> None:
        watch = asyncio.create_task(self._watch(stop)) if stop else None
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(connections):
                    group.create_task(self._work())
            while self._given_back and not self._ended.is_set():
                await self._work()  # left by a worker that found no way in when the others were already done
        finally:
            if watch:
                watch.cancel()
        if self._failure is None or isinstance(self._failure, RelayUnavailable):
            for letter in self._given_back:
                await self._on_result(Handed(letter.ref, NOT_TRIED))
        if self._failure is not None:
            raise self._failure

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._end()

    def _end(self, failure: Exception | None = None) -> None:
        self._failure = self._failure or failure
        self._ended.set()
        self._exhausted.set()

    async def _work(self) -> None:
        """One worker: letters in turn, until there are none or the postman is stopped."""
        line = _Line(self)
        try:
            while (letter := await self._next()) is not None:
                handed = await self._carried(line, letter)
                if handed is None:
                    if self._exhausted.is_set():
                        break
                    await _pause(self._exhausted, self._pauses_s[-1])  # the others carry on; later there may be room
                    continue
                await self._on_result(handed)
                await self._take_note(handed)
        except Exception as error:  # raised by `run`, when the letters in hand are finished
            self._end(error)
        finally:
            await line.close()

    async def _carried(self, line: _Line[R], letter: Letter[R]) -> Handed[R] | None:
        try:
            handed = await line.carry(letter)
        except RelayUnavailable:
            self._given_back.append(letter)
            raise
        if handed is None:
            self._given_back.append(letter)
        return handed

    async def _next(self) -> Letter[R] | None:
        async with self._reading:
            if self._ended.is_set():
                return None
            if self._given_back:
                return self._given_back.popleft()
            if self._exhausted.is_set():
                return None
            try:
                letter = await anext(self._letters)
            except StopAsyncIteration:
                self._exhausted.set()
                return None
            if self._ended.is_set():  # while we waited
                self._given_back.append(letter)
                return None
            return letter

    async def _take_note(self, handed: Handed[R]) -> None:
        """Stop when the relay is to blame, or seems to be after too many failures in a row; slow down before that."""
        scope = handed.verdict.scope
        answer = f"{handed.verdict.reason} ({handed.reply or 'no answer'})"
        if scope is Scope.RELAY:
            raise RelayUnavailable(f"relay {self._endpoint}: {answer}; check the settings of smtp", transient=False)
        if scope is Scope.READER:
            self._in_a_row.clear()
            return
        self._in_a_row[scope] += 1
        if self._in_a_row[scope] >= IN_A_ROW[scope]:
            raise RelayUnavailable(
                f"relay {self._endpoint}: {IN_A_ROW[scope]} letters in a row failed, the last one: {answer}"
            )
        if scope is Scope.CONNECTION:
            await _pause(self._ended, self._pauses_s[0])

    async def connect(self) -> Session | None:
        """A new session; None when stopped, or when the relay takes no more connections than are open already."""
        async with self._connecting:
            for pause in (*self._pauses_s, None):
                if self._ended.is_set():
                    return None
                try:
                    session = await connect(self._endpoint, local_hostname=self._local_hostname)
                except RelayUnavailable as error:
                    if self._open:
                        return None
                    if pause is None or not error.transient:
                        raise
                    await _pause(self._ended, pause)
                else:
                    self._open += 1
                    return session
        return None

    def closed(self) -> None:
        self._open -= 1


class _Line(Generic[R]):
    """A worker's connection, made when needed and renewed when worn."""

    def __init__(self, postman: _Postman[R]) -> None:
        self._postman = postman
        self._session: Session | None = None
        self._carried = 0

    async def carry(self, letter: Letter[R]) -> Handed[R] | None:
        """Hand `letter` over; None if there is no connection to be had for it."""
        while True:
            if self._session is not None and (
                not self._session.usable or self._carried >= self._postman.letters_per_connection
            ):
                await self.close()
            if self._session is None:
                self._session = await self._postman.connect()
                if self._session is None:
                    return None
            worn = self._carried > 0
            self._carried += 1
            handed = await _hand_over(self._session, letter)
            verdict = handed.verdict
            if verdict.scope is not Scope.CONNECTION:
                return handed
            self._session.drop()
            await self.close()
            if not worn or verdict.state is DeliveryState.UNCERTAIN:
                return handed
            # relays close connections that are idle, or have carried enough: a fresh one may take the letter

    async def close(self) -> None:
        session, self._session, self._carried = self._session, None, 0
        if session is not None:
            self._postman.closed()
            await session.quit()


async def _hand_over(session: Session, letter: Letter[R]) -> Handed[R]:
    try:
        reply = await session.hand_over(letter.sender, letter.recipient, letter.content)
    except Refused as no:
        answer = f"{no.code} {no.enhanced} {no.reply}".replace("  ", " ").strip()
        return Handed(letter.ref, decide(Stage(no.stage), no.code, no.enhanced, no.reply), answer)
    except RelayUnavailable as lost:
        return Handed(letter.ref, LOST_REPLY if lost.handed_over else LOST_CONNECTION)
    return Handed(letter.ref, decide(Stage.CONTENT, reply.code, "", reply.text), str(reply))


async def _pause(until: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until the event if it comes first."""
    with suppress(TimeoutError):
        await asyncio.wait_for(until.wait(), seconds)
