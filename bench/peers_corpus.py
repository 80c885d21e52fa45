"""The articles that bench/peers.py gives to everybody: about 800 words each, two of twenty topics each.

Made of the sentences of `corpus`; written as each peer reads them. Markdown of plain paragraphs for Hugo and Pelican,
JSON lines with Markdown for our import, JSON lines with finished HTML for the libraries, which only serialise.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path

import corpus

TOPICS = tuple(f"topic-{number:02}" for number in range(1, 21))
PARTS = 4
"""So many articles of `corpus`, of 150 to 300 words, make one of about 900 with their first sentences."""
FIRST = datetime(2015, 1, 1, tzinfo=UTC)
BLOCK = 50
"""Entries in a feed, and in an archive."""


@dataclass(frozen=True, slots=True)
class Item:
    """One article. `moment` rises with the number, so the newest is the last."""

    number: int
    title: str
    moment: datetime
    topics: tuple[str, str]
    paragraphs: tuple[str, ...]

    @property
    def slug(self) -> str:
        return f"report-{self.number:07}"

    @property
    def html(self) -> str:
        return "".join(f"<p>{escape(paragraph, quote=False)}</p>\n" for paragraph in self.paragraphs)

    @property
    def text(self) -> str:
        return "\n\n".join(self.paragraphs)


def items(count: int, *, first: int = 1) -> Iterator[Item]:
    for number in range(first, first + count):
        parts = list(corpus.items(PARTS, first=number * PARTS))
        one, two = random.Random(number).sample(TOPICS, 2)
        paragraphs = tuple(paragraph for part in parts for paragraph in part.paragraphs)
        title = f"{parts[0].title.partition(':')[0]}: Story {number}"
        yield Item(number, title, FIRST + timedelta(hours=6 * number), (one, two), paragraphs)


def write_json_lines(path: Path, articles: Iterable[Item], *, body: str) -> None:
    """`body` is "html" for finished HTML, "body" for Markdown as our import reads it."""
    with path.open("w", encoding="utf-8") as file:
        for item in articles:
            values: dict[str, object] = {"id": item.slug, "title": item.title, "date": item.moment.isoformat()}
            values |= {"topics": list(item.topics), body: item.html if body == "html" else item.text}
            file.write(json.dumps(values) + "\n")


def write_hugo(folder: Path, articles: Iterable[Item]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for item in articles:
        head = f'---\ntitle: "{item.title}"\ndate: {item.moment.isoformat()}\ntags: [{", ".join(item.topics)}]\n---\n'
        (folder / f"{item.slug}.md").write_text(head + item.text + "\n", encoding="utf-8")


def write_pelican(folder: Path, articles: Iterable[Item]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for item in articles:
        head = f"Title: {item.title}\nDate: {item.moment:%Y-%m-%d %H:%M}\nSlug: {item.slug}\n"
        head += f"Tags: {', '.join(item.topics)}\n\n"
        (folder / f"{item.slug}.md").write_text(head + item.text + "\n", encoding="utf-8")
