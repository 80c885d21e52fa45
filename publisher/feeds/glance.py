"""What feed documents say about where things are: entries with their pages, feeds, archives. Floor: in `feeds`.

For checks and walks over published documents; for a document that is not well-formed nothing is found.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lxml import etree

from publisher.feeds.check import Kind
from publisher.feeds.check_texts import read_xml
from publisher.feeds.entry_rules import Problem

ARCHIVE = "{http://purl.org/syndication/history/1.0}archive"
"""The element that marks an archive document (RFC 5005, section 4)."""

_ATOM = "{http://www.w3.org/2005/Atom}"


@dataclass(frozen=True, slots=True)
class Pointer:
    """An entry's id and the address of its page; for a list of feeds the text of an outline and one of its
    addresses. `url` is "" where there is none."""

    entry_id: str
    url: str


def pointers(kind: Kind, content: bytes) -> list[Pointer]:
    """The entries of a feed, or the feeds and pages of a list, in their order."""
    if kind is Kind.JSON:
        return list(_of_json(content))
    root = read_xml(content, "")
    if isinstance(root, Problem):
        return []
    match kind:
        case Kind.ATOM:
            return [Pointer(_text(entry, "id"), _alternate(entry)) for entry in root.findall(f"{_ATOM}entry")]
        case Kind.RSS:
            return [Pointer(item.findtext("guid") or "", item.findtext("link") or "") for item in root.iter("item")]
        case Kind.OPML:
            return [
                Pointer(outline.get("text", ""), outline.get(name, ""))
                for outline in root.iter("outline")
                for name in ("xmlUrl", "htmlUrl")
                if outline.get(name)
            ]


def relations(content: bytes) -> dict[str, str]:
    """The first link of each relation of an Atom feed (RFC 4287, 4.2.7); of RSS those that Atom lends it."""
    root = read_xml(content, "")
    if isinstance(root, Problem):
        return {}
    found: dict[str, str] = {}
    for link in (root if root.tag == f"{_ATOM}feed" else root[0] if len(root) else root).findall(f"{_ATOM}link"):
        found.setdefault(link.get("rel", "alternate"), link.get("href", ""))
    return found


def is_archive(content: bytes) -> bool:
    root = read_xml(content, "")
    return not isinstance(root, Problem) and root.find(ARCHIVE) is not None


def _of_json(content: bytes) -> Iterator[Pointer]:
    try:
        feed = json.loads(content)
    except (ValueError, RecursionError):
        return
    items: Any = feed.get("items") if isinstance(feed, dict) else None
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            yield Pointer(str(item.get("id", "")), str(item.get("url", "")))


def _alternate(entry: etree._Element) -> str:
    for link in entry.findall(f"{_ATOM}link"):
        if link.get("rel", "alternate") == "alternate":
            return link.get("href", "")
    return ""


def _text(parent: etree._Element, name: str) -> str:
    return (parent.findtext(f"{_ATOM}{name}") or "").strip()
