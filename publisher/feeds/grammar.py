"""Whether bytes are an Atom feed fit to be published: RFC 4287 and what readers rely on. Floor: in `feeds`.

The grammar (atom.rng) says which elements and attributes there may be; the functions below say the rest.

An entry stands in several documents with the same bytes. What was once found good alone is not judged again: of a
document like ours the head is judged, each entry whose bytes are new, and what the whole has to keep to. Where the
least thing is not good, or not as expected, the whole document is judged, and that is what the problems come from.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from itertools import pairwise

from lxml import etree

from publisher.feeds.check_texts import html_problem, read_xml, too_big
from publisher.feeds.entry_rules import LATEST, Problem
from publisher.feeds.memo import Memo
from publisher.feeds.names import TOMBSTONES
from publisher.feeds.value import EARLIEST_YEAR

__all__ = ["Problem", "check_atom"]

_NS = "{http://www.w3.org/2005/Atom}"
_DELETED = f"{{{TOMBSTONES}}}deleted-entry"
_INLINE = ("text", "html", "xhtml")
_of_thread = threading.local()

_START = re.compile(rb"<\?xml version='1\.0' encoding='UTF-8'\?>\s*(<feed [^>]*>)")
_END = b"</feed>"
_BLANKS = b" \t\r\n"  # XML 1.0, 2.3


@dataclass(frozen=True, slots=True)
class _Good:
    """What the document around it has to know of an entry that is good: its last date of any kind is `latest`."""

    entry_id: str
    updated: datetime
    latest: datetime


_JUDGED: Memo[bytes, _Good | None] = Memo(10_000_000)  # by hash; 20,000 entries
_JUDGED_SIZE = 500  # bytes


def check_atom(content: bytes, *, self_url: str | None = None, now: datetime | None = None) -> list[Problem]:
    """Each rule that `content` breaks, with the id of the entry that breaks it; an empty list for a good feed.

    `self_url` is the address it will be served at; with `now` no date may lie more than a day after it. Beyond RFC
    4287 it refuses what readers stumble over: DOCTYPE, more than MAX_BYTES, an order that is not newest first.
    """
    return [] if _surely_good(content, self_url, now) else _problems(content, self_url, now)


def _problems(content: bytes, self_url: str | None, now: datetime | None) -> list[Problem]:
    root = read_xml(content, "RFC 4287, 2")
    if isinstance(root, Problem):
        return [root]
    if root.tag != f"{_NS}feed":
        return [Problem("RFC 4287, 4.1.1", f"the document is no atom:feed but {root.tag}")]
    entries = root.findall(f"{_NS}entry")
    return [
        *_grammar(root, entries),
        *_self_link(root, self_url),
        *_alternates(root, "RFC 4287, 4.1.1"),
        *(problem for entry in entries for problem in _alternates(entry, "RFC 4287, 4.1.2", _id(entry))),
        *_ids(entries),
        *_tombstones(root, entries, now),
        *_authors(root, entries),
        *(problem for entry in entries for problem in _content(entry)),
        *_dates(root, entries, now),
        *_order(entries),
    ]


def _surely_good(content: bytes, self_url: str | None, now: datetime | None) -> bool:
    """Whether the head is good without entries, each entry without the others, and they go together."""
    start = _START.match(content)
    if start is None or too_big(content):
        return False
    if b"<!" in content or content.find(b"<?", start.start(1)) >= 0:
        return False  # in comments, CDATA and the like, what looks like a tag is none
    *parts, end = content.split(b"</entry>")
    head, mark, first = (parts or [b""])[0].partition(b"<entry")
    entries = [mark + first, *(part.lstrip(_BLANKS) for part in parts[1:])]
    if end.strip(_BLANKS) != _END or not all(entry.startswith(b"<entry") for entry in entries):
        return False
    head += _END  # nothing else is open there, or it is not well-formed: so entries are children of the feed, and last
    if _problems(head, self_url, now):
        return False
    good = [_judged(start[1] + entry + b"</entry>" + _END) for entry in entries]
    known = [entry for entry in good if entry is not None]
    ids = {entry.entry_id for entry in known}
    deleted = {element.get("ref", "").strip() for element in etree.fromstring(head).iter(_DELETED)}
    return (
        len(ids) == len(entries)
        and ids.isdisjoint(deleted)
        and all(entry.updated >= after.updated for entry, after in pairwise(known))
        and (now is None or max(entry.latest for entry in known) <= now + LATEST)
    )


def _judged(feed: bytes) -> _Good | None:
    """Of a feed with a single entry and no head: what is known of the entry, None if it may not be good."""
    key = hashlib.sha256(feed).digest()
    return _JUDGED.get(key, lambda: _judge(feed), lambda _: _JUDGED_SIZE)


def _judge(feed: bytes) -> _Good | None:
    root = read_xml(feed, "RFC 4287, 2")
    entries = [] if isinstance(root, Problem) else list(root)
    if isinstance(root, Problem) or len(entries) != 1 or not _schema().validate(entries[0]):
        return None
    (entry,) = entries
    problems = (
        *_alternates(entry, "RFC 4287, 4.1.2"),
        *_tombstones(root, entries, None),
        *_content(entry),
        *_dates(root, entries, None),
    )
    moments = [_moment(element) for name in ("updated", "published") for element in entry.findall(f"{_NS}{name}")]
    known = [moment for moment in moments if moment is not None]
    if problems or len(known) < len(moments):
        return None
    return _Good(_id(entry), known[0], max(known))


def _grammar(root: etree._Element, entries: list[etree._Element]) -> Iterator[Problem]:
    """An entry is a document of its own to the grammar, so that an error can be laid at the right entry's door."""
    schema = _schema()
    if schema.validate(root):
        return
    head = deepcopy(root)
    for entry, copy in zip(entries, head.findall(f"{_NS}entry"), strict=True):
        if not schema.validate(entry):
            yield Problem("RFC 4287, 4.1.2", _broken(entry, schema), _id(entry))
            head.remove(copy)
    if not schema.validate(head):
        yield Problem("RFC 4287, 4.1.1", _broken(head, schema))


