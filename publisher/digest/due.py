"""When a digest is due: the slots of a cron expression in a time zone. Floor: a pure room.

The expression is read on the wall clock, without a zone, and each of its times is then placed on the line of UTC:
a wall time that a change of the clock leaves out stands for the first moment after the gap, one that comes twice
for its first coming. That placing never runs backwards, so every wall time has exactly one slot and slots that
fall together are one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

_LONGEST_FOLD = timedelta(hours=3)
"""No zone has put its clock back by more since standard time began in 1970 (tzdata: 2 hours at Antarctic stations)."""


def latest_slot(cron: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The latest slot at or before `now`, in UTC; ValueError when there was none in the last 50 years."""
    wall = _wall(now, zone) + _LONGEST_FOLD + timedelta(seconds=1)
    for candidate in CronSim(cron, wall, reverse=True):
        slot = _placed(candidate, zone)
        if slot <= now:
            return slot
    raise ValueError(f"the cron expression {cron!r} was never due")


def next_slot(cron: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The first slot after `now`, in UTC; ValueError when there is none in the next 50 years."""
    # Before a gap's end the wall times inside it are still to come: they are placed on that end.
    for candidate in CronSim(cron, _wall(now, zone)):
        slot = _placed(candidate, zone)
        if slot > now:
            return slot
    raise ValueError(f"the cron expression {cron!r} is never due")


def due_slot(cron: str, zone: ZoneInfo, now: datetime, *, since: datetime, grace: timedelta) -> datetime | None:
    """The slot to serve at `now`: the latest one, if it is after `since` (the last one served, or the start) and was
    missed by `grace` at most. Earlier missed slots need no issue of their own: the latest covers their articles."""
    slot = latest_slot(cron, zone, now)
    return slot if slot > since and now - slot <= grace else None


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def _placed(wall: datetime, zone: ZoneInfo) -> datetime:
    """`wall` on the line of UTC."""
    moment = wall.replace(tzinfo=zone).astimezone(UTC)  # fold=0: the first of two, PEP 495
    if _wall(moment, zone) == wall:
        return moment
    # In a gap PEP 495 reads `wall` with the offset before it, which lands behind the gap by as much as `wall` is
    # inside it. The moment the clock jumped is where the offset changes: halve the day around it to the second.
    before, after = moment - timedelta(days=1), moment
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)
