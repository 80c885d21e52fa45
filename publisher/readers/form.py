"""How a form was filled in, by when it was shown. Floor: readers; pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

SHOWN_FOR = timedelta(days=1)
"""A form that was shown longer ago is shown once more; a page may stay open over night."""


class Filled(StrEnum):
    WELL = "well"
    TOO_FAST = "too fast"
    TOO_OLD = "too old"


def how_filled(shown: datetime, now: datetime, fastest: timedelta) -> Filled:
    """`shown` and `now` in whole seconds: what took less than `fastest` by that count took less than a second more."""
    if not shown <= now <= shown + SHOWN_FOR:
        return Filled.TOO_OLD
    return Filled.WELL if now - shown >= fastest else Filled.TOO_FAST
