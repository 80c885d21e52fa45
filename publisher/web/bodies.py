"""Requests that carry too much are answered 413 before they are read. Floor: `web`."""

from __future__ import annotations

from collections.abc import Callable

from fastapi.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOO_LARGE = "The request is too large; at most {limit:,} bytes are taken."

Refuse = Callable[[int, str], Response]
"""(status, detail) -> the answer."""


class BodyLimit:
    """At most `limit` bytes reach the app `behind`, whatever Content-Length says."""

    def __init__(self, behind: ASGIApp, limit: int, refuse: Refuse) -> None:
        self._behind = behind
        self._limit = limit
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._behind(scope, receive, send)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit():
            return await self._refuse(400, "Content-Length is no number.")(scope, receive, send)
        text = TOO_LARGE.format(limit=self._limit)
        if int(declared) > self._limit:
            return await self._refuse(413, text)(scope, receive, send)
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise HTTPException(413, text)
            return message

        return await self._behind(scope, limited, send)
