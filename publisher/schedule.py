"""The timetable of `publisher serve`: APScheduler fires the same run as the command. Floor: above `app`.

| job     | flow            | trigger                         | what it does                                     |
| ------- | --------------- | ------------------------------- | ------------------------------------------------ |
| feeds   | flows.run       | every `feeds.every_minutes`     | sources, feeds, pages, due digests, deliveries   |
| daily   | flows.run       | cron of `digest.daily`          | the same, at the digest's hour                   |
| weekly  | flows.run       | cron of `digest.weekly`         | the same                                         |
| monthly | flows.run       | cron of `digest.monthly`        | the same                                         |

What is due is decided by the store (the slot of an issue is a unique row), never by the timer: a job that fires twice
sends nothing twice, and an hour that was missed is made good by the next job that fires, the first one at the start.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from publisher.app import App
from publisher.config import Settings
from publisher.digest.due import next_slot
from publisher.errors import PublisherError, RunInProgress
from publisher.flows.run import Order, publish
from publisher.model import Frequency, RunTrigger

GRACE_S = 3600
"""A job that could not start in time still starts within this many seconds; APScheduler's own default is one."""

SHUTDOWN_S = 10
"""After a signal the letters in hand are finished and recorded within this time."""

log = structlog.get_logger("publisher.schedule")

Work = Callable[[], Awaitable[Any]]


class SlotTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Fires at the slots of a digest: the same cron expressions, read by the same rules, as what decides what is due.

    APScheduler's own cron counts weekdays from Monday = 0, so that `0 7 * * 1` would fire on Tuesdays.
    """

    def __init__(self, cron: str, zone: ZoneInfo) -> None:
        self._cron = cron
        self._zone = zone

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        after = max(now, previous_fire_time) if previous_fire_time else now
        return next_slot(self._cron, self._zone, after)


@asynccontextmanager
async def running(app: App) -> AsyncIterator[Timetable]:
    """The timetable of `app`, running while the block lasts; at its end the run in hand finishes its letters."""
    stop = asyncio.Event()

    async def work() -> None:
        run, report = await publish(app.parts, Order(trigger=RunTrigger.TIMETABLE), stop=stop)
        log.info(
            "run.done",
            run=run.id,
            state=str(run.state),
            documents=len(report.site.written),
            issues=[issue.name for issue in report.issues if issue.name],
            letters={str(state): count for state, count in report.delivery.states.items()},
            problem=report.delivery.problem or None,
        )

    timetable = Timetable(app.settings, work, now=app.clock())
    timetable.start()
    try:
        yield timetable
    finally:
        stop.set()
        await timetable.close(SHUTDOWN_S)


class Timetable:
    """The jobs of the table above; each calls `work`, one at a time, coalesced.

    A job that finds a run under way leaves the work to it; an error is logged and the timetable goes on.
    """

    def __init__(self, settings: Settings, work: Work, *, now: datetime) -> None:
        self._work = work
        self._running = asyncio.Lock()
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            executors={"default": AsyncIOExecutor()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": GRACE_S},
        )
        every = IntervalTrigger(minutes=settings.feeds.every_minutes, timezone=UTC)
        self._add("feeds", every, first=now + timedelta(seconds=1))
        for frequency in Frequency:
            digest = settings.timetable(frequency)
            if digest.enabled:
                self._add(str(frequency), SlotTrigger(digest.cron, settings.digest_zone))

    def _add(self, job: str, trigger: BaseTrigger, *, first: datetime | None = None) -> None:
        more = {"next_run_time": first} if first else {}
        self._scheduler.add_job(self._once, trigger, args=[job], id=job, **more)

    def start(self) -> None:
        self._scheduler.start()

    def next_times(self) -> dict[str, datetime | None]:
        """When each job fires next."""
        return {job.id: job.next_run_time for job in self._scheduler.get_jobs()}

    def next_run(self) -> datetime | None:
        """When published documents may change next: the present while a run is under way."""
        if self._running.locked():
            return datetime.now(UTC)
        return min((moment for moment in self.next_times().values() if moment is not None), default=None)

    async def close(self, within_s: float) -> None:
        """Fire nothing more, and wait for the work in hand, but not longer than this."""
        self._scheduler.pause()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._running.acquire(), within_s)
        self._scheduler.shutdown(wait=False)

    async def _once(self, job: str) -> None:
        if self._running.locked():
            log.info("run.skipped", job=job, reason="the last one is still under way")
            return
        async with self._running:
            try:
                await self._work()
            except RunInProgress as busy:
                log.info("run.skipped", job=job, reason=str(busy))
            except (PublisherError, OSError) as error:
                log.error("run.failed", job=job, problem=str(error))  # noqa: TRY400  one line, no traceback
