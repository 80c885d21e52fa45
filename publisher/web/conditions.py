"""Preconditions and ranges of a GET: what they make of the answer (RFC 9110, sections 13 and 14). Floor: `web`; pure.

Times are whole seconds since 1970, entity tags are bytes with their quotes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime

from publisher.web.negotiation import Fields

_TAG = re.compile(rb'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_RANGE = re.compile(rb"bytes\s*+=\s*+(\d{0,18})\s*+-\s*+(\d{0,18})", re.IGNORECASE)  # no blank is tried twice


class Unsatisfiable(Exception):
    """The range lies behind the end: 416."""


def not_modified(fields: Fields, etags: Sequence[bytes], modified: int) -> bytes | None:
    """The one of `etags` that makes the answer 304, None if it is to be a full one.

    `etags` are those of the representations that the client could be sent, the one it would be sent first: a client
    that holds any of them holds the present version. If-None-Match decides where it is sent, and compares weakly;
    the date counts only where it is not (section 13.2.2).
    """
    asked = fields.get(b"if-none-match")
    if asked is None:
        since = fields.get(b"if-modified-since")
        return etags[0] if since is not None and _is_at_or_after(since, modified) else None
    if asked in etags:
        return asked
    if asked.strip() == b"*":
        return etags[0]
    known = set(tags(asked))
    return next((etag for etag in etags if etag in known), None)


def fails(fields: Fields, etag: bytes, modified: int) -> bool:
    """Whether If-Match or, without it, If-Unmodified-Since forbids the answer: 412."""
    wanted = fields.get(b"if-match")
    if wanted is not None:
        return wanted.strip() != b"*" and etag not in tags(wanted, weak=False)
    limit = fields.get(b"if-unmodified-since")
    return limit is not None and seconds(limit) is not None and not _is_at_or_after(limit, modified)


def tags(value: bytes, *, weak: bool = True) -> list[bytes]:
    """The entity tags of a list, without their ``W/``; with `weak` False only the strong ones."""
    return [found[2] for found in _TAG.finditer(value) if weak or not found[1]]


def byte_range(fields: Fields, etag: bytes, last_modified: bytes, size: int) -> range | None:
    """The one range of bytes that is asked for, None for all of them.

    Several ranges, other units, and a range of a version that is not the present one (If-Range) are ignored, as
    section 14.2 allows. Raises Unsatisfiable.
    """
    value = fields.get(b"range")
    if value is None or fields.get(b"if-range", etag) not in {etag, last_modified}:
        return None
    found = _RANGE.fullmatch(value.strip())
    if found is None or found.groups() == (b"", b""):
        return None
    first, last = found.groups()
    if not first:  # the last so many bytes
        start, stop = max(size - int(last), 0), size
    elif last and int(last) < int(first):
        return None
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
    if start >= stop:
        raise Unsatisfiable
    return range(start, stop)


def seconds(http_date: bytes) -> int | None:
    """An HTTP date in any of its three forms, all of which mean UTC (RFC 9110, 5.6.7); None where it is none, and the
    field is then ignored."""
    try:
        moment = parsedate_to_datetime(http_date.decode("ascii"))
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError, UnicodeDecodeError):
        return None


def _is_at_or_after(http_date: bytes, modified: int) -> bool:
    moment = seconds(http_date)
    return moment is not None and moment >= modified
