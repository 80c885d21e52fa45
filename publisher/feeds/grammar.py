"""Whether bytes are an Atom feed fit to be published: RFC 4287 and what readers rely on. Floor: in `feeds`.

The grammar (see `atom_schema`) says which elements and attributes there may be; the functions below say the rest.

An entry stands in several documents with the same bytes. What was once found good is not judged again: of a document
like ours the rules see the head and the entries whose bytes are new; what the whole has to keep to is looked at with
what is known of each entry. Where the least thing is not good, or not as expected, the whole document is judged, and
that is what the problems come from.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from lxml import etree

from publisher.feeds.atom_schema import NS as _NS
from publisher.feeds.atom_schema import faults, is_valid
from publisher.feeds.check_texts import html_problem, read_xml, too_big
from publisher.feeds.entry_rules import LATEST, Problem
from publisher.feeds.memo import Memo
from publisher.feeds.names import TOMBSTONES
from publisher.feeds.value import EARLIEST_YEAR

__all__ = ["Problem", "check_atom"]

_DELETED = f"{{{TOMBSTONES}}}deleted-entry"
_INLINE = ("text", "html", "xhtml")

_START = re.compile(rb"<\?xml version='1\.0' encoding='UTF-8'\?>\s*(<feed [^>]*>)")
_OTHER_MARKUP = re.compile(rb"<[!?]")
_ENTRY_MARKUP = re.compile(rb"<(?:[!?]|entry)")
_ENTRY_START = re.compile(rb"<entry[ >]")
_ENTRY_END = b"</entry>"
_END = b"</feed>"
_BLANKS = b" \t\r\n"  # XML 1.0, 2.3


@dataclass(frozen=True, slots=True)
class _Good:
    """What the document around it has to know of an entry that is good: its last date of any kind is `latest`."""

    entry_id: str
    updated: datetime
    latest: datetime


@dataclass(frozen=True, slots=True)
class _Parts:
    """A document cut at its entries: the start tag of the feed, all that is before the first entry, each entry."""

    start: bytes
    head: bytes
    entries: Sequence[bytes]


_GOOD: Memo[bytes, _Good] = Memo(10_000_000)  # by the hash of the feed's start tag and the entry; 20,000 entries
_GOOD_SIZE = 500  # bytes


def check_atom(content: bytes, *, self_url: str | None = None, now: datetime | None = None) -> list[Problem]:
    """Each rule that `content` breaks, with the id of the entry that breaks it; an empty list for a good feed.

    `self_url` is the address it will be served at; with `now` no date may lie more than a day after it. Beyond RFC
    4287 it refuses what readers stumble over: DOCTYPE, more than MAX_BYTES, an order that is not newest first.
    """
    return [] if _is_surely_good(content, self_url, now) else _problems(content, self_url, now)


def _problems(content: bytes, self_url: str | None, now: datetime | None) -> list[Problem]:
    root = read_xml(content, "RFC 4287, 2")
    if isinstance(root, Problem):
        return [root]
    if root.tag != f"{_NS}feed":
        return [Problem("RFC 4287, 4.1.1", f"the document is no atom:feed but {root.tag}")]
    entries = list(root.iterchildren(f"{_NS}entry"))
    return [
        *_grammar(root, entries),
        *_head(root, self_url, now),
        *_ids(entries),
        *_tombstones(root, entries, now),
        *_authors(root, entries),
        *(problem for entry in entries for problem in _entry(entry, now)),
        *_order(entries),
    ]


def _head(root: etree._Element, self_url: str | None, now: datetime | None) -> Iterator[Problem]:
    yield from _self_link(root, self_url)
    yield from _alternates(root, "RFC 4287, 4.1.1")
    yield from _dates(root, now)


def _entry(entry: etree._Element, now: datetime | None) -> Iterator[Problem]:
    """What the grammar cannot say of an entry, and no other entry has to do with."""
    yield from _alternates(entry, "RFC 4287, 4.1.2", entry)
    yield from _content(entry)
    yield from _dates(entry, now, entry)


def _is_surely_good(content: bytes, self_url: str | None, now: datetime | None) -> bool:
    """Whether the document with its new entries alone is good, and all entries go together."""
    parts = None if too_big(content) else _cut(content)
    if parts is None:
        return False
    keys = list(_keys(parts))
    known = {key: good for key in keys if (good := _GOOD.get(key)) is not None}
    new = {key: entry for key, entry in zip(keys, parts.entries, strict=True) if key not in known}
    root = read_xml(b"".join((parts.head, *new.values(), _END)), "RFC 4287, 2")
    if isinstance(root, Problem) or not is_valid(root) or root.find(f"{_NS}author") is None:
        return False
    elements = list(root.iterchildren(f"{_NS}entry"))
    if len(elements) != len(new) or any(_head(root, self_url, now)) or any(_tombstones(root, elements, now)):
        return False
    for (key, entry), element in zip(new.items(), elements, strict=True):
        good = _good(entry, element)
        if good is None:
            return False
        _GOOD.put(key, good, _GOOD_SIZE)
        known[key] = good
    deleted = {element.get("ref", "").strip() for element in root.iter(_DELETED)}
    return _go_together([known[key] for key in keys], deleted, now)


def _cut(content: bytes) -> _Parts | None:
    """The parts of a document in the shape of ours; None of any other. In comments, CDATA and the like what looks like
    a tag may be none, so there must not be any."""
    start = _START.match(content)
    *pieces, end = content.split(_ENTRY_END)
    if start is None or not pieces or end.strip(_BLANKS) != _END:
        return None
    head, mark, first = pieces[0].partition(b"<entry")
    entries = [mark + first + _ENTRY_END, *(piece.lstrip(_BLANKS) + _ENTRY_END for piece in pieces[1:])]
    if _OTHER_MARKUP.search(head, start.start(1)) or not all(map(_ENTRY_START.match, entries)):
        return None
    return _Parts(start[1], head, entries)


def _keys(parts: _Parts) -> Iterator[bytes]:
    start = hashlib.sha256(parts.start)
    for entry in parts.entries:
        key = start.copy()
        key.update(entry)
        yield key.digest()


def _good(entry: bytes, element: etree._Element) -> _Good | None:
    """What is known of a valid entry from now on, None if it may not be good, or would mean something else elsewhere:
    it has to be one element, and one whose name (xml:id) no other element can have."""
    if _ENTRY_MARKUP.findall(entry) != [b"<entry"] or b"xml:id" in entry or any(_entry(element, None)):
        return None
    moments = [_moment(child) for name in ("updated", "published") for child in element.iterchildren(f"{_NS}{name}")]
    known = [moment for moment in moments if moment is not None]
    return _Good(_id(element), known[0], max(known)) if len(known) == len(moments) else None


def _go_together(entries: Sequence[_Good], deleted: set[str], now: datetime | None) -> bool:
    ids = {entry.entry_id for entry in entries}
    return (
        len(ids) == len(entries)
        and ids.isdisjoint(deleted)
        and all(entry.updated >= after.updated for entry, after in pairwise(entries))
        and (now is None or max(entry.latest for entry in entries) <= now + LATEST)
    )


def _grammar(root: etree._Element, entries: list[etree._Element]) -> Iterator[Problem]:
    """An entry is a document of its own to the grammar, so that an error can be laid at the right entry's door."""
    if is_valid(root):
        return
    head = deepcopy(root)
    for entry, copy in zip(entries, head.findall(f"{_NS}entry"), strict=True):
        if not is_valid(entry):
            yield Problem("RFC 4287, 4.1.2", _broken(entry), _id(entry))
            head.remove(copy)
    if not is_valid(head):
        yield Problem("RFC 4287, 4.1.1", _broken(head))


