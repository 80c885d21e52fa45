"""A feed as Atom 1.0 bytes (RFC 4287), written by feedgen. Floor: in `feeds`, above `value`.

feedgen 1.0.0 drops all attributes of an entry's links but href, knows no type of titles and no language of entries, and
prints dates its own way; the two extensions below put that right in the tree before it becomes bytes. Elements they
add have no namespace prefix, like feedgen's own: the one on the root makes them Atom.

An article's entry stands in the feed of everything, in those of its topics, and once more in an archive of each, with
the same bytes. So feedgen makes it once, the head of each document anew, and the entries are put in.
"""

from __future__ import annotations

import re

from feedgen.entry import FeedEntry
from feedgen.ext.base import BaseEntryExtension, BaseExtension
from feedgen.feed import FeedGenerator
from lxml import etree

from publisher.feeds.entry_rules import require_good
from publisher.feeds.memo import Memo
from publisher.feeds.names import FH, TOMBSTONES
from publisher.feeds.texts import rfc3339, text_or_html
from publisher.feeds.value import Entry, Feed

MEDIA_TYPE = "application/atom+xml"
GENERATOR = "publisher"  # without a version: a new release must not change every feed
# Of what could be an entity in a name or a label, the W3C validator warns unless the ampersand is written so.
_PLAIN = re.compile(rb"<(?:name>|category )[^\n]*&amp;[^\n]*")
_END = b"</feed>\n"
_ENTRIES: Memo[tuple[Entry, str], bytes] = Memo(30_000_000)  # 2,000 articles of 1,000 words
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def render(feed: Feed) -> bytes:
    """The document of `feed`, UTF-8; the same feed gives the same bytes on every machine.

    Raises FeedError naming the first entry that cannot be written and the rule it breaks.
    """
    require_good(feed)
    generator = FeedGenerator()
    generator.register_extension("facts", _FeedFacts, _EntryFacts, rss=False)
    generator.facts.feed = feed
    generator.id(feed.feed_id)
    generator.title(text_or_html(feed.title)[1])
    if feed.subtitle:
        generator.subtitle(text_or_html(feed.subtitle)[1])
    generator.updated(feed.updated)
    generator.language(feed.language)
    generator.author({"name": feed.author})
    if feed.rights:
        generator.rights(text_or_html(feed.rights)[1])
    generator.link({"href": feed.archive_url or feed.atom_url, "rel": "self", "type": MEDIA_TYPE})
    generator.link({"href": feed.home_url, "rel": "alternate", "type": "text/html", "hreflang": feed.language})
    for hub in feed.hubs:
        generator.link({"href": hub, "rel": "hub"})  # WebSub, 4
    if feed.license:
        generator.link({"href": feed.license, "rel": "license"})  # RFC 4946
    if feed.icon:
        generator.icon(feed.icon)
    if feed.logo:
        generator.logo(feed.logo)
    for rel, href in _neighbours(feed):
        generator.link({"href": href, "rel": rel, "type": MEDIA_TYPE})
    generator.generator(GENERATOR)
    head = _PLAIN.sub(_marked, generator.atom_str(pretty=True)).removesuffix(_END)
    return b"".join((head, *(_entry(entry, feed.language) for entry in feed.entries), _END))


def _marked(line: re.Match[bytes]) -> bytes:
    return line[0].replace(b"&amp;", b"&#x26;")


def _neighbours(feed: Feed) -> list[tuple[str, str]]:
    """RFC 5005, 3 and 4: the documents that hold the rest of the feed."""
    links = (
        ("current", feed.atom_url if feed.archive_url else None),
        ("prev-archive", feed.prev_archive),
        ("next-archive", feed.next_archive),
        ("next", feed.older.get("atom")),
    )
    return [(rel, href) for rel, href in links if href]


def _entry(entry: Entry, feed_language: str) -> bytes:
    """The lines of an entry in every feed of that language."""
    lines = _ENTRIES.get((entry, feed_language))
    if lines is None:
        lines = _written(entry, feed_language)
        _ENTRIES.put((entry, feed_language), lines, 2 * len(lines))  # the key has the same texts
    return lines


def _written(entry: Entry, feed_language: str) -> bytes:
    item = FeedEntry()
    item.register_extension("facts", _EntryFacts, rss=False)
    item.facts.entry = entry
    item.facts.feed_language = feed_language
    item.id(entry.entry_id)
    item.title(text_or_html(entry.title)[1])
    item.updated(entry.updated)
    item.published(entry.published)
    item.link({"href": entry.url})
    if entry.author:
        item.author({"name": entry.author})
    if entry.summary:
        kind, text = text_or_html(entry.summary)
        item.summary(text, type=kind)
    if entry.content:
        item.content(entry.content, type="html")
    item.category([{"term": c.term, "scheme": c.scheme, "label": c.label} for c in entry.categories])
    feed = etree.Element("feed")  # around it, for the indentation
    feed.append(item.atom_entry())
    lines: bytes = etree.tostring(feed, pretty_print=True, encoding="UTF-8", xml_declaration=False)
    return _PLAIN.sub(_marked, lines.removeprefix(b"<feed>\n").removesuffix(_END))


class _FeedFacts(BaseExtension):  # type: ignore[misc]
    feed: Feed

    def extend_ns(self) -> dict[str, str]:
        """Only what is used: a namespace without use would change the bytes of feeds that have no history."""
        history = self.feed.complete or self.feed.archive_url
        return ({"fh": FH} if history else {}) | ({"at": TOMBSTONES} if self.feed.tombstones else {})

    def extend_atom(self, feed: etree._Element) -> etree._Element:
        for name, plain in (("title", self.feed.title), ("subtitle", self.feed.subtitle), ("rights", self.feed.rights)):
            _declare(feed, name, plain)
        _date(feed, "updated", rfc3339(self.feed.updated))
        if self.feed.complete:
            etree.SubElement(feed, f"{{{FH}}}complete")  # RFC 5005, 2
        if self.feed.archive_url:
            etree.SubElement(feed, f"{{{FH}}}archive")  # RFC 5005, 4
        for tombstone in self.feed.tombstones:  # RFC 6721, 3; before the entries, where extensions have their place
            when = rfc3339(tombstone.when)
            etree.SubElement(feed, f"{{{TOMBSTONES}}}deleted-entry", ref=tombstone.entry_id, when=when)
        return feed


class _EntryFacts(BaseEntryExtension):  # type: ignore[misc]
    entry: Entry
    feed_language: str

    def extend_atom(self, entry: etree._Element) -> etree._Element:
        facts = self.entry
        if facts.language != self.feed_language:
            entry.set(_LANG, facts.language)
        _declare(entry, "title", facts.title)
        _date(entry, "updated", rfc3339(facts.updated))
        _date(entry, "published", rfc3339(facts.published))
        link = entry.find("link")
        assert link is not None
        link.set("rel", "alternate")
        link.set("type", "text/html")
        link.set("hreflang", facts.language)
        if facts.source_url:
            link.addnext(etree.Element("link", rel="via", href=facts.source_url))
        return entry


def _declare(parent: etree._Element, name: str, plain: str) -> None:
    """Say that the text construct is HTML (RFC 4287, 3.1.1); text is what it is without saying."""
    element = parent.find(name)
    if element is not None and text_or_html(plain)[0] == "html":
        element.set("type", "html")


def _date(parent: etree._Element, name: str, date: str) -> None:
    element = parent.find(name)
    assert element is not None
    element.text = date
