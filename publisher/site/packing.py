"""The packed siblings of a document, which any web server can send instead of it. Floor: site.

Both are the same for the same content: no time and no name in them. Pages of articles and issues, and archives of
feeds, get gzip only: there may be ten thousand of them, most are seldom asked for, and each further file costs a sync
of the disk.

Brotli at quality 4 takes a third of gzip's time and saves a fifth of its bytes on a feed. Quality 5 would save another
tenth in twice the time, quality 11 a fifth in two hundred times.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import brotli

from publisher.links import archive_of
from publisher.model import Document

SUFFIXES = (".gz", ".br")
_WORTH_PACKING = 860  # bytes; below that one packet carries it anyway
_PACKABLE = (".html", ".atom", ".rss", ".json", ".opml", ".css", ".svg", ".xml", ".txt")
_GZIP_ONLY = ("articles/", "issues/")
_GZIP_LEVEL = 6
_BROTLI_QUALITY = 4

Pack = Callable[[bytes], bytes]


def siblings(document: Document) -> Mapping[str, Pack]:
    """The suffix of each sibling that `document` is to have, and what makes its bytes."""
    if len(document.content) < _WORTH_PACKING or not document.path.endswith(_PACKABLE):
        return {}
    if document.path.startswith(_GZIP_ONLY) or archive_of(document.path):
        return {".gz": _gzipped}
    return {".gz": _gzipped, ".br": _brotlied}


def unpacks_to(path: Path, content: bytes) -> bool:
    """Whether the sibling at `path` holds `content`. Raises OSError when it cannot be read."""
    packed = path.read_bytes()
    try:
        return (gzip.decompress(packed) if path.suffix == ".gz" else brotli.decompress(packed)) == content
    except (OSError, EOFError, zlib.error, brotli.error):
        return False


def _gzipped(content: bytes) -> bytes:
    return gzip.compress(content, _GZIP_LEVEL, mtime=0)


def _brotlied(content: bytes) -> bytes:
    packed: bytes = brotli.compress(content, quality=_BROTLI_QUALITY)
    return packed
