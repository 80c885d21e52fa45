"""The postman: some connections, each with one letter in hand at a time, and a result for each letter. Floor: `smtp`.

    letters -> worker (one line each) -> claim -> hand over -> verdict -> on_result

A letter is claimed just before its content is written, and the content of the next one on that line is written only
when the last one's result was recorded: a crash leaves at most one letter per connection in doubt. What speaks of a
reader ends that reader's letter only; what speaks of a worn connection is tried again at once on a new one; what
speaks of the relay stops all, blames nobody and gives the letters back.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic

from publisher.errors import RelayUnavailable
from publisher.mail.replies import NOT_TRIED, Scope
from publisher.smtp.connect import connect
from publisher.smtp.endpoint import Endpoint
from publisher.smtp.hand import Handed, Letter, R
from publisher.smtp.lane import Swap
from publisher.smtp.line import Line
from publisher.smtp.session import Session

__all__ = ["IN_A_ROW", "LEAVE_S", "PAUSES_S", "Handed", "Letter", "deliver_all"]

PAUSES_S = (1.0, 4.0, 15.0)
"""Waits between attempts to reach the relay; after the last one it counts as unavailable."""
IN_A_ROW = {Scope.CONNECTION: 5, Scope.LETTER: 20, Scope.DOMAIN: 10}
"""So many failures of one kind without a success between them are no accident: the relay, or our letters. Of domains
each counts once: one that refuses all its letters is its own affair, ten of them are the relay's."""
_FAILED = {
    Scope.CONNECTION: "letters failed",
    Scope.LETTER: "letters failed",
    Scope.DOMAIN: "domains refused their letters",
}
LEAVE_S = 8.0
"""Asked to stop, letters in hand get so many seconds; then their connections are closed, and they are in doubt."""
_LETTERS_PER_LIE = 1000
"""A relay that breaks groups of commands more often than this is spoken to stage by stage for the rest of the run."""


async def deliver_all(
    endpoint: Endpoint,
    letters: AsyncIterable[Letter[R]],
    *,
    connections: int,
    letters_per_connection: int,
    on_result: Callable[[Handed[R]], Awaitable[None]],
    claim: Callable[[R], Awaitable[bool]] | None = None,
    stop: asyncio.Event | None = None,
    local_hostname: str | None = None,
    pauses_s: Sequence[float] = PAUSES_S,
    pipelining: bool = True,
    at_once: Callable[[], Letter[R] | None] | None = None,
    swap: Swap[R] | None = None,
    tell: Callable[[str], None] | None = None,
) -> None:
    """Hand over all `letters`, with at most `connections` at a time, each renewed after `letters_per_connection`.

    `letters` is read one by one, never two at once. `claim` is awaited before a letter's content is written, once for
    each letter; when it says False nothing more is done with the letter. `on_result` is awaited exactly once for each
    other letter that was read. Before its result is recorded, a worker writes no further content; with `pipelining`
    it may have read one more letter by then, and have called `claim` for it, always after `on_result` for the last.
    Several workers may wait for `claim` and `on_result` at the same time, so that what comes can be gathered and
    recorded together, in this order. When `stop` is set, letters in hand are finished and nothing
    more is read.

    Where `letters` may make a reader wait long, `at_once` gives a letter that is there already, or None: a connection
    with a letter in hand asks that instead. `swap` does by plain calls what `on_result` does for a letter that was
    accepted, and `claim` for the next one on its line; with it and `at_once`, letters go the quick way (`lane`) while
    all is well. `tell` is told in words of each wait for a relay that does not let us in.

    Raises RelayUnavailable after the letters in hand are finished and the others given back; an error of `letters`,
    `claim` or `on_result` likewise. Cancelled, it closes all connections: letters in hand then have no result and are
    in doubt.
    """
    postman = Postman(
        endpoint,
        letters,
        letters_per_connection=letters_per_connection,
        on_result=on_result,
        claim=claim,
        local_hostname=local_hostname,
        pauses_s=pauses_s,
        pipelining=pipelining,
        at_once=at_once,
        swap=swap,
        tell=tell,
    )
    await postman.run(connections, stop)


