"""226 IM Used: only the entries that are new since the version a reader has (RFC 3229). Floor: `web`.

    A-IM: feed, If-None-Match: "<a version we remember>"  ->  226, IM: feed, the ETag of the whole present feed

Whatever is missing for it (no such version, nothing saved by it) makes the answer a full 200.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection

from starlette.concurrency import run_in_threadpool

from publisher.errors import PublisherError
from publisher.feeds import delta
from publisher.site.packing import gzipped
from publisher.web.negotiation import GZIP, IDENTITY, Fields, codings, wants_feed_delta
from publisher.web.representation import Answer, Representation, known_versions

KEPT = 64
"""Answers in memory: in the hour after a change most readers come from the same version."""
_MOST_NAMED = 4  # versions of one request that are looked up
_WORTH_PACKING = 860

Marks = Callable[[str, str], Collection[str] | None]
"""(path of a feed, first digits of a version's hash) -> the marks of its entries, None for an unknown version."""


class FeedDelta:
    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._kept: OrderedDict[tuple[str, str, str], bytes | None] = OrderedDict()

    async def answer(self, path: str, document: Representation, fields: Fields) -> Answer | None:
        """The 226 answer to a request that would get a full one, None if it is to get that."""
        accepted = codings(fields.get(b"accept-encoding"))
        if not wants_feed_delta(fields.get(b"a-im")) or b"range" in fields or not {IDENTITY, GZIP} & {*accepted}:
            return None
        for version in known_versions(fields)[:_MOST_NAMED]:
            content = await self._since(path, document, version)
            if content is not None:
                return _used(document, content, pack=GZIP in accepted and len(content) >= _WORTH_PACKING)
        return None

    async def _since(self, path: str, document: Representation, version: str) -> bytes | None:
        key = (path, document.sha256, version)
        if key not in self._kept:
            self._kept[key] = await run_in_threadpool(self._cut, path, document, version)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]

    def _cut(self, path: str, document: Representation, version: str) -> bytes | None:
        try:
            known = self._marks(path, version)
        except PublisherError:
            return None  # the whole feed can be had without the database
        return None if known is None else delta.since(document.variants[IDENTITY].body, known)


def _used(document: Representation, content: bytes, *, pack: bool) -> Answer:
    body = gzipped(content) if pack else content
    headers = [
        *document.own,
        (b"content-length", str(len(body)).encode()),
        (b"etag", document.variants[IDENTITY].etag),
        (b"last-modified", document.last_modified),
        (b"im", b"feed"),
        (b"cache-control", b"no-store, im"),
        (b"vary", b"A-IM, If-None-Match, Accept-Encoding"),
    ]
    if pack:
        headers.append((b"content-encoding", b"gzip"))
    return Answer(226, headers, body)
