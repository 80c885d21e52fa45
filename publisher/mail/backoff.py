"""When a letter is tried again that was deferred, or whose reply was lost. Floor: `mail`; pure.

Time and chance are arguments.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil

CEILING = timedelta(hours=4)
GREYLIST_WAIT = timedelta(seconds=300)
"""Five minutes is what greylisting relays commonly ask for (RFC 6647)."""
DOUBT = timedelta(minutes=10)
"""A letter whose reply was lost waits so long before it is sent again, byte for byte the same; then twice as long."""
DOUBTS = 5
"""Attempts after which a letter is not sent again once more, if the last two of them ended in doubt."""
_JITTER = 0.2


def next_attempt(
    attempts: int,
    now: datetime,
    first: timedelta,
    *,
    spread: float,
    ceiling: timedelta = CEILING,
    greylisted: bool = False,
) -> datetime:
    """`now` plus `first`, doubled with each of the `attempts` already made (from 1), at most `ceiling`.

    `spread` in [0, 1) moves the wait by up to 20 % down or up, so that letters deferred together do not come back
    together. A first wait above the ceiling is kept. Whole seconds if `now` is in whole seconds.
    """
    if attempts < 1:
        raise ValueError(f"attempts must be at least 1, not {attempts}")
    if not 0 <= spread < 1:
        raise ValueError(f"spread must be in [0, 1), not {spread}")
    ceiling = max(ceiling, first)
    wait = first
    for _ in range(attempts - 1):
        wait = min(2 * wait, ceiling)
        if wait == ceiling:
            break
    wait = timedelta(seconds=ceil((wait * (1 - _JITTER + 2 * _JITTER * spread)).total_seconds()))
    return now + (max(wait, GREYLIST_WAIT) if greylisted else wait)


def resend_at(attempts: int, now: datetime, *, doubted: bool) -> datetime | None:
    """When a letter whose reply was lost is sent again; None: never. `doubted`: it was in doubt before this attempt."""
    if doubted and attempts >= DOUBTS:
        return None
    wait: timedelta = DOUBT * 2 ** min(attempts - 1, 10)
    return now + min(wait, CEILING)
