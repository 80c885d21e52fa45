"""At most so many requests of one address: a burst, then a steady rate (RFC 6585, section 4). Floor: `web`.

The burst is large enough for a reader who takes in the whole feeds.opml, and for a person who reads; what was not
modified costs next to nothing. A loopback address is not limited: it is the operator, or a proxy that hides everyone.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from publisher.web.heads import Client
from publisher.web.representation import Answer, Header, html, text

FULL, NOT_MODIFIED = 1.0, 0.1
"""What an answer costs, in requests."""
ADDRESSES = 10_000
"""Addresses that are remembered at once; those silent longest are forgotten first."""


class Limits:
    """Token buckets by client address. `burst` requests at once, `rate` more per second; burst 0: no limit.

    `now` gives seconds of a clock that never goes back; `page` is what a person sees who is refused.
    """

    def __init__(self, burst: int, rate: float, now: Callable[[], float], page: Callable[[], bytes] = bytes) -> None:
        self._burst = float(burst)
        self._rate = rate
        self._now = now
        self._page = page
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address -> (tokens, when)

    def refusal(self, scope: Mapping[str, Any]) -> Answer | None:
        """429 for a client that has used up its burst, with the whole seconds after which it may come again."""
        address = self._address(scope.get("client"))
        if address is None:
            return None
        missing = FULL - self._tokens(address, self._now())
        if missing <= 0:
            return None
        wait = max(1, math.ceil(missing / self._rate))
        retry_after: Header = (b"retry-after", str(wait).encode())
        page = self._page() if b"text/html" in dict(scope.get("headers", ())).get(b"accept", b"") else b""
        if page:
            return html(429, page, retry_after)
        return text(
            429,
            f"Too many requests; please wait {wait} seconds. Feeds say in Cache-Control when to come again.",
            retry_after,
        )

    def charge(self, scope: Mapping[str, Any], cost: float) -> None:
        address = self._address(scope.get("client"))
        if address is not None:
            now = self._now()
            self._take(address, self._tokens(address, now), cost, now)

    def charged(self, client: Client, cost: float) -> bool:
        """Charges a client that is not refused; whether it is not."""
        address = self._address(client)
        if address is None:
            return True
        now = self._now()
        tokens = self._tokens(address, now)
        if tokens < FULL:
            return False
        self._take(address, tokens, cost, now)
        return True

    def _take(self, address: str, tokens: float, cost: float, now: float) -> None:
        self._buckets[address] = (max(tokens - cost, 0.0), now)
        self._buckets.move_to_end(address)
        if len(self._buckets) > ADDRESSES:
            self._buckets.popitem(last=False)

    def _tokens(self, address: str, now: float) -> float:
        tokens, since = self._buckets.get(address, (self._burst, now))
        return min(self._burst, tokens + (now - since) * self._rate)

    def _address(self, client: Client) -> str | None:
        return limited_as(client[0]) if self._burst and client else None


@lru_cache(maxsize=ADDRESSES)
def limited_as(host: str) -> str | None:
    """The name a client is counted under: an IPv6 network of one household counts as one. None: not limited."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return None if address.is_loopback else str(ipaddress.ip_network((address, 64), strict=False))
        address = address.ipv4_mapped
    return None if address.is_loopback else str(address)
