"""Does it live? What a container and Prometheus ask, out of the store and off the disk. Floor: `flows`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from publisher.config import Settings
from publisher.flows.backup import last_backup
from publisher.flows.job_state import SILENCE, keeper
from publisher.health.site import TOO_LITTLE
from publisher.links import feed_path
from publisher.model import ALL, DeliveryState, Frequency, RunState, SubscriberState
from publisher.store import Store, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """`lag`: since when the timetable was not heard of, None if none runs; `overdue`: how long the run that publishes
    feeds is late; `letters`: those of the newest issue of each frequency, by state; `waiting`: all that wait; ages in
    seconds; `free` in bytes. No names, addresses or paths: anybody may read them."""

    lag: timedelta | None
    overdue: timedelta | None
    free: int
    last_run: int | None
    last_state: RunState | None
    last_ended: datetime | None
    runs: Mapping[RunState, int]
    letters: Mapping[tuple[Frequency, DeliveryState], int]
    waiting: int
    service: Mapping[DeliveryState, int]
    readers: Mapping[SubscriberState, int]
    feeds: Mapping[str, float]
    backup: float | None

    @property
    def troubles(self) -> list[str]:
        """Why this process is of no use to anybody any more; a relay or an article that is wrong is no such reason."""
        found = []
        if self.lag is not None and self.lag > SILENCE:
            found.append("the timetable stands still")
        if self.overdue is not None and self.overdue > timedelta():
            found.append("the last run is long ago")
        if self.free < TOO_LITTLE:
            found.append("the disk is full")
        return found


def signs(store: Store, settings: Settings, now: datetime) -> Signs:
    """Raises as the store does."""
    with store.read() as tx:
        who = keeper(tx, now)
        runs = [run for run in tx.runs.list(50) if run.state is not RunState.RUNNING]
        last = runs[0] if runs else None
        states = [run.state for run in runs]
        backup = last_backup(tx)
        return Signs(
            lag=None if who is None else max(now - who.heard, timedelta()),
            overdue=overdue(tx, settings, now) if who is not None else None,
            free=free_bytes(settings),
            last_run=last.id if last else None,
            last_state=last.state if last else None,
            last_ended=last.finished if last else None,
            runs={state: states.count(state) for state in RunState if state is not RunState.RUNNING},
            letters=_letters(tx),
            waiting=tx.deliveries.pending(),
            service=tx.service_letters.counts(),
            readers=tx.subscribers.counts(),
            feeds=_feeds(tx, settings, now),
            backup=(now - backup).total_seconds() if backup else None,
        )


def overdue(tx: Transaction, settings: Settings, now: datetime) -> timedelta | None:
    """How much later than three of its turns the feeds were done last; None while a run is under way, and says so."""
    feeds = next((job for job in tx.jobs.all() if job.name == "feeds"), None)
    run = tx.runs.current()
    at_work = run is not None and now - (run.heartbeat or run.started) < SILENCE
    if feeds is None or feeds.ended is None or at_work:
        return None
    return now - feeds.ended - timedelta(minutes=3 * settings.feeds.every_minutes)


def _letters(tx: Transaction) -> dict[tuple[Frequency, DeliveryState], int]:
    found = {}
    for frequency in Frequency:
        issue = tx.issues.last(frequency)
        if issue is not None and issue.number is not None:
            for state, count in tx.deliveries.sum(issue.id).states.items():
                found[frequency, state] = count
    return found


def _feeds(tx: Transaction, settings: Settings, now: datetime) -> dict[str, float]:
    slugs = [*settings.topics, ALL]
    known = tx.documents.some([feed_path(slug) for slug in slugs])
    found = {slug: known.get(feed_path(slug)) for slug in slugs}
    return {slug: (now - one.first_written).total_seconds() for slug, one in found.items() if one}


def free_bytes(settings: Settings) -> int:
    """Of the fuller disk: the published site and a database that is a file may lie on two."""
    places = [settings.path(settings.site.output)]
    if settings.store.url.startswith("sqlite:///"):
        places.append(settings.path(Path(settings.store.url.removeprefix("sqlite:///"))))
    there = [next(path for path in (place, *place.parents) if path.exists()) for place in places]
    return min(shutil.disk_usage(path).free for path in there)
