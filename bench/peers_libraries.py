"""Atom feeds by libraries that only serialise: Django's feedgenerator, or lxml alone.

python peers_libraries.py feedgenerator|lxml ARTICLES.jsonl FOLDER newest|all

`newest`: a document of the newest 50 per topic and one of everything. `all`: every article, in documents of 50.
The articles are JSON lines with finished HTML, oldest first: nothing is parsed, checked, packed or synced. Needs
nothing but the library, for it runs in a venv of the library's own.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

BLOCK = 50
ATOM = "http://www.w3.org/2005/Atom"
SITE = "https://news.example/"

Article = dict[str, Any]
Render = Callable[[str, Sequence[Article]], bytes]


def feedgenerator(name: str, articles: Sequence[Article]) -> bytes:
    feed = import_module("feedgenerator").Atom1Feed(
        name, SITE, f"News of {name}", feed_url=f"{SITE}{name}.atom", author_name="Newsroom", language="en"
    )
    for article in articles:
        moment = datetime.fromisoformat(article["date"])
        feed.add_item(
            title=article["title"],
            link=f"{SITE}articles/{article['id']}/",
            description=article["html"][:200],
            content=article["html"],
            unique_id=f"tag:news.example,2026:{article['id']}",
            pubdate=moment,
            updateddate=moment,
            categories=article["topics"],
        )
    written: str = feed.writeString("utf-8")
    return written.encode()


def lxml(name: str, articles: Sequence[Article]) -> bytes:
    etree = import_module("lxml.etree")

    def add(parent: Any, tag: str, text: str | None = None, **attributes: str) -> Any:
        element = etree.SubElement(parent, f"{{{ATOM}}}{tag}", attributes)
        element.text = text
        return element

    feed = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})
    add(feed, "id", f"tag:news.example,2026:{name}")
    add(feed, "title", name)
    add(feed, "updated", articles[0]["date"])
    add(feed, "link", rel="self", href=f"{SITE}{name}.atom")
    add(add(feed, "author"), "name", "Newsroom")
    for article in articles:
        entry = add(feed, "entry")
        add(entry, "id", f"tag:news.example,2026:{article['id']}")
        add(entry, "title", article["title"])
        add(entry, "link", rel="alternate", href=f"{SITE}articles/{article['id']}/")
        add(entry, "published", article["date"])
        add(entry, "updated", article["date"])
        for topic in article["topics"]:
            add(entry, "category", term=topic)
        add(entry, "summary", article["html"][:200], type="html")
        add(entry, "content", article["html"], type="html")
    content: bytes = etree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return content


def blocks(lines: Sequence[Article], whole: bool) -> Iterator[Sequence[Article]]:
    """The newest articles first, then, if wanted, all older ones in blocks."""
    newest_first = lines[::-1]
    for start in range(0, len(lines) if whole else BLOCK, BLOCK):
        yield newest_first[start : start + BLOCK]


def main(render: Render, articles: Path, folder: Path, whole: bool) -> None:
    filed: dict[str, list[Article]] = defaultdict(list)
    with articles.open(encoding="utf-8") as file:
        for line in file:
            article = json.loads(line)
            for name in ("all", *article["topics"]):
                filed[name].append(article)
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in filed.items():
        for number, block in enumerate(blocks(lines, whole)):
            (folder / f"{name}-{number}.atom").write_bytes(render(name, block))


if __name__ == "__main__":
    library, source, target, extent = sys.argv[1:]
    main({"feedgenerator": feedgenerator, "lxml": lxml}[library], Path(source), Path(target), extent == "all")
