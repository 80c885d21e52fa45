"""All feeds of a site as one OPML 2.0 list, which readers import in one go. Floor: in `feeds`, above `value`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from lxml import etree

from publisher.cleantext import clean_line
from publisher.feeds.value import FeedSite, everything
from publisher.model import ALL, Topic, TopicGroup

MEDIA_TYPE = "text/x-opml"
_GROUPS = ((TopicGroup.THEME, "Themes"), (TopicGroup.REGION, "Regions"))


def render(topics: Sequence[Topic], site: FeedSite, updated: datetime) -> bytes:
    """The list, UTF-8: the feed of everything first, then a group for themes and one for regions.

    `updated` is the newest date of the feeds. A group has no title and an outline no version: the first belongs to
    outlines with a type only, and for the second OPML has no word for Atom.
    """
    root = etree.Element("opml", version="2.0")
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "title").text = clean_line(site.title)
    etree.SubElement(head, "dateCreated").text = _rfc822(datetime(site.tag_year, 1, 1, tzinfo=UTC))
    etree.SubElement(head, "dateModified").text = _rfc822(updated)
    body = etree.SubElement(root, "body")
    _outline(body, everything(site), site)
    for group, text in _GROUPS:
        members = [topic for topic in topics if topic.group is group and topic.slug != ALL]
        if members:
            parent = etree.SubElement(body, "outline", text=text)
            for topic in members:
                _outline(parent, topic, site)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _outline(parent: etree._Element, topic: Topic, site: FeedSite) -> None:
    label = clean_line(topic.label)
    attributes = {
        "type": "rss",
        "text": label,
        "title": label,
        "description": clean_line(topic.description),
        "xmlUrl": site.links.feed(topic.slug, "atom"),
        "htmlUrl": site.links.topic(topic.slug),
        "language": site.language,
    }
    etree.SubElement(parent, "outline", {name: value for name, value in attributes.items() if value})


def _rfc822(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC))
