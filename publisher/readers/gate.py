"""May this wish send a confirmation letter now? Floor: readers; pure.

    overall -> mail domain -> network -> never write to me -> address      the first that says no decides

An address gets one such letter a day and three in thirty days, whoever asks. What one network asks for is limited too,
and each try beyond the limit makes it wait twice as long as the last; the other limits have no such memory, for those
who run into them need not be those who caused it. Whether an address is subscribed is not looked at: it must not show.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Scope(StrEnum):
    """What is counted."""

    OVERALL = "overall"
    DOMAIN = "domain"
    NETWORK = "network"
    ADDRESS = "address"


class Ruling(StrEnum):
    """What the gate says: a letter goes out, or who or what stands against it."""

    LETTER = "letter"
    OVERALL = "overall"
    DOMAIN = "domain"
    NETWORK = "network"
    BLOCKED = "blocked"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many letters within any span of that length."""

    letters: int
    within: timedelta


Limits = Mapping[Scope, tuple[Limit, ...]]

ADDRESS_LIMITS = (Limit(1, DAY), Limit(3, timedelta(days=30)))
"""Promised to everybody whose address somebody else may type."""
FIRST_WAIT = timedelta(minutes=5)
"""What the first try beyond a network's limit adds; each further one doubles it, up to a day."""
LONGEST_WAIT = DAY
_DOUBLINGS = 9  # five minutes, doubled so often, are more than a day


@dataclass(frozen=True, slots=True)
class Tally:
    """What is remembered of one address, network or domain, or of all: when letters were `granted`, the oldest first,
    how many tries were `refused` since the last one, and until when it has to wait for them."""

    granted: tuple[datetime, ...] = ()
    refused: int = 0
    until: datetime | None = None

    def free_at(self, limits: tuple[Limit, ...], now: datetime) -> datetime:
        """From when on another letter is allowed: `now`, or later."""
        reached = [limit for limit in limits if len(self.granted) >= limit.letters]
        return max(now, self.until or now, *(self.granted[-limit.letters] + limit.within for limit in reached))

    def with_letter(self, limits: tuple[Limit, ...], now: datetime) -> Tally:
        longest = max(limit.within for limit in limits)
        kept = tuple(moment for moment in self.granted if moment > now - longest)
        return Tally((*kept, now))

    def with_refusal(self, free_at: datetime, now: datetime) -> Tally:
        wait = min(FIRST_WAIT * 2 ** min(self.refused, _DOUBLINGS), LONGEST_WAIT)
        return replace(self, refused=self.refused + 1, until=max(free_at, now + wait))


@dataclass(frozen=True, slots=True)
class Judgement:
    """The `ruling`, how long to `wait` before it may change, and the tallies that did."""

    ruling: Ruling
    wait: timedelta = timedelta()
    changed: Mapping[Scope, Tally] = field(default_factory=dict)

    @property
    def granted(self) -> bool:
        return self.ruling is Ruling.LETTER


def judge(tallies: Mapping[Scope, Tally], limits: Limits, now: datetime, *, blocked: bool) -> Judgement:
    """Rule on one wish. A scope without a tally is not counted: the operator's own wishes have no network.

    `blocked`: the owner of the address said that nobody may write to it.
    """
    for scope in (Scope.OVERALL, Scope.DOMAIN, Scope.NETWORK):
        if scope in tallies:
            refusal = _refusal(scope, tallies[scope], limits[scope], now)
            if refusal is not None:
                return refusal
    if blocked:
        return Judgement(Ruling.BLOCKED)
    refusal = _refusal(Scope.ADDRESS, tallies[Scope.ADDRESS], limits[Scope.ADDRESS], now)
    if refusal is not None:
        return refusal
    return Judgement(
        Ruling.LETTER, changed={scope: tally.with_letter(limits[scope], now) for scope, tally in tallies.items()}
    )


def _refusal(scope: Scope, tally: Tally, limits: tuple[Limit, ...], now: datetime) -> Judgement | None:
    free_at = tally.free_at(limits, now)
    if free_at <= now:
        return None
    if scope is Scope.NETWORK:
        tally = tally.with_refusal(free_at, now)
        return Judgement(Ruling.NETWORK, (tally.until or free_at) - now, {scope: tally})
    return Judgement(Ruling(scope.value), free_at - now)


def network_of(host: str) -> str:
    """The network a client is counted under: /24 of IPv4, /56 of IPv6, which is what one customer gets. "" for a
    loopback address, behind which a proxy may hide everyone, and for what is no address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return ""
    bits = 24 if address.version == 4 else 56
    return str(ipaddress.ip_network((address, bits), strict=False))
