"""When a digest is due: the slots of a cron expression in a time zone. Floor: a pure room.

The expression is read on the wall clock, without a zone, and each of its times is then placed on the line of UTC:
a wall time that a change of the clock leaves out stands for the first moment after the gap, one that comes twice
for its first coming. That placing never runs backwards, so every wall time has exactly one slot and slots that
fall together are one.

What is due is found by looking, as often as one likes: a `Watch` is what is remembered from one look to the next.

    slots of the expression after `since` ─┐
    when it changed: those of the old one ─┼─> the latest that is not served, nor missed by more than the grace
    the one that is owed from before ──────┘

A new expression counts from the last look that met the old one. So moving an hour sends nothing at once for a time
that was no slot when it passed; and what passed while nobody looked is made good by one issue, whichever expression it
was of.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

_LONGEST_FOLD = timedelta(hours=3)
"""No zone has put its clock back by more since standard time began in 1970 (tzdata: 2 hours at Antarctic stations)."""


def latest_slot(cron: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The latest slot at or before `now`, in UTC; ValueError when there was none in the last 50 years."""
    wall = _wall(now, zone) + _LONGEST_FOLD
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What the last look left behind: the expression `cron` in `zone` ("" while there is none), whose slots count when
    they lie after `since`; when it `seen` the timetable last; and the slot that is `owed`, if any."""

    cron: str
    zone: str
    since: datetime
    seen: datetime
    owed: datetime | None = None


def look(watch: Watch, cron: str, zone: str, now: datetime, *, served: datetime | None, grace: timedelta) -> Watch:
    """Look at the timetable `cron` (""; switched off) in `zone` at `now`; the slot to serve is the result's `owed`.

    `served` is the latest slot up to `now` that was dealt with. A clock that ran ahead leaves moments behind that lie
    in the future: they count as the present. Earlier missed slots need no issue of their own: the latest covers their
    articles.
    """
    slots = [watch.owed, _latest_after(watch.cron, watch.zone, now, min(watch.since, now))]
    if (cron, zone) != (watch.cron, watch.zone):
        since = min(watch.seen, now)
        slots.append(_latest_after(cron, zone, now, since))
    else:
        since = min(watch.since, now)
    due = [slot for slot in slots if slot and slot <= now and now - slot <= grace and (not served or slot > served)]
    return Watch(cron=cron, zone=zone, since=since, seen=now, owed=max(due, default=None) if cron else None)


def first_watch(cron: str, zone: str, since: datetime) -> Watch:
    """Before the first look: slots after `since`, when the store was made, count."""
    return Watch(cron=cron, zone=zone, since=since, seen=since)


def _latest_after(cron: str, zone: str, now: datetime, since: datetime) -> datetime | None:
    if not cron:
        return None
    slot = latest_slot(cron, ZoneInfo(zone), now)
    return slot if slot > since else None


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
