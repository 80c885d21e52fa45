"""The timetable of `publisher serve` and `publisher schedule`: APScheduler fires the flows. Floor: above `app`.

| job          | flow               | trigger                       | what it does                                    |
| ------------ | ------------------ | ----------------------------- | ----------------------------------------------- |
| feeds        | flows.run          | every `feeds.every_minutes`   | sources, feeds, pages, due digests, deliveries  |
| daily        | flows.run          | cron of `digest.daily`        | the same, at the digest's hour                  |
| weekly       | flows.run          | cron of `digest.weekly`       | the same                                        |
| monthly      | flows.run          | cron of `digest.monthly`      | the same                                        |
| letters      | flows.run          | every minute, and on time     | letters whose time, limit or breaker lets them  |
| bounces      | flows.bounce_mail  | every `bounces.every_minutes` | reads the letters that came back                |
| backup       | flows.backup       | cron of `backup`              | makes a copy of the database                    |
| alarms       | flows.alarms       | every `alarm.every_minutes`   | tells the operator what went wrong              |
| housekeeping | flows.housekeeping | cron of `store.housekeeping`  | forgets what nobody needs any more              |

`lines` is that table in code; a new job is one more line. The settings declare the jobs, the store keeps their state:
each firing claims its slot there, so that of two processes one does it.

What is due is decided by the store (the slot of an issue is a unique row), never by the timer: a job that fires twice
sends nothing twice, and an hour that was missed is made good by the next job that fires, the first one at the start.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from publisher.app import App
from publisher.clock import Clock
from publisher.errors import PublisherError, RunInProgress
from publisher.flows.alarms import watch
from publisher.flows.backup import back_up
from publisher.flows.bounce_mail import configured_mail, has_mailbox, in_words
from publisher.flows.bounces import read_bounces
from publisher.flows.deliver import letters_due, look_ahead
from publisher.flows.housekeeping import keep_house
from publisher.flows.job_state import JobState
from publisher.flows.run import Order, deliver_only, publish
from publisher.model import Frequency, Run, RunTrigger
from publisher.triggers import EveryTrigger, SlotTrigger, Trigger

GRACE_S = 24 * 3600
"""A job that could not start in time still starts within this many seconds; APScheduler's own default is one."""

TICK = timedelta(minutes=1)
"""So often letters whose time has come are looked for, and jobs that found a run under way are tried again."""

CLOCK_S = 15.0
"""So often the clock is compared with one that nobody sets."""

STEP_S = 30.0
"""A clock that was set by more: every job's next time is worked out anew."""

SHUTDOWN_S = 10
"""After a signal the letters in hand are finished and recorded within this time."""

LETTERS = "letters"
ON_TIME = "letters, as soon as they may go on"

log = structlog.get_logger("publisher.schedule")

Work = Callable[[], Awaitable[str]]
"""Does it and says in a few words what came of it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the timetable. `is_run`: it does a publish run, which serves every other such job at the same time.
    `goes_on`: when it is worth while to do it again, if that is known to be before its trigger fires."""

    name: str
    trigger: Trigger
    work: Work
    is_run: bool = False
    goes_on: Callable[[], datetime | None] | None = None


def lines(app: App, stop: asyncio.Event) -> list[Line]:
    """The table above, as the settings declare it."""
    settings, parts = app.settings, app.parts

    async def run() -> str:
        done, report = await publish(parts, Order(trigger=RunTrigger.TIMETABLE), stop=stop, tell=_log_wait)
        problem = report.delivery.problem
        names = [issue.name for issue in report.issues if issue.name]
        _log_run(done, problem, documents=len(report.site.written), issues=names, letters=report.delivery.states)
        return f"run {done.id} {done.state}" + (f": {problem}" if problem else "")

    async def letters() -> str:
        done, report = await deliver_only(parts, trigger=RunTrigger.TIMETABLE, stop=stop, tell=_log_wait)
        _log_run(done, report.problem, letters=report.states)
        return f"run {done.id} {done.state}" + (f": {report.problem}" if report.problem else "")

    table = [Line("feeds", EveryTrigger(timedelta(minutes=settings.feeds.every_minutes)), run, is_run=True)]
    for frequency in Frequency:
        digest = settings.timetable(frequency)
        if digest.enabled:
            table.append(Line(str(frequency), SlotTrigger(digest.cron, settings.digest_zone), run, is_run=True))
    pause_s = settings.smtp.retry_minutes * 60
    retry = _Patient(letters, lambda: letters_due(parts.store, parts.post, app.clock()), pause_s=pause_s)

    def goes_on() -> datetime | None:
        return look_ahead(parts.store, parts.post, app.clock()).goes_on

    table.append(Line(LETTERS, EveryTrigger(TICK), retry, goes_on=goes_on))
    if has_mailbox(settings):
        every = EveryTrigger(timedelta(minutes=settings.bounces.every_minutes))
        table.append(Line("bounces", every, lambda: asyncio.to_thread(_read_bounces, app)))
    if settings.backup.enabled:
        table.append(
            Line("backup", SlotTrigger(settings.backup.cron, settings.zone), lambda: asyncio.to_thread(_back_up, app))
        )
    if settings.alarm.mail or settings.alarm.webhook.get_secret_value():
        looks = EveryTrigger(timedelta(minutes=settings.alarm.every_minutes))
        table.append(Line("alarms", looks, lambda: watch(parts, app.alarm_client)))
    nightly = SlotTrigger(settings.store.housekeeping, settings.zone)
    table.append(Line("housekeeping", nightly, lambda: asyncio.to_thread(keep_house, parts)))
    return table


