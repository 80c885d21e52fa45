"""How long an answer may be kept: until the next run can change it. Floor: `web`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import datetime

from publisher.clock import Clock

IMMUTABLE = b"public, max-age=31536000, immutable"
LEAST_S, MOST_S = 60, 24 * 3600
_VALID_S = 1.0  # so long one answer serves all: asking the timetable takes longer than all the rest

NextRun = Callable[[], datetime | None]
"""When documents may change next; the present or the past while a run is under way, None when nobody knows."""


class Freshness:
    """The Cache-Control of documents. Without a timetable in this process, runs are believed to be `every_minutes`
    apart."""

    def __init__(self, clock: Clock, every_minutes: int, tick: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._usual = min(max(every_minutes * 60, LEAST_S), MOST_S)
        self._next_run: NextRun = lambda: None
        self._tick = tick
        self._until = -math.inf
        self._value = b""

    def follow(self, next_run: NextRun) -> None:
        """From now on ask this timetable."""
        self._next_run = next_run
        self._until = -math.inf

    def next_run(self) -> datetime | None:
        """When documents may change next; None when nobody knows."""
        return self._next_run()

    def cache_control(self) -> bytes:
        tick = self._tick()
        if tick >= self._until:
            self._value = f"public, max-age={self._seconds()}".encode()
            self._until = tick + _VALID_S
        return self._value

    def _seconds(self) -> int:
        moment = self._next_run()
        if moment is None:
            return self._usual
        return min(max(int((moment - self._clock()).total_seconds()), LEAST_S), MOST_S)
