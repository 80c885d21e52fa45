"""Our side of bench/peers.py, in processes of their own.

python peers_ours.py newest|all CONFIG FOLDER       all Atom documents of the site, from the store to an empty folder
python peers_ours.py one CONFIG ARTICLES.jsonl      runs with one new article each, as in `publisher serve`

`newest` makes the current feeds, `all` their archives too: each is read, built, rendered, checked by the publish gate,
packed, synced, put in place and recorded in the store; prints the seconds without the process around it. `one` puts a
line after the other of ARTICLES.jsonl into the watched folder and prints the seconds of each run, without the first
two: they warm it up.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from publisher.app import App, build
from publisher.config import load
from publisher.feeds import atom
from publisher.feeds.entry_rules import drop_bad_entries
from publisher.flows.feed_history import Archivist, current_feed
from publisher.flows.run import Order, publish
from publisher.flows.writer import Writer
from publisher.links import feed_path
from publisher.model import Document, ImportOutcome
from publisher.site import SiteFolder

WARM = 2
"""Runs before those that count."""


def feeds(app: App, folder: Path, *, whole: bool) -> float:
    press, store = app.press, app.store  # made before the clock starts
    start = time.perf_counter()
    now = app.clock()
    site = SiteFolder(folder)
    problems: list[str] = []
    with Writer(store, site, app.links, now=now, problems=problems) as writer:
        if whole:
            archivist = Archivist(store, site, press, now, writer)
            archivist.mend()
            archivist.close(press.feeds)
        for topic in press.feeds:
            with store.read() as tx:
                feed, _ = current_feed(tx, topic, press)
            feed, bad = drop_bad_entries(feed, now=now)
            problems += map(str, bad)
            writer.put(Document(feed_path(topic.slug, "atom"), atom.render(feed)))
    if problems:
        sys.exit("\n".join(problems))
    return time.perf_counter() - start


async def one(app: App, articles: Sequence[str]) -> None:
    watched = app.settings.path(Path("data/articles"))
    for number, line in enumerate(articles):
        (watched / f"one-{time.time_ns()}.jsonl").write_text(line + "\n", encoding="utf-8")
        start = time.perf_counter()
        _, report = await publish(app.parts, Order(digests=False))
        seconds = time.perf_counter() - start
        if report.ingest.count(ImportOutcome.NEW) != 1 or not report.site.written:
            sys.exit(f"the run did not do what is measured: {report.site}")
        if number >= WARM:
            print(seconds)


def main(what: str, config: Path, argument: Path) -> None:
    app = build(load(config))
    if what == "one":
        asyncio.run(one(app, argument.read_text(encoding="utf-8").splitlines()))
    else:
        print(feeds(app, argument, whole=what == "all"))
    app.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
