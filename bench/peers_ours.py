"""Our side of bench/peers.py, in processes of their own.

python peers_ours.py newest|all CONFIG FOLDER       all Atom documents of the site, from the store to an empty folder
python peers_ours.py rebuild CONFIG                 `publish --rebuild`, the second one of a process
python peers_ours.py one CONFIG ARTICLES.jsonl      runs with one new article each, as in `publisher serve`

`newest` makes the current feeds, `all` their archives too: each is read, built, rendered, checked by the publish gate,
packed, synced, put in place and recorded in the store. `one` puts a line after the other of ARTICLES.jsonl into the
watched folder; its first runs do not count, they warm it up. Each prints, for every build or run, its seconds and its
seconds of processor time without the process around it.
"""

# ruff: noqa: E402 - what is loaded after the threshold is set is loaded as the program loads it
from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from publisher.__main__ import NEW_OBJECTS

gc.set_threshold(NEW_OBJECTS)

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


def feeds(app: App, folder: Path, *, whole: bool) -> None:
    press, store = app.press, app.store  # made before the clock starts
    start = _clocks()
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
    print(*_since(start))


async def rebuild(app: App) -> None:
    for number in range(2):
        start = _clocks()
        _, report = await publish(app.parts, Order(digests=False, rebuild=True))
        if report.site.problems or not report.site.unchanged:
            sys.exit(f"the run did not do what is measured: {report.site}")
        if number:
            print(*_since(start))


async def one(app: App, articles: Sequence[str]) -> None:
    watched = app.settings.path(Path("data/articles"))
    for number, line in enumerate(articles):
        (watched / f"one-{time.time_ns()}.jsonl").write_text(line + "\n", encoding="utf-8")
        start = _clocks()
        _, report = await publish(app.parts, Order(digests=False))
        used = _since(start)
        if report.ingest.count(ImportOutcome.NEW) != 1 or not report.site.written:
            sys.exit(f"the run did not do what is measured: {report.site}")
        if number >= WARM:
            print(*used)


def main(what: str, config: Path, *argument: Path) -> None:
    app = build(load(config))
    match what:
        case "one":
            asyncio.run(one(app, argument[0].read_text(encoding="utf-8").splitlines()))
        case "rebuild":
            asyncio.run(rebuild(app))
        case _:
            feeds(app, argument[0], whole=what == "all")
    app.close()
    gc.freeze()  # as the program ends


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(start: tuple[float, float]) -> tuple[float, float]:
    """Seconds, and seconds of processor time of all threads, since `_clocks` gave `start`."""
    wall, cpu = _clocks()
    return wall - start[0], cpu - start[1]


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:]))
