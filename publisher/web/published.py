"""Puts together what answers for the published folder, from the parts of the app. Floor: `web`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from functools import cache

from starlette.types import ASGIApp

from publisher.app import App
from publisher.web.errors import error_page
from publisher.web.feed_delta import FeedDelta
from publisher.web.file_cache import ExtraHeaders, FileCache
from publisher.web.freshness import Freshness
from publisher.web.limits import Limits
from publisher.web.missing import Missing
from publisher.web.representation import Header
from publisher.web.site_files import SiteFiles

_FEED = re.compile(r"feeds/([^/]+)\.[a-z]+")
_CLOSED_FOR_S = 60  # how long the list of closed topics is believed


class Published:
    """`missing` goes behind all routes, `in_front_of` before them; `freshness` can be told of a timetable,
    `limits` hold for all answers. `closed` gives the topics that had a feed once and have none now; it may ask the
    database.

    `extra_headers` gives further headers of a document by its path, such as Link; it is asked once for each version.
    `everywhere`: headers of every answer.
    """

    def __init__(self, app: App, extra_headers: ExtraHeaders, everywhere: Sequence[Header]) -> None:
        web = app.settings.web
        self.freshness = Freshness(app.clock, app.settings.feeds.every_minutes)
        self.limits = Limits(web.burst, web.rate, time.monotonic, cache(lambda: error_page(app.web_pages, 429)))
        self._delta = FeedDelta(lambda path, digest: _marks(app, path, digest))
        self._files = FileCache(
            app.folder.root,
            is_withdrawn=lambda slug: _is_withdrawn(app, slug),
            extra_headers=extra_headers,
            everywhere=everywhere,
        )
        self.closed = _remembered(lambda: _closed(app), _CLOSED_FOR_S)
        self.missing = Missing(
            app.folder.root,
            moved=app.settings.renamed_topics,
            closed=self.closed,
            is_withdrawn=lambda slug: _is_withdrawn(app, slug),
            pages=app.web_pages,
            limits=self.limits,
        )

    def in_front_of(self, behind: ASGIApp, prefix: str) -> SiteFiles:
        return SiteFiles(
            behind, self._files, freshness=self.freshness, limits=self.limits, delta=self._delta, prefix=prefix
        )


def _marks(app: App, path: str, digest: str) -> frozenset[str] | None:
    with app.store.read() as tx:
        return tx.feed_versions.marks(path, digest)


def _is_withdrawn(app: App, slug: str) -> bool:
    with app.store.read() as tx:
        return tx.articles.is_withdrawn(slug)


def _closed(app: App) -> frozenset[str]:
    """The topics that had a feed once and are none of the present ones."""
    with app.store.read() as tx:
        feeds = (_FEED.fullmatch(path) for path in tx.feed_versions.paths())
    return frozenset(feed[1] for feed in feeds if feed) - app.settings.topics.keys() - {app.everything.slug}


def _remembered(ask: Callable[[], frozenset[str]], for_s: float) -> Callable[[], frozenset[str]]:
    kept: tuple[float, frozenset[str]] | None = None

    def remembered() -> frozenset[str]:
        nonlocal kept
        now = time.monotonic()
        if kept is None or now - kept[0] > for_s:
            kept = (now, ask())
        return kept[1]

    return remembered
