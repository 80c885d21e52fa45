"""What holds for every answer and every request, whoever deals with it: the outermost door. Floor: `web`.

    request -> is its body small enough, and does it come in time? -> the app -> headers that every answer has -> log

A header that the app has set itself stays as it is: a page knows best which images it may show.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from publisher.web.representation import Header, absent, text
from publisher.web.responses import MAX_BODY, STRICT_CSP

MAX_LARGE_BODY = 8 * 1024 * 1024
"""Bytes of a request to the operator's parts, which take articles and lists of readers, and limit them further."""
BODY_S = 30.0
"""So long a client may take to send the whole body."""
HSTS: Header = (b"strict-transport-security", b"max-age=31536000")

EVERYWHERE: tuple[Header, ...] = (
    (b"content-security-policy", STRICT_CSP.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_OPERATOR = re.compile(r"/(admin|api)(/|$)")
_SECRET = re.compile(r"(?<=/)(unsubscribe|preferences|confirm|address|not-me|approve|feeds/private)/[^/]+")

log = structlog.get_logger("publisher.access")


def everywhere(*, https: bool) -> tuple[Header, ...]:
    """The headers of every answer; `https`: see `Guard`."""
    return (*EVERYWHERE, HSTS) if https else EVERYWHERE


Saw = Callable[[str, int, float], None]
"""Told of each answer: the method, the status, and the seconds it took."""


def _unseen(_method: str, _status: int, _seconds: float) -> None:
    """For a server that nobody measures."""


class Guard:
    """`https`: readers come by HTTPS, and shall never come otherwise; `prefix` is the path of the base URL; with
    `logged` each request becomes a line of the log, without the secret in its address and without query."""

    def __init__(
        self, behind: ASGIApp, *, https: bool, prefix: str = "", logged: bool = False, saw: Saw = _unseen
    ) -> None:
        self._behind = behind
        self._headers = everywhere(https=https)
        self._prefix = prefix
        self._logged = logged
        self._saw = saw

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._behind(scope, receive, send)
        begun = time.monotonic()
        status = 0

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message.get("headers", ())
                message["headers"] = [*headers, *absent(headers, self._headers)]
            await send(message)

        limit = MAX_LARGE_BODY if _OPERATOR.match(scope["path"].removeprefix(self._prefix)) else MAX_BODY
        try:
            body = _Body(receive, limit, _content_length(scope, limit))
            await self._behind(_with_plain_cookies(scope), body.receive, guarded)
        except HTTPException as refused:
            if status:
                raise
            answer = text(refused.status_code, refused.detail, (b"connection", b"close"))
            await answer.send(guarded)
        finally:
            self._saw(scope["method"], status, time.monotonic() - begun)
            if self._logged:
                ms = round((time.monotonic() - begun) * 1000)
                log.info("request", method=scope["method"], path=without_secrets(scope["path"]), status=status, ms=ms)


def without_secrets(path: str) -> str:
    """`path` with `...` in the place of what only its reader may know."""
    return _SECRET.sub(r"\1/...", path)


def _with_plain_cookies(scope: Scope) -> Scope:
    """Without backslashes in its cookies: ours has none, and Python before 3.11.10 and 3.12.6 takes time by the square
    of them (CVE-2024-7592)."""
    if not any(name == b"cookie" and b"\\" in value for name, value in scope["headers"]):
        return scope
    plain = [(name, value.replace(b"\\", b"") if name == b"cookie" else value) for name, value in scope["headers"]]
    return {**scope, "headers": plain}


class _Body:
    """A request's body, up to `limit` bytes and BODY_S seconds from now on."""

    def __init__(self, receive: Receive, limit: int, declared: int) -> None:
        self._receive = receive
        self._left = limit
        self._end = asyncio.get_running_loop().time() + BODY_S
        self._whole = declared == 0

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()  # waits for the end of the connection
        try:
            async with asyncio.timeout_at(self._end):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, "The request took too long to arrive.") from None
        self._left -= len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._left < 0:
            raise HTTPException(413, "The request is too large.")
        return message


def _content_length(scope: Scope, limit: int) -> int:
    """The bytes that are to come; -1: nobody said how many. Raises HTTPException."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit():
                raise HTTPException(400, "Content-Length is no number.")
            if int(value) > limit:
                raise HTTPException(413, "The request is too large.")
            return int(value)
    return -1
