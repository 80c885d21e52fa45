"""A feed as RSS 2.0 bytes, written by feedgen. Floor: in `feeds`, above `value`.

A generator of its own: one that also served Atom would print the Atom address as the feed's own and the wrong link for
the channel. feedgen formats dates under setlocale, which belongs to the whole process: render RSS in one thread only.

As in `atom`, an item is made once for all feeds that show it, and put in where a document without items ends.
"""

from __future__ import annotations

import re

from feedgen.entry import FeedEntry
from feedgen.ext.base import BaseEntryExtension, BaseExtension
from feedgen.feed import FeedGenerator
from lxml import etree

from publisher.feeds.entry_rules import require_good
from publisher.feeds.memo import Memo
from publisher.feeds.names import ATOM as _ATOM
from publisher.feeds.names import FH, TOMBSTONES
from publisher.feeds.texts import name_of, plain_in_html, rfc3339, text_or_html
from publisher.feeds.value import Entry, Feed

MEDIA_TYPE = "application/rss+xml"
GENERATOR = "publisher"
_DC = "http://purl.org/dc/elements/1.1/"
_NAMES = {"dc": _DC, "atom": _ATOM, "content": "http://purl.org/rss/1.0/modules/content/"}
_START, _END = b"<channel>\n", b"  </channel>\n</rss>\n"
_ITEMS: Memo[tuple[Entry, str, str], bytes] = Memo(20_000_000)  # 1,400 articles of 1,000 words
# Of an entity in a title or a label, the W3C validator warns unless "&" is written so, as the RSS Profile has it.
_PLAIN = re.compile(rb"<(?:title|category|copyright|description)\b[^\n]*")


def render(feed: Feed, *, ttl_minutes: int | None = None) -> bytes:
    """The document of `feed`, UTF-8. `ttl_minutes` tells readers how long they need not ask again.

    Raises FeedError naming the first entry that cannot be written and the rule it breaks.
    """
    require_good(feed)
    generator = FeedGenerator()
    generator.register_extension("facts", _ChannelFacts, atom=False)
    generator.facts.feed = feed
    generator.title(text_or_html(feed.title)[1])
    generator.description(text_or_html(feed.subtitle or feed.title)[1])
    generator.link({"href": feed.rss_url, "rel": "self", "type": MEDIA_TYPE})
    generator.link({"href": feed.home_url, "rel": "alternate"})  # last: it becomes the channel's link
    generator.language(feed.language)
    generator.lastBuildDate(feed.updated)
    generator.generator(GENERATOR)
    if feed.rights:
        generator.copyright(name_of(feed.rights))
    if feed.small_icon:  # title and link as those of the channel, says the profile
        generator.image(feed.small_icon, text_or_html(feed.title)[1], feed.home_url)
    if ttl_minutes is not None:
        generator.ttl(ttl_minutes)
    head = _marked(generator.rss_str(pretty=True)).removesuffix(_END)
    return b"".join((head, *(_item(entry, feed) for entry in feed.entries), _END))


def _marked(lines: bytes) -> bytes:
    return _PLAIN.sub(lambda line: line[0].replace(b"&amp;", b"&#x26;"), lines)


def _item(entry: Entry, feed: Feed) -> bytes:
    """The lines of an item in every feed of that author and language."""
    key = (entry, feed.author, feed.language)
    lines = _ITEMS.get(key)
    if lines is None:
        lines = _written(entry, feed)
        _ITEMS.put(key, lines, 2 * len(lines))  # the key has the same texts
    return lines


def _written(entry: Entry, feed: Feed) -> bytes:
    item = FeedEntry()
    item.register_extension("facts", _ItemFacts, atom=False)
    item.facts.entry = entry
    item.facts.author = entry.author or feed.author
    item.facts.feed_language = feed.language
    item.guid(entry.entry_id, permalink=False)
    item.title(text_or_html(entry.title)[1])
    item.link({"href": entry.url})
    if entry.content:
        item.content(entry.content)
    if entry.summary:
        item.description(plain_in_html(entry.summary), isSummary=True)  # a description is HTML
    item.published(entry.published)
    item.category([{"term": c.term, "scheme": c.scheme, "label": c.label} for c in entry.categories])
    rss = etree.Element("rss", nsmap=_NAMES)  # around it, for the indentation and the names
    etree.SubElement(rss, "channel").append(item.rss_entry())
    lines: bytes = etree.tostring(rss, pretty_print=True, encoding="UTF-8", xml_declaration=False)
    return _marked(lines.partition(_START)[2].removesuffix(_END))


class _ChannelFacts(BaseExtension):  # type: ignore[misc]
    """Hubs and history, which RSS borrows: feedgen writes of all Atom links only the one to the feed itself."""

    feed: Feed

    def extend_ns(self) -> dict[str, str]:
        history = {"fh": FH} if self.feed.complete else {}
        return {"dc": _DC} | history | ({"at": TOMBSTONES} if self.feed.tombstones else {})

    def extend_rss(self, rss: etree._Element) -> etree._Element:
        own = rss.find(f"channel/{{{_ATOM}}}link[@rel='self']")
        assert own is not None
        for element in reversed(self._borrowed()):
            own.addnext(element)
        return rss

    def _borrowed(self) -> list[etree._Element]:
        feed = self.feed
        found = [etree.Element(f"{{{_ATOM}}}link", rel="hub", href=hub) for hub in feed.hubs]
        if feed.license:
            found.append(etree.Element(f"{{{_ATOM}}}link", rel="license", href=feed.license))
        if feed.prev_archive:  # archives are Atom documents (RFC 5005, 4)
            link = {"rel": "prev-archive", "href": feed.prev_archive, "type": "application/atom+xml"}
            found.append(etree.Element(f"{{{_ATOM}}}link", link))
        if "rss" in feed.older:
            link = {"rel": "next", "href": feed.older["rss"], "type": MEDIA_TYPE}
            found.append(etree.Element(f"{{{_ATOM}}}link", link))
        if feed.complete:
            found.append(etree.Element(f"{{{FH}}}complete"))
        for tombstone in feed.tombstones:
            gone = {"ref": tombstone.entry_id, "when": rfc3339(tombstone.when)}
            found.append(etree.Element(f"{{{TOMBSTONES}}}deleted-entry", gone))
        return found


class _ItemFacts(BaseEntryExtension):  # type: ignore[misc]
    """What RSS has no element for: the author's name (its own `author` wants an address), the date of the last
    correction (a moved pubDate would make readers show the item anew), the language, the source."""

    entry: Entry
    author: str
    feed_language: str

    def extend_rss(self, item: etree._Element) -> etree._Element:
        facts = self.entry
        etree.SubElement(item, f"{{{_DC}}}creator").text = self.author
        if facts.language != self.feed_language:
            etree.SubElement(item, f"{{{_DC}}}language").text = facts.language
        etree.SubElement(item, f"{{{_ATOM}}}updated").text = rfc3339(facts.updated)
        if facts.source_url:
            etree.SubElement(item, f"{{{_ATOM}}}link", rel="via", href=facts.source_url)
        return item
