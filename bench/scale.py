"""Does a run with one new article take longer in a larger store? Timed in the process, the stores in turn.

    .venv/bin/python bench/scale.py [--sizes 10000 100000 1000000] [--rounds 15]

A store of each size is filled through the store itself: short articles in twenty topics, two each, with their filings,
closed archives, and every document marked as published at the place where the last run left off. The files of those
documents are not written; a run never looks at them. What is timed is what a run does for one new article: ingest it,
then bring the site up to the store. The sizes take turns, so that other work on the machine slows all of them alike;
medians. Ends with 1 when a larger store takes 1.3 times as long as the smallest. A million needs 4 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import peers_corpus

from publisher.app import App, build
from publisher.config import load
from publisher.feeds.value import mint_entry_id
from publisher.flows.filing import EVERY_ARTICLE
from publisher.flows.ingest import Ingest
from publisher.flows.publish_site import PUBLISHED, publish_site
from publisher.links import archive_path, article_path
from publisher.model import ALL, Article, ImportOutcome, Origin, PublishedDocument, RawArticle
from publisher.store import NewArticle, NewFiling
from publisher.topics import NAMED_BY_ARTICLE

BOUND = 1.3
AT_ONCE = 5_000  # articles in one transaction
WARM = 12
"""Runs before those that count: each topic's feeds are written for the first time in one of them."""
BODY = "<p>The meeting was opened by the Director General, who thanked the hosts for their patience.</p>"
SUMMARY = "The meeting was opened by the Director General."
HASH = "0" * 64
CONFIG = """
[site]
title = "News"
base_url = "https://news.example/"
tag_authority = "news.example"
author = "Newsroom"
"""


@dataclass(slots=True)
class House:
    """A site whose store holds `size` articles. `wall` and `cpu` are the seconds of its runs."""

    folder: Path
    size: int
    app: App = field(init=False)
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        topics = (f'[topics.{slug}]\nlabel = "{slug}"\nwords = ["{slug}"]\n' for slug in peers_corpus.TOPICS)
        (self.folder / "data/articles").mkdir(parents=True)
        config = self.folder / "config.toml"
        config.write_text(CONFIG + "".join(topics), encoding="utf-8")
        self.app = build(load(config, {}))
        start = time.perf_counter()
        self._fill()
        self._close_archives()
        self._say_published()
        took, database = time.perf_counter() - start, self.folder / "data/publisher.db"
        print(f"{self.size:>9,} articles put in: {took:.0f} s, {database.stat().st_size / 1e6:,.0f} MB", flush=True)

    def _fill(self) -> None:
        end = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
        numbers = iter(range(1, self.size + 1))
        while some := list(islice(numbers, AT_ONCE)):
            with self.app.store.write() as tx:
                stamps = tx.articles.next_stamps(len(some))
                articles = [
                    _article(number, stamp, end - timedelta(seconds=self.size - number))
                    for number, stamp in zip(some, stamps, strict=True)
                ]
                tx.articles.add([NewArticle(a, (f"id:{a.key}", f"title:{a.title}"), HASH, "news") for a in articles])
                tx.filings.add(
                    [
                        NewFiling(a.key, topic, EVERY_ARTICLE if topic == ALL else NAMED_BY_ARTICLE, end)
                        for a in articles
                        for topic in (*(a.explicit_topics or ()), ALL)
                    ]
                )
                tx.documents.put([_document(article_path(a.slug), end) for a in articles])

    def _close_archives(self) -> None:
        """As the runs until now would have closed them; each holds one block, and what is left over stays open."""
        entries = self.app.press.entries
        for topic in self.app.press.feeds:
            while True:
                with self.app.store.write() as tx:
                    _, upto = tx.archives.closed()[topic.slug]
                    lines = tx.archives.open_lines(topic.slug, upto, entries * 200)
                    blocks = [lines[at : at + entries] for at in range(0, len(lines) - entries + 1, entries)]
                    rows = tx.archives.close(topic.slug, upto, blocks)
                    tx.archives.mark([(row.topic, row.number) for row in rows], written=True)
                    moment = datetime.now(UTC).replace(microsecond=0)
                    tx.documents.put([_document(archive_path(row.topic, row.number), moment) for row in rows])
                if not rows:
                    break

    def _say_published(self) -> None:
        with self.app.store.write() as tx:
            progress = {"touched": tx.articles.last_touched(), "fingerprint": self.app.press.fingerprint}
            tx.meta.set(PUBLISHED, json.dumps(progress))

    def run(self, number: int, *, counts: bool) -> None:
        app, raw = self.app, _raw(number)
        start, processor = time.perf_counter(), time.process_time()
        now = app.clock()
        ingest = Ingest(app.store, classifier=app.classifier, settings=app.settings, now=now, mint_key=app.mint_key)
        ingest.take([raw])
        report = publish_site(app.store, app.folder, app.press, now=now)
        wall, cpu = time.perf_counter() - start, time.process_time() - processor
        new = ingest.report().count(ImportOutcome.NEW)
        if new != 1 or report.problems or f"articles/new-{number}/index.html" not in report.written:
            sys.exit(f"the run did not do what is measured: {new} new, {report}")
        if counts:
            self.wall.append(wall)
            self.cpu.append(cpu)


def _article(number: int, stamp: int, moment: datetime) -> Article:
    key = f"{number:016}"
    return Article(
        key=key,
        entry_id=mint_entry_id("news.example", 2026, key),
        slug=f"report-{number}",
        title=f"Report {number}",
        summary=SUMMARY,
        body=BODY,
        text=SUMMARY,
        author=None,
        language="en",
        source_url=None,
        published=moment,
        first_seen=moment,
        updated=moment,
        revision=1,
        stamp=stamp,
        explicit_topics=_topics(number),
    )


def _topics(number: int) -> tuple[str, ...]:
    count = len(peers_corpus.TOPICS)
    return peers_corpus.TOPICS[number % count], peers_corpus.TOPICS[(number + 1 + number // count % 9) % count]


def _raw(number: int) -> RawArticle:
    origin = Origin("new")
    one = 2 * number % len(peers_corpus.TOPICS)
    topics = peers_corpus.TOPICS[one : one + 2]  # ten runs touch every topic
    return RawArticle(title=f"New {number}", body=BODY, text=SUMMARY, origin=origin, topics=topics)


def _document(path: str, moment: datetime) -> PublishedDocument:
    return PublishedDocument(path, HASH, 1000, moment)


def _houses(folder: Path, sizes: list[int]) -> Iterator[House]:
    for size in sizes:
        place = folder / str(size)
        place.mkdir()
        yield House(place, size)


def main() -> int:
    parser = argparse.ArgumentParser(description="Time a run with one new article in stores of several sizes.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="publisher-bench-") as scratch:
        houses = list(_houses(Path(scratch), options.sizes))
        for number in range(WARM + options.rounds):
            for house in houses:
                house.run(number, counts=number >= WARM)
        for house in houses:
            house.app.close()
    print("| articles | one new article, wall | processor | wall : smallest | processor : smallest |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    first, grew = houses[0], False
    for house in houses:
        wall, cpu = (statistics.median(times) for times in (house.wall, house.cpu))
        ratios = wall / statistics.median(first.wall), cpu / statistics.median(first.cpu)
        grew |= max(ratios) > BOUND
        print(f"| {house.size:,} | {wall * 1000:.0f} ms | {cpu * 1000:.0f} ms | {ratios[0]:.2f} | {ratios[1]:.2f} |")
    return 1 if grew else 0


if __name__ == "__main__":
    sys.exit(main())
