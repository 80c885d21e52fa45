"""The packed siblings of a document, which any web server can send instead of it. Floor: site.

Both are the same for the same content: no time and no name in them. Pages of articles and issues, and archives of
feeds, get gzip only: there may be ten thousand of them, most are seldom asked for, and each further file costs a sync
of the disk.

gzip is made by zlib-ng, which takes half the time of zlib for as many bytes. An archive is fetched once by whoever
walks back, so it is packed in a third of the time that a feed gets, and is somewhat longer. Brotli at quality 4 saves a
fifth of gzip's bytes on a feed; quality 5 would save another tenth in twice the time.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import brotli
from zlib_ng import zlib_ng

from publisher.links import archive_of
from publisher.model import Document

SUFFIXES = (".gz", ".br")
_WORTH_PACKING = 860  # bytes; below that one packet carries it anyway
_PACKABLE = (".html", ".atom", ".rss", ".json", ".opml", ".css", ".svg", ".xml", ".txt")
_GZIP_ONLY = ("articles/", "issues/")
_GZIP_LEVEL = 6
_GZIP_LEVEL_OF_ARCHIVES = 2
_GZIP_FORMAT = 31  # a gzip head with the largest window; it says no time and no name
_BROTLI_QUALITY = 4

Pack = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class PackedDocument(Document):
    """A document with the bytes of its siblings, by their suffix."""

    packed: Mapping[str, bytes]


def pack(document: Document) -> PackedDocument:
    """`document` with the siblings it is to have."""
    if isinstance(document, PackedDocument):
        return document
    content = document.content
    return PackedDocument(document.path, content, {suffix: by(content) for suffix, by in siblings(document).items()})


def siblings(document: Document) -> Mapping[str, Pack]:
    """The suffix of each sibling that `document` is to have, and what makes its bytes."""
    if len(document.content) < _WORTH_PACKING or not document.path.endswith(_PACKABLE):
        return {}
    if archive_of(document.path):
        return {".gz": partial(gzipped, level=_GZIP_LEVEL_OF_ARCHIVES)}
    if document.path.startswith(_GZIP_ONLY):
        return {".gz": gzipped}
    return {".gz": gzipped, ".br": _brotlied}


def gzipped(content: bytes, level: int = _GZIP_LEVEL) -> bytes:
    """The same bytes for the same content, at any time."""
    return zlib_ng.compress(content, level, wbits=_GZIP_FORMAT)


def unpacks_to(path: Path, content: bytes) -> bool:
    """Whether the sibling at `path` holds `content`. Raises OSError when it cannot be read."""
    packed = path.read_bytes()
    try:
        return (gzip.decompress(packed) if path.suffix == ".gz" else brotli.decompress(packed)) == content
    except (OSError, EOFError, zlib.error, brotli.error):
        return False


def _brotlied(content: bytes) -> bytes:
    packed: bytes = brotli.compress(content, quality=_BROTLI_QUALITY)
    return packed
