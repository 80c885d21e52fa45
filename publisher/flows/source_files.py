"""The files of the configured sources, and which of them changed since they were read last. Floor: `flows`.

Reading ten thousand files takes seconds, looking at their dates takes milliseconds; so a run reads only files whose
size or dates differ from the last time. A file in which something was refused is read again by every run, so that the
refusal is told until somebody mends it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Set
from datetime import datetime
from pathlib import Path

from publisher.cleantext import shown_path
from publisher.config import Settings
from publisher.errors import SourceError
from publisher.model import Origin, RawArticle, Refusal
from publisher.sources import Admission, Format, read
from publisher.sources.places import files_of
from publisher.store import Transactions


def admission_of(settings: Settings, now: datetime) -> Admission:
    """What items of today must keep to."""
    return Admission(
        now=now,
        topics=frozenset(settings.topics),
        former=frozenset(settings.renamed_topics),
        language=settings.site.language,
        zone=settings.zone,
    )


class SourceFiles:
    """One look at the sources. `skipped` counts the files that need no reading."""

    def __init__(self, store: Transactions, settings: Settings, now: datetime) -> None:
        self._store = store
        self._admission = admission_of(settings, now)
        self._terms = _fingerprint(self._admission)
        self._marks: dict[str, str] = {}  # of the files that are read now
        self._changed: list[tuple[Path, Format | None]] = []
        self._problems: list[Refusal] = []
        self._all: set[str] = set()
        self.skipped = 0
        with store.read() as tx:
            known = tx.source_files.all()
        for source in settings.source:
            form = None if source.format == "auto" else Format(source.format)
            self._look(settings.path(source.path), form, known)

    def holds(self, place: str) -> bool:
        """Whether `place` is a file that runs read by themselves."""
        return place in self._all

    def changed_items(self) -> Iterator[RawArticle | Refusal]:
        yield from self._problems
        for path, form in self._changed:
            try:
                yield from read(path, admission=self._admission, form=form)
            except SourceError as error:
                yield _refusal(path, error)

    def remember(self, *, except_places: Set[str]) -> None:
        """Note the files that were read whole and good, so that the next run passes over them."""
        good = {place: mark for place, mark in self._marks.items() if place not in except_places}
        with self._store.write() as tx:
            tx.source_files.put(good)

    def _look(self, place: Path, form: Format | None, known: dict[str, str]) -> None:
        try:
            paths = list(files_of(place, form))
        except SourceError as error:
            self._problems.append(_refusal(place, error))
            return
        for path in paths:
            name = shown_path(path)  # as its articles and refusals name it
            if name in self._all:
                continue
            self._all.add(name)
            mark = self._mark(path, form)
            if mark is not None and known.get(name) == mark:
                self.skipped += 1
                continue
            self._changed.append((path, form))
            if mark is not None:
                self._marks[name] = mark

    def _mark(self, path: Path, form: Format | None) -> str | None:
        try:
            now = path.stat()
        except OSError:
            return None  # reading it will say what is wrong
        return f"{now.st_size}:{now.st_mtime_ns}:{now.st_ctime_ns}:{form or 'auto'}:{self._terms}"


def _fingerprint(admission: Admission) -> str:
    """Files are read again when the topics, the language or the zone of the settings change."""
    terms = "\0".join([*sorted(admission.topics | admission.former), "", admission.language, str(admission.zone)])
    return hashlib.sha256(terms.encode()).hexdigest()[:16]


def _refusal(path: Path, error: SourceError) -> Refusal:
    place = shown_path(path)
    return Refusal(Origin(place), str(error).removeprefix(f"{place}: "))
