"""The main job, measured: 10,000 articles in 16 topics through the real command line. `make bench` runs it.

    corpus -> import -> publish -> rebuild -> nothing new -> one new article, each a whole process, several times

Prints medians, and ends with 1 when one is over its bound by more than NOISE. docs/performance.md has our figures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import corpus
from processes import Cost, medians, run

BOUNDS = {  # seconds, for 10,000 articles
    "import, JSON lines": 30.0,
    "import, plain text": 30.0,
    "import, Markdown folder": 30.0,
    "first publish": 30.0,
    "rebuild of everything": 10.0,
    "all feeds, in the process": 2.0,
    "nothing new": 1.0,
    "one new article": 2.0,
    "--help": 0.5,
}
NOISE = 1.5
"""A shared machine may take so many times a bound before it counts as broken."""

FEW_DOCUMENTS = 100  # what one new article may touch: its page, and each topic's page and three feeds


class Bench:
    """A scratch folder with the corpus in three formats and an empty site to copy from."""

    def __init__(self, folder: Path, articles: int, runs: int) -> None:
        self._folder = folder
        self._articles = articles
        self._runs = runs
        self._measured: dict[str, Cost] = {}
        corpus.write_json_lines(folder / "news.jsonl", corpus.items(articles))
        corpus.write_plain_text(folder / "news.txt", corpus.items(articles))
        corpus.write_folder(folder / "news", corpus.items(articles))
        self._publisher(folder, "init", "empty", "--empty")
        self._publish(self._fresh_site())  # compiles every module: what is measured finds them compiled

    def measure(self) -> dict[str, Cost]:
        self._measure("--help", self._repeat(lambda: self._publisher(self._folder, "--help")[0], 5))
        self._measure("import, plain text", self._repeat(lambda: self._import("news.txt")))
        self._measure("import, Markdown folder", self._repeat(lambda: self._import("news")))
        imports, publications = zip(*(self._import_and_publish() for _ in range(self._runs)), strict=True)
        self._measure("import, JSON lines", imports)
        self._measure("first publish", publications)
        site = self._folder / "site"
        self._measure("rebuild of everything", self._repeat(lambda: self._rebuild(site)))
        self._measure("all feeds, in the process", self._repeat(lambda: self._feeds(site)))
        self._watch_folder(site)
        self._measure("nothing new", self._repeat(lambda: self._nothing_new(site), 5))
        self._measure("one new article", [self._one_new(site, number) for number in range(1, 6)])
        return self._measured

    def _measure(self, step: str, costs: Iterator[Cost] | tuple[Cost, ...] | list[Cost]) -> None:
        self._measured[step] = cost = medians(list(costs))
        bound = BOUNDS[step]
        verdict = "" if cost.wall <= bound else " over" if cost.wall <= bound * NOISE else " BROKEN"
        took = f"{cost.wall:7.2f} s {cost.cpu:7.2f} s {cost.peak:5.0f} MB"
        print(f"{step:<27} {took}   {bound:5.1f} s{verdict}", flush=True)

    def _repeat(self, once: Callable[[], Cost], runs: int = 0) -> Iterator[Cost]:
        return (once() for _ in range(runs or self._runs))

    def _publisher(self, folder: Path, *arguments: str) -> tuple[Cost, str]:
        return run(folder, "-m", "publisher", *arguments, bytecode=self._folder / "bytecode")

    def _fresh_site(self) -> Path:
        site = self._folder / "site"
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(self._folder / "empty", site)
        return site

    def _import(self, name: str) -> Cost:
        cost, printed = self._publisher(self._fresh_site(), "import", str(self._folder / name))
        _expect(f"{self._articles:,} new" in printed, printed)
        return cost

    def _import_and_publish(self) -> tuple[Cost, Cost]:
        first = self._import("news.jsonl")
        cost, report = self._publish(self._folder / "site")
        _expect(report["site"]["written_count"] > self._articles, report)
        return first, cost

    def _publish(self, site: Path, *more: str) -> tuple[Cost, dict[str, dict[str, int]]]:
        cost, printed = self._publisher(site, "publish", "--no-digest", "--json", *more)
        report: dict[str, dict[str, int]] = json.loads(printed)
        return cost, report

    def _rebuild(self, site: Path) -> Cost:
        cost, report = self._publish(site, "--rebuild")
        _expect(report["site"]["unchanged"] > self._articles, report)
        return cost

    def _feeds(self, site: Path) -> Cost:
        target = self._folder / "feeds"
        shutil.rmtree(target, ignore_errors=True)
        script = Path(__file__).with_name("feeds.py")
        process, printed = run(site, str(script), "config.toml", str(target), bytecode=self._folder / "bytecode")
        wall, processor = map(float, printed.split())
        return Cost(wall, processor, process.peak)

    def _watch_folder(self, site: Path) -> None:
        """From here on each run looks at the folder of Markdown files, all of which it has read once."""
        config = site / "config.toml"
        text = config.read_text(encoding="utf-8")
        config.write_text(text.replace('path = "data/articles"', 'path = "../news"'), encoding="utf-8")
        _, report = self._publish(site)
        _expect(report["ingest"]["new"] == 0, report)

    def _nothing_new(self, site: Path) -> Cost:
        cost, report = self._publish(site)
        _expect(report["site"]["written_count"] == 0 and report["ingest"]["skipped_files"] == self._articles, report)
        return cost

    def _one_new(self, site: Path, number: int) -> Cost:
        corpus.write_folder(self._folder / "news", corpus.items(1, first=self._articles + number))
        cost, report = self._publish(site)
        _expect(report["ingest"]["new"] == 1 and report["site"]["written_count"] < FEW_DOCUMENTS, report)
        return cost


def _expect(holds: bool, found: object) -> None:
    if not holds:
        sys.exit(f"the run did not do what is measured:\n{str(found)[-2000:]}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the main job. The bounds are meant for 10,000 articles.")
    parser.add_argument("--articles", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3, help="of each long step; short ones run five times")
    options = parser.parse_args()
    print(f"{options.articles:,} articles; Python {platform.python_version()}, {os.cpu_count()} processors; medians")
    print(f"{'step':<27} {'wall':>9} {'cpu':>9} {'peak':>8}   {'bound':>7}")
    with tempfile.TemporaryDirectory(prefix="publisher-bench-") as folder:
        measured = Bench(Path(folder), options.articles, options.runs).measure()
    broken = [step for step, cost in measured.items() if cost.wall > BOUNDS[step] * NOISE]
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
