"""What a reader gets next, and when, by the same rules as the issue that will be composed. Floor: `flows`."""

from __future__ import annotations

from datetime import datetime, timedelta

from publisher.config import Settings
from publisher.digest.choose import choose
from publisher.digest.due import next_slot
from publisher.flows.compose import Terms, fresh_filings
from publisher.flows.due import due
from publisher.model import PENDING_STATES, NextLetter, Subscriber, SubscriberState
from publisher.store import Transaction

_A_SECOND = timedelta(seconds=1)


def next_letter(tx: Transaction, settings: Settings, reader: Subscriber, *, terms: Terms, now: datetime) -> NextLetter:
    """For a reader who is active or paused. What is filed until the slot comes is not known yet."""
    at, is_due = _slot(tx, settings, reader, now)
    covered, on_its_way = reader.watermark, ""
    for delivery in tx.deliveries.of_subscriber(reader.id):
        if delivery.state in PENDING_STATES:
            issue = tx.issues.get(delivery.issue_id)
            covered = max(covered, issue.upto_seq)
            on_its_way = on_its_way or issue.name
    window, _ = fresh_filings(tx, covered, tx.filings.last_seq(), terms.hold_back)
    keys = {key for part in choose(window, reader.topics, covered, terms.topic_order) for key in part.articles}
    had = {key for _, key in tx.deliveries.received([reader.id], keys)} if keys else set()
    return NextLetter(at=at, is_due=is_due, waiting=len(keys - had), on_its_way=on_its_way)


def _slot(tx: Transaction, settings: Settings, reader: Subscriber, now: datetime) -> tuple[datetime | None, bool]:
    timetable = settings.timetable(reader.frequency)
    wakes = reader.paused_until
    if not timetable.enabled or (reader.state is SubscriberState.PAUSED and wakes is None):
        return None, False
    if wakes is not None and wakes > now:
        return next_slot(timetable.cron, settings.digest_zone, wakes - _A_SECOND), False
    present = dict(due(tx, settings, now)).get(reader.frequency)
    if present is not None:
        return present, True
    return next_slot(timetable.cron, settings.digest_zone, now), False
