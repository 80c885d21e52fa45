"""A document as HTTP knows it: one variant per content coding, and the answer to a request for it. Floor: `web`; pure.

Each variant has a strong entity tag made from its own bytes: the document's hash, and for a packed one its coding and
the hash of the packed bytes. So the first digits of any tag say which version of the document it was.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import NamedTuple

from starlette.types import Send

from publisher.web.conditions import Unsatisfiable, byte_range, fails, not_modified, tags
from publisher.web.negotiation import IDENTITY, Fields, codings

Header = tuple[bytes, bytes]

_DIGEST = 32  # hex digits of SHA-256 in an entity tag
_OURS = re.compile(rb'"([0-9a-f]{32})(?:-(?:gzip|br)-[0-9a-f]{8})?"')
_CONDITIONS = frozenset((b"if-none-match", b"if-modified-since", b"if-match", b"if-unmodified-since", b"range"))
_DEMANDS = frozenset((b"if-match", b"if-unmodified-since"))
_VARY = (b"vary", b"Accept-Encoding")


class Answer(NamedTuple):
    """`lines`: its headers as HTTP/1.1 writes them, where they lie ready."""

    status: int
    headers: Sequence[Header]
    body: bytes = b""
    lines: bytes = b""

    async def send(self, send: Send, *, head: bool = False) -> None:
        """As ASGI messages; `head` leaves the body out and its length in the header."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"" if head else self.body})


@dataclass(frozen=True, slots=True)
class Variant:
    """One coding of a document. `headers` are those of a full answer, `brief` those of a 304; both without the
    Cache-Control, which changes with the time. `lines` and `brief_lines` are the same as HTTP/1.1 writes them.
    `_last` are the last answers made of it: their Cache-Control stays the same for a second at least."""

    etag: bytes
    body: bytes
    headers: tuple[Header, ...]
    brief: tuple[Header, ...]
    lines: bytes
    brief_lines: bytes
    _last: dict[int, tuple[bytes, Answer]] = field(default_factory=dict, repr=False, compare=False)

    def whole(self, cache_control: bytes) -> Answer:
        return self._answer(200, cache_control)

    def unchanged(self, cache_control: bytes) -> Answer:
        return self._answer(304, cache_control)

    def _answer(self, status: int, cache_control: bytes) -> Answer:
        known = self._last.get(status)
        if known is not None and known[0] == cache_control:
            return known[1]
        full = status == 200
        control = (b"cache-control", cache_control)
        headers = (*(self.headers if full else self.brief), control)
        lines = (self.lines if full else self.brief_lines) + lines_of((control,))
        answer = Answer(status, headers, self.body if full else b"", lines)
        self._last[status] = (cache_control, answer)
        return answer


@dataclass(frozen=True, slots=True)
class Representation:
    """A document at one moment. `modified`: seconds since 1970; `own`: its headers whatever the coding. `_chosen` are
    its variants in the order that a client prefers: there are a few such orders, and very many requests."""

    sha256: str
    modified: int
    last_modified: bytes
    own: tuple[Header, ...]
    variants: Mapping[str, Variant]
    _chosen: dict[Sequence[str], Sequence[Variant]] = field(default_factory=dict, repr=False, compare=False)

    def chosen(self, preferred: tuple[str, ...]) -> Sequence[Variant]:
        """The variants in the codings of `preferred`, in that order."""
        found = self._chosen.get(preferred)
        if found is None:
            found = [self.variants[coding] for coding in preferred if coding in self.variants]
            self._chosen[preferred] = found
        return found

    @property
    def weight(self) -> int:
        """Bytes that it takes in memory, about."""
        return sum(len(variant.body) + 1000 for variant in self.variants.values())


