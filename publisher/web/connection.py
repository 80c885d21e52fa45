"""One connection of a client: how long it may take, and what is answered at once. Floor: `web`.

    bytes -> uvicorn's parser -> does the answer lie ready? -> its bytes, before anybody else's turn
                                 no: a task that asks the ASGI app

Feed readers ask for little but documents that lie in memory. A task for each, ASGI's messages, and looking once more at
headers that never change would cost more than all the rest of the answer.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from publisher.web.representation import Answer, lines_of

HEADERS_S = 15.0
"""So long a client may take to say what it wants."""

AtOnce = Callable[[Scope], Answer | None]
"""The answer to a request if it lies ready, with `lines`; it must neither wait nor raise."""


def nothing_at_once(_: Scope) -> None:
    return None


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection whose request does not come within HEADERS_S; uvicorn itself would wait for ever. Sends what
    `at_once` has.

    Setting a timer for each request would cost as much as reading it. So each connection has one, which looks, when it
    rings, whether the time that the client has was put off since.
    """

    def __init__(self, *uvicorns: Any, at_once: AtOnce = nothing_at_once, **and_more: Any) -> None:
        super().__init__(*uvicorns, **and_more)
        self._at_once = at_once
        self._until = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait(HEADERS_S)
        self._look_later()

    def on_message_begin(self) -> None:
        self._wait(HEADERS_S)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._until = math.inf
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """It is the turn of this request: nothing of an earlier one is left to be sent."""
        simple = cycle.keep_alive and not self.pipeline and not self.flow.write_paused
        answer = self._at_once(cast(Scope, cycle.scope)) if simple else None
        if answer is None:
            super()._start_asgi_task(cycle, app)
        else:
            cycle.response_started = cycle.response_complete = True
            self._send(answer)
            self._wait(self.timeout_keep_alive)

    def _send(self, answer: Answer) -> None:
        state = self.server_state
        state.total_requests += 1
        head = STATUS_LINE[answer.status] + lines_of(state.default_headers) + answer.lines + b"\r\n"
        if answer.body:
            self.transport.writelines((head, answer.body))
        else:
            self.transport.write(head)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.more_body:  # answered before the body was whole: what drips on keeps no connection
            self._wait(HEADERS_S)

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
        if self.loop.time() >= self._until:
            with suppress(RuntimeError):  # the loop of a connection that is over
                self.transport.close()
        elif not self.transport.is_closing():
            self._look_later()
