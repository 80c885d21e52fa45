"""Whether bytes are a list of feeds fit to be published: OPML 2.0. Floor: in `feeds`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from lxml import etree

from publisher.feeds.check_texts import implausible, is_web_address, read_xml, rfc822
from publisher.feeds.entry_rules import Problem

_HEAD = frozenset(
    {"title", "dateCreated", "dateModified", "ownerName", "ownerEmail", "ownerId", "docs", "expansionState"}
    | {"vertScrollState", "windowTop", "windowLeft", "windowBottom", "windowRight"}
)


def check_opml(content: bytes, *, now: datetime | None = None) -> list[Problem]:
    """Each rule that `content` breaks, an outline named by its text; an empty list for a good list.

    With `now` no date may lie more than a day after it.
    """
    root = read_xml(content, "OPML 2.0")
    if isinstance(root, Problem):
        return [root]
    heads, bodies = root.findall("head"), root.findall("body")
    if root.tag != "opml" or len(heads) != 1 or len(bodies) != 1:
        return [Problem("OPML 2.0, opml", "the document is no opml with one head and one body")]
    problems = [] if root.get("version") == "2.0" else [Problem("OPML 2.0, opml", "the version is not 2.0")]
    outlines = list(bodies[0].iter("outline"))
    if not outlines:
        problems.append(Problem("OPML 2.0, body", "the list has no outline"))
    return [
        *problems,
        *_head(heads[0], now),
        *(problem for outline in outlines for problem in _outline(outline)),
        *_twice(outlines),
    ]


def _head(head: etree._Element, now: datetime | None) -> Iterator[Problem]:
    if not (head.findtext("title") or "").strip():
        yield Problem("OPML 2.0, title", "the list has no title")
    for name, count in Counter(child.tag for child in head if isinstance(child.tag, str)).items():
        if name not in _HEAD:
            yield Problem("OPML 2.0, head", f"OPML has no element {name} here")
        elif count > 1:
            yield Problem("OPML 2.0, head", f"{count} elements {name} instead of one")
    for name in ("dateCreated", "dateModified"):
        text = head.findtext(name)
        if text is None:
            continue
        moment = rfc822(text)
        if isinstance(moment, str):
            yield Problem(f"OPML 2.0, {name}", moment)
        elif implausible(moment, now):
            yield Problem(f"OPML 2.0, {name}", f"an implausible date: {text}")


def _outline(outline: etree._Element) -> Iterator[Problem]:
    text = outline.get("text", "")
    name = text or "without text"
    if not text.strip():
        yield Problem("OPML 2.0, outline", "an outline has no text", name)
    kind = outline.get("type")
    if kind is None:
        if outline.get("xmlUrl") is not None:
            yield Problem("OPML 2.0, outline", "an outline with xmlUrl says type=rss", name)
        elif len(outline) == 0:
            yield Problem("OPML 2.0, outline", "a group without feeds", name)
        return
    if kind.lower() != "rss":
        yield Problem("OPML 2.0, outline", f"the type of a feed's outline is rss, not {kind}", name)
    if not outline.get("title", "").strip():
        yield Problem("OPML 2.0, title", "a feed's outline has no title", name)
    for attribute in ("xmlUrl", "htmlUrl"):
        if not is_web_address(outline.get(attribute, "")):
            yield Problem(f"OPML 2.0, {attribute}", f"not a web address: {outline.get(attribute)!r}", name)


def _twice(outlines: list[etree._Element]) -> Iterator[Problem]:
    addresses = Counter(address for outline in outlines if (address := outline.get("xmlUrl")))
    for address, count in addresses.items():
        if count > 1:
            yield Problem("OPML 2.0, xmlUrl", f"the list has {address} {count} times")
