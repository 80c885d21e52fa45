"""Which document an address means, and which headers its kind has. Floor: `web`; pure."""

from __future__ import annotations

import mimetypes
import re
from pathlib import PurePosixPath

from publisher.links import INDEX
from publisher.web.representation import Header

MEDIA_TYPES = {
    ".atom": "application/atom+xml",  # RFC 4287, section 7
    ".rss": "application/rss+xml",
    ".json": "application/feed+json",
    ".opml": "text/x-opml",
}
_ANY_ORIGIN: Header = (b"access-control-allow-origin", b"*")
PAGE_HEADERS: tuple[Header, ...] = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src 'self' https:; form-action 'self'; base-uri 'none'; "
        b"frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
)
_ARCHIVE = re.compile(r"feeds/[^/]+/archive-\d+\.[a-z]+")
_DELTA = re.compile(r"feeds/[^/]+\.(atom|rss)")
_PACKED = (".gz", ".br")


def document_path(address: str) -> str | None:
    """The document that the (decoded) path of a URL means, None for what can be none: hidden files such as drafts,
    packed siblings, and whatever might lead out of the folder."""
    path = address.removeprefix("/")
    if path.endswith("/") or not path:
        path += INDEX
    parts = path.split("/")
    if "\\" in path or "\0" in path or path.endswith(_PACKED):
        return None
    return None if any(not part or part.startswith(".") for part in parts) else path


def kind_headers(path: str) -> tuple[tuple[Header, ...], tuple[Header, ...]]:
    """What the answer says of a document by its path: the headers of a full answer, and those of a 304 too."""
    suffix = PurePosixPath(path).suffix
    feed = MEDIA_TYPES.get(suffix)
    media_type = feed or mimetypes.guess_type(path, strict=False)[0] or "application/octet-stream"
    if feed or media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    kind: Header = (b"content-type", media_type.encode())
    if feed:
        return (kind,), (_ANY_ORIGIN,)
    return (kind,), PAGE_HEADERS if suffix == ".html" else ()


def is_frozen(path: str) -> bool:
    """Whether the bytes never change: an archive (RFC 5005, section 4)."""
    return _ARCHIVE.fullmatch(path) is not None


def has_delta(path: str) -> bool:
    """Whether `path` is a feed whose former versions are remembered."""
    return _DELTA.fullmatch(path) is not None
