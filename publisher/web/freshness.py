"""How long an answer may be kept: until the next run can change it. Floor: `web`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from publisher.clock import Clock

IMMUTABLE = b"public, max-age=31536000, immutable"
LEAST_S, MOST_S = 60, 24 * 3600
_ASK_AGAIN_S = 10  # the timetable is asked at most so often

NextRun = Callable[[], datetime | None]
"""When documents may change next; the present or the past while a run is under way, None when nobody knows."""


class Freshness:
    """The Cache-Control of documents. Without a timetable in this process runs are taken to be `every_minutes` apart."""

    def __init__(self, clock: Clock, every_minutes: int) -> None:
        self._clock = clock
        self._usual = min(max(every_minutes * 60, LEAST_S), MOST_S)
        self._next_run: NextRun = lambda: None
        self._asked = -1
        self._next: int | None = None
        self._second = -1
        self._value = b""

    def follow(self, next_run: NextRun) -> None:
        """From now on ask this timetable."""
        self._next_run = next_run
        self._asked = self._second = -1

    def cache_control(self) -> bytes:
        now = int(self._clock().timestamp())
        if now != self._second:
            self._value = f"public, max-age={self._seconds(now)}".encode()
            self._second = now
        return self._value

    def _seconds(self, now: int) -> int:
        if self._asked < 0 or not self._asked <= now < self._asked + _ASK_AGAIN_S:
            moment = self._next_run()
            self._asked, self._next = now, None if moment is None else int(moment.timestamp())
        if self._next is None:
            return self._usual
        return min(max(self._next - now, LEAST_S), MOST_S)
