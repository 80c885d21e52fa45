"""The feeds of 10,000 articles by us and by others, side by side in one run: seconds, memory, ratios.

    .venv/bin/python bench/peers.py [--articles 10000] [--rounds 3] [--venv FOLDER]

20 topics, two for each article, about 900 words, full content in every feed. Everybody is a whole process, from its
start to its end as the system accounts for it, its memory with that of the processes it started; rounds are
interleaved, for the machine may have other work; medians.
The site is built three ways: feeds of the newest 50; feeds that hold every article (ours and the libraries'
in documents of 50, Hugo's and Pelican's in one document each); and feeds of 50 with a page for each article and topic.
Hugo is Debian's package. Pelican (with `markdown`) and feedgenerator are taken from the venv in FOLDER, which is made
with pip when it is missing. Who is not there is skipped, and it is said why. docs/performance.md has our figures.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import peers_corpus
from processes import Children, Cost, medians

HERE = Path(__file__).parent
NEW = 8  # further articles, for runs with one new article each
NEWEST, EVERY, SITE = "feeds of 50", "feeds of all", "with pages"
ONE_NEW = "one new article"
TIME, MEMORY, ONE = 0.5, 0.3, 0.03  # of Hugo's

OUR_CONFIG = """
[site]
title = "News"
base_url = "https://news.example/"
tag_authority = "news.example"
author = "Newsroom"

