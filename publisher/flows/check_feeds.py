"""Check published feeds: a whole site, files and folders. Floor: `flows`.

    each document -> the gate -> with a site also: what it links to is there, archives form a chain, packed siblings
    hold the same bytes, the three formats list the same entries

Nothing is changed. `check_address` does the same for feeds on the web.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

from publisher.cleantext import shown_path
from publisher.errors import UsageError
from publisher.feeds.check import Kind, check, kind_of
from publisher.feeds.entry_rules import Problem
from publisher.feeds.glance import is_archive, pointers, relations
from publisher.links import INDEX, OPML, Links
from publisher.site.packing import SUFFIXES, unpacks_to

_FORMATS = (Kind.ATOM, Kind.RSS, Kind.JSON)
_ARCHIVES = "RFC 5005, 4"


@dataclass(frozen=True, slots=True)
class Checked:
    """One document: its path or address, what it is ("" for no feed), how many entries it has, what is wrong."""

    document: str
    kind: str
    entries: int
    findings: tuple[Problem, ...]


@dataclass(slots=True)
class _Read:
    """A document while it is being checked."""

    path: str
    kind: Kind | None
    content: bytes
    findings: list[Problem] = field(default_factory=list)

    def checked(self) -> Checked:
        entries = 0 if self.kind is None or self.kind is Kind.OPML else len(pointers(self.kind, self.content))
        return Checked(self.path, self.kind or "", entries, tuple(self.findings))


def check_site(root: Path, links: Links, *, now: datetime) -> list[Checked]:
    """Every feed of the site in the folder `root` and the list of them. UsageError when nothing is published there."""
    paths = [path for path in _feed_files(root / "feeds") if path.is_file()]
    if (root / OPML).is_file():
        paths.append(root / OPML)
    if not paths:
        raise UsageError(f"no feeds in {shown_path(root)}; `publisher publish` makes them, PATH or URL names others")
    read = {document.path: document for document in (_read(path, path.relative_to(root).as_posix()) for path in paths)}
    for path, document in read.items():
        document.findings += check(path, document.content, self_url=links.to(path), now=now)
        document.findings += _siblings(root / path, document.content)
        document.findings += _links(document, root, links)
    for path, document in read.items():
        if document.kind is Kind.ATOM and not is_archive(document.content):
            _walk(path, read, links)
            _compare(path.removesuffix(".atom"), read)
    return [document.checked() for document in read.values()]


def check_files(place: Path, *, now: datetime) -> list[Checked]:
    """A file, or every feed in a folder and those below it; self links are not compared, files have no address.

    UsageError when there is no such place, or no feed in it.
    """
    if place.is_file():
        paths = [place]
    elif place.is_dir():
        paths = list(_feed_files(place))
    else:
        raise UsageError(f"no file or folder {shown_path(place)}")
    if not paths:
        raise UsageError(
            f"no feeds in {shown_path(place)}; their names end in {', '.join('.' + kind for kind in Kind)}"
        )
    found = []
    for path in paths:
        document = _read(path, shown_path(path))
        document.findings += check(path.name, document.content, now=now)
        found.append(document.checked())
    return found


def _feed_files(folder: Path) -> Iterator[Path]:
    """By name; hidden folders hold drafts."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix[1:] in list(Kind) and not hidden:
            yield path


def _read(path: Path, name: str) -> _Read:
    content = path.read_bytes()
    return _Read(name, kind_of(name, content), content)


def _siblings(path: Path, content: bytes) -> Iterator[Problem]:
    """A web server sends the packed sibling instead of the file, so the two must say the same."""
    for suffix in SUFFIXES:
        sibling = path.with_name(path.name + suffix)
        if sibling.is_file() and not unpacks_to(sibling, content):
            yield Problem("RFC 9110, 8.4", f"{sibling.name} holds other bytes than {path.name}; publish again")


def _links(document: _Read, root: Path, links: Links) -> Iterator[Problem]:
    """Pages and feeds of this site that the document points to and that are not there. An archive may point to what
    has been withdrawn since: its bytes never change."""
    if document.kind is None or is_archive(document.content):
        return
    for pointer in pointers(document.kind, document.content):
        path = _path_of(pointer.url, links)
        if path is not None and not (root / path).is_file():
            yield Problem("links", f"{pointer.url} is not published", pointer.entry_id)


def _path_of(url: str, links: Links) -> str | None:
    """The path of the published file behind an address of this site, None for another's address."""
    if not url.startswith(links.base_url):
        return None
    path = unquote(url.removeprefix(links.base_url).partition("#")[0].partition("?")[0])
    return path + INDEX if path == "" or path.endswith("/") else path


def _walk(current: str, read: Mapping[str, _Read], links: Links) -> None:
    """Follow the archives of a feed from the newest to the oldest, and lay what is wrong at the right document."""
    here, seen, newer = read[current], {current}, ""
    while (url := relations(here.content).get("prev-archive")) is not None:
        path = _path_of(url, links)
        if path is None or path not in read:
            here.findings.append(Problem(_ARCHIVES, f"the archive {url} is not published"))
            return
        if path in seen:
            here.findings.append(Problem(_ARCHIVES, f"the archives go round in a circle: {url}"))
            return
        seen.add(path)
        newer, here = here.path, read[path]
        here.findings += _archive(here, current, newer, links)


def _archive(archive: _Read, current: str, newer: str, links: Links) -> Iterator[Problem]:
    said = relations(archive.content)
    if not is_archive(archive.content):
        yield Problem(_ARCHIVES, "an archive without fh:archive")
    if said.get("current") != links.to(current):
        yield Problem(_ARCHIVES, f"its current feed is {said.get('current')}, not {links.to(current)}")
    follower = said.get("next-archive")
    if newer != current and follower is not None and follower != links.to(newer):
        yield Problem(_ARCHIVES, f"the next archive is {follower}, not {links.to(newer)}")


def _compare(stem: str, read: Mapping[str, _Read]) -> None:
    """The formats of one feed list the same entries in the same order."""
    first = read[f"{stem}.{Kind.ATOM}"]
    expected = _ids(first)
    for kind in _FORMATS[1:]:
        other = read.get(f"{stem}.{kind}")
        if other is not None and (ids := _ids(other)) != expected:
            here, there = (", ".join(sorted(set(a) - set(b))) or "none" for a, b in ((ids, expected), (expected, ids)))
            text = f"other entries or another order than {first.path}; only here: {here}; only there: {there}"
            other.findings.append(Problem("one feed, three formats", text))


def _ids(document: _Read) -> list[str]:
    return [] if document.kind is None else [pointer.entry_id for pointer in pointers(document.kind, document.content)]
