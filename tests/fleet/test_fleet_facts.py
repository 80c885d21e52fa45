"""Atom, RSS and JSON Feed of a published site tell the same facts, each read by somebody else's reader."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import struct_time
from typing import Any

import feedparser
import pytest
from flows.house import FEEDS_ONLY, House
from lxml import etree

from publisher.cli import run

_DC_LANGUAGE = "{http://purl.org/dc/elements/1.1/}language"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_ATOM = "{http://www.w3.org/2005/Atom}"


@dataclass(frozen=True)
class Fact:
    """What an entry says, whatever the format."""

    entry_id: str
    title: str
    url: str
    source: str | None
    published: datetime
    updated: datetime
    summary: str
    content: str
    author: str
    topics: tuple[str, ...]
    language: str


def facts_of_atom(content: bytes) -> list[Fact]:
    read = _read(content)
    entries = etree.fromstring(content).iter(f"{_ATOM}entry")
    languages = [entry.get(_XML_LANG) or read.feed.language for entry in entries]
    return [
        Fact(
            **_common(entry),
            published=_moment(entry.published_parsed),
            summary=_plain(entry.summary_detail),
            author=entry.get("author", read.feed.author),
            topics=tuple(tag.label for tag in entry.get("tags", ())),
            language=language,
        )
        for entry, language in zip(read.entries, languages, strict=True)
    ]


def facts_of_rss(content: bytes) -> list[Fact]:
    read = _read(content)
    items = etree.fromstring(content).iter("item")
    languages = [item.findtext(_DC_LANGUAGE) or read.feed.language for item in items]
    return [
        Fact(
            **_common(entry),
            published=_moment(entry.published_parsed),
            summary=html.unescape(entry.summary),  # a description is HTML
            author=entry.author,
            topics=tuple(tag.term for tag in entry.get("tags", ())),
            language=language,
        )
        for entry, language in zip(read.entries, languages, strict=True)
    ]


def facts_of_json(content: bytes) -> list[Fact]:
    feed = json.loads(content)
    return [
        Fact(
            entry_id=item["id"],
            title=item["title"],
            url=item["url"],
            source=item.get("external_url"),
            published=datetime.fromisoformat(item["date_published"]),
            updated=datetime.fromisoformat(item["date_modified"]),
            summary=item["summary"],
            content=item["content_html"],
            author=item.get("authors", feed["authors"])[0]["name"],
            topics=tuple(item.get("tags", ())),
            language=item.get("language", feed["language"]),
        )
        for item in feed["items"]
    ]


def _read(content: bytes) -> Any:
    read = feedparser.parse(content, sanitize_html=False, resolve_relative_uris=False)
    assert not read.bozo
    return read


def _common(entry: Any) -> dict[str, Any]:
    via = [link.href for link in entry.links if link.rel == "via"]
    return {
        "entry_id": entry.id,
        "title": _plain(entry.title_detail),
        "url": entry.link,
        "source": via[0] if via else None,
        "updated": _moment(entry.updated_parsed),
        "content": entry.content[0].value,
    }


def _plain(text: Any) -> str:
    """A text without markup, as a reader shows it."""
    return html.unescape(text.value) if text.type == "text/html" else str(text.value)


def _moment(parsed: struct_time) -> datetime:
    return datetime(*parsed[:6], tzinfo=UTC)


def compare(site: Path) -> int:
    """Assert that the formats of every feed agree; gives the number of entries compared."""
    compared = 0
    for path in sorted((site / "feeds").glob("*.atom")):
        atom = facts_of_atom(path.read_bytes())
        assert facts_of_rss(path.with_suffix(".rss").read_bytes()) == atom, path
        assert facts_of_json(path.with_suffix(".json").read_bytes()) == atom, path
        compared += len(atom)
    return compared


def test_the_three_formats_of_the_shipped_site_tell_the_same(tmp_path: Path) -> None:
    config = ["--config", str(tmp_path / "config.toml")]
    assert run(["init", str(tmp_path)]) == run(["publish", *config]) == 0
    assert compare(tmp_path / "data/site") > 20


@pytest.mark.parametrize("again", [False, True])
def test_the_three_formats_tell_the_same_of_difficult_articles(house: House, again: bool) -> None:
    house.article("Plain", "Waste on environment & data.", date="2026-02-20", author="Alice Amber")
    house.article("Élan «vert»", "Le *réseau* on environment: <b>déchets</b> & 5 < 6.", language="fr", id=1)
    house.article("خبر", "نص on data.", language="ar", source="https://www.wcoomd.org/en/x.aspx")
    house.article("Emoji", "A container 📦 on environment.\n\n- one\n- two", title="'📦 R&D <in> &amp; ports'")
    house.article("Summed up", "Long text on data.", summary="In short: data & more.")
    house.publish(FEEDS_ONLY)
    if again:
        house.clock.forward(days=3)
        house.article("Élan «vert»", "Corrigé on environment.", language="fr", id=1)
        house.publish(FEEDS_ONLY)
    assert compare(house.site) > 5
