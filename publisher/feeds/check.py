"""The publish gate: may these bytes replace the feed that readers have? Floor: in `feeds`, above all formats' rules.

One question for every kind of document; the answer names each broken rule and the entry that breaks it.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

from publisher.errors import FeedError
from publisher.feeds.check_json import check_json
from publisher.feeds.check_opml import check_opml
from publisher.feeds.check_rss import check_rss
from publisher.feeds.entry_rules import Problem
from publisher.feeds.grammar import check_atom

__all__ = ["Kind", "Problem", "check", "kind_of", "require_sound"]

_ROOT = re.compile(rb"<(?:\w+:)?(feed|rss|opml)[\s>]")
_NAMED = 3  # problems that an error names; the rest is counted
_SNIFFED = 4096  # bytes at the beginning that have to show what a document is


class Kind(StrEnum):
    """The kinds of feed documents; each value is the extension of their files."""

    ATOM = "atom"
    RSS = "rss"
    JSON = "json"
    OPML = "opml"


def kind_of(name: str, content: bytes) -> Kind | None:
    """What a document is: by the extension of `name` (a path or an address), else by how it begins; None: no feed."""
    extension = name.partition("?")[0].rpartition("/")[2].rpartition(".")[2].lower()
    if extension in list(Kind):
        return Kind(extension)
    start = content[:_SNIFFED].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"{"):
        return Kind.JSON
    found = _ROOT.search(start) if start.startswith(b"<") else None
    return None if found is None else {b"feed": Kind.ATOM, b"rss": Kind.RSS, b"opml": Kind.OPML}[found[1]]


def check(name: str, content: bytes, *, self_url: str | None = None, now: datetime | None = None) -> list[Problem]:
    """Each rule that `content` breaks; an empty list for a document that may be published.

    `name` is a Kind, or a path or address that ends in one. `self_url` is the address it will be served at; with
    `now` no date may lie more than a day after it. What is no feed document is a problem too.
    """
    match kind_of(name, content):
        case Kind.ATOM:
            return check_atom(content, self_url=self_url, now=now)
        case Kind.RSS:
            return check_rss(content, self_url=self_url, now=now)
        case Kind.JSON:
            return check_json(content, self_url=self_url, now=now)
        case Kind.OPML:
            return check_opml(content, now=now)
        case None:
            return [Problem("kind of document", "neither Atom, RSS, JSON Feed nor OPML")]


def require_sound(topic: str, path: str, content: bytes, *, self_url: str, now: datetime) -> None:
    """Raise FeedError, naming the broken rules and the entries, unless `content` may be published at `path`."""
    problems = check(path, content, self_url=self_url, now=now)
    if problems:
        more = len(problems) - _NAMED
        text = "; ".join(map(str, problems[:_NAMED]))
        raise FeedError(topic, f"{text}; and {more} more" if more > 0 else text)