def _read_bounces(app: App) -> str:
    mails, now = configured_mail(app.settings), app.clock()
    return in_words(read_bounces(app.store, mails, signer=app.signer, return_path=app.return_path, now=now))


def _back_up(app: App) -> str:
    made = back_up(app.store, app.settings, app.clock())
    return f"{made.path.name}, {made.size / 1000:,.0f} kB"


def upcoming(table: Iterable[Line], now: datetime) -> dict[str, tuple[str, datetime]]:
    """The trigger in words and the next time of each job, whether or not the timetable is running."""
    return {line.name: (str(line.trigger), line.trigger.get_next_fire_time(None, now)) for line in table}


class _Patient:
    """Sends letters whose time has come, does nothing without any, and leaves a relay that takes none alone for a
    while."""

    def __init__(self, send: Work, due: Callable[[], int], *, pause_s: float) -> None:
        self._send = send
        self._due = due
        self._pause_s = pause_s
        self._not_before = 0.0

    async def __call__(self) -> str:
        before = await asyncio.to_thread(self._due)
        if not before or time.monotonic() < self._not_before:
            return ""
        said = await self._send()
        left = await asyncio.to_thread(self._due)
        self._not_before = time.monotonic() + self._pause_s if left >= before else 0.0
        return said


@asynccontextmanager
async def running(app: App) -> AsyncIterator[Timetable]:
    """The timetable of `app`, running while the block lasts; at its end the run in hand finishes its letters."""
    stop = asyncio.Event()
    timetable = Timetable(lines(app, stop), JobState(app.store, app.clock), app.clock)
    await timetable.start()
    try:
        yield timetable
    finally:
        stop.set()
        await timetable.close(SHUTDOWN_S)


async def run_timetable(app: App, stop: asyncio.Event) -> None:
    """The timetable alone, without a web server, until `stop` is set."""
    async with running(app) as timetable:
        log.info("timetable.running", jobs=list(timetable.next_times()))
        await stop.wait()
    log.info("stopped")


