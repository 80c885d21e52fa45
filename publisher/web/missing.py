"""Addresses without a document: moved, closed, withdrawn, or never there. Floor: `web`.

/topics/environment        301 to /topics/environment/
a former name of a topic   301 to its new name (`formerly` in config.toml), for years: readers keep old addresses
the archive after the last 307 to the current feed, which holds what will be in it; not to be kept by anybody
a topic no longer there    410, so that readers stop asking; so does a withdrawn article
anything else              404 with the site's own page
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from urllib.parse import quote

from starlette._utils import get_route_path
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from publisher.links import INDEX, NOT_FOUND, archive_of, archive_path, feed_path
from publisher.pages.web import WebPages
from publisher.web.documents import PAGE_HEADERS, document_path
from publisher.web.errors import error_page, wants_page
from publisher.web.file_cache import stamp_of
from publisher.web.limits import FULL, Limits

_TOPIC = re.compile(r"(?P<before>topics/|feeds/)(?P<slug>[^/.]+)(?P<after>(/.*)?|\.(atom|rss|json))")
_ARTICLE = re.compile(r"articles/([^/]+)/index\.html")
_HEADERS = {name.decode(): value.decode() for name, value in PAGE_HEADERS} | {"Cache-Control": "no-cache"}


class Missing:
    """The ASGI app behind everything else. `moved`: former topic slug -> present one; `closed` gives the slugs that
    had a feed once and have none now; it and `is_withdrawn` (article slug) may ask the database."""

    def __init__(
        self,
        root: Path,
        *,
        moved: Mapping[str, str],
        closed: Callable[[], Collection[str]],
        is_withdrawn: Callable[[str], bool],
        pages: WebPages,
        limits: Limits,
    ) -> None:
        self._root = root
        self._moved = moved
        self._closed = closed
        self._is_withdrawn = is_withdrawn
        self._pages = pages
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = scope.get("method") == "HEAD"
        refusal = self._limits.refusal(scope)
        if refusal is not None:
            return await refusal.send(send, head=head)
        self._limits.charge(scope, FULL)
        response = await run_in_threadpool(self.response, scope)
        return await response(scope, receive, send)

    def response(self, scope: Scope) -> Response:
        """The answer; may ask the database."""
        if scope["method"] not in {"GET", "HEAD"}:
            return self._only_read(scope)
        address = get_route_path(scope)
        path = document_path(address)
        if path is None:
            return self._not_found()
        if stamp_of(f"{self._root}/{path}/{INDEX}") is not None:
            return _moved(scope, path + "/")
        topic = _TOPIC.fullmatch(path)
        if topic:
            return self._next_archive(scope, path) or self._topic(scope, topic)
        article = _ARTICLE.fullmatch(path)
        if article and self._is_withdrawn(article[1]):
            return self._gone("This article was withdrawn", "It is no longer published here.")
        return self._not_found()

    def _only_read(self, scope: Scope) -> Response:
        allow = {"Allow": "GET, HEAD"}
        if wants_page(Headers(scope=scope).get("accept", "")):
            page = _page(error_page(self._pages, 405), 405)
            page.headers.update(allow)
            return page
        return PlainTextResponse("Documents can only be read.\n", 405, allow)

    def _topic(self, scope: Scope, found: re.Match[str]) -> Response:
        slug, after = found["slug"], found["after"]
        if slug in self._moved:
            after = after.removesuffix(INDEX) if found["before"] == "topics/" else after
            return _moved(scope, found["before"] + self._moved[slug] + (after or "/"))
        if slug in self._closed():
            text = "There will be no more articles under this topic. What was published can be found on the first page."
            return self._gone("This topic was closed", text)
        return self._not_found()

    def _next_archive(self, scope: Scope, path: str) -> Response | None:
        """The newest archive names the next one, which is not cut yet (see flows.feed_history)."""
        slug, number = archive_of(path) or ("", 0)
        if number > 1 and stamp_of(f"{self._root}/{archive_path(slug, number - 1)}") is not None:
            return _to(scope, feed_path(slug), 307, "no-store")
        return None

    def _gone(self, title: str, text: str) -> Response:
        return _page(self._pages.message(title, text), 410)

    def _not_found(self) -> Response:
        page = self._root / NOT_FOUND
        return _page(page.read_bytes() if page.is_file() else self._pages.not_found(), 404)


def _page(content: bytes, status: int) -> Response:
    return Response(content, status, _HEADERS, media_type="text/html; charset=utf-8")


def _moved(scope: Scope, path: str) -> Response:
    """301, and never 302: readers write the new address down. A query is no part of an address here."""
    return _to(scope, path, 301, "public, max-age=86400")


def _to(scope: Scope, path: str, status: int, cache_control: str) -> Response:
    location = quote(f"{scope.get('root_path', '')}/{path}")
    return Response(b"", status, {"Location": location, "Cache-Control": cache_control})
