"""Which digests are due. Floor: `flows`."""

from __future__ import annotations

from datetime import datetime, timedelta

from publisher.config import Settings
from publisher.digest.due import Watch, first_watch, look
from publisher.model import Frequency
from publisher.store import Transaction


def due(tx: Transaction, settings: Settings, now: datetime) -> list[tuple[Frequency, datetime]]:
    """The frequencies whose time has come, each with the slot of the timetable it is for.

    A slot that already has an issue (or was skipped), that lies before the installation, or that was missed by more
    than the grace is not due. Of several missed slots only the latest is: one catch-up issue.
    """
    watches = {frequency: _look(tx, settings, frequency, now) for frequency in Frequency}
    return [(frequency, watch.owed) for frequency, watch in watches.items() if watch.owed is not None]


def remember_look(tx: Transaction, settings: Settings, now: datetime) -> None:
    """Keep what was seen of the timetable, for the next look to notice one that changed."""
    for frequency in Frequency:
        tx.timetables.set(frequency, _look(tx, settings, frequency, now))


def _look(tx: Transaction, settings: Settings, frequency: Frequency, now: datetime) -> Watch:
    timetable = settings.timetable(frequency)
    cron, zone = timetable.cron if timetable.enabled else "", settings.digest_zone.key
    before = tx.timetables.get(frequency) or first_watch(cron, zone, tx.meta.installed_at())
    grace = timedelta(hours=settings.digest.grace_hours)
    return look(before, cron, zone, now, served=tx.issues.last_slot(frequency, now), grace=grace)
