"""Documents in memory, as long as their files are the same: a request costs one stat. Floor: `web`."""

from __future__ import annotations

import gzip
import os
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

import brotli

from publisher.errors import PublisherError
from publisher.web.documents import document_path, is_frozen, kind_headers
from publisher.web.negotiation import BROTLI, GZIP
from publisher.web.representation import Header, Representation, absent, represent

CAPACITY = 64 * 1024 * 1024
LARGEST = 8 * 1024 * 1024
"""Bytes of a file that is kept; no document of ours is that large, and what else lies there is sent from the disk."""

_VERSION = 8  # hex digits of its hash that a page names an asset with: assets/style.css?v=...

Stamp = tuple[int, int, int]
ExtraHeaders = Callable[[str], list[tuple[bytes, bytes]]]
"""Further headers of the document at a path, such as Link; asked once for each version of it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A document in memory. `stamp` is that of its file; `document` None: too large; `gone`: an article's page that
    only says it was withdrawn; `lasting`: its bytes never change; `version`: the query that names the present bytes of
    an asset."""

    path: str
    file: str
    stamp: Stamp
    document: Representation | None
    gone: bool = False
    lasting: bool = False
    version: bytes | None = None


class FileCache:
    """The documents below `root`, by the path of their URL; those not asked for longest make room for others.

    `everywhere`: headers of every answer, unless a document has its own.
    """

    def __init__(
        self,
        root: Path,
        *,
        is_withdrawn: Callable[[str], bool],
        extra_headers: ExtraHeaders,
        everywhere: Sequence[Header] = (),
        capacity: int = CAPACITY,
    ) -> None:
        self._root = root
        self._is_withdrawn = is_withdrawn
        self._extra_headers = extra_headers
        self._everywhere = everywhere
        self._capacity = capacity
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._weight = 0

    def get(self, address: str) -> Kept | None:
        """What is in memory of it and still true; never reads a file."""
        kept = self._kept.get(address)
        if kept is None:
            return None
        if stamp_of(kept.file) != kept.stamp:
            self._forget(address)
            return None
        self._kept.move_to_end(address)
        return kept

    def file_of(self, address: str) -> tuple[str, str] | None:
        """The document's path and file, if there is one."""
        path = document_path(address)
        if path is None:
            return None
        file = f"{self._root}/{path}"
        return None if stamp_of(file) is None else (path, file)

    def load(self, path: str, file: str) -> Kept | None:
        """Read it; may be called in any thread. None: it is gone again, or leads out of the folder by a link."""
        try:
            if not Path(file).resolve().is_relative_to(self._root.resolve()):
                return None
            with open(file, "rb") as opened:  # noqa: PTH123  the stamp has to be that of the very file read
                status = os.fstat(opened.fileno())
                stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
                if status.st_size > LARGEST:
                    return Kept(path, file, stamp, None)
                content = opened.read()
        except OSError:
            return None
        kind, lasting = kind_headers(path)
        headers = (*kind, *self._extra_headers(path))
        document = represent(
            content,
            _siblings(file, content),
            modified=int(status.st_mtime),
            headers=headers,
            lasting=(*lasting, *absent((*headers, *lasting), self._everywhere)),
        )
        version = b"v=" + document.sha256[:_VERSION].encode() if path.startswith("assets/") else None
        return Kept(path, file, stamp, document, self._is_gone(path), is_frozen(path), version)

    def keep(self, address: str, kept: Kept) -> None:
        self._forget(address)
        self._kept[address] = kept
        self._weight += _weight(kept)
        while self._weight > self._capacity:
            self._forget(next(iter(self._kept)))

    def _forget(self, address: str) -> None:
        kept = self._kept.pop(address, None)
        if kept is not None:
            self._weight -= _weight(kept)

    def _is_gone(self, path: str) -> bool:
        parts = path.split("/")
        if parts[0] != "articles" or len(parts) != 3:
            return False
        try:
            return self._is_withdrawn(parts[1])
        except PublisherError:
            return False  # the page itself is there, and says what is to say


def stamp_of(file: str) -> Stamp | None:
    """What changes whenever the file does; None if it is no file, or can be none."""
    try:
        status = os.stat(file)  # noqa: PTH116  once per request
    except (OSError, ValueError):
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino) if S_ISREG(status.st_mode) else None


def _siblings(file: str, content: bytes) -> Mapping[str, bytes]:
    """The packed siblings by coding; one that is not of these bytes, because a newer version is just being put in
    place or somebody changed the file by hand, is left out."""
    found = {}
    for coding, suffix, unpack in ((GZIP, ".gz", gzip.decompress), (BROTLI, ".br", brotli.decompress)):
        try:
            packed = Path(file + suffix).read_bytes()
            if unpack(packed) == content:
                found[coding] = packed
        except (OSError, EOFError, zlib.error, brotli.error):
            continue
    return found


def _weight(kept: Kept) -> int:
    return 1000 + (kept.document.weight if kept.document else 0)