def represent(
    content: bytes,
    packed: Mapping[str, bytes],
    *,
    modified: int,
    headers: Sequence[Header],
    lasting: Sequence[Header] = (),
) -> Representation:
    """`packed` has the same content by coding. `headers` and `lasting` say what it is; `lasting` is in a 304 too."""
    digest = hashlib.sha256(content).hexdigest()
    last_modified = formatdate(modified, usegmt=True).encode()
    variants = {}
    for coding, body in {IDENTITY: content, **packed}.items():
        etag = f'"{digest[:_DIGEST]}"'
        encoding: tuple[Header, ...] = ()
        if coding:
            etag = f'"{digest[:_DIGEST]}-{coding}-{hashlib.sha256(body).hexdigest()[:8]}"'
            encoding = ((b"content-encoding", coding.encode()),)
        brief = ((b"etag", etag.encode()), (b"last-modified", last_modified), _VARY, *lasting)
        full = (
            *headers,
            (b"content-length", str(len(body)).encode()),
            *encoding,
            *brief,
        )
        variants[coding] = Variant(etag.encode(), body, full, brief, lines_of(full), lines_of(brief))
    return Representation(digest, modified, last_modified, (*headers, *lasting), variants)


def answer(document: Representation, fields: Fields, cache_control: bytes) -> Answer:
    """The answer to a GET with these header fields; the one to HEAD is the same without its body."""
    accepted = document.chosen(codings(fields.get(b"accept-encoding")))
    if not accepted:
        return text(406, "This document cannot be sent in an encoding that the request accepts.", _VARY)
    chosen = accepted[0]
    if not _CONDITIONS.isdisjoint(fields):
        if not _DEMANDS.isdisjoint(fields) and fails(fields, chosen.etag, document.modified):
            return text(412, "The document is not the version that the request names.", _VARY)
        current = not_modified(fields, [variant.etag for variant in accepted], document.modified)
        if current is not None:
            return next(v for v in accepted if v.etag == current).unchanged(cache_control)
        if b"range" in fields:
            return _part(document, chosen, fields, cache_control)
    return chosen.whole(cache_control)


def lines_of(headers: Iterable[Header]) -> bytes:
    """`headers` as HTTP/1.1 writes them."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def absent(headers: Iterable[Header], others: Iterable[Header]) -> list[Header]:
    """Those of `others`, named in lower case, that `headers` does not have."""
    present = {name.lower() for name, _ in headers}
    return [header for header in others if header[0] not in present]


def known_versions(fields: Fields) -> list[str]:
    """The first hex digits of the hash of each version that If-None-Match names; see `represent`."""
    named = (_OURS.fullmatch(tag) for tag in tags(fields.get(b"if-none-match", b"")))
    return [found[1].decode() for found in named if found]


def text(status: int, message: str, *headers: Header) -> Answer:
    """A short plain answer that nobody keeps."""
    return _fleeting(status, b"text/plain; charset=utf-8", f"{message}\n".encode(), headers)


def html(status: int, page: bytes, *headers: Header) -> Answer:
    """A page that nobody keeps."""
    return _fleeting(status, b"text/html; charset=utf-8", page, headers)


def _fleeting(status: int, media_type: bytes, body: bytes, headers: Sequence[Header]) -> Answer:
    return Answer(
        status,
        (
            (b"content-type", media_type),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            *headers,
        ),
        body,
    )


def _part(document: Representation, chosen: Variant, fields: Fields, cache_control: bytes) -> Answer:
    size = len(chosen.body)
    try:
        wanted = byte_range(fields, chosen.etag, document.last_modified, size)
    except Unsatisfiable:
        return text(416, "The range lies behind the end.", (b"content-range", f"bytes */{size}".encode()), _VARY)
    if wanted is None:
        return chosen.whole(cache_control)
    place = f"bytes {wanted.start}-{wanted.stop - 1}/{size}".encode()
    headers = [header for header in chosen.headers if header[0] != b"content-length"]
    headers += [(b"content-length", str(len(wanted)).encode()), (b"content-range", place)]
    headers.append((b"cache-control", cache_control))
    return Answer(206, headers, chosen.body[wanted.start : wanted.stop])
