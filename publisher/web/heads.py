"""Heads of requests that were read before: the same bytes ask for the same. Floor: `web`; pure.

A feed reader sends the same bytes each time, and so do all readers who use the same program with the same version of a
feed. To read them once more would take longer than to answer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from starlette.types import Scope

from publisher.web.negotiation import Fields, fields_of

LONGEST = 2048
"""Bytes of a head that is remembered; few programs send half as many."""
MOST = 4096
"""Heads that are remembered at once; those that did not come for longest are forgotten first."""
MAX_HEAD = 64 * 1024
"""Bytes of a head that is answered; whoever sends more wants our memory, not an answer."""
MAX_TARGET = 8 * 1024
"""Bytes of the path and the query that it asks for."""

Client = tuple[str, int] | None
"""The address and the port of who asks, where they have any."""


class Head(NamedTuple):
    """What the first line and the fields of a request say, whoever sends it; `path` is decoded."""

    method: str
    path: str
    query: bytes
    fields: Fields


def head_of(scope: Scope) -> Head:
    return Head(scope["method"], scope["path"], scope["query_string"], fields_of(scope["headers"]))


def excess(method: bytes, target: bytes, fields: Iterable[tuple[bytes, bytes]]) -> int:
    """The status that refuses a head of such a length (RFC 9110, 15.5.15; RFC 6585, 5); 0 where it may be answered."""
    if len(target) > MAX_TARGET:
        return 414
    first = len(method) + len(target) + len("  HTTP/1.1\r\n")
    lines = sum(len(name) + len(value) + len(": \r\n") for name, value in fields)
    return 431 if first + lines + len("\r\n") > MAX_HEAD else 0


class Heads:
    """What the bytes of whole requests without a body were found to say."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Head] = OrderedDict()

    def get(self, data: bytes) -> Head | None:
        if len(data) > LONGEST:  # to look for it would be to read it all
            return None
        head = self._known.get(data)
        if head is not None:
            self._known.move_to_end(data)
        return head

    def keep(self, data: bytes, head: Head) -> None:
        if len(data) > LONGEST:
            return
        self._known[data] = head
        if len(self._known) > MOST:
            self._known.popitem(last=False)