[[source]]
path = "data/articles"
"""
HUGO_CONFIG = """
ignoreErrors = ["error-disable-taxonomy"]
baseURL = "https://news.example/"
title = "News"
disableKinds = ["section", "taxonomy", "sitemap", "robotsTXT", "404"]
[taxonomies]
tag = "tags"
[outputs]
home = [FORMATS]
term = [FORMATS]
"""
HUGO_WITHOUT_PAGES = """
[[cascade]]
[cascade._build]
render = "link"
[cascade._target]
kind = "page"
"""
HUGO_PAGE = """<!doctype html><html lang="en"><head><title>{{ .Title }}</title></head>
<body><h1>{{ .Title }}</h1>{{ .Content }}
{{ range first 50 .Pages }}<p><a href="{{ .RelPermalink }}">{{ .Title }}</a> {{ .Summary }}</p>{{ end }}</body></html>
"""
HUGO_RSS = """{{ printf "<?xml version=\\"1.0\\" encoding=\\"utf-8\\"?>" | safeHTML }}
<rss version="2.0"><channel><title>{{ .Title }}</title><link>{{ .Permalink }}</link><description>News</description>
{{ $pages := .Pages }}{{ if .IsHome }}{{ $pages = .Site.RegularPages }}{{ end }}{{ range LIMIT $pages.ByDate.Reverse }}
<item><title>{{ .Title }}</title><link>{{ .Permalink }}</link><guid>{{ .Permalink }}</guid>
<pubDate>{{ .Date.Format "Mon, 02 Jan 2006 15:04:05 -0700" }}</pubDate>
{{ range .Params.tags }}<category>{{ . }}</category>{{ end }}
<description>{{ .Content | html }}</description></item>
{{ end }}</channel></rss>
"""
PELICAN_CONFIG = """
SITENAME, SITEURL, FEED_DOMAIN, AUTHOR = "News", "https://news.example", "https://news.example", "Newsroom"
TIMEZONE, DEFAULT_LANG, PATH, OUTPUT_PATH = "UTC", "en", "content", "output"
FEED_MAX_ITEMS = LIMIT
TAG_FEED_ATOM, FEED_ALL_ATOM = "feeds/{slug}.atom", "feeds/all.atom"
CATEGORY_FEED_ATOM = TRANSLATION_FEED_ATOM = AUTHOR_FEED_ATOM = AUTHOR_FEED_RSS = None
ARTICLE_SAVE_AS = PAGE_SAVE_AS = TAG_SAVE_AS = CATEGORY_SAVE_AS = AUTHOR_SAVE_AS = DRAFT_SAVE_AS = ""
DIRECT_TEMPLATES, STATIC_PATHS, PLUGINS = [], [], []
"""


Build = tuple[str, str, Callable[[], Cost]]
"""Who, what, and how it is built once."""


class Bench:
    """A scratch folder with the same articles as everybody reads them."""

    def __init__(self, folder: Path, venv: Path, articles: int, rounds: int) -> None:
        self._folder = folder
        self._venv = venv
        self._articles = articles
        self._rounds = rounds
        self._costs: dict[tuple[str, str], list[Cost]] = {}
        self._inside: dict[str, list[tuple[float, float]]] = {}
        peers_corpus.write_json_lines(folder / "html.jsonl", peers_corpus.items(articles), body="html")

    def run(self) -> None:
        self._make_ours()
        builds = [*self._ours(), *self._hugo(), *self._pelican(), *self._libraries()]
        for _ in range(self._rounds):
            for who, what, build in builds:
                self._costs.setdefault((what, who), []).append(build())
        for number in range(NEW):
            self._one_new_process(number)
        self._one_new_inside()
        self._tell()

    # --- who is measured ----------------------------------------------------------------------------------------------

    def _make_ours(self) -> None:
        site = self._folder / "ours"
        (site / "data/articles").mkdir(parents=True)
        topics = (f'[topics.{t}]\nlabel = "{t}"\ndescription = "{t}"\nwords = ["{t}"]\n' for t in peers_corpus.TOPICS)
        (site / "config.toml").write_text(OUR_CONFIG + "".join(topics), encoding="utf-8")
        articles = self._folder / "news.jsonl"
        peers_corpus.write_json_lines(articles, peers_corpus.items(self._articles), body="body")
        cost = self._publisher("import", articles)
        print(f"our import, which the builds below do not repeat: {cost.wall:.1f} s, {cost.peak:.0f} MB", flush=True)
        cost = self._publisher("publish", "--no-digest")
        print(f"our first publish, with all pages and archives:   {cost.wall:.1f} s, {cost.peak:.0f} MB", flush=True)

    def _ours(self) -> list[Build]:
        def feeds(what: str, mode: str) -> Cost:
            target = self._folder / "feeds"
            shutil.rmtree(target, ignore_errors=True)
            cost = self._python(sys.executable, "peers_ours.py", mode, "config.toml", target)
            expected = len(peers_corpus.TOPICS) + 1
            _expect(len(list((target / "feeds").glob("*.atom"))) == expected, "not all of our feeds are there")
            self._note_inside(what)
            return cost

        def rebuild() -> Cost:
            self._python(sys.executable, "peers_ours.py", "rebuild", "config.toml")
            self._note_inside(SITE)
            return self._publisher("publish", "--no-digest", "--rebuild")

        return [
            ("publisher", NEWEST, lambda: feeds(NEWEST, "newest")),
            ("publisher", EVERY, lambda: feeds(EVERY, "all")),
            ("publisher", SITE, rebuild),
        ]

    def _hugo(self) -> list[Build]:
        if shutil.which("hugo") is None:
            print("Hugo is skipped: apt-get install -y hugo")
            return []
        content = self._folder / "hugo-content/posts"
        peers_corpus.write_hugo(content, peers_corpus.items(self._articles))

        def build(what: str) -> Build:
            site = self._folder / f"hugo-{what.replace(' ', '-')}"
            layouts = site / "layouts/_default"
            layouts.mkdir(parents=True)
            (site / "content").symlink_to(content.parent)
            formats = '"HTML", "RSS"' if what == SITE else '"RSS"'
            config = HUGO_CONFIG.replace("FORMATS", formats) + ("" if what == SITE else HUGO_WITHOUT_PAGES)
            (site / "config.toml").write_text(config)
            limit = self._articles if what == EVERY else peers_corpus.BLOCK
            (layouts / "rss.xml").write_text(HUGO_RSS.replace("LIMIT", f"first {limit}"))
            for name in ("single", "list") if what == SITE else ():
                (layouts / f"{name}.html").write_text(HUGO_PAGE)

            def once() -> Cost:
                shutil.rmtree(site / "public", ignore_errors=True)
                cost = self._run(site, "hugo")
                _expect(len(list((site / "public").rglob("*.xml"))) == len(peers_corpus.TOPICS) + 1, "Hugo's feeds")
                return cost

            return "Hugo", what, once

        return [build(what) for what in (NEWEST, EVERY, SITE)]

    def _pelican(self) -> list[Build]:
        program = self._venv / "bin/pelican"
        if not program.exists():
            print(f"Pelican is skipped: it is not in {self._venv}")
            return []
        site = self._folder / "pelican"
        peers_corpus.write_pelican(site / "content", peers_corpus.items(self._articles))

        def once(limit: int | None) -> Cost:
            (site / "pelicanconf.py").write_text(PELICAN_CONFIG.replace("LIMIT", str(limit)))
            shutil.rmtree(site / "output", ignore_errors=True)
            cost = self._run(site, program, "-s", "pelicanconf.py")
            _expect(len(list((site / "output").rglob("*.atom"))) == len(peers_corpus.TOPICS) + 1, "Pelican's feeds")
            return cost

        return [("Pelican", NEWEST, lambda: once(peers_corpus.BLOCK)), ("Pelican", EVERY, lambda: once(None))]

    def _libraries(self) -> list[Build]:
        builds: list[Build] = []
        for name, python in (("feedgenerator", str(self._venv / "bin/python")), ("lxml", sys.executable)):
            if subprocess.run([python, "-c", f"import {name}"], capture_output=True, check=False).returncode:
                print(f"{name} is skipped: {python} has no such module")
                continue
            for what, mode in ((NEWEST, "newest"), (EVERY, "all")):

                def once(name: str = name, python: str = python, mode: str = mode) -> Cost:
                    target = self._folder / name
                    shutil.rmtree(target, ignore_errors=True)
                    return self._python(python, "peers_libraries.py", name, "../html.jsonl", target, mode)

                builds.append((name, what, once))
        return builds

    # --- one new article ----------------------------------------------------------------------------------------------

    def _one_new_process(self, number: int) -> None:
        self._new_article(number)
        cost = self._publisher("publish", "--no-digest")
        if number:  # the first also takes in the settings of the watched folder
            self._costs.setdefault((ONE_NEW, "publisher"), []).append(cost)

    def _one_new_inside(self) -> None:
        articles = self._folder / "more.jsonl"
        more = peers_corpus.items(NEW, first=self._articles + NEW + 1)
        peers_corpus.write_json_lines(articles, more, body="body")
        self._python(sys.executable, "peers_ours.py", "one", "config.toml", articles)
        self._note_inside(ONE_NEW)

    def _note_inside(self, what: str) -> None:
        """Keep what the process just printed of itself: seconds and seconds of processor time, line by line."""
        for line in self._output.read_text().splitlines():
            wall, cpu = map(float, line.split())
            self._inside.setdefault(what, []).append((wall, cpu))

    def _new_article(self, number: int) -> None:
        new = peers_corpus.items(1, first=self._articles + 1 + number)
        peers_corpus.write_json_lines(self._folder / f"ours/data/articles/new-{number}.jsonl", new, body="body")

    # --- what came of it ----------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        print("\n| build | who | wall | processor | peak memory | ours : theirs, wall | memory |")
        print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
        found = {key: medians(costs) for key, costs in self._costs.items()}
        inside = {what: tuple(map(statistics.median, zip(*times, strict=True))) for what, times in self._inside.items()}
        for (what, who), cost in found.items():
            ours = found[what, "publisher"]
            ratios = "" if cost is ours else f" {ours.wall / cost.wall:.2f} | {ours.peak / cost.peak:.2f} |"
            print(f"| {what} | {who} | {cost.wall:.2f} s | {cost.cpu:.2f} s | {cost.peak:.0f} MB |{ratios or ' | |'}")
        for what, (wall, cpu) in inside.items():
            print(f"| {what} | publisher, in the process | {wall:.2f} s | {cpu:.2f} s | | | |")
        if (SITE, "Hugo") not in found:
            return
        print("\n| ours : Hugo's | ratio | wanted |\n| --- | ---: | ---: |")
        for what in (NEWEST, EVERY, SITE):
            hugo, ours = found[what, "Hugo"], found[what, "publisher"]
            _ratio(f"full build, {what}, wall", ours.wall / hugo.wall, TIME)
            _ratio(f"full build, {what}, wall, ours in the process", inside[what][0] / hugo.wall, TIME)
            _ratio(f"full build, {what}, processor", ours.cpu / hugo.cpu, TIME)
            _ratio(f"full build, {what}, memory", ours.peak / hugo.peak, MEMORY)
            _ratio(f"full build, {what}, processor, ours in the process", inside[what][1] / hugo.cpu, TIME)
        for what in (NEWEST, EVERY, SITE):
            rebuild, one = found[what, "Hugo"], found[ONE_NEW, "publisher"]
            _ratio(f"one new article : rebuild of {what}, wall", one.wall / rebuild.wall, ONE)
            _ratio(f"one new article : rebuild of {what}, processor", one.cpu / rebuild.cpu, ONE)
            _ratio(f"one new article, in the process : rebuild of {what}, wall", inside[ONE_NEW][0] / rebuild.wall, ONE)
            _ratio(
                f"one new article, in the process : rebuild of {what}, processor", inside[ONE_NEW][1] / rebuild.cpu, ONE
            )

    # --- running ------------------------------------------------------------------------------------------------------

    def _publisher(self, *arguments: str | Path) -> Cost:
        return self._run(self._folder / "ours", sys.executable, "-m", "publisher", *arguments)

    def _python(self, python: str, script: str, *arguments: str | Path) -> Cost:
        return self._run(self._folder / "ours", python, HERE / script, *arguments)

    @property
    def _output(self) -> Path:
        return self._folder / "output.txt"

    def _run(self, folder: Path, *command: str | Path) -> Cost:
        """Run a command in `folder`; what it printed is in `_output`. A failure ends the program."""
        environment = {n: v for n, v in os.environ.items() if not n.startswith(("PUBLISHER_", "PYTHON", "HUGO_"))}
        environment |= {"PYTHONPYCACHEPREFIX": str(self._folder / "bytecode"), "PYTHONPATH": str(HERE.parent)}
        with self._output.open("wb") as file:
            start = time.perf_counter()
            process = subprocess.Popen(list(map(str, command)), cwd=folder, env=environment, stdout=file, stderr=file)
            children = Children(process.pid)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{' '.join(map(str, command))} failed:\n{self._output.read_text()[-2000:]}")
        return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6 + children.peak)


def _ratio(name: str, ratio: float, wanted: float) -> None:
    print(f"| {name} | {ratio:.3f}{'' if ratio <= wanted else ' (falls short)'} | {wanted} |")


def _expect(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"not what is measured: {what}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the feeds of the same articles by us and by others.")
    parser.add_argument("--articles", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--venv", type=Path, help="has pelican, markdown and feedgenerator; made when missing")
    options = parser.parse_args()
    print(f"{options.articles:,} articles; Python {platform.python_version()}, {os.cpu_count()} processors; medians of "
          f"{options.rounds}; load {os.getloadavg()[0]:.1f}")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="publisher-bench-") as scratch:
        venv = (options.venv or Path(scratch) / "venv").absolute()
        if not (venv / "bin/python").exists():
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            wanted = ["pelican", "markdown", "feedgenerator"]
            # what cannot be installed is skipped below, and it is said
            subprocess.run([venv / "bin/pip", "install", "--quiet", *wanted], check=False)
        Bench(Path(scratch), venv, options.articles, options.rounds).run()
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
