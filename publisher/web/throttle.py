"""Who guesses has to wait, longer each time: per address, and over all addresses together. Floor: `web`; pure."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

ADDRESSES = 10_000
"""Addresses that are remembered at once; those silent longest are forgotten first."""
FORGET_S = 3600.0
"""Failures so long ago are forgotten."""
_EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True)
class Allowance:
    """`free` failures cost nothing, then each doubles the wait, from one second up to `longest_s`."""

    free: int
    longest_s: float


class Throttle:
    """Counts failures. `now` gives seconds of a clock that never goes back.

    The wait over all addresses is short, and is not for those from where somebody got in before, nor for this machine:
    who guesses from everywhere would be first after each wait, and lock the operator out. It is remembered as long as
    the process lives.
    """

    def __init__(
        self,
        now: Callable[[], float],
        *,
        one: Allowance = Allowance(free=5, longest_s=900),
        everybody: Allowance = Allowance(free=50, longest_s=15),
    ) -> None:
        self._now = now
        self._one = one
        self._everybody = everybody
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()  # name -> (how many, when the last)
        self._known: OrderedDict[str, None] = OrderedDict()  # from where somebody got in

    def wait_s(self, host: str) -> float:
        """How long `host` has to wait before its next try counts; 0: not at all."""
        network = network_of(host)
        own = self._left(network, self._one)
        return own if network in self._known or _is_here(host) else max(own, self._left(_EVERYBODY, self._everybody))

    def failed(self, host: str) -> None:
        for name in (network_of(host), _EVERYBODY):
            self._failures[name] = (self._count(name) + 1, self._now())
            self._failures.move_to_end(name)
        while len(self._failures) > ADDRESSES:
            self._failures.popitem(last=False)

    def succeeded(self, host: str) -> None:
        network = network_of(host)
        self._failures.pop(network, None)
        self._known[network] = None
        self._known.move_to_end(network)
        while len(self._known) > ADDRESSES:
            self._known.popitem(last=False)

    def _count(self, name: str) -> int:
        count, when = self._failures.get(name, (0, 0.0))
        return count if self._now() - when < FORGET_S else 0

    def _left(self, name: str, allowance: Allowance) -> float:
        over = self._count(name) - allowance.free
        if over < 0:
            return 0.0
        wait = min(2.0 ** min(over, 30), allowance.longest_s)
        return max(0.0, wait - (self._now() - self._failures[name][1]))


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def network_of(host: str) -> str:
    """The name a client is counted under: an IPv6 network of one household counts as one."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
