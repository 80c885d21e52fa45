"""Feed readers as people run them, each with its own memory of one feed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

import feedparser
import httpx2 as httpx
from reader import make_reader

PARSER_AGENT, JSON_AGENT, READER_AGENT = "fleet-feedparser", "fleet-json", "python-reader"


@dataclass(frozen=True)
class Item:
    """What a person sees of an entry."""

    title: str
    content: str
    link: str


class Client(Protocol):
    """A reader with one feed."""

    items: dict[str, Item]
    shown_as_new: Counter[str]

    def poll(self) -> None: ...


@dataclass
class FeedparserClient:
    """Asks with the validators of the last answer and keeps every entry it ever saw, by id; for Atom and RSS."""

    url: str
    items: dict[str, Item] = field(default_factory=dict)
    shown_as_new: Counter[str] = field(default_factory=Counter)
    etag: str | None = None
    modified: str | None = None

    def poll(self) -> None:
        read = feedparser.parse(self.url, etag=self.etag, modified=self.modified, agent=PARSER_AGENT)
        assert read.status in {200, 226, 304}, (self.url, read.status)
        if read.status == 304:
            return
        assert not read.bozo, read.get("bozo_exception")
        self.etag, self.modified = read.get("etag"), read.get("modified")
        for entry in read.entries:
            if entry.id not in self.items:
                self.shown_as_new[entry.id] += 1
            content = entry.content[0].value if "content" in entry else entry.summary
            self.items[entry.id] = Item(entry.title, content, entry.link)


@dataclass
class JsonClient:
    """The same for JSON Feed."""

    url: str
    items: dict[str, Item] = field(default_factory=dict)
    shown_as_new: Counter[str] = field(default_factory=Counter)
    etag: str | None = None

    def poll(self) -> None:
        headers = {"User-Agent": JSON_AGENT, **({"If-None-Match": self.etag} if self.etag else {})}
        answer = httpx.get(self.url, headers=headers)
        if answer.status_code == 304:
            return
        assert answer.status_code == 200
        self.etag = answer.headers["etag"]
        for item in json.loads(answer.content)["items"]:
            if item["id"] not in self.items:
                self.shown_as_new[item["id"]] += 1
            self.items[item["id"]] = Item(item["title"], item["content_html"], item["url"])


class ReaderClient:
    """The `reader` package; its owner reads everything each day, so that what is shown as new again is noticed."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.shown_as_new: Counter[str] = Counter()
        self._reader = make_reader(":memory:")
        self._reader.add_feed(url)

    def poll(self) -> None:
        for result in self._reader.update_feeds_iter(scheduled=False):
            assert not isinstance(result.value, Exception), result.value
        for entry in self._reader.get_entries(read=False):
            self.shown_as_new[entry.id] += 1
            self._reader.mark_entry_as_read(entry)

    @property
    def items(self) -> dict[str, Item]:
        return {entry.id: Item(entry.title or "", _content(entry), entry.link or "") for entry in
                self._reader.get_entries()}  # fmt: skip

    def close(self) -> None:
        self._reader.close()


def _content(entry: Any) -> str:
    return entry.content[0].value if entry.content else entry.summary or ""
