"""Answers counted for `/metrics`. Floor: `web`.

Plain numbers, which become metrics when somebody reads them: a request that is answered in a few microseconds has none
to spare for the locks and labels of a metric.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.metrics import Histogram
from prometheus_client.registry import Collector

from publisher.web.connection import AtOnce
from publisher.web.heads import Client, Head
from publisher.web.representation import Answer

_BOUNDS = Histogram.DEFAULT_BUCKETS
"""Seconds, rising; the last is without end."""
_METHODS = frozenset(("GET", "HEAD", "POST"))


class Requests(Collector):
    """Counts answers by method and status, and how long they took. It is told in one thread, and read in any."""

    def __init__(self) -> None:
        self._answers: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._within = [0] * len(_BOUNDS)
        self._seconds = 0.0

    def saw(self, method: str, status: int, seconds: float) -> None:
        self._answers[method if method in _METHODS else "other", status] += 1
        self._within[bisect_left(_BOUNDS, seconds)] += 1
        self._seconds += seconds

    def counted(self, at_once: AtOnce) -> AtOnce:
        """`at_once` with its answers counted, which nobody else sees."""

        def answer(head: Head, client: Client) -> Answer | None:
            begun = time.monotonic()
            found = at_once(head, client)
            if found is not None:
                self.saw(head.method, found.status, time.monotonic() - begun)
            return found

        return answer

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        answers = CounterMetricFamily("publisher_http_requests", "Requests answered.", labels=["method", "status"])
        for (method, status), count in self._answers.copy().items():
            answers.add_metric([method, str(status)], count)
        yield answers
        so_far = accumulate(self._within.copy())
        yield HistogramMetricFamily(
            "publisher_http_request_seconds",
            "From the request to the end of its answer.",
            buckets=[
                ("+Inf" if bound == math.inf else str(bound), count)
                for bound, count in zip(_BOUNDS, so_far, strict=True)
            ],
            sum_value=self._seconds,
        )