class Postman(Generic[R]):
    """What the lines of one run share."""

    def __init__(
        self,
        endpoint: Endpoint,
        letters: AsyncIterable[Letter[R]],
        *,
        letters_per_connection: int,
        on_result: Callable[[Handed[R]], Awaitable[None]],
        claim: Callable[[R], Awaitable[bool]] | None,
        local_hostname: str | None,
        pauses_s: Sequence[float],
        pipelining: bool,
        at_once: Callable[[], Letter[R] | None] | None,
        swap: Swap[R] | None,
        tell: Callable[[str], None] | None,
    ) -> None:
        self._endpoint = endpoint
        self._letters = aiter(letters)
        self.letters_per_connection = letters_per_connection
        self.claim = claim
        self.on_result = on_result
        self.swap = swap if at_once is not None else None
        self._local_hostname = local_hostname
        self._pauses_s = pauses_s
        self._pipelining = pipelining
        self._at_once = at_once
        self._tell = tell
        self._reading = asyncio.Lock()
        self._connecting = asyncio.Lock()  # one at a time until one is in: relays count logins, and one knock tells all
        self._knocks: set[asyncio.Task[Session]] = set()
        self._exhausted = asyncio.Event()
        self._ended = asyncio.Event()  # asked to stop, or failed
        self._failure: Exception | None = None
        self._given_back: deque[Letter[R]] = deque()
        self._lines: set[Line[R]] = set()
        self._open = 0
        self._in_a_row: Counter[Scope] = Counter()
        self._refusing: set[str] = set()  # domains, in a row
        self._carried = 0
        self._lies = 0

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
                await self.on_result(Handed(letter.ref, NOT_TRIED))
        if self._failure is not None:
            raise self._failure

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.end()
        await asyncio.sleep(LEAVE_S)
        for knock in self._knocks:
            knock.cancel()
        for line in self._lines:
            line.cut()

    def end(self, failure: Exception | None = None) -> None:
        """Finish what is in hand and begin nothing more; `run` raises `failure` then."""
        self._failure = self._failure or failure
        self._ended.set()
        self._exhausted.set()

    async def _work(self) -> None:
        """One worker: letters in turn, until there are none or the postman is stopped."""
        line = Line(self)
        self._lines.add(line)
        try:
            while (letter := await self.next()) is not None:
                if not await line.carry(letter):
                    if self._exhausted.is_set():
                        break
                    await _pause(self._exhausted, self._pauses_s[-1])  # the others carry on; later there may be room
        except Exception as error:  # raised by `run`, when the letters in hand are finished
            self.end(error)
        finally:
            await line.close()
            self._lines.discard(line)

    # --- what a line asks for -----------------------------------------------------------------------------------------

    async def next(self, *, wait: bool = True) -> Letter[R] | None:
        """The next letter; None when there are no more, or the postman is stopped. Unless `wait`: also when none is
        there yet."""
        if not wait and self._at_once is not None:
            return self.next_at_once()
        if self._given_back and not self._ended.is_set():
            return self._given_back.popleft()
        async with self._reading:
            if self._ended.is_set():
                return None
            if self._given_back:
                return self._given_back.popleft()
            if self._exhausted.is_set():
                return self.next_at_once()
            try:
                letter = await (anext(self._letters) if self._at_once is None else self._read_or_ended())
            except StopAsyncIteration:
                self._exhausted.set()
                return None
            if letter is None:
                return None
            if self._ended.is_set():  # while we waited
                self._given_back.append(letter)
                return None
            return letter

    def next_at_once(self) -> Letter[R] | None:
        """The next letter that is there already; None when there is none, or the postman is stopped."""
        if self._ended.is_set() or self._at_once is None:
            return None
        return self._given_back.popleft() if self._given_back else self._at_once()

    async def _read_or_ended(self) -> Letter[R] | None:
        """A letter that may be long in coming: None if the end comes first."""
        reading = asyncio.ensure_future(anext(self._letters))
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({reading, ended}, return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else None
        finally:
            ended.cancel()
            if not reading.done():
                reading.cancel()
                await asyncio.wait({reading})

    def give_back(self, letter: Letter[R]) -> None:
        """Somebody else, or nobody, is to carry `letter`: nothing of its content is out."""
        self._given_back.append(letter)

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def went_well(self) -> None:
        """The relay took a letter, or spoke of its reader alone."""
        self._carried += 1
        if self._in_a_row:
            self._in_a_row.clear()
            self._refusing.clear()

    async def take_note(self, handed: Handed[R], recipient: str) -> None:
        """Something went wrong that is no reader's affair: stop when the relay is to blame, or seems to be after too
        many failures in a row; slow down before that."""
        scope = handed.verdict.scope
        answer = f"{handed.verdict.reason} ({handed.reply or 'no answer'})"
        if scope is Scope.RELAY:
            advice = f"check the settings of {self._endpoint.place}"
            raise RelayUnavailable(f"relay {self._endpoint}: {answer}; {advice}", transient=False)
        if scope is Scope.DOMAIN:
            self._carried += 1  # it is at work nevertheless
            self._refusing.add(recipient.rpartition("@")[2].lower())
            self._in_a_row[scope] = len(self._refusing)
        else:
            self._in_a_row[scope] += 1
        if self._in_a_row[scope] >= IN_A_ROW[scope]:
            raise RelayUnavailable(
                f"relay {self._endpoint}: {IN_A_ROW[scope]} {_FAILED[scope]} in a row, the last one: {answer}"
            )
        if scope is Scope.CONNECTION:
            await _pause(self._ended, self._pauses_s[0])

    async def connect(self) -> Session | None:
        """A new session; None when stopped, or when the relay takes no more connections than are open already."""
        while True:
            async with self._connecting:
                if not self._open:
                    return await self._first()
            try:
                return await self._knocked()  # beside others: a relay far away takes its time to let each one in
            except RelayUnavailable:
                if self._open:
                    return None

    async def _first(self) -> Session | None:
        for pause in (*self._pauses_s, None):
            if self._ended.is_set():
                return None
            try:
                return await self._knocked()
            except RelayUnavailable as error:
                if pause is None or not error.transient:
                    raise
                if self._tell is not None:
                    self._tell(f"{error}; trying again in {pause:g} s")
                await _pause(self._ended, pause)
        return None

    async def _knocked(self) -> Session | None:
        if self._ended.is_set():
            return None
        knock = asyncio.create_task(
            connect(self._endpoint, local_hostname=self._local_hostname, pipelining=self._pipelining)
        )
        self._knocks.add(knock)
        try:
            await asyncio.wait([knock])
            session = None if knock.cancelled() else knock.result()
        finally:
            knock.cancel()
            self._knocks.discard(knock)
        if session is not None:
            self._open += 1
        return session

    def closed(self, session: Session) -> None:
        """`session` is at its end."""
        self._open -= 1
        self._lies += session.lied
        if self._lies > 1 + self._carried // _LETTERS_PER_LIE:
            self._pipelining = False


async def _pause(until: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until the event if it comes first."""
    with suppress(TimeoutError):
        await asyncio.wait_for(until.wait(), seconds)
