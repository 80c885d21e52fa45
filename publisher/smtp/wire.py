"""The bytes of one connection: what is written, and the relay's answers in their order. Floor: `smtp`.

aiosmtplib reads one answer for one command; here several commands may be on the way (RFC 2920). The wire counts the
answers that are owed. One that nobody asked for breaks it, for it would be taken for the next one's; whatever else goes
wrong breaks it too, and then it is never used again.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter, ne
from typing import NamedTuple

MAX_LINE = 8192
MAX_ANSWER = 4 * MAX_LINE
"""Octets of one answer, all its lines: bounds memory, many times what RFC 5321 §4.5.3.1.5 allows."""
_SHORT = 512
"""Octets that are worth a look whether they came before: a relay tends to say the same to every letter."""


class Answer(NamedTuple):
    """A whole answer of the relay (RFC 5321 §4.2); lines of the text parted by line feeds. May hold addresses."""

    code: int
    text: str


_code = itemgetter(0)


@lru_cache(maxsize=256)  # most answers are the same few, for each of a hundred thousand letters
def _whole_answer(line: bytes) -> Answer | None:
    """The answer that is this line alone, if it is one."""
    if line[:3].isdigit() and line[3:4] == b" ":
        return Answer(int(line[:3]), line[4:].decode("utf-8", "surrogateescape").strip())
    return None


@lru_cache(maxsize=256)
def _whole_answers(data: bytes) -> tuple[Answer, ...] | None:
    """The answers that are these lines, each of them one; None where that is not all there is."""
    *lines, rest = data.split(b"\n")
    answers = tuple(answer for answer in map(_whole_answer, lines) if answer is not None)
    return answers if not rest and len(answers) == len(lines) else None


class WireBroken(ConnectionError):
    """No further answer will come. `nonsense`: the relay is there, but what it said cannot be paired with what it
    was asked; `silent`: it did not answer in time; else it has gone."""

    def __init__(self, problem: str, *, nonsense: bool = False, silent: bool = False) -> None:
        self.nonsense = nonsense
        self.silent = silent
        super().__init__(problem)


class Wire(asyncio.Protocol):
    """Takes `transport` over from whoever made the connection. Owned by one task at a time."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._rest = b""  # of a line
        self._lines: list[bytes] = []  # of an answer of several lines
        self._answers: deque[Answer] = deque()
        self._owed = 0
        self._broken: WireBroken | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._heard: Callable[[], None] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.last_used = self._loop.time()
        transport.set_protocol(self)

    @property
    def whole(self) -> bool:
        """Whether more may be written: it is open, and nothing was said that nobody asked for."""
        return self._broken is None and not self._transport.is_closing()

    @property
    def silent(self) -> bool:
        """Whether no whole answer is here, and one may still come."""
        return not self._answers and self._broken is None

    @property
    def owed(self) -> int:
        """Answers that were asked for and have not come."""
        return self._owed

    def write(self, pieces: Sequence[bytes], answers: int) -> None:
        """Write `pieces` at once; the relay owes so many `answers` for them. Raises WireBroken."""
        if not self.whole:
            raise self._broken or WireBroken("the connection is closed")
        self._owed += answers
        self._transport.write(b"".join(pieces))

    async def answer(self, timeout_s: float) -> Answer:
        """The next answer, at most so many seconds after this call. Raises WireBroken."""
        while not self._answers:
            if self._broken is not None:
                raise self._broken
            self._waiter = self._loop.create_future()
            self.expect(timeout_s)
            try:
                await self._waiter
            finally:
                self._waiter = None
        self.last_used = self._loop.time()
        return self._answers.popleft()

    def agreed(self, *codes: int) -> Answer | None:
        """Take the next answers if they are all here and say just these `codes`, and give the first of them; else
        they stay where they are."""
        answers = self._answers
        if len(answers) < len(codes) or any(map(ne, codes, map(_code, answers))):
            return None
        first = answers.popleft()
        for _ in codes[1:]:
            answers.popleft()
        return first

    def listen(self, heard: Callable[[], None] | None) -> None:
        """Until the next call of this, `heard` is called when something came, or when nothing will come any more: for
        one who takes what is there with `agreed`, and does not wait in `answer`."""
        self._heard = heard
        self._deadline = math.inf

    def expect(self, timeout_s: float) -> None:
        """An answer is to come within so many seconds from now, or the wire is broken."""
        self.last_used = self._loop.time()
        self._deadline = self.last_used + timeout_s
        if self._timer is None or self._deadline < self._timer.when():
            self._watch(timeout_s)

    def abort(self) -> None:
        """Close at once; what is still unsent stays unsent."""
        self._break(WireBroken("we closed the connection"))
        self._transport.abort()

    def _watch(self, seconds: float) -> None:
        """One timer runs on from answer to answer, for setting one up for each would cost more than reading it."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._waiter is None and self._heard is None:
            return
        left = self._deadline - self._loop.time()
        if left <= 0:
            self._break(WireBroken("no answer in time", silent=True))
        elif left < math.inf:
            self._watch(left)

    def _wake(self) -> None:
        if self._heard is not None:
            self._heard()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _break(self, why: WireBroken) -> None:
        self._broken = self._broken or why
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()

    # --- what the event loop calls ------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Answers that come in one piece wake their reader once."""
        if self._broken is not None:
            return
        if not self._rest and not self._lines:
            known = _whole_answers(data) if len(data) <= _SHORT else None
            if known is not None and len(known) <= self._owed:
                self._owed -= len(known)
                self._answers.extend(known)
                self._wake()
                return
        *lines, self._rest = (self._rest + data).split(b"\n") if self._rest else data.split(b"\n")
        for line in lines:
            if self._broken is None:  # what comes behind nonsense is nobody's answer
                self._take(line)
        if self._rest or self._lines:
            if len(self._rest) > MAX_LINE or sum(map(len, self._lines)) > MAX_ANSWER:
                self._break(WireBroken("its answer is endless", nonsense=True))
            elif not self._owed:
                self._break(WireBroken("it said something that nobody had asked for", nonsense=True))
        self._wake()

    def _take(self, line: bytes) -> None:
        if self._owed and not self._lines and (answer := _whole_answer(line)) is not None:
            self._owed -= 1
            self._answers.append(answer)
            return
        code, mark = line[:3], line[3:4]
        first = self._lines[0][:3] if self._lines else code
        if not (code.isdigit() and len(code) == 3 and mark in {b" ", b"-", b"\r", b""} and code == first):
            text = line.decode("utf-8", "replace").strip()
            self._break(WireBroken(f"its answer is no SMTP: {text}", nonsense=True))
            return
        self._lines.append(line)
        if mark == b"-":
            return
        if not self._owed:
            self._break(WireBroken("it said something that nobody had asked for", nonsense=True))
            return
        text = "\n".join(part[4:].decode("utf-8", "surrogateescape").strip() for part in self._lines)
        self._lines.clear()
        self._owed -= 1
        self._answers.append(Answer(int(code), text))

    def eof_received(self) -> bool:
        self._break(WireBroken("it closed the connection"))
        return False  # the transport closes itself

    def connection_lost(self, error: Exception | None) -> None:
        self._break(WireBroken(str(error) if error else "it closed the connection"))
