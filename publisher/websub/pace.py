"""How many subscription requests the hub takes, so that nobody makes it knock on others' doors. Floor: in websub."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=1)
PER_HOST = 120
"""Requests per window for one callback host: a feed reader that takes up every feed of the site stays below."""
OVERALL = 600


class Pace:
    """Counts requests of the last minute; remembers at most OVERALL of them, whoever asks."""

    def __init__(self) -> None:
        self._times: deque[tuple[datetime, str]] = deque()
        self._by_host: dict[str, int] = {}

    def admits(self, host: str, now: datetime) -> bool:
        """Count one request for `host`; False, and nothing is counted, when there were too many."""
        while self._times and now - self._times[0][0] >= WINDOW:
            self._forget_oldest()
        if len(self._times) >= OVERALL or self._by_host.get(host, 0) >= PER_HOST:
            return False
        self._times.append((now, host))
        self._by_host[host] = self._by_host.get(host, 0) + 1
        return True

    def _forget_oldest(self) -> None:
        _, host = self._times.popleft()
        self._by_host[host] -= 1
        if not self._by_host[host]:
            del self._by_host[host]
