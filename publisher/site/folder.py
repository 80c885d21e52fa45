"""Writes documents below the output folder; old bytes stay until the new ones are whole. Floor: door to the disk.

    documents -> changed ones -> drafts, synced (many at a time) -> renamed in the order given -> folders synced

A draft lies in a folder of its own below the output folder, so it is on the same disk, no half document ever has a
published name, and what a killed process left behind is found without walking the site. A document that compresses
well has packed siblings (``index.html.gz``), which any web server can send instead; they are renamed first.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from publisher.errors import SiteError
from publisher.model import Document, PublishedDocument
from publisher.site.drafts import Drafts, explained, sync_folder
from publisher.site.packing import SUFFIXES, pack, siblings, unpacks_to

_BATCH = 256  # documents whose drafts wait for their renaming at the same time
_THREADS = 8  # a sync is waiting, and the disk takes several at once
_NAME_LIMIT = 255 - len(".gz")  # bytes in one name, on most file systems


@dataclass(frozen=True, slots=True)
class WriteReport:
    """`written`: what has to be remembered of each document written, in order; `unchanged`: how many were left."""

    written: tuple[PublishedDocument, ...]
    unchanged: int


@dataclass(frozen=True, slots=True)
class _Job:
    """One document to write, where, and what will be known of it."""

    document: Document
    published: PublishedDocument
    target: Path


class SiteFolder:
    """The output folder. One process writes at a time (the run lock sees to it); any number may read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._checked: set[Path] = set()

    @property
    def root(self) -> Path:
        """The output folder itself; it need not exist before the first write."""
        return self._root

    def compare(
        self, documents: Iterable[Document], known: Mapping[str, PublishedDocument], now: datetime
    ) -> WriteReport:
        """What `write` would report; nothing is touched."""
        seen: set[str] = set()
        jobs = [self._job(document, known, now, seen) for document in documents]
        written = tuple(job.published for job in jobs if job is not None)
        return WriteReport(written, len(jobs) - len(written))

    def write(
        self, documents: Iterable[Document], known: Mapping[str, PublishedDocument], now: datetime
    ) -> WriteReport:
        """Write the documents whose bytes are not there yet, in the order given.

        `known` is what earlier calls reported, by path. A document with the known bytes whose file is there is not
        touched. When the bytes of a path change, `first_written` rises by a second at least, so that no reader's
        If-Modified-Since misses it; the file's time is set to it. Raises SiteError at the first document that cannot
        be written: its old bytes and those of all after it are still in place.
        """
        written: list[PublishedDocument] = []
        unchanged = 0
        seen: set[str] = set()
        remaining = iter(documents)
        self._checked.clear()
        with explained(self._root, "prepare"):
            self._root.mkdir(parents=True, exist_ok=True)
        with Drafts(self._root) as drafts, ThreadPoolExecutor(_THREADS) as pool:
            while batch := list(islice(remaining, _BATCH)):
                jobs = [job for document in batch if (job := self._job(document, known, now, seen)) is not None]
                unchanged += len(batch) - len(jobs)
                self._write_batch(jobs, drafts, pool)
                written += [job.published for job in jobs]
        return WriteReport(tuple(written), unchanged)

    def missing(self, known: Mapping[str, PublishedDocument]) -> tuple[str, ...]:
        """The known paths whose file is gone or has another size, in the order of `known`."""
        return tuple(path for path, published in known.items() if _size(self._target(path)) != published.size)

    def documents(self, folders: Iterable[str]) -> Iterator[str]:
        """The path of each file below these folders that could be a document, whoever put it there."""
        above = len(f"{self._root}{os.sep}")
        for name in folders:
            for folder, _, files in os.walk(self._root / name):
                below = folder[above:].replace(os.sep, "/")
                paths = (f"{below}/{file}" for file in files if not file.endswith(SUFFIXES))
                yield from (path for path in paths if all(map(_is_plain_name, path.split("/"))))

    def remove(self, paths: Iterable[str]) -> None:
        """Delete these documents and folders left empty; one that is gone already is no error. Raises SiteError."""
        folders: set[Path] = set()
        for path in paths:
            target = self._target(path)
            self._check_folder(target.parent)
            with explained(target, "remove"):
                target.unlink(missing_ok=True)
                for suffix in SUFFIXES:
                    _sibling(target, suffix).unlink(missing_ok=True)
            folders.add(target.parent)
        for folder in folders:
            stays = self._remove_empty(folder)
            if stays.exists():
                sync_folder(stays)

    def _job(
        self, document: Document, known: Mapping[str, PublishedDocument], now: datetime, seen: set[str]
    ) -> _Job | None:
        """What to write, None where nothing is to do."""
        target = self._target(document.path)
        if document.path in seen:
            raise SiteError(f"{document.path} was given twice in one write")
        seen.add(document.path)
        digest = hashlib.sha256(document.content).hexdigest()
        before = known.get(document.path)
        if before is not None and before.sha256 == digest:
            if _holds(target, document, before.first_written):
                return None
            first_written = _again(before, target)
        else:
            first_written = _later(now, before, target)
        published = PublishedDocument(document.path, digest, len(document.content), first_written)
        return _Job(document, published, target)

    def _write_batch(self, jobs: Sequence[_Job], drafts: Drafts, pool: ThreadPoolExecutor) -> None:
        """Each draft is whole and on the disk before the first one gets its name, so a full disk changes nothing."""

        def draft(job: _Job) -> tuple[Path, dict[str, Path]]:
            moment = job.published.first_written.timestamp()
            with explained(job.target, "write"):
                self._check_folder(job.target.parent)
                job.target.parent.mkdir(parents=True, exist_ok=True)
                packed = {s: drafts.write(content, moment) for s, content in pack(job.document).packed.items()}
                return drafts.write(job.document.content, moment), packed

        for job, (plain, packed) in zip(jobs, list(pool.map(draft, jobs)), strict=True):
            with explained(job.target, "write"):
                for suffix in SUFFIXES:
                    if suffix in packed:
                        packed[suffix].replace(_sibling(job.target, suffix))
                    else:
                        _sibling(job.target, suffix).unlink(missing_ok=True)
                plain.replace(job.target)
        folders = {job.target.parent for job in jobs}
        list(pool.map(sync_folder, folders | {folder.parent for folder in folders if folder != self._root}))

    def _target(self, path: str) -> Path:
        """The file of a document's path; refuses whatever could lead out of the folder or hide in it."""
        parts = path.split("/")
        if not all(_is_plain_name(part) for part in parts) or path.endswith(SUFFIXES):
            raise SiteError(f"{path!r} is not a path for a document; use names of letters, digits, '-', '_' and '.'")
        return self._root.joinpath(*parts)

    def _check_folder(self, folder: Path) -> None:
        """A link that somebody put below the output folder must not lead our writing elsewhere."""
        if folder == self._root or folder in self._checked:
            return
        self._check_folder(folder.parent)
        if folder.is_symlink():
            raise SiteError(f"{folder} is a link, and documents are not written through links; remove it")
        self._checked.add(folder)

    def _remove_empty(self, folder: Path) -> Path:
        """Remove `folder` and those above it as long as they are empty; returns the first that stays."""
        while folder != self._root:
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass
            except OSError:
                break  # not empty
            folder = folder.parent
        return folder


