"""A feed as JSON Feed 1.1 bytes. Floor: in `feeds`, above `value`."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from publisher.feeds.entry_rules import require_good
from publisher.feeds.memo import Memo
from publisher.feeds.texts import rfc3339
from publisher.feeds.value import Entry, Feed

MEDIA_TYPE = "application/feed+json"
VERSION = "https://jsonfeed.org/version/1.1"
_INDENT = "  "  # of an item's lines
_NO_ITEMS = '"items": []\n}'
_ITEMS: Memo[tuple[Entry, str], str] = Memo(20_000_000)  # 1,400 articles of 1,000 words


def render(feed: Feed) -> bytes:
    """The document of `feed`, UTF-8, keys in the order of the specification.

    Raises FeedError naming the first entry that cannot be written and the rule it breaks.
    """
    require_good(feed)
    document = {
        "version": VERSION,
        "title": feed.title,
        "home_page_url": feed.home_url,
        "feed_url": feed.json_url,
        "description": feed.subtitle,
        "next_url": feed.older.get("json"),
        "icon": feed.icon,
        "favicon": feed.small_icon,
        "authors": [{"name": feed.author}],
        "language": feed.language,
        "hubs": [{"type": "WebSub", "url": hub} for hub in feed.hubs],
        "_tombstones": _tombstones(feed),
        "items": [],
    }
    text = _json(_told(document))
    if feed.entries:
        items = ",\n".join(_item(entry, feed.language) for entry in feed.entries)
        text = f'{text.removesuffix(_NO_ITEMS)}"items": [\n{items}\n ]\n}}'
    return f"{text}\n".encode()


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, indent=1)


def _tombstones(feed: Feed) -> dict[str, Any] | None:
    """An extension, for JSON Feed has no word for what was deleted: the members of RFC 6721's element."""
    deleted = [{"ref": tombstone.entry_id, "when": rfc3339(tombstone.when)} for tombstone in feed.tombstones]
    return {"about": "https://www.rfc-editor.org/rfc/rfc6721", "deleted": deleted} if deleted else None


def _item(entry: Entry, feed_language: str) -> str:
    """The lines of an item in every feed of that language: made once, for this is the slow half of Python's JSON."""
    lines = _ITEMS.get((entry, feed_language))
    if lines is None:
        lines = textwrap.indent(_json(_facts(entry, feed_language)), _INDENT)  # no text of it has an end of line
        _ITEMS.put((entry, feed_language), lines, 2 * len(lines))  # the key has the same texts
    return lines


def _facts(entry: Entry, feed_language: str) -> dict[str, Any]:
    # content_html or content_text must be there; HTML goes into the first only
    content = {"content_html": entry.content} if entry.content else {"content_text": entry.summary}
    return _told(
        {
            "id": entry.entry_id,
            "url": entry.url,
            "external_url": entry.source_url,
            "title": entry.title,
            **content,
            "summary": entry.summary,
            "date_published": rfc3339(entry.published),
            "date_modified": rfc3339(entry.updated),
            "authors": [{"name": entry.author}] if entry.author else None,
            "tags": [category.label for category in entry.categories],
            "language": entry.language if entry.language != feed_language else None,
        }
    )


def _told(values: dict[str, Any]) -> dict[str, Any]:
    """`values` without the optional ones that say nothing; a feed without items still says so."""
    return {name: value for name, value in values.items() if value or name == "items"}
