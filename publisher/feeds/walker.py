"""A whole feed from the document people subscribe to and those before it. Floor: in `feeds`, pure but for `fetch`.

current feed -> prev-archive, next or next_url -> ... : of each entry the newest version, without what was deleted

Begins at a feed of any format: Atom and RSS lead to archives (RFC 5005, 4) or pages (RFC 5005, 3), JSON Feed to pages.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urljoin

from lxml import etree

from publisher.errors import FeedError
from publisher.feeds.check_texts import rfc822, rfc3339, whole_number
from publisher.feeds.names import ATOM, FH, TOMBSTONES

MAX_DOCUMENTS = 100_000
"""Documents of one feed that are followed, against a chain that never ends."""

_ENCODED = "{http://purl.org/rss/1.0/modules/content/}encoded"


@dataclass(frozen=True, slots=True)
class Version:
    """An entry as one document has it; `title` is plain, `content` its HTML, or its summary where there is no more."""

    updated: datetime
    title: str
    content: str


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk found: the newest version of each entry by its id, the documents read (the current feed first), and
    what is wrong with the chain, in words."""

    entries: dict[str, Version]
    documents: tuple[str, ...]
    problems: tuple[str, ...] = ()


_Said = tuple[str, datetime, Version | None]


@dataclass(frozen=True, slots=True)
class _Read:
    """A document: each entry and tombstone (None) with its id and date, and what it says of its neighbours."""

    said: Sequence[_Said]
    prev_archive: str | None = None
    next_page: str | None = None
    next_archive: str | None = None
    current: str | None = None
    itself: str | None = None
    is_archive: bool = False
    is_complete: bool = False

    @property
    def older(self) -> str | None:
        return self.prev_archive or self.next_page


def walk(url: str, fetch: Callable[[str], bytes]) -> Walked:
    """Read the feed at `url`, or the one that has it as an archive, and all documents before it; `fetch` gives the
    bytes at an address.

    Of two versions the one with the later `updated` counts, of an entry and a tombstone the later one (RFC 6721); at
    the same time the one in the newer document. Raises FeedError for what is no feed and for a chain that turns
    around, and whatever `fetch` raises.
    """
    versions: dict[str, tuple[datetime, Version | None]] = {}
    documents: list[str] = []
    problems: list[str] = []
    following: str | None = url
    names = {url}  # of the current feed: it may have been asked for by a former one
    as_archive = False
    while following is not None:
        here = following
        if here in documents:
            raise FeedError(url, f"the chain of archives comes back to {here}")
        if len(documents) == MAX_DOCUMENTS:
            raise FeedError(url, f"the chain of archives does not end: {MAX_DOCUMENTS:,} documents were read")
        read = _read(here, fetch(here))
        if not documents and read.is_archive and read.current not in {None, here}:
            return walk(str(read.current), fetch)
        for entry_id, moment, version in read.said:
            known = versions.get(entry_id)
            if known is None or moment > known[0]:
                versions[entry_id] = (moment, version)
        if not documents and read.itself is not None:
            names.add(read.itself)
        found = _chain_problems(read, documents, names, as_archive=as_archive)
        problems += [f"{here}: {problem}" for problem in found]
        documents.append(here)
        following, as_archive = read.older, read.prev_archive is not None
    entries = {entry_id: version for entry_id, (_, version) in versions.items() if version is not None}
    return Walked(entries, tuple(documents), tuple(problems))


def _read(url: str, content: bytes) -> _Read:
    if content.lstrip().startswith(b"{"):
        return _json(url, content)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise FeedError(url, f"not well-formed XML: {error.msg}") from error
    if root.tag == f"{{{ATOM}}}feed":
        return _atom(url, root)
    channel = root.find("channel") if root.tag == "rss" else None
    if channel is None:
        raise FeedError(url, f"the document is no feed but {root.tag}")
    return _rss(url, channel)


def _atom(url: str, root: etree._Element) -> _Read:
    said: list[_Said] = []
    for entry in root.findall(f"{{{ATOM}}}entry"):
        moment = _moment(entry.findtext(f"{{{ATOM}}}updated"), url)
        content, summary = (entry.findtext(f"{{{ATOM}}}{name}") or "" for name in ("content", "summary"))
        version = Version(moment, _title(entry.find(f"{{{ATOM}}}title")), content or summary)
        said.append(((entry.findtext(f"{{{ATOM}}}id") or "").strip(), moment, version))
    return _with_neighbours(said, root, url)


def _rss(url: str, channel: etree._Element) -> _Read:
    said: list[_Said] = []
    for item in channel.findall("item"):
        moment = _moment_if_any(item.findtext(f"{{{ATOM}}}updated") or item.findtext("pubDate"), url)
        content = item.findtext(_ENCODED) or item.findtext("description") or ""
        version = Version(moment, html.unescape(item.findtext("title") or ""), content)
        said.append(((item.findtext("guid") or "").strip(), moment, version))
    return _with_neighbours(said, channel, url)


