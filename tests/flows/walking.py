"""What `publisher serve` answers for feeds, without a server: files, and what is made when it is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable

from flows.house import House

from publisher.feeds.selection import Match, select
from publisher.feeds.walker import Walked, walk
from publisher.flows.combine import combined_feed, render
from publisher.flows.feed_history import closed_archive

_JSON_ARCHIVE = re.compile(r"feeds/([^/]+)/archive-(\d+)\.json")
_COMBINED = re.compile(r"feeds/([a-z]+)([+/])([a-z]+)(?:/before-(\d+))?\.(atom|rss|json)")


def walked(house: House, path: str) -> Walked:
    """A walk from the feed at `path`, a sound one."""
    base = house.app.settings.site.base_url
    found = walk(base + path, fetcher(house))
    assert found.problems == ()
    return found


def fetcher(house: House) -> Callable[[str], bytes]:
    app = house.app
    topics = {topic.slug: topic for topic in app.press.feeds}

    def fetch(url: str) -> bytes:
        path = url.removeprefix(app.settings.site.base_url)
        if (house.site / path).is_file():
            return (house.site / path).read_bytes()
        with app.store.read() as tx:
            if archive := _JSON_ARCHIVE.fullmatch(path):
                feed = closed_archive(tx, topics[archive[1]], int(archive[2]), app.press)
                assert feed is not None
                return render(feed, "json", now=house.clock())
            combined = _COMBINED.fullmatch(path)
            assert combined, path
            match = Match.ANY if combined[2] == "+" else Match.ALL
            selection = select([combined[1], combined[3]], match, topics)
            before = int(combined[4]) if combined[4] else None
            return render(combined_feed(tx, selection, app.press, before=before), combined[5], now=house.clock())

    return fetch
