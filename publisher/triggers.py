"""When APScheduler fires a job: at the slots of a cron expression, or every so often. Floor: beside `app`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger

from publisher.digest.due import latest_slot, next_slot


class SlotTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Fires at the slots of a cron expression, read by the same rules as what decides which digest is due.

    APScheduler's own cron counts weekdays from Monday = 0, so that `0 7 * * 1` would fire on Tuesdays.
    """

    def __init__(self, cron: str, zone: ZoneInfo) -> None:
        self._cron = cron
        self._zone = zone

    def __str__(self) -> str:
        return f"{self._cron} ({self._zone.key})"

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        return next_slot(self._cron, self._zone, max(now, previous_fire_time) if previous_fire_time else now)

    def latest(self, now: datetime) -> datetime:
        """The slot that a job fired at `now` is of."""
        return latest_slot(self._cron, self._zone, now)


class EveryTrigger(BaseTrigger):  # type: ignore[misc]
    """Fires at the multiples of a period since 1970, so that two processes fire at the same moments."""

    def __init__(self, period: timedelta) -> None:
        self._period = int(period.total_seconds())

    def __str__(self) -> str:
        minutes = self._period // 60
        return "every minute" if minutes == 1 else f"every {minutes} minutes"

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        after = max(now, previous_fire_time) if previous_fire_time else now
        return self.latest(after) + timedelta(seconds=self._period)

    def latest(self, now: datetime) -> datetime:
        """The slot that a job fired at `now` is of."""
        seconds = int(now.timestamp())
        return datetime.fromtimestamp(seconds - seconds % self._period, UTC)


Trigger = SlotTrigger | EveryTrigger
