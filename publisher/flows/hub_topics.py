"""The feeds that people can subscribe to at our hub, and their bytes: published files and unions. Floor: `flows`."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from publisher.errors import FeedError, NotFound, UsageError
from publisher.feeds import atom, jsonfeed, rss
from publisher.feeds.selection import NARROWING, UNION, Match, Selection, select
from publisher.flows.combine import combined_feed, render
from publisher.flows.crossing import across
from publisher.flows.press import Press
from publisher.flows.publish_site import PUBLISHED
from publisher.links import feed_path
from publisher.site import SiteFolder
from publisher.store import Store
from publisher.websub.exchange import link_header

MEDIA_TYPES = {"atom": atom.MEDIA_TYPE, "rss": rss.MEDIA_TYPE, "json": jsonfeed.MEDIA_TYPE}


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a feed's document. `content` is at hand for feeds that no file holds."""

    sha256: str
    content: bytes | None = field(default=None, repr=False)


@dataclass
class HubTopics:
    """The topics of the hub, named by the path of their feed.

    Published feeds are known by the ledger of documents. A union is rendered anew after each publication that changed
    anything, since nobody else would notice that it did; not earlier, so that the pages it links to are there.
    """

    store: Store
    folder: SiteFolder
    press: Press
    _rendered: dict[str, Version] = field(default_factory=dict)
    _published: str | None = ""

    def path_of(self, url: str) -> str | None:
        """The path of the feed with this self URL; None for what is no feed of ours, or another spelling of one."""
        base = self.press.site.links.base_url
        path = url.removeprefix(base)
        if path == url or self.press.site.links.to(path) != url:
            return None
        name, _, extension = path.removeprefix("feeds/").rpartition(".")
        if extension not in MEDIA_TYPES or path != feed_path(name, extension):
            return None
        selection = self._selection(name)
        return path if selection is not None and selection.name == name else None

    def url_of(self, path: str) -> str:
        return self.press.site.links.to(path)

    def hubs_of(self, path: str) -> tuple[str, ...]:
        """The hubs that learn of changes of this feed: only our own knows of feeds that no file holds."""
        site = self.press.site
        return (*site.hubs, *site.own_hubs) if self.is_file(path) else site.own_hubs

    def link_header(self, path: str) -> str | None:
        """The Link header of the feed at `path`; None for what is no feed that a hub learns of."""
        url = self.url_of(path)
        hubs = self.hubs_of(path)
        return link_header(url, hubs) if hubs and self.path_of(url) == path else None

    def media_type(self, path: str) -> str:
        return f"{MEDIA_TYPES[path.rpartition('.')[2]]}; charset=utf-8"

    async def versions(self, paths: Collection[str], now: datetime) -> dict[str, Version]:
        """The present version of each of `paths` that is still published."""
        files = [path for path in paths if self.is_file(path)]
        found, published = await asyncio.to_thread(self._ledger, files)
        if published != self._published:
            self._rendered.clear()
            self._published = published
        for path in set(paths).difference(files):
            if path not in self._rendered and (made := await across(self._render, path, now)) is not None:
                self._rendered[path] = made
            if path in self._rendered:
                found[path] = self._rendered[path]
        return found

    def content(self, path: str, version: Version) -> bytes | None:
        """The bytes of this very version; None while the file on disk is of another one."""
        if version.content is not None:
            return version.content
        try:
            content = self.folder.root.joinpath(path).read_bytes()
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == version.sha256 else None

    def _ledger(self, paths: Collection[str]) -> tuple[dict[str, Version], str | None]:
        with self.store.read() as tx:
            versions = {path: Version(document.sha256) for path, document in tx.documents.some(paths).items()}
            return versions, tx.meta.get(PUBLISHED)

    def _render(self, path: str, now: datetime) -> Version | None:
        name, _, extension = path.removeprefix("feeds/").rpartition(".")
        selection = self._selection(name)
        if selection is None:
            return None
        with self.store.read() as tx:
            feed = combined_feed(tx, selection, self.press)
        try:
            content = render(feed, extension, now=now)
        except FeedError:
            return None  # who asks for the feed itself is told why
        return Version(hashlib.sha256(content).hexdigest(), content)

    def is_file(self, path: str) -> bool:
        """Whether the feed is published as a file, or made when it is asked for."""
        return "+" not in path and path.count("/") == 1

    def _selection(self, name: str) -> Selection | None:
        topics = {topic.slug: topic for topic in self.press.feeds}
        parts, match = _parts(name)
        try:
            return select(parts, match, topics)
        except (NotFound, UsageError):
            return None


def _parts(name: str) -> tuple[list[str], Match]:
    """``a+b`` is a union, ``a/b`` a narrowing, anything else one topic."""
    if UNION in name:
        return name.split(UNION), Match.ANY
    return name.split(NARROWING), Match.ALL