def _schema() -> etree.RelaxNG:
    """The compiled grammar, one for each thread: a validator must not serve two at a time."""
    if not hasattr(_of_thread, "schema"):
        _of_thread.schema = etree.RelaxNG(etree.fromstring(files("publisher.feeds").joinpath("atom.rng").read_bytes()))
    schema: etree.RelaxNG = _of_thread.schema
    return schema


def _broken(element: etree._Element, schema: etree.RelaxNG) -> str:
    """What is wrong with a feed or entry. The validator is vague about what is missing, so that is counted here."""
    for name in ("id", "title", "updated"):
        count = len(element.findall(f"{_NS}{name}"))
        if count != 1:
            return f"{count} elements {name} instead of one"
    errors = [str(error.message) for error in schema.error_log]
    return "; ".join(errors[:2])  # the cause, and the element it lies in


def _self_link(root: etree._Element, self_url: str | None) -> Iterator[Problem]:
    own = [link.get("href", "") for link in root.findall(f"{_NS}link") if link.get("rel") == "self"]
    if len(own) != 1:
        yield Problem("RFC 4287, 4.1.1", f"{len(own)} links with rel=self instead of one")
    elif self_url is not None and own[0] != self_url:
        yield Problem("RFC 4287, 4.1.1", f"the self link says {own[0]}, the feed is served at {self_url}")


def _alternates(parent: etree._Element, rule: str, entry_id: str = "") -> Iterator[Problem]:
    """`parent` is the feed or an entry."""
    alternates = Counter(
        (link.get("type"), (link.get("hreflang") or "").lower())
        for link in parent.findall(f"{_NS}link")
        if link.get("rel", "alternate") == "alternate"
    )
    for (kind, language), count in alternates.items():
        if count > 1:
            text = f"{count} alternate links with type {kind or 'none'} and language {language or 'none'}"
            yield Problem(rule, text, entry_id)


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


def _dates(root: etree._Element, entries: list[etree._Element], now: datetime | None) -> Iterator[Problem]:
    for parent in (root, *entries):
        for name in ("published", "updated"):
            for element in parent.findall(f"{_NS}{name}"):
                moment = _moment(element)
                if moment is None:
                    continue  # the grammar has said so
                if moment.year < EARLIEST_YEAR or (now is not None and moment > now + LATEST):
                    text = f"{name} is an implausible date: {element.text}"
                    yield Problem("RFC 4287, 3.3", text, "" if parent is root else _id(parent))


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
