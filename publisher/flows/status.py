"""Status: what runs, what comes next, what waits, how old and how full everything is. Floor: `flows`.

Everything is read out of the store and off the disk, so any process can tell it, whether or not a timetable runs.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from publisher import __version__
from publisher.config import Settings
from publisher.flows.job_state import KILLED, SILENCE, Keeper, keeper
from publisher.flows.outlook import Outlook, outlook
from publisher.flows.process import Presence, presence
from publisher.links import feed_path
from publisher.model import ALL, DeliveryState, Frequency, IssueState, Job, Run, SubscriberState
from publisher.store import SCHEMA, Store, Transaction

_OPEN = (IssueState.SENDING, IssueState.PAUSED, IssueState.WAITING)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """An issue of which letters wait. `next_attempt`: the first of its deferred letters is tried again then."""

    issue: str
    state: IssueState
    letters: int
    accepted: int
    waiting: int
    next_attempt: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedAge:
    """A feed and since when its file has the bytes it has; None before it was first published."""

    topic: str
    changed: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """Where letters go: `host` and `port` of the first relay, or the local outbox in the folder `outbox`; and its
    connections. Limits, and all relays, are in the outlook."""

    host: str
    port: int | None
    outbox: str
    connections: int
    letters_per_connection: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """In bytes; `database` is None for a database server."""

    site: str
    free: int
    database: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`keeper` runs the timetable; `current` is the run under way, `current_process` says whether its process is
    there; `last` is the one that ended last. `service_letters`: confirmations and the like that wait."""

    now: datetime
    version: str
    schema: str
    keeper: Keeper | None
    jobs: Sequence[Job]
    current: Run | None
    current_process: Presence | None
    last: Run | None
    queue: Sequence[QueueLine]
    service_letters: int
    relay: Relay
    outlook: Outlook
    feeds: Sequence[FeedAge]
    readers: Mapping[SubscriberState, int]
    disk: Disk


def status(
    store: Store, settings: Settings, now: datetime, *, declared: Mapping[str, tuple[str, datetime]] | None = None
) -> Status:
    """`declared` are the jobs of the settings with their trigger and next time, for a timetable that is not running;
    without them only what the last one left in the store is told."""
    with store.read() as tx:
        runs = tx.runs.list(2)
        current = tx.runs.current()
        process = presence(current.host, current.pid, current.process) if current else None
        who = keeper(tx, now)
        running = bool(who and who.running)
        resend = settings.smtp.on_uncertain == "resend"
        return Status(
            now=now,
            version=__version__,
            schema=SCHEMA,
            keeper=who,
            jobs=[
                _as_it_is(job, now, running=running, run=current is not None and process is not Presence.GONE)
                for job in _jobs(tx.jobs.all(), declared, running=running)
            ],
            current=current,
            current_process=process,
            last=next((run for run in runs if current is None or run.id != current.id), None),
            queue=_queue(tx, resend=resend),
            service_letters=tx.service_letters.waiting(now),
            relay=_relay(settings),
            outlook=outlook(tx, settings.relays, settings.domain, resend=resend, now=now),
            feeds=_feeds(tx, settings),
            readers=tx.subscribers.counts(),
            disk=_disk(settings),
        )


def _jobs(known: Sequence[Job], declared: Mapping[str, tuple[str, datetime]] | None, *, running: bool) -> list[Job]:
    by_name = {job.name: job for job in known}
    if declared is None or (running and by_name):
        return list(known) if declared is None else sorted(known, key=lambda job: _place(job.name, declared))
    return [
        replace(by_name.get(name, Job(name=name, trigger=trigger)), trigger=trigger, next=at)
        for name, (trigger, at) in declared.items()
    ]


def _as_it_is(job: Job, now: datetime, *, running: bool, run: bool) -> Job:
    """One that was killed never said how it ended. It is at work only while a timetable runs, and one that does a run
    (`run`: somebody does one) only then, but for the moment between its claim and the run's lock."""
    if job.fired is None or job.outcome:
        return job
    is_run = job.name in ("feeds", *Frequency)
    if running and (run or not is_run or now - job.fired < SILENCE):
        return job
    return replace(job, outcome="interrupted", detail=KILLED)


def _place(name: str, declared: Mapping[str, object]) -> int:
    return list(declared).index(name) if name in declared else len(declared)


def _queue(tx: Transaction, *, resend: bool) -> list[QueueLine]:
    lines = []
    for state in _OPEN:
        for issue in tx.issues.list(100, state=state):
            total = tx.deliveries.sum(issue.id)
            lines.append(
                QueueLine(
                    issue=issue.name,
                    state=issue.state,
                    letters=total.selected - total.states.get(DeliveryState.SUPPRESSED, 0),
                    accepted=total.states.get(DeliveryState.ACCEPTED, 0),
                    waiting=tx.deliveries.pending(issue.id, include_uncertain=resend),
                    next_attempt=tx.deliveries.next_attempt(issue.id, include_uncertain=resend),
                )
            )
    return lines


def _relay(settings: Settings) -> Relay:
    first = settings.relays[0] if settings.relays else None
    way = first or settings.smtp
    return Relay(
        host=first.host if first else "",
        port=first.port if first else None,
        outbox="" if first else str(settings.path(settings.outbox.path)),
        connections=way.connections,
        letters_per_connection=way.letters_per_connection,
    )


def _feeds(tx: Transaction, settings: Settings) -> list[FeedAge]:
    slugs = [*settings.topics, ALL]
    known = tx.documents.some([feed_path(slug) for slug in slugs])
    found = {slug: known.get(feed_path(slug)) for slug in slugs}
    return [FeedAge(topic=slug, changed=one.first_written if one else None) for slug, one in found.items()]


def _disk(settings: Settings) -> Disk:
    site = settings.path(settings.site.output)
    there = next(path for path in (site, *site.parents) if path.exists())
    url = settings.store.url
    database = settings.path(Path(url.removeprefix("sqlite:///"))) if url.startswith("sqlite:///") else None
    size = None
    if database is not None:
        parts = (database, database.with_name(f"{database.name}-wal"))
        size = sum(path.stat().st_size for path in parts if path.exists())
    return Disk(site=str(site), free=shutil.disk_usage(there).free, database=size)
