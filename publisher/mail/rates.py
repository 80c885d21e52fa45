"""Limits on letters, and when letters under them can have been sent. Floor: `mail`; pure: time is an argument.

A limit holds in any stretch of its length, not from the full hour on: what providers count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

SECOND, HOUR, DAY = 1000, 3_600_000, 86_400_000
"""The intervals of limits, in milliseconds."""

RESERVE = 50
"""One letter in so many of an hour's and a day's limit is kept for service letters: digests leave it alone."""

_HORIZON = 3650 * DAY
"""Beyond this a time of completion means nothing."""


class Limit(NamedTuple):
    """At most so many letters in any `interval` milliseconds."""

    letters: int
    interval: int


def limits(per_second: int, per_hour: int, per_day: int) -> list[Limit]:
    """The limits (0: none) that bind, the shortest interval first.

    One that another allows less than is left out: it never binds, and a bucket takes none that contradict each other.
    """
    found: list[Limit] = []
    for letters, interval in ((per_day, DAY), (per_hour, HOUR), (per_second, SECOND)):
        # the longer one binds the shorter one too, where it has fewer letters
        if letters and not any(longer.letters <= letters for longer in found):
            found.insert(0, Limit(letters, interval))
    binding: list[Limit] = []
    for limit in found:
        if not any(limit.letters * shorter.interval >= shorter.letters * limit.interval for shorter in binding):
            binding.append(limit)
    return binding


def warm_up_letters(start: date | None, plan: Sequence[int], day: date) -> int | None:
    """Most letters in the 24 hours that end on `day`: None for no limit, 0 before the first day."""
    if start is None:
        return None
    number = (day - start).days
    if number < 0:
        return 0
    return plan[number] if number < len(plan) else None


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one relay, or domain, may carry: limits (0: none) and a plan by which it begins."""

    per_second: int = 0
    per_hour: int = 0
    per_day: int = 0
    warm_up_from: date | None = None
    warm_up: tuple[int, ...] = ()

    def on(self, day: date) -> list[Limit] | None:
        """The limits of `day` (UTC), none if empty; None where nothing may be sent yet."""
        planned = warm_up_letters(self.warm_up_from, self.warm_up, day)
        if planned == 0:
            return None
        per_day = min(filter(None, (self.per_day, planned)), default=0)
        return limits(self.per_second, self.per_hour, per_day)

    @property
    def for_digests(self) -> Allowed:
        """The same without what is kept for service letters."""
        return replace(
            self,
            per_hour=_less(self.per_hour),
            per_day=_less(self.per_day),
            warm_up=tuple(_less(letters) for letters in self.warm_up),
        )

    @property
    def begins(self) -> datetime | None:
        """When it may carry its first letter."""
        start = self.warm_up_from
        return None if start is None else datetime(start.year, start.month, start.day, tzinfo=UTC)

    @property
    def limited(self) -> bool:
        return bool(self.per_second or self.per_hour or self.per_day or self.warm_up)


Used = Mapping[int, Sequence[tuple[int, int]]]
"""Interval -> (moment in milliseconds since 1970, letters): what counts against the limits of that length."""


def _less(letters: int) -> int:
    return letters - letters // RESERVE


def completion(letters: int, carriers: Sequence[tuple[Allowed, Used]], now: datetime) -> datetime | None:
    """When so many letters can have been sent by all `carriers` together, as far as limits go; None: no limit does,
    or not within ten years."""
    if letters <= 0 or any(not allowed.limited for allowed, _ in carriers):
        return None
    begun = _milliseconds(now)
    least, most = 0, SECOND
    while sum(_capacity(allowed, used, begun, most) for allowed, used in carriers) < letters:
        least, most = most, most * 2
        if most > _HORIZON:
            return None
    while most - least > SECOND:
        middle = (least + most) // 2
        if sum(_capacity(allowed, used, begun, middle) for allowed, used in carriers) < letters:
            least = middle
        else:
            most = middle
    return now + timedelta(milliseconds=most)


def free_at(allowed: Allowed, used: Used, now: datetime) -> datetime | None:
    """When one letter may go out under the limits: None for at once. A warm-up that has not begun is not looked at."""
    now_ms = _milliseconds(now)
    latest = now_ms
    for limit in allowed.on(now.astimezone(UTC).date()) or ():
        counted = list(used.get(limit.interval, ()))
        over = sum(letters for _, letters in counted) - limit.letters
        for moment, letters in counted:  # the oldest first: they free the way
            if over < 0:
                break
            over -= letters
            latest = max(latest, moment + limit.interval + 1)
    return None if latest == now_ms else now + timedelta(milliseconds=latest - now_ms)


def _capacity(allowed: Allowed, used: Used, now: int, span: int) -> int:
    """Letters that one carrier can have sent within `span` milliseconds."""
    parts = [
        _within(Limit(letters, interval), used.get(interval, ()), now, span)
        for letters, interval in ((allowed.per_second, SECOND), (allowed.per_hour, HOUR), (allowed.per_day, DAY))
        if letters
    ]
    planned = _by_plan(allowed, used.get(DAY, ()), now, span)
    return min([*parts, *([] if planned is None else [planned])])


def _within(limit: Limit, used: Sequence[tuple[int, int]], now: int, span: int) -> int:
    """All of it in each whole interval, and in the rest of one what those of the past do not hold any more."""
    whole, rest = divmod(span, limit.interval)
    held = sum(letters for moment, letters in used if moment > now + rest - limit.interval)
    return whole * limit.letters + max(limit.letters - held, 0)


def _by_plan(allowed: Allowed, used: Sequence[tuple[int, int]], now: int, span: int) -> int | None:
    """Letters while the plan lasts and after it: each day adds what its 24 hours may hold. None: no plan."""
    begins = allowed.begins
    if begins is None:
        return None
    over = _milliseconds(begins) + len(allowed.warm_up) * DAY
    sent = 0
    for number, letters in enumerate(allowed.warm_up):
        day = _milliseconds(begins) + number * DAY
        if now + span < day:
            return sent
        if now < day + DAY:
            held = sum(some for moment, some in used if moment > now - DAY) if day <= now else 0
            sent += max(min(letters, allowed.per_day or letters) - held, 0)
    if now + span < over:
        return sent
    return sent + allowed.per_day * ((now + span - over) // DAY + 1) if allowed.per_day else _HORIZON


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
