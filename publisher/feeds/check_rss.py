"""Whether bytes are an RSS feed fit to be published: RSS 2.0, its profile, and what readers rely on. Floor: in `feeds`.

Rules are named by the element of the specification; "profile" is the RSS Advisory Board's, which the W3C validator
follows.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from lxml import etree

from publisher.feeds.check_texts import (
    html_problem,
    implausible,
    is_web_address,
    out_of_order,
    read_xml,
    rfc822,
    rfc3339,
)
from publisher.feeds.entry_rules import LATEST, Problem
from publisher.feeds.memo import Memo

_ATOM = "{http://www.w3.org/2005/Atom}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
_MEDIA_TYPE = "application/rss+xml"
_REQUIRED = ("title", "link", "description")
_CHANNEL = frozenset(
    {*_REQUIRED, "language", "copyright", "managingEditor", "webMaster", "pubDate", "lastBuildDate", "category", "docs"}
    | {"generator", "cloud", "ttl", "image", "rating", "textInput", "skipHours", "skipDays", "item"}
)
_ITEM = frozenset(
    {"title", "link", "description", "author", "category", "comments", "enclosure", "guid", "pubDate", "source"}
)
_MANY = frozenset({"category", "item"})
_IN_MAILBOX = r"[^\s@()<>]"
_MAILBOX = re.compile(  # with a dot inside the domain, looked for once: anybody's feed is checked
    rf"{_IN_MAILBOX}++@{_IN_MAILBOX}(?={_IN_MAILBOX}*\.{_IN_MAILBOX}){_IN_MAILBOX}++(?: \([^()]+\))?"
)
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_PICTURES = (".gif", ".jpg", ".jpeg", ".png")
_GOOD: Memo[bytes, datetime] = Memo(1_000_000)  # by the hash of the item: its last date
_GOOD_SIZE = 400  # bytes
_ALWAYS = datetime.min.replace(tzinfo=UTC)


def check_rss(content: bytes, *, self_url: str | None = None, now: datetime | None = None) -> list[Problem]:
    """Each rule that `content` breaks, with the guid of the item that breaks it; an empty list for a good feed.

    `self_url` is the address it will be served at; with `now` no date may lie more than a day after it.
    """
    root = read_xml(content, "RSS 2.0")
    if isinstance(root, Problem):
        return [root]
    channels = root.findall("channel")
    if root.tag != "rss" or root.get("version") != "2.0" or len(channels) != 1:
        return [Problem("RSS 2.0, rss", "the document is no rss, version 2.0, with one channel")]
    channel = channels[0]
    items = channel.findall("item")
    return [
        *_head(channel),
        *_self_link(channel, self_url),
        *_image(channel),
        *_dates(channel, ("pubDate", "lastBuildDate"), "RSS 2.0, channel", now),
        *_guids(items),
        *(problem for item in items for problem in _item(item, now)),
        *out_of_order(_changes(items)),
    ]


def _head(channel: etree._Element) -> Iterator[Problem]:
    rule = "RSS 2.0, channel"
    yield from _children(channel, _CHANNEL, rule, "")
    for name in _REQUIRED:
        if not (channel.findtext(name) or "").strip():
            yield Problem(rule, f"the channel has no {name}")
    link = channel.findtext("link")
    if link is not None and not is_web_address(link):
        yield Problem("RSS 2.0, link", f"the channel's link is no web address: {link!r}")
    language = channel.findtext("language")
    if language is not None and not _LANGUAGE.fullmatch(language):
        yield Problem("RSS 2.0, language", f"not a language tag: {language!r}")
    ttl = channel.findtext("ttl")
    if ttl is not None and not (ttl.isascii() and ttl.isdigit()):
        yield Problem("RSS 2.0, ttl", f"not a number of minutes: {ttl!r}")
    for name in ("managingEditor", "webMaster"):
        yield from _mailbox(channel, name, "")


def _children(parent: etree._Element, known: frozenset[str], rule: str, entry_id: str) -> Iterator[Problem]:
    """Elements of RSS itself that it does not know here, or that stand here more than once."""
    names = Counter(child.tag for child in parent if isinstance(child.tag, str) and child.tag[0] != "{")
    for name, count in names.items():
        if name not in known:
            yield Problem(rule, f"RSS has no element {name} here", entry_id)
        elif count > 1 and name not in _MANY:
            yield Problem(f"RSS 2.0, {name}", f"{count} elements {name} instead of one", entry_id)


def _self_link(channel: etree._Element, self_url: str | None) -> Iterator[Problem]:
    rule = "RSS profile, atom:link"
    own = [link for link in channel.findall(f"{_ATOM}link") if link.get("rel") == "self"]
    if len(own) != 1:
        yield Problem(rule, f"{len(own)} atom:link with rel=self instead of one")
        return
    href = own[0].get("href", "")
    if self_url is not None and href != self_url:
        yield Problem(rule, f"the self link says {href}, the feed is served at {self_url}")
    if own[0].get("type") != _MEDIA_TYPE:
        yield Problem(rule, f"the self link's type is {own[0].get('type')}, not {_MEDIA_TYPE}")


def _image(channel: etree._Element) -> Iterator[Problem]:
    image = channel.find("image")
    if image is None:
        return
    url = image.findtext("url") or ""
    if not is_web_address(url):
        yield Problem("RSS 2.0, image", f"the image's url is no web address: {url!r}")
    elif not url.lower().partition("?")[0].endswith(_PICTURES):
        yield Problem("RSS profile, image", f"the image is neither GIF, JPEG nor PNG: {url}")
    for name in ("title", "link"):
        if image.findtext(name) != channel.findtext(name):
            yield Problem("RSS profile, image", f"the image's {name} is not the channel's")


def _guids(items: list[etree._Element]) -> Iterator[Problem]:
    counted = Counter(item.findtext("guid") or "" for item in items)
    for guid, count in counted.items():
        if guid and count > 1:
            yield Problem("RSS 2.0, guid", f"{count} items have this guid", guid)


def _item(item: etree._Element, now: datetime | None) -> Sequence[Problem]:
    """What is wrong with an item. One that was found good is known again by all that it says, in whatever feed it
    stands; it is good as long as its dates do not lie after `now`."""
    key = hashlib.sha256(etree.tostring(item, with_tail=False)).digest()
    latest = _GOOD.get(key)
    if latest is not None and (now is None or latest <= now + LATEST):
        return ()
    problems = tuple(_judged(item, now))
    if not problems:
        moments = rfc822(item.findtext("pubDate") or ""), rfc3339(item.findtext(f"{_ATOM}updated") or "")
        known = [moment for moment in moments if isinstance(moment, datetime)]
        _GOOD.put(key, max(known, default=_ALWAYS), _GOOD_SIZE)
    return problems


def _judged(item: etree._Element, now: datetime | None) -> Iterator[Problem]:
    entry_id = _id(item)
    yield from _children(item, _ITEM, "RSS 2.0, item", entry_id)
    guid = item.find("guid")
    if guid is None or not (guid.text or "").strip():
        yield Problem("RSS 2.0, guid", "the item has no guid", entry_id)
    elif guid.get("isPermaLink") != "false":
        yield Problem("RSS 2.0, guid", 'a guid that is no address says isPermaLink="false"', entry_id)
    if not any((item.findtext(name) or "").strip() for name in ("title", "description")):
        yield Problem("RSS 2.0, item", "neither title nor description", entry_id)
    for name in ("link", "comments"):
        address = item.findtext(name)
        if address is not None and not is_web_address(address):
            yield Problem(f"RSS 2.0, {name}", f"not a web address: {address!r}", entry_id)
    yield from _mailbox(item, "author", entry_id)
    if item.find("author") is not None and item.find(f"{_DC}creator") is not None:
        yield Problem("RSS profile, dc:creator", "both author and dc:creator say who wrote it", entry_id)
    yield from _dates(item, ("pubDate",), "RSS 2.0, item", now)
    yield from _texts(item, entry_id)
    yield from _enclosure(item, entry_id)


def _mailbox(parent: etree._Element, name: str, entry_id: str) -> Iterator[Problem]:
    text = parent.findtext(name)
    if text is not None and not _MAILBOX.fullmatch(text):
        yield Problem(f"RSS 2.0, {name}", f"{name} is no mail address; a name alone goes into dc:creator", entry_id)


def _dates(parent: etree._Element, names: tuple[str, ...], rule: str, now: datetime | None) -> Iterator[Problem]:
    entry_id = _id(parent) if parent.tag == "item" else ""
    for name in names:
        text = parent.findtext(name)
        if text is not None:
            moment = rfc822(text)
            if isinstance(moment, str):
                yield Problem(f"RSS 2.0, {name}", moment, entry_id)
            elif implausible(moment, now):
                yield Problem(rule, f"{name} is an implausible date: {text}", entry_id)
    text = parent.findtext(f"{_ATOM}updated")
    if text is not None:
        moment = rfc3339(text)
        if isinstance(moment, str):
            yield Problem("RFC 4287, 3.3", f"atom:updated is {moment}", entry_id)
        elif implausible(moment, now):
            yield Problem(rule, f"atom:updated is an implausible date: {text}", entry_id)


def _texts(item: etree._Element, entry_id: str) -> Iterator[Problem]:
    description, encoded = item.find("description"), item.findall(_CONTENT)
    if len(encoded) > 1:
        yield Problem("RSS profile, content:encoded", f"{len(encoded)} elements instead of one", entry_id)
    if encoded and (description is None or item.index(description) > item.index(encoded[0])):
        yield Problem("RSS profile, content:encoded", "the description does not come before it", entry_id)
    for element in (description, *encoded):
        if element is not None and (problem := html_problem(element.text or "")):
            yield Problem("RSS profile, HTML", problem, entry_id)


def _enclosure(item: etree._Element, entry_id: str) -> Iterator[Problem]:
    for enclosure in item.findall("enclosure"):
        address, length, kind = (enclosure.get(name, "") for name in ("url", "length", "type"))
        if not (is_web_address(address) and length.isascii() and length.isdigit() and "/" in kind):
            text = "an enclosure needs url, length in bytes and media type"
            yield Problem("RSS 2.0, enclosure", text, entry_id)


def _changes(items: list[etree._Element]) -> Iterator[tuple[datetime, str]]:
    """When each item that says so last changed; pubDate is no measure, a correction keeps it."""
    for item in items:
        moment = rfc3339(item.findtext(f"{_ATOM}updated") or "")
        if isinstance(moment, datetime):
            yield moment, _id(item)


def _id(item: etree._Element) -> str:
    return (item.findtext("guid") or "").strip() or "without id"
