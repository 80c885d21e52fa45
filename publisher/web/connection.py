"""One connection of a client: how long it may take, how much it may say, and what is answered at once. Floor: `web`.

    bytes -> a whole request that came before? ---------------------> does the answer lie ready? -> its bytes, before
             no: uvicorn's parser -> what it says; is it worth keeping? -^                          anybody else's turn
                                                                         no: a task that asks the ASGI app

Feed readers ask for little but documents that lie in memory, and always with the same words. To read these words again,
a task for each, ASGI's messages, and looking once more at headers that never change would cost many times as much as
the answer itself.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from publisher.web.heads import MAX_HEAD, Client, Head, Heads, excess, head_of
from publisher.web.representation import Answer, Header, lines_of, text

HEADERS_S = 15.0
"""So long a client may take to say what it wants."""
STALLED_S = 60.0
"""So long a client may take none of the bytes that wait for it."""
_SAYINGS = {414: "The address of the request is too long.", 431: "The header fields of the request are too large."}

AtOnce = Callable[[Head, Client], Answer | None]
"""The answer to a request without a body if it lies ready, with `lines`; it must neither wait nor raise."""


def nothing_at_once(_head: Head, _client: Client) -> None:
    return None


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection whose request does not come within HEADERS_S, and ends one whose client takes no byte of the
    answer for STALLED_S; uvicorn itself would wait for ever. Sends what `at_once` has; `heads` are those that a
    server's connections have met. Refuses a head that is too long; the parser itself would keep any, and fields without
    an end, before a body or after it, until no memory is left.

    Setting a timer for each request would cost as much as reading it. So each connection has one, which looks, when it
    rings, whether the time that the client has was put off since.
    """

    def __init__(
        self, *uvicorns: Any, at_once: AtOnce = nothing_at_once, heads: Heads | None = None, **and_more: Any
    ) -> None:
        super().__init__(*uvicorns, **and_more)
        self._at_once = at_once
        self._heads = Heads() if heads is None else heads
        self._between = True  # the parser has read no part of another request yet
        self._in_head = False  # of another request
        self._unended = 0  # bytes since the last end of a head, of a piece of a body, or of a request
        self._begun = 0  # requests that began in the last bytes
        self._answered: Head | None = None  # what the last request said, if it was answered at once
        self._until = math.inf
        self._unsent = 0  # bytes that waited for the client when we last looked
        self._taken = math.inf  # when it had last taken some of them
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._taken = self.loop.time()
        self._wait(HEADERS_S)
        self._look_later()

    def data_received(self, data: bytes) -> None:
        at_rest = self._between and (self.cycle is None or self.cycle.response_complete)
        head = self._heads.get(data) if at_rest else None
        if head is not None and self._answers(head):
            self._unset_keepalive_if_required()
            return
        self._begun = 0
        self._unended += len(data)
        super().data_received(data)
        if self._unended > MAX_HEAD and not self.transport.is_closing():
            self._cut_off()
        if at_rest and self._begun == 1 and self._between and self._answered is not None:
            self._heads.keep(data, self._answered)

    def on_message_begin(self) -> None:
        self._between = False
        self._in_head = True
        self._begun += 1
        self._answered = None
        self._wait(HEADERS_S)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._until = math.inf
        self._in_head = False
        self._unended = 0
        status = excess(self.parser.get_method(), self.url, self.headers)
        self.app = self.config.loaded_app
        if status:
            self.app = cast(Any, _refusing(status))
            self.url = self.url[:1]  # one of any length could not be read
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unended = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unended = 0
        self._between = not self.parser.should_upgrade()  # which the parser takes for the end of all requests
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """It is the turn of this request: nothing of an earlier one is left to be sent."""
        if app is self.config.loaded_app and cycle.keep_alive and not self.pipeline:
            head = head_of(cast(Scope, cycle.scope))
            if self._answers(head):
                cycle.response_started = cycle.response_complete = True
                self._answered = head
                return
        super()._start_asgi_task(cycle, app)

    def _answers(self, head: Head) -> bool:
        """Whether the answer lay ready; then it is sent."""
        answer = None if self.flow.write_paused else self._at_once(head, self.client)
        if answer is None:
            return False
        state = self.server_state
        state.total_requests += 1
        lines = _beginning(answer.status, tuple(state.default_headers)) + answer.lines + b"\r\n"
        if answer.body:
            self.transport.writelines((lines, answer.body))
        else:
            self.transport.write(lines)
        self._wait(self.timeout_keep_alive)
        return True

    def _cut_off(self) -> None:
        """Of a request whose fields do not end. It is told so where no other answer is under way, nor its own, which
        was begun before fields that follow a body."""
        if self._in_head and (self.cycle is None or self.cycle.response_complete):
            answer = _refusal(excess(b"", self.url, ()) or 431)
            lines = _beginning(answer.status, tuple(self.server_state.default_headers)) + lines_of(answer.headers)
            self.transport.write(lines + b"\r\n" + answer.body)
        self.transport.close()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.more_body:  # answered before the body was whole: what drips on keeps no connection
            self._wait(HEADERS_S)

    def resume_writing(self) -> None:
        self._taken = self.loop.time()  # what is written now may hide from `_look` that it took any
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _wait(self, seconds: float) -> None:
        self._until = self.loop.time() + seconds

    def _look_later(self) -> None:
        soon = self.loop.time() + self.timeout_keep_alive
        self._timer = self.loop.call_at(min(self._until, soon), self._look)

    def _look(self) -> None:
        """Closing waits until all is sent, so it is looked at until the connection is lost."""
        now = self.loop.time()
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent < self._unsent:
            self._taken = now
        self._unsent = unsent
        with suppress(RuntimeError):  # the loop of a connection that is over
            if now - self._taken >= STALLED_S:
                self.transport.abort()
                return
            if now >= self._until:
                self._until = math.inf
                self.transport.close()
            self._look_later()


def _refusal(status: int) -> Answer:
    return text(status, _SAYINGS[status], (b"connection", b"close"))


def _refusing(status: int) -> ASGIApp:
    """What stands in the place of the app: so the refusal is sent when it is its turn."""

    async def refuse(scope: Scope, _receive: Receive, send: Send) -> None:
        await _refusal(status).send(send, head=scope["method"] == "HEAD")

    return refuse


@lru_cache(maxsize=8)
def _beginning(status: int, headers: tuple[Header, ...]) -> bytes:
    """The first lines of an answer; `headers` change once a second, with the date."""
    return STATUS_LINE[status] + lines_of(headers)
