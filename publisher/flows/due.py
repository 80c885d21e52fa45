"""Which digests are due. Floor: `flows`."""

from __future__ import annotations

from datetime import datetime, timedelta

from publisher.config import Settings
from publisher.digest.due import first_watch, look
from publisher.model import Frequency
from publisher.store import Transaction


def due(tx: Transaction, settings: Settings, now: datetime) -> list[tuple[Frequency, datetime]]:
    """The frequencies whose time has come, each with the slot of the timetable it is for.

    A slot that already has an issue (or was skipped), that lies before the installation, or that was missed by more
    than the grace is not due. Of several missed slots only the latest is: one catch-up issue. Each look is remembered,
    for the next one to notice a timetable that changed.
    """
    grace = timedelta(hours=settings.digest.grace_hours)
    found = []
    for frequency in Frequency:
        timetable = settings.timetable(frequency)
        cron, zone = timetable.cron if timetable.enabled else "", settings.digest_zone.key
        before = tx.timetables.get(frequency) or first_watch(cron, zone, tx.meta.installed_at())
        watch = look(before, cron, zone, now, served=tx.issues.last_slot(frequency, now), grace=grace)
        tx.timetables.set(frequency, watch)
        if watch.owed is not None:
            found.append((frequency, watch.owed))
    return found
