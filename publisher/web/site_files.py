"""The published files over HTTP: what is a document is answered here, the rest goes to the app behind. Floor: `web`.

    request -> is it a document? -> within the limit? -> 304, 206, 226 or 200 from memory
            -> no: the app behind (forms, API, and in the end `missing`)

It stands in front of all routing, because feed readers ask for little else, and they ask all day. What most get, a
whole document or word that it has not changed, `connection` sends without even a task (`at_once`).
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from publisher.web.documents import has_delta
from publisher.web.feed_delta import FeedDelta
from publisher.web.file_cache import FileCache, Kept
from publisher.web.freshness import IMMUTABLE, Freshness
from publisher.web.heads import Client, Head
from publisher.web.limits import FULL, NOT_MODIFIED, Limits
from publisher.web.negotiation import Fields, fields_of
from publisher.web.representation import Answer, Representation, answer

_SPECIAL = frozenset((b"a-im", b"content-length", b"transfer-encoding", b"x-forwarded-for"))
"""A delta, a body that may be too large, another client than the one that is connected."""


class SiteFiles:
    """Serves the documents that `files` knows; `prefix` is the path of the base URL, under which they are found too."""

    def __init__(
        self,
        behind: ASGIApp,
        files: FileCache,
        *,
        freshness: Freshness,
        limits: Limits,
        delta: FeedDelta,
        prefix: str = "",
    ) -> None:
        self._behind = behind
        self._files = files
        self._freshness = freshness
        self._limits = limits
        self._delta = delta
        self._prefix = prefix

    def at_once(self, head: Head, client: Client) -> Answer | None:
        """The answer that needs neither waiting nor anybody else: a document in memory, whole or not modified, for a
        client within its limit that asks for nothing special."""
        if head.method != "GET" or not _SPECIAL.isdisjoint(head.fields):
            return None
        kept = self._files.get(self._address(head.path))
        if kept is None or kept.document is None or kept.gone:
            return None
        reply = answer(kept.document, head.fields, self._cache_control(kept, head.query))
        cost = NOT_MODIFIED if reply.status == 304 else FULL
        return reply if reply.lines and self._limits.charged(client, cost) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            return await self._behind(scope, receive, send)
        head = scope["method"] == "HEAD"
        if head:
            scope = _without_range(scope)
        path = self._address(scope["path"])
        kept = self._files.get(path) or await self._loaded(path)
        if kept is None:
            return await self._behind(scope, receive, send)
        refusal = self._limits.refusal(scope)
        if refusal is not None:
            return await refusal.send(send, head=head)
        if kept.document is None:
            self._limits.charge(scope, FULL)
            headers = {"Cache-Control": self._freshness.cache_control().decode()}
            return await FileResponse(kept.file, headers=headers)(scope, receive, send)
        fields = fields_of(scope["headers"])
        reply = self._reply(kept, kept.document, fields, scope)
        if reply.status == 200 and b"a-im" in fields and has_delta(kept.path):
            reply = await self._delta.answer(kept.path, kept.document, fields) or reply
        self._limits.charge(scope, NOT_MODIFIED if reply.status == 304 else FULL)
        return await reply.send(send, head=head)

    def _address(self, path: str) -> str:
        return path[len(self._prefix) :] if self._prefix and path.startswith(self._prefix + "/") else path

    async def _loaded(self, path: str) -> Kept | None:
        place = self._files.file_of(path)
        if place is None:
            return None
        kept = await run_in_threadpool(self._files.load, *place)
        if kept is not None:
            self._files.keep(path, kept)
        return kept

    def _reply(self, kept: Kept, document: Representation, fields: Fields, scope: Scope) -> Answer:
        if not kept.gone:
            return answer(document, fields, self._cache_control(kept, scope["query_string"]))
        whole = answer(document, {b"accept-encoding": fields.get(b"accept-encoding", b"")}, b"no-cache")
        return Answer(410, whole.headers, whole.body)

    def _cache_control(self, kept: Kept, query: bytes) -> bytes:
        """For ever where the address says which bytes it means; another version than the present one does not."""
        if kept.lasting or (kept.version and kept.version == query):
            return IMMUTABLE
        return self._freshness.cache_control()


def _without_range(scope: Scope) -> Scope:
    """Only GET may ask for a part (RFC 9110, 14.2), of what is answered here and of what is answered behind."""
    return {**scope, "headers": [field for field in scope["headers"] if field[0] != b"range"]}