def _broken(element: etree._Element) -> str:
    """What is wrong with a feed or entry. The validator is vague about what is missing, so that is counted here."""
    for name in ("id", "title", "updated"):
        count = len(element.findall(f"{_NS}{name}"))
        if count != 1:
            return f"{count} elements {name} instead of one"
    return faults(element)


def _self_link(root: etree._Element, self_url: str | None) -> Iterator[Problem]:
    own = [link.get("href", "") for link in root.findall(f"{_NS}link") if link.get("rel") == "self"]
    if len(own) != 1:
        yield Problem("RFC 4287, 4.1.1", f"{len(own)} links with rel=self instead of one")
    elif self_url is not None and own[0] != self_url:
        yield Problem("RFC 4287, 4.1.1", f"the self link says {own[0]}, the feed is served at {self_url}")


def _alternates(parent: etree._Element, rule: str, entry: etree._Element | None = None) -> Iterator[Problem]:
    """`parent` is the feed, or the entry."""
    alternates = Counter(
        (link.get("type"), (link.get("hreflang") or "").lower())
        for link in parent.iterchildren(f"{_NS}link")
        if link.get("rel", "alternate") == "alternate"
    )
    for (kind, language), count in alternates.items():
        if count > 1:
            text = f"{count} alternate links with type {kind or 'none'} and language {language or 'none'}"
            yield Problem(rule, text, "" if entry is None else _id(entry))