class Timetable:
    """The jobs of `table`: each one at a time, coalesced, with its state in the store.

    Runs are one at a time: what fires during one is done by one more behind it. A job that finds another process's run
    under way is tried again after a minute, and so is one whose slot could not be claimed: the database was away.
    An error is logged and kept with the job, and the timetable goes on.
    """

    def __init__(self, table: Iterable[Line], state: JobState, clock: Clock) -> None:
        self._lines = {line.name: line for line in table}
        self._state = state
        self._clock = clock
        self._running = asyncio.Lock()
        self._wanted: set[str] = set()
        self._again: set[str] = set()
        self._unclaimed: set[str] = set()
        self._watch: asyncio.Task[None] | None = None
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            executors={"default": AsyncIOExecutor()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": GRACE_S},
        )
        for line in self._lines.values():
            self._scheduler.add_job(self._fired, line.trigger, args=[line.name], id=line.name)

    async def start(self) -> None:
        """Fire what was missed, and from now on each job at its time. The first run comes at once."""
        triggers = {line.name: str(line.trigger) for line in self._lines.values()}
        last = await asyncio.to_thread(self._state.declare, triggers)
        self._scheduler.start()
        now = self._clock()
        for name, line in self._lines.items():
            slotted = not line.is_run and name != LETTERS
            if name == "feeds" or (slotted and last[name] < line.trigger.latest(now)):
                self._scheduler.add_job(self._fired, args=[name, now], id=f"{name} at the start")
        self._watch = asyncio.create_task(self._watch_clock())

    def next_times(self) -> dict[str, datetime | None]:
        """When each job fires next."""
        jobs = {job.id: getattr(job, "next_run_time", None) for job in self._scheduler.get_jobs()}
        return {name: jobs.get(name) for name in self._lines}

    def next_run(self) -> datetime | None:
        """When published documents may change next: the present while a run is under way."""
        if self._running.locked():
            return datetime.now(UTC)
        times = [moment for name, moment in self.next_times().items() if self._lines[name].is_run and moment]
        return min(times, default=None)

    async def close(self, within_s: float) -> None:
        """Fire nothing more, and wait for the work in hand, but not longer than this."""
        self._scheduler.pause()
        self._wanted.clear()
        if self._watch is not None:
            self._watch.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._running.acquire(), within_s)
        self._scheduler.shutdown(wait=False)
        with suppress(PublisherError):
            await asyncio.to_thread(self._state.leave)

    # --- one firing -----------------------------------------------------------------------------------------------

    async def _fired(self, name: str, slot: datetime | None = None) -> None:
        line = self._lines[name]
        if name == LETTERS:
            await self._tick()
            return
        try:
            ours = await asyncio.to_thread(self._state.claim, name, slot or line.trigger.latest(self._clock()))
        except PublisherError as error:
            log.warning("job.unclaimed", job=name, problem=str(error))
            self._unclaimed.add(name)
            return
        if not ours:
            log.debug("job.elsewhere", job=name)
        elif line.is_run:
            await self._run(name)
        else:
            await self._do(line, [name])

    async def _run(self, name: str) -> None:
        """One run for all that want one, and one more for those that came to want it meanwhile."""
        self._wanted.add(name)
        if self._running.locked():
            return
        async with self._running:
            while self._wanted:
                names, self._wanted = sorted(self._wanted), set()
                await self._do(self._lines[names[0]], names)

    async def _tick(self) -> None:
        for name in tuple(self._unclaimed):
            self._unclaimed.discard(name)
            await self._fired(name)
        for name in tuple(self._again):
            self._again.discard(name)
            await self._run(name)
        if not self._running.locked():
            async with self._running:
                await self._do(self._lines[LETTERS], [LETTERS])
            if self._wanted:
                await self._run(self._wanted.pop())
        with suppress(PublisherError):
            await self._come_back(self._lines[LETTERS])
            await asyncio.to_thread(self._state.alive, self.next_times())

    async def _come_back(self, line: Line) -> None:
        """Look at the letters again when a limit, a breaker or their own time lets them go on, if that is before the
        next minute."""
        at = await asyncio.to_thread(line.goes_on) if line.goes_on is not None else None
        now = self._clock()
        if at is not None and now < at < now + TICK:
            self._scheduler.add_job(self._tick, "date", run_date=at, id=ON_TIME, replace_existing=True)

    async def _do(self, line: Line, names: list[str]) -> None:
        try:
            outcome, detail = "done", await line.work()
        except RunInProgress as busy:
            log.info("run.skipped", job=line.name, reason=str(busy))
            self._again.update(name for name in names if name != LETTERS)
            with suppress(PublisherError):
                await asyncio.to_thread(self._state.waits, names, str(busy), self.next_times())
            return
        except (PublisherError, OSError) as error:
            log.error("job.failed", job=line.name, problem=str(error))  # noqa: TRY400  one line, no traceback
            outcome, detail = "failed", str(error)
        if line.name == LETTERS and not detail:
            return  # there was nothing to do, as in most minutes
        with suppress(PublisherError):
            await asyncio.to_thread(self._state.ended, names, outcome, detail, self.next_times())

    # --- the clock ------------------------------------------------------------------------------------------------

    async def _watch_clock(self) -> None:
        """A job waits for a time of the clock: when that is set, work out anew how long."""
        while True:
            wall, steady = time.time(), time.monotonic()
            await asyncio.sleep(CLOCK_S)
            step = (time.time() - wall) - (time.monotonic() - steady)
            if abs(step) >= STEP_S:
                log.warning("clock.set", seconds=round(step))
                self.replan()

    def replan(self) -> None:
        """Work out from the present clock when each job fires next, and look at once what is due."""
        for name, line in self._lines.items():
            self._scheduler.modify_job(name, next_run_time=line.trigger.get_next_fire_time(None, self._clock()))
        self._scheduler.add_job(self._run, args=["feeds"], id="feeds, the clock was set", replace_existing=True)


def _log_wait(text: str) -> None:
    log.warning("relay.out", problem=text)


def _log_run(run: Run, problem: str, *, letters: Any, **more: object) -> None:
    states = {str(state): count for state, count in letters.items()}
    log.info("run.done", run=run.id, state=str(run.state), **more, letters=states, problem=problem or None)
