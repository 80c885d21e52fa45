"""A whole topic from its current feed and its archives (RFC 5005). Floor: in `feeds`, pure but for the given `fetch`.

current feed -> prev-archive -> prev-archive -> ... : of each entry the newest version, without what was deleted
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urljoin

from lxml import etree

from publisher.errors import FeedError
from publisher.feeds.names import ATOM, FH, TOMBSTONES

MAX_DOCUMENTS = 100_000
"""Archives of one topic that are followed, against a chain that never ends."""


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk found: the newest version of each entry by its id, the documents read (the current feed first), and
    what is wrong with the chain, in words."""

    entries: dict[str, etree._Element]
    documents: tuple[str, ...]
    problems: tuple[str, ...] = ()


def walk(url: str, fetch: Callable[[str], bytes]) -> Walked:
    """Read the Atom feed at `url` and all archives before it; `fetch` gives the bytes at an address.

    Of two versions the one with the later `updated` counts, of an entry and a tombstone the later one (RFC 6721); at
    the same time the one in the newer document. Raises FeedError for what is no feed and for a chain that turns
    around, and whatever `fetch` raises.
    """
    versions: dict[str, tuple[datetime, etree._Element | None]] = {}
    documents: list[str] = []
    problems: list[str] = []
    following: str | None = url
    newer: str | None = None
    while following is not None:
        here = following
        if here in documents or len(documents) == MAX_DOCUMENTS:
            raise FeedError(url, f"the chain of archives comes back to {here}")
        root = _feed(here, fetch(here))
        for entry_id, moment, entry in _said(root, here):
            known = versions.get(entry_id)
            if known is None or moment > known[0]:
                versions[entry_id] = (moment, entry)
        problems += _chain_problems(root, here, url, newer)
        documents.append(here)
        newer = here if documents[1:] else None  # the current feed is no archive
        following = _link(root, here, "prev-archive")
    entries = {entry_id: entry for entry_id, (_, entry) in versions.items() if entry is not None}
    return Walked(entries, tuple(documents), tuple(problems))


def _feed(url: str, content: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise FeedError(url, f"not well-formed XML: {error.msg}") from error
    if root.tag != f"{{{ATOM}}}feed":
        raise FeedError(url, f"the document is no atom:feed but {root.tag}")
    return root


def _said(root: etree._Element, url: str) -> Iterator[tuple[str, datetime, etree._Element | None]]:
    """Each entry and tombstone (None) of a document with its id and date."""
    for entry in root.findall(f"{{{ATOM}}}entry"):
        entry_id = (entry.findtext(f"{{{ATOM}}}id") or "").strip()
        yield entry_id, _moment(entry.findtext(f"{{{ATOM}}}updated"), url), entry
    for deleted in root.findall(f"{{{TOMBSTONES}}}deleted-entry"):
        yield deleted.get("ref", "").strip(), _moment(deleted.get("when"), url), None


def _moment(text: str | None, url: str) -> datetime:
    moment: datetime | None = None
    with suppress(ValueError):
        moment = datetime.fromisoformat((text or "").strip())
    if moment is None or moment.tzinfo is None:
        raise FeedError(url, f"an entry or tombstone without a date: {text!r}")
    return moment


def _chain_problems(root: etree._Element, here: str, current: str, newer: str | None) -> list[str]:
    """RFC 5005, 2 and 4: what an archive, or a complete feed, has to say of its neighbours."""
    problems = []
    if here == current:
        if root.find(f"{{{FH}}}archive") is not None:
            problems.append(f"{here}: the current feed says that it is an archive")
        if root.find(f"{{{FH}}}complete") is not None and _link(root, here, "prev-archive"):
            problems.append(f"{here}: a complete feed has archives")
        return problems
    if root.find(f"{{{FH}}}archive") is None:
        problems.append(f"{here}: the archive does not say that it is one")
    if _link(root, here, "current") != current:
        problems.append(f"{here}: the archive does not lead to {current}")
    if newer is not None and _link(root, here, "next-archive") != newer:
        problems.append(f"{here}: the archive does not lead to the next one, {newer}")
    return problems


def _link(root: etree._Element, url: str, rel: str) -> str | None:
    for link in root.findall(f"{{{ATOM}}}link"):
        if link.get("rel") == rel and link.get("href"):
            return urljoin(url, link.get("href", ""))
    return None
