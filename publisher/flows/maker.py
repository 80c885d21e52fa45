"""Atom documents of feeds, from the first judgement to the packed bytes; also the life of a process that makes them.
Floor: `flows`.

Such a process loads what this module loads, and no more: no store, no settings.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from publisher.errors import FeedError
from publisher.feeds import atom
from publisher.feeds.check import require_sound
from publisher.feeds.entry_rules import drop_bad_entries
from publisher.feeds.value import Feed
from publisher.links import Links, archive_of
from publisher.model import Document
from publisher.site.packing import PackedDocument, pack


@dataclass(frozen=True, slots=True)
class Task:
    """Feeds to make Atom documents of, by their path."""

    feeds: Mapping[str, Feed]
    links: Links
    now: datetime


@dataclass(frozen=True, slots=True)
class Made:
    """The documents of a task that may be published; `problems` says of entries and documents why they may not."""

    documents: Sequence[PackedDocument]
    problems: Sequence[str]


def make(task: Task) -> Made:
    documents: list[PackedDocument] = []
    problems: list[str] = []
    for path, feed in task.feeds.items():
        good, bad = drop_bad_entries(feed, now=task.now)
        problems.extend(f"{path}: {problem}" for problem in bad)
        try:
            content = atom.render(good)
            require_sound(feed.slug, path, content, self_url=task.links.to(path), now=task.now)
        except FeedError as error:
            problems.append(refusal(path, error))
        else:
            documents.append(pack(Document(path, content)))
    return Made(documents, problems)


def work() -> None:
    """The life of a maker: tasks in, what was made of them out, until nobody is there any more."""
    tasks = sys.stdin.buffer
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anybody prints is no result
    with suppress(OSError, EOFError):
        while True:
            task: Task = pickle.load(tasks)  # noqa: S301  (our own process)
            pickle.dump(make(task), results, pickle.HIGHEST_PROTOCOL)
            results.flush()


def refusal(path: str, error: FeedError) -> str:
    """Says that the document at `path` is not published, and why."""
    kept = "cannot be written" if archive_of(path) else "keeps its last good version"
    return f"{path} {kept}: {error}"
