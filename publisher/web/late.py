"""A part of the server that is made when somebody first asks for it, so that it costs no start. Floor: `web`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send


class Late:
    """The ASGI app that `make` gives."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make
        self._made: ASGIApp | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._made is None:
            async with self._making:
                if self._made is None:
                    self._made = await run_in_threadpool(self._make)
        await self._made(scope, receive, send)


def mounted(name: str, make: Callable[[], ASGIApp], *, prefix: str) -> list[BaseRoute]:
    """Routes that hand everything below /`name`/ to the app that `make` gives, and lead /`name` there. `prefix` is the
    path of the base URL."""

    async def lead(_: Request) -> Response:
        return RedirectResponse(f"{prefix}/{name}/", 308)

    below = Mount(f"/{name}", Late(make))
    below.path_regex = re.compile(f"^/{name}/(?P<path>.*)$", re.DOTALL)  # an address may hold a line break
    return [Route(f"/{name}", lead, methods=["GET", "HEAD"]), below]
