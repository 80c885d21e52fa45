"""The clock: the one place that asks the machine for the time. Floor: above `model`.

Everything else takes `now` as an argument, once per run, so that a test can hand in any time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the current time, aware, in UTC, in whole seconds."""


def system_clock() -> datetime:
    return whole_seconds(datetime.now(UTC))


def whole_seconds(moment: datetime) -> datetime:
    """`moment` in UTC without its fraction of a second; a naive `moment` is refused with ValueError."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC).replace(microsecond=0)
