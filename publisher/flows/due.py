"""Which digests are due. Floor: `flows`."""

from __future__ import annotations

from datetime import datetime, timedelta

from publisher.config import Settings
from publisher.digest.due import due_slot
from publisher.model import Frequency
from publisher.store import Transaction


def due(tx: Transaction, settings: Settings, now: datetime) -> list[tuple[Frequency, datetime]]:
    """The frequencies whose time has come, each with the slot of the timetable it is for.

    A slot that already has an issue (or was skipped), that lies before the installation, or that was missed by more
    than the grace is not due. Of several missed slots only the latest is: one catch-up issue.
    """
    grace = timedelta(hours=settings.digest.grace_hours)
    found = []
    for frequency in Frequency:
        timetable = settings.timetable(frequency)
        if not timetable.enabled:
            continue
        since = tx.issues.last_slot(frequency) or tx.meta.installed_at()
        slot = due_slot(timetable.cron, settings.digest_zone, now, since=since, grace=grace)
        if slot is not None:
            found.append((frequency, slot))
    return found