def _later(now: datetime, before: PublishedDocument | None, target: Path) -> datetime:
    """A time for new bytes that is after the one of the old bytes, also of those that nobody recorded."""
    moment = now
    if before is not None:
        moment = max(moment, before.first_written + timedelta(seconds=1))
    on_disk = _modified(target)
    return moment if on_disk is None else max(moment, on_disk + timedelta(seconds=1))


def _again(before: PublishedDocument, target: Path) -> datetime:
    """The time of known bytes that come back: the old one, unless other bytes have been there since."""
    on_disk = _modified(target)
    if on_disk is None or on_disk <= before.first_written:
        return before.first_written
    return on_disk + timedelta(seconds=1)


def _modified(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    except OSError:
        return None


def _holds(target: Path, document: Document, first_written: datetime) -> bool:
    """Whether file and siblings have these bytes. One with our time has (a plain one also by size), others are read."""
    content, wanted = document.content, siblings(document)
    ours = int(first_written.timestamp())
    name = str(target)  # asked ten thousand times by a run that changes nothing, and a Path takes longer than the disk
    try:
        status = os.stat(name)  # noqa: PTH116
        if status.st_size != len(content):
            return False
        if int(status.st_mtime) != ours and target.read_bytes() != content:
            return False
        return all(
            int(os.stat(name + suffix).st_mtime) == ours or unpacks_to(_sibling(target, suffix), content)  # noqa: PTH116
            if suffix in wanted
            else not os.path.exists(name + suffix)  # noqa: PTH110
            for suffix in SUFFIXES
        )
    except OSError:
        return False


def _sibling(target: Path, suffix: str) -> Path:
    return target.with_name(target.name + suffix)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _is_plain_name(name: str) -> bool:
    return (
        bool(name)
        and not name.startswith(".")
        and name.isprintable()
        and "\\" not in name
        and ":" not in name
        and len(name.encode("utf-8", "replace")) <= _NAME_LIMIT
    )