def _ids(entries: list[etree._Element]) -> Iterator[Problem]:
    for entry_id, count in Counter(map(_id, entries)).items():
        if count > 1:
            yield Problem("RFC 4287, 4.2.6", f"{count} entries have this id", entry_id)


def _tombstones(root: etree._Element, entries: list[etree._Element], now: datetime | None) -> Iterator[Problem]:
    """RFC 6721, 3: each names an entry and when it was deleted; here none is also an entry of the same document."""
    there = set(map(_id, entries))
    for deleted in root.iter(_DELETED):
        ref = deleted.get("ref", "").strip()
        moment = _instant(deleted.get("when"))
        if not ref or moment is None:
            yield Problem("RFC 6721, 3", "a deleted-entry needs ref and when (RFC 3339)", ref)
        elif moment.year < EARLIEST_YEAR or (now is not None and moment > now + LATEST):
            yield Problem("RFC 6721, 3", f"deleted at an implausible date: {deleted.get('when')}", ref)
        if ref in there:
            yield Problem("RFC 6721, 3", "both an entry and a deleted-entry of this document", ref)
        there.add(ref)
        if deleted.getparent() is not root:
            yield Problem("RFC 6721, 3", "a deleted-entry has its place in the feed itself", ref)


def _authors(root: etree._Element, entries: list[etree._Element]) -> Iterator[Problem]:
    if root.find(f"{_NS}author") is not None:
        return
    if not entries:
        yield Problem("RFC 4287, 4.1.1", "the feed has no author")
    for entry in entries:
        if entry.find(f"{_NS}author") is None and entry.find(f"{_NS}source/{_NS}author") is None:
            yield Problem("RFC 4287, 4.1.2", "neither the entry nor the feed has an author", _id(entry))


def _content(entry: etree._Element) -> Iterator[Problem]:
    content = entry.find(f"{_NS}content")
    summary = entry.find(f"{_NS}summary")
    if content is None:
        if not any(link.get("rel", "alternate") == "alternate" for link in entry.findall(f"{_NS}link")):
            yield Problem("RFC 4287, 4.1.2", "neither content nor an alternate link", _id(entry))
        if summary is None:
            yield Problem("RFC 4287, 4.1.1.1", "neither content nor summary", _id(entry))
    elif summary is None and (content.get("src") is not None or _is_base64(content.get("type", "text"))):
        yield Problem("RFC 4287, 4.1.2", "content that is elsewhere or in base64 needs a summary", _id(entry))
    for text in (content, summary):
        if text is not None and text.get("type") == "html" and (problem := html_problem(text.text or "")):
            yield Problem("RFC 4287, 8.1", problem, _id(entry))


def _is_base64(kind: str) -> bool:
    """RFC 4287, 4.1.3.3: every media type but text and XML."""
    kind = kind.lower()
    return kind not in _INLINE and not kind.startswith("text/") and not kind.endswith(("+xml", "/xml"))


def _dates(parent: etree._Element, now: datetime | None, entry: etree._Element | None = None) -> Iterator[Problem]:
    """`parent` is the feed, or the entry."""
    for name in ("published", "updated"):
        for element in parent.iterchildren(f"{_NS}{name}"):
            moment = _moment(element)
            if moment is None:
                continue  # the grammar has said so
            if moment.year < EARLIEST_YEAR or (now is not None and moment > now + LATEST):
                text = f"{name} is an implausible date: {element.text}"
                yield Problem("RFC 4287, 3.3", text, "" if entry is None else _id(entry))


def _order(entries: Iterable[etree._Element]) -> Iterator[Problem]:
    last: datetime | None = None
    for entry in entries:
        element = entry.find(f"{_NS}updated")
        moment = None if element is None else _moment(element)
        if moment is None:
            continue
        if last is not None and moment > last:
            yield Problem("newest first", "it is newer than the entry before it", _id(entry))
        last = moment


def _moment(element: etree._Element) -> datetime | None:
    return _instant(element.text)


def _instant(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _id(entry: etree._Element) -> str:
    return (entry.findtext(f"{_NS}id") or "").strip() or "without id"
