"""What a request asks for: content codings and instance manipulations. Floor: `web`; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

Fields = Mapping[bytes, bytes]
"""A request's header fields by lower-case name; a repeated field is one list."""

IDENTITY, GZIP, BROTLI = "", "gzip", "br"
CODINGS = (BROTLI, GZIP, IDENTITY)
"""The codings we send, smallest first: the order among those that a client likes equally well."""

_WEIGHT = re.compile(rb"0(\.[0-9]{0,3})?|1(\.0{0,3})?")  # RFC 9110, section 12.4.2
_USUAL = 200  # bytes of a value worth remembering; what is longer is nobody's browser


def fields_of(headers: Iterable[tuple[bytes, bytes]]) -> Fields:
    """The fields of an ASGI scope's `headers`; repeated ones are joined (RFC 9110, section 5.3)."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        found[name] = found[name] + b", " + value if name in found else value
    return found


def weights(value: bytes) -> dict[bytes, float]:
    """``br;q=0.5, gzip`` -> {b"br": 0.5, b"gzip": 1.0}; names in lower case. An item whose weight cannot be read is
    left out, of a name said twice the first counts."""
    found: dict[bytes, float] = {}
    for item in value.lower().split(b","):
        name, *parameters = (part.strip(b" \t") for part in item.split(b";"))
        weight = _weight(parameters)
        if name and weight is not None:
            found.setdefault(name, weight)
    return found


def _weight(parameters: Iterable[bytes]) -> float | None:
    for parameter in parameters:
        name, _, value = (part.strip(b" \t") for part in parameter.partition(b"="))
        if name == b"q":
            return float(value) if _WEIGHT.fullmatch(value) else None
    return 1.0


def codings(accept_encoding: bytes | None) -> tuple[str, ...]:
    """The codings a client takes, the one to send first (RFC 9110, section 12.5.3).

    Without the field nothing is packed: such a client is simple. Empty when it takes none of ours, not even identity.
    """
    if accept_encoding is None:
        return (IDENTITY,)
    if len(accept_encoding) <= _USUAL:
        return _remembered_codings(accept_encoding)
    return _codings(accept_encoding)


def _codings(accept_encoding: bytes) -> tuple[str, ...]:
    asked = weights(accept_encoding)
    rest = asked.get(b"*")
    liking = {
        BROTLI: asked.get(b"br", rest or 0.0),
        GZIP: max(asked.get(b"gzip", rest or 0.0), asked.get(b"x-gzip", 0.0)),
    }
    # Identity is always welcome unless it is excluded; not being named, it comes after what is.
    named = asked.get(b"identity", rest)
    liking[IDENTITY] = 0.0001 if named is None else named
    return tuple(sorted((c for c in CODINGS if liking[c] > 0), key=lambda c: -liking[c]))


_remembered_codings = lru_cache(maxsize=512)(_codings)


def wants_feed_delta(a_im: bytes | None) -> bool:
    """Whether ``A-IM`` (RFC 3229, section 10.5.3) accepts the manipulation `feed`."""
    return a_im is not None and weights(a_im).get(b"feed", 0.0) > 0
