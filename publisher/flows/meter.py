"""What a relay, or a domain, may still carry: asked of the store in groups, spent one by one. Floor: `flows`.

A group costs a transaction, so it grows while letters go fast and shrinks while they go slowly. It is good for a
twentieth of the shortest limit's time: what was not spent until then goes back, and counts from when it is taken anew.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

from publisher.flows.crossing import Write
from publisher.mail.rates import Allowed
from publisher.store import Grant, Transaction

LARGEST = 512
"""Letters of a group: what a killed process takes with it at most, as if they had been sent."""
_HOLD_MOST_S = 5.0
_NOT_YET_S = 3600.0

Instant = Callable[[], float]
"""Gives the time in seconds since 1970, with its fraction."""


class Meter:
    """`name` is whose limits in the store these are. Owned by one event loop."""

    def __init__(self, name: str, allowed: Allowed, *, write: Write, instant: Instant) -> None:
        self._name = name
        self._allowed = allowed
        self._write = write
        self._instant = instant
        self._rates = allowed.on(self._today())
        self._left = 0
        self._group = 1
        self._taken_ms = 0
        self.ready_at = 0.0
        """When there may be letters again, in seconds since 1970."""

    def spend(self) -> bool:
        """One letter, if there is one at hand."""
        if self._left < 1 or self._instant() * 1000 > self._taken_ms + self._hold_ms():
            return False
        self._left -= 1
        return True

    def put_back(self) -> None:
        """A letter that was spent did not go out."""
        self._left += 1

    async def fill(self) -> int:
        """Letters at hand, now that the store was asked where there were none; 0: not before `ready_at`."""
        if self._left and self._instant() * 1000 <= self._taken_ms + self._hold_ms():
            return self._left
        if self._instant() < self.ready_at:
            return 0
        self._group = max(self._group - self._left, 1) if self._left else min(2 * self._group, LARGEST)
        await self.close()
        now = self._instant()
        self._rates = self._allowed.on(self._today())
        if self._rates is None:
            begins = self._allowed.begins
            self.ready_at = begins.timestamp() if begins else now + _NOT_YET_S
            return 0
        if not self._rates:  # its warm-up is over, and nothing else limits it
            self._left, self._taken_ms = LARGEST, int(now * 1000)
            return self._left
        now_ms, rates, wanted = int(now * 1000), self._rates, self._group

        def take(tx: Transaction) -> Grant:
            return tx.rates.take(self._name, rates, wanted, now_ms)

        self._left, wait_ms = await self._write(take)
        if self._left:
            self._taken_ms = now_ms
        self.ready_at = now + wait_ms / 1000
        return self._left

    async def spends(self) -> bool:
        """One letter, if there is one now."""
        return self.spend() or (await self.fill() > 0 and self.spend())

    async def close(self) -> None:
        """Give back what is left."""
        left, self._left = self._left, 0
        rates, taken_ms = self._rates, self._taken_ms
        if left and rates:
            await self._write(lambda tx: tx.rates.give_back(self._name, rates, left, taken_ms))

    def _hold_ms(self) -> float:
        shortest = self._rates[0].interval if self._rates else 1000
        return min(shortest / 20, _HOLD_MOST_S * 1000)

    def _today(self) -> date:
        return datetime.fromtimestamp(self._instant(), UTC).date()
