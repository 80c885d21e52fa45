"""When to leave a relay, or a domain, alone for a while, and when to try it again. Floor: `mail`; pure.

closed --(failures in a row)--> open until a time --(the time has come)--> half open: one letter tries
   ^                              ^-----------------(it fails: twice as long)-----|
   '----------------------------------------------(it gets through)---------------'
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is remembered of one relay or domain. `failures` in a row; `openings` in a row, each longer than the last;
    `until`: nothing goes there before. `reason` is for people."""

    failures: int = 0
    openings: int = 0
    until: datetime | None = None
    reason: str = ""

    def is_open(self, now: datetime) -> bool:
        return self.until is not None and now < self.until

    def is_half_open(self, now: datetime) -> bool:
        return self.until is not None and now >= self.until

    def early(self, now: datetime) -> Circuit:
        """It is tried before its time: to fail now says nothing new."""
        return replace(self, openings=max(self.openings - 1, 0), until=now - timedelta(seconds=1))


CLOSED = Circuit()


@dataclass(frozen=True, slots=True)
class Patience:
    """After `failures` in a row nothing is sent for the time `first`, then for twice as long, at most `longest`."""

    failures: int
    first: timedelta
    longest: timedelta


RELAY = Patience(5, timedelta(minutes=1), timedelta(minutes=30))
DOMAIN_DEFERS = Patience(10, timedelta(minutes=15), timedelta(hours=4))
DOMAIN_REFUSES = Patience(3, timedelta(hours=1), timedelta(hours=12))
"""A domain that refuses by policy dislikes us: each further letter makes it worse."""


def after_failure(circuit: Circuit, now: datetime, reason: str, patience: Patience, *, final: bool = False) -> Circuit:
    """`final`: no further letter can fare better, so one failure is enough."""
    failed = replace(circuit, failures=circuit.failures + 1, reason=reason)
    if not (final or circuit.until is not None or failed.failures >= patience.failures):
        return failed
    wait = min(patience.first * 2 ** min(circuit.openings, 20), patience.longest)
    return replace(failed, openings=circuit.openings + 1, until=now + wait)