def _with_neighbours(said: list[_Said], parent: etree._Element, url: str) -> _Read:
    return _Read(
        [*said, *_tombstones(parent, url)],
        prev_archive=_link(parent, url, "prev-archive"),
        next_page=_link(parent, url, "next"),
        next_archive=_link(parent, url, "next-archive"),
        current=_link(parent, url, "current"),
        itself=_link(parent, url, "self"),
        is_archive=parent.find(f"{{{FH}}}archive") is not None,
        is_complete=parent.find(f"{{{FH}}}complete") is not None,
    )


def _json(url: str, content: bytes) -> _Read:
    try:
        feed = json.loads(content, parse_int=whole_number)
    except (ValueError, RecursionError) as error:
        raise FeedError(url, f"not JSON: {error}") from error
    items = feed.get("items")
    if not isinstance(items, list):
        raise FeedError(url, "the document is no JSON Feed: it has no items")
    said: list[_Said] = []
    for item in _objects(items, url):
        moment = _moment_if_any(_text(item, "date_modified", url) or _text(item, "date_published", url), url)
        body = _text(item, "content_html", url) or _text(item, "content_text", url)
        said.append((str(item.get("id")), moment, Version(moment, _text(item, "title", url), body)))
    tombstones = feed.get("_tombstones")
    gone = tombstones.get("deleted") if isinstance(tombstones, dict) else ()
    said += [
        (_text(deleted, "ref", url), _moment(_text(deleted, "when", url), url), None)
        for deleted in _objects(gone if isinstance(gone, list) else (), url)
    ]
    older, itself = _text(feed, "next_url", url), _text(feed, "feed_url", url)
    return _Read(
        said, next_page=_joined(url, older) if older else None, itself=_joined(url, itself) if itself else None
    )


def _objects(values: Iterable[object], url: str) -> Iterator[dict[str, object]]:
    for value in values:
        if not isinstance(value, dict):
            raise FeedError(url, f"expected an object, found {str(value)[:50]!r}")
        yield value


def _text(values: Mapping[str, object], key: str, url: str) -> str:
    """The text under `key`, "" where there is none."""
    value = values.get(key)
    if value is not None and not isinstance(value, str):
        raise FeedError(url, f"{key}: expected a text, found {str(value)[:50]!r}")
    return value or ""


def _title(element: etree._Element | None) -> str:
    text = "" if element is None else element.text or ""
    return html.unescape(text) if element is not None and element.get("type") == "html" else text


def _tombstones(parent: etree._Element, url: str) -> Iterator[tuple[str, datetime, None]]:
    for deleted in parent.findall(f"{{{TOMBSTONES}}}deleted-entry"):
        yield deleted.get("ref", "").strip(), _moment(deleted.get("when"), url), None


def _moment_if_any(text: str | None, url: str) -> datetime:
    """The same where a date may be missing, as in RSS and JSON Feed: such a version is older than any other."""
    return _moment(text, url) if text and text.strip() else datetime.min.replace(tzinfo=UTC)


def _moment(text: str | None, url: str) -> datetime:
    """A date of Atom, JSON Feed or RSS."""
    said = (text or "").strip()
    for read in (rfc3339, rfc822):
        moment = read(said)
        if isinstance(moment, datetime):
            return moment
    raise FeedError(url, f"an entry or tombstone without a date: {text!r}")


def _chain_problems(read: _Read, before: Sequence[str], names: Collection[str], *, as_archive: bool) -> Iterator[str]:
    """RFC 5005, 2 and 4: what an archive, or a complete feed, has to say of its neighbours. `before` are the
    addresses that led here, the current feed first, `names` all of the current feed; it may be of another format than
    its archives."""
    if read.is_complete and read.older:
        yield "a complete feed has archives"
    if not as_archive:
        return
    if not read.is_archive:
        yield "the archive does not say that it is one"
    if read.current is None or read.current.rpartition(".")[0] not in {name.rpartition(".")[0] for name in names}:
        yield f"the archive does not lead to {before[0]}"
    if before[1:] and read.next_archive != before[-1]:
        yield f"the archive does not lead to the next one, {before[-1]}"


def _link(root: etree._Element, url: str, rel: str) -> str | None:
    for link in root.findall(f"{{{ATOM}}}link"):
        if link.get("rel") == rel and link.get("href"):
            return _joined(url, link.get("href", ""))
    return None


def _joined(url: str, reference: str) -> str:
    try:
        return urljoin(url, reference)
    except ValueError:
        raise FeedError(url, f"not an address: {reference[:200]!r}") from None
