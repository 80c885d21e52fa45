"""Feeds that are made when they are asked for, kept in memory while nothing changes, and answered. Floor: `web`.

What is kept holds until the store is touched or the site published; then it is made anew, and keeps its ETag and its
date when the bytes come out the same. One is made at a time, so that odd requests cannot take the whole machine.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, IntegerConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from publisher.clock import Clock
from publisher.errors import FeedError
from publisher.feeds.value import Feed
from publisher.flows.combine import render
from publisher.flows.crossing import across
from publisher.flows.publish_site import PUBLISHED
from publisher.site.packing import gzipped
from publisher.store import Store, Transaction
from publisher.web.documents import kind_headers
from publisher.web.freshness import Freshness
from publisher.web.limits import FULL, NOT_MODIFIED, Limits
from publisher.web.negotiation import GZIP, IDENTITY, fields_of
from publisher.web.representation import Header, Representation, answer, represent
from publisher.web.responses import as_response

SHELF_BYTES = 32 * 1024 * 1024
"""What the kept feeds may take in memory, plain and compressed."""
NOINDEX: Header = (b"x-robots-tag", b"noindex")

log = structlog.get_logger("publisher.serve")

Make = Callable[[Transaction], Feed]
State = tuple[int, str | None]
"""What such a feed depends on: the last change of an article, and how far the site was published."""


class PathText(Convertor[str]):
    """A part of a path that fits `regex`, left as it is."""

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class Kind(PathText):
    regex = "atom|rss|json"


class Stamp(IntegerConvertor):
    """What an older page ends before; written in one way only, and no larger than the database can hold."""

    regex = "[1-9][0-9]{0,17}"


register_url_convertor("kind", Kind())
register_url_convertor("stamp", Stamp())


@dataclass(frozen=True, slots=True)
class Kept:
    """A rendered feed, and the state that it fits."""

    document: Representation
    state: State


class OnDemand:
    """Makes, keeps and answers such feeds; one for the whole server."""

    def __init__(
        self, store: Store, clock: Clock, freshness: Freshness, limits: Limits, *, shelf_bytes: int = SHELF_BYTES
    ) -> None:
        self._store = store
        self._clock = clock
        self._freshness = freshness
        self._limits = limits
        self._shelf_bytes = shelf_bytes
        self._shelf: OrderedDict[str, Kept] = OrderedDict()  # the one used longest ago first
        self._weight = 0
        self._one_at_a_time = asyncio.Lock()

    async def answer(
        self, request: Request, key: str, kind: str, make: Make, *, links: Sequence[Header] = (), private: bool = False
    ) -> Response:
        """The feed that `make` gives as `kind` (atom, rss, json), kept under `key`; 304 to who has it already.

        `links` says of it what `ExtraHeaders` says of documents. With `private` only the reader's own program may keep
        it, and no search engine, nor any other site's script.
        """
        refusal = self._limits.refusal(request.scope)
        if refusal is not None:
            return as_response(refusal)
        kept = await self._document(f"{key}.{kind}", kind, make, links, private)
        control = self._freshness.cache_control()
        if private:
            control = control.replace(b"public", b"private", 1)
        reply = answer(kept.document, fields_of(request.scope["headers"]), control)
        self._limits.charge(request.scope, NOT_MODIFIED if reply.status == 304 else FULL)
        return as_response(reply)

    async def _document(self, key: str, kind: str, make: Make, links: Sequence[Header], private: bool) -> Kept:
        kept = await self._fresh(key)
        if kept is not None:
            return kept
        async with self._one_at_a_time:
            kept = await self._fresh(key)  # somebody else may have asked for the same
            if kept is None:
                run = across if kind == "rss" else run_in_threadpool
                kept = await run(self._made, self._shelf.get(key), kind, make, links, private)
                self._put(key, kept)
        return kept

    async def _fresh(self, key: str) -> Kept | None:
        state = await run_in_threadpool(self._state)
        kept = self._shelf.get(key)
        if kept is None or kept.state != state:
            return None
        self._shelf.move_to_end(key)
        return kept

    def _state(self) -> State:
        with self._store.read() as tx:
            return _state_of(tx)

    def _made(self, former: Kept | None, kind: str, make: Make, links: Sequence[Header], private: bool) -> Kept:
        with self._store.read() as tx:
            state = _state_of(tx)
            feed = make(tx)
        now = self._clock()
        try:
            content = render(feed, kind, now=now)
        except FeedError as error:
            if former is None:
                raise
            log.warning("feed.kept", problem=str(error))
            return replace(former, state=state)
        if former is not None and former.document.variants[IDENTITY].body == content:
            return replace(former, state=state)
        modified = int(now.timestamp())
        if former is not None:  # readers that go by the date must see it rise
            modified = max(modified, former.document.modified + 1)
        headers, lasting = kind_headers(f"feed.{kind}")
        document = represent(
            content,
            {GZIP: gzipped(content)},
            modified=modified,
            headers=(*headers, *links),
            lasting=(NOINDEX,) if private else lasting,
        )
        return Kept(document, state)

    def _put(self, key: str, kept: Kept) -> None:
        former = self._shelf.pop(key, None)
        self._weight += kept.document.weight - (former.document.weight if former else 0)
        self._shelf[key] = kept
        while self._weight > self._shelf_bytes and len(self._shelf) > 1:
            _, oldest = self._shelf.popitem(last=False)
            self._weight -= oldest.document.weight


def _state_of(tx: Transaction) -> State:
    return tx.articles.last_touched(), tx.meta.get(PUBLISHED)
