"""Requests that carry too much are answered 413 before they are read. Floor: `web`."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOO_LARGE = "The request is too large; at most {limit:,} bytes are taken."


class BodyLimit:
    """At most `limit` bytes reach the app `behind`, whatever Content-Length says."""

    def __init__(self, behind: ASGIApp, limit: int) -> None:
        self._behind = behind
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._behind(scope, receive, send)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._limit:
            status = 413 if declared.isdigit() else 400
            text = TOO_LARGE.format(limit=self._limit) if status == 413 else "Content-Length is no number."
            return await PlainTextResponse(text + "\n", status)(scope, receive, send)
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise HTTPException(413, TOO_LARGE.format(limit=self._limit))
            return message

        return await self._behind(scope, limited, send)
