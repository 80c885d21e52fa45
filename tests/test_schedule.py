"""The timetable: which jobs there are, when they fire, that they never overlap, and what is remembered of them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flows.house import House, Time

from publisher import schedule
from publisher.clock import system_clock
from publisher.errors import RelayUnavailable, RunInProgress, StoreBusy
from publisher.flows.job_state import JobState, keeper
from publisher.flows.vital_signs import overdue
from publisher.model import DeliveryState, Job
from publisher.schedule import Line, Timetable, lines
from publisher.store import Store
from publisher.store.engine import open_engine
from publisher.store.schema import deliveries, issues, subscribers
from publisher.triggers import EveryTrigger, SlotTrigger

NOW = datetime(2026, 3, 2, 6, 59, tzinfo=UTC)  # a Monday
HOURLY = EveryTrigger(timedelta(hours=1))


@pytest.fixture
def house(tmp_path: Path, sqlite_url: str) -> Any:
    house = House(tmp_path, sqlite_url)
    yield house
    house.app.close()


def jobs(store: Store) -> dict[str, Job]:
    with store.read() as tx:
        return {job.name: job for job in tx.jobs.all()}


async def nothing() -> str:
    return "nothing"


@asynccontextmanager
async def started(store: Store, *table: Line, clock: Any = system_clock) -> AsyncIterator[Timetable]:
    timetable = Timetable([*table, Line("letters", HOURLY, silent)], JobState(store, clock), clock)
    await timetable.start()
    try:
        yield timetable
    finally:
        await timetable.close(5)


async def silent() -> str:
    return ""


async def until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        await asyncio.sleep(0.01)


# --- when -------------------------------------------------------------------------------------------------------


def test_weekday_numbers_mean_what_cron_says_and_not_what_apscheduler_says() -> None:
    monday = SlotTrigger("0 7 * * 1", ZoneInfo("UTC")).get_next_fire_time(None, NOW)
    assert monday == datetime(2026, 3, 2, 7, tzinfo=UTC)


def test_a_slot_in_the_hour_that_does_not_exist_fires_once_behind_it() -> None:
    trigger = SlotTrigger("30 2 * * *", ZoneInfo("Europe/Brussels"))
    fired, moment = [], datetime(2026, 3, 28, 12, tzinfo=UTC)
    for _ in range(3):
        moment = trigger.get_next_fire_time(moment, moment)
        fired.append(moment)
    assert [time.date().day for time in fired] == [29, 30, 31]
    assert fired[0] == datetime(2026, 3, 29, 1, tzinfo=UTC)  # 03:00 of summer time


def test_two_processes_fire_an_interval_at_the_same_moments() -> None:
    trigger = EveryTrigger(timedelta(minutes=30))
    times = {trigger.get_next_fire_time(None, NOW + timedelta(seconds=s)) for s in (-1700, -100, 0, 59)}
    assert times == {NOW + timedelta(minutes=1)}
    assert trigger.get_next_fire_time(NOW + timedelta(minutes=1), NOW) == NOW + timedelta(minutes=31)
    assert trigger.latest(NOW) == NOW - timedelta(minutes=29)


# --- which ------------------------------------------------------------------------------------------------------


def names(house: House) -> list[str]:
    return [line.name for line in lines(house.app, asyncio.Event())]


def test_the_settings_declare_the_jobs(house: House) -> None:
    assert names(house) == ["feeds", "daily", "weekly", "monthly", "letters", "backup", "housekeeping"]
    house.rebuild(digest={"monthly": {"enabled": False}}, bounces={"inbox": "mail"})
    assert names(house) == ["feeds", "daily", "weekly", "letters", "bounces", "backup", "housekeeping"]


def test_the_table_that_people_read_has_every_job(house: House) -> None:
    house.rebuild(bounces={"inbox": "mail"}, alarm={"mail": "operator@news.example"})
    told = re.findall(r"(?m)^\| (\w+) +\| flows\.(\w+)", str(schedule.__doc__))
    assert [name for name, _ in told] == names(house)
    for _, flow in told:
        __import__(f"publisher.flows.{flow}")


# --- firing -----------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_the_first_run_comes_at_the_start_so_that_a_missed_hour_is_made_good(house: House) -> None:
    ran = asyncio.Event()

    async def work() -> str:
        ran.set()
        return "done so"

    async with started(house.app.store, Line("feeds", HOURLY, work, is_run=True)):
        await asyncio.wait_for(ran.wait(), 20)
        await until(lambda: jobs(house.app.store)["feeds"].outcome == "done")
    job = jobs(house.app.store)["feeds"]
    assert (job.trigger, job.detail) == ("every 60 minutes", "done so")
    assert job.fired and job.ended and job.next and job.next > job.fired


@pytest.mark.anyio
async def test_what_fires_during_a_run_is_done_by_one_more_behind_it(house: House) -> None:
    running, most, count = 0, 0, 0

    async def work() -> str:
        nonlocal running, most, count
        running, count = running + 1, count + 1
        most = max(most, running)
        await asyncio.sleep(0.2)
        running -= 1
        return ""

    async with started(
        house.app.store, *(Line(name, HOURLY, work, is_run=True) for name in ("daily", "weekly", "monthly"))
    ) as table:
        first = asyncio.create_task(table._run("daily"))
        await until(lambda: count == 1)
        await asyncio.gather(*(table._run(job) for job in ("weekly", "monthly")))
        await first
    assert (most, count) == (1, 2)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (StoreBusy("locked"), "failed"),
        (RunInProgress("the command, process 7"), "waiting"),
        (OSError("disk"), "failed"),
    ],
)
async def test_a_run_that_fails_is_told_and_does_not_stop_the_timetable(
    house: House, error: Exception, outcome: str
) -> None:
    calls = 0

    async def work() -> str:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise error
        return "well"

    async with started(house.app.store, Line("daily", HOURLY, work, is_run=True)) as table:
        await table._run("daily")
        job = jobs(house.app.store)["daily"]
        assert (job.outcome, job.detail) == (outcome, str(error))
        await table._tick()
        assert calls == (2 if outcome == "waiting" else 1), (
            "a minute later it is tried again if somebody else was at it"
        )
        await table._run("daily")
        assert jobs(house.app.store)["daily"].detail == "well"


@pytest.mark.anyio
async def test_turns_that_find_a_run_whose_heart_stands_still_are_no_end_of_one(house: House) -> None:
    held = False

    async def work() -> str:
        if held:
            raise RunInProgress("run 2 (timetable), process 7")
        return ""

    store, clock = house.app.store, Time(NOW)
    table = Timetable(
        [Line("feeds", HOURLY, work, is_run=True), Line("letters", HOURLY, silent)], JobState(store, clock), clock
    )
    table._state.declare({"feeds": "every 60 minutes"})
    await table._fired("feeds")
    held = True
    for _ in range(4):
        clock.forward(hours=1)
        await table._fired("feeds")
        await table._tick()
    with store.read() as tx:
        late = overdue(tx, house.app.settings, clock())
    assert late is not None and late > timedelta()
    assert jobs(store)["feeds"].outcome == "waiting"


@pytest.mark.anyio
async def test_closing_waits_for_the_run_in_hand(house: House) -> None:
    begun, finished = asyncio.Event(), False

    async def work() -> str:
        nonlocal finished
        begun.set()
        await asyncio.sleep(0.2)
        finished = True
        return ""

    async with started(house.app.store, Line("daily", HOURLY, work, is_run=True)) as table:
        task = asyncio.create_task(table._run("daily"))
        await begun.wait()
    await task
    assert finished


@pytest.mark.anyio
async def test_of_two_processes_one_fires_a_slot(store: Store) -> None:
    fired = []

    def counted(who: str) -> Callable[[], Awaitable[str]]:
        async def work() -> str:
            fired.append(who)
            return ""

        return work

    clock = Time(NOW)
    tables = [Timetable([Line("night", HOURLY, counted(who))], JobState(store, clock), clock) for who in "ab"]
    for table in tables:
        table._state.declare({"night": "hourly"})
    for _ in range(3):
        await asyncio.gather(*(table._fired("night") for table in tables))
        clock.forward(hours=1)
    assert len(fired) == 3


@pytest.mark.anyio
async def test_a_slot_that_fell_into_a_time_without_database_is_fired_once_when_it_is_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fired, clock = [], Time(NOW)

    async def work() -> str:
        fired.append(clock())
        return ""

    table = [Line("night", HOURLY, work), Line("letters", HOURLY, silent)]
    tables = [Timetable(table, JobState(store, clock), clock) for _ in range(2)]
    for one in tables:
        one._state.declare({"night": "hourly"})
    claim = JobState.claim

    def away(*_: object) -> bool:
        raise StoreBusy("it cannot be reached")

    monkeypatch.setattr(JobState, "claim", away)
    for one in tables:
        await one._fired("night")
    for _ in range(3):
        clock.forward(minutes=1)
        for one in tables:
            await one._tick()
    assert not fired
    monkeypatch.setattr(JobState, "claim", claim)
    for one in tables:
        await one._tick()
        await one._tick()
    assert len(fired) == 1


@pytest.mark.anyio
async def test_a_job_that_was_missed_while_nothing_ran_comes_at_the_start_and_one_that_was_not_does_not(
    house: House,
) -> None:
    count = 0

    async def work() -> str:
        nonlocal count
        count += 1
        return ""

    with house.app.store.read() as tx:
        clock = Time(tx.meta.installed_at())
    night = Line("night", EveryTrigger(timedelta(days=1)), work)
    for forward, expected in ((0, 0), (0, 1), (3, 1), (72, 2), (0, 2)):
        clock.forward(hours=forward)
        async with started(house.app.store, night, clock=clock) as table:
            if count == 0 and expected == 1:
                await table._fired("night")
            await until(lambda: len(table._scheduler.get_jobs()) == 2)  # what was to come at the start has come
            await until(lambda wanted=expected: count == wanted)  # only then is its outcome that of this start
            await until(lambda: jobs(house.app.store)["night"].outcome == ("done" if count else ""))
        assert count == expected


@pytest.mark.anyio
async def test_a_job_whose_hour_never_came_while_anything_ran_comes_at_the_start(house: House) -> None:
    """A machine that is on by day only would never make a backup, and no alarm knows of one that never was."""
    done = asyncio.Event()

    async def work() -> str:
        done.set()
        return ""

    with house.app.store.read() as tx:
        clock = Time(tx.meta.installed_at())
    night = Line("night", EveryTrigger(timedelta(days=1)), work)
    async with started(house.app.store, night, clock=clock) as table:
        await until(lambda: len(table._scheduler.get_jobs()) == 2)
        assert not done.is_set()
    clock.forward(days=1)
    async with started(house.app.store, night, clock=clock):
        await asyncio.wait_for(done.wait(), 20)


@pytest.mark.anyio
async def test_a_clock_that_is_set_moves_every_job(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "CLOCK_S", 0.02)
    clock, count = Time(system_clock() + timedelta(days=400)), 0

    async def work() -> str:
        nonlocal count
        count += 1
        return ""

    async with started(house.app.store, Line("feeds", HOURLY, work, is_run=True), clock=clock) as table:
        await until(lambda: count == 1)
        table.replan()  # as of a clock that runs ahead
        ahead = table.next_times()["feeds"]
        assert ahead and ahead > clock()
        clock.now = system_clock()
        real = time.time
        monkeypatch.setattr(schedule.time, "time", lambda: real() - 400 * 86400)
        await until(lambda: (table.next_times()["feeds"] or ahead) < ahead)
        await until(lambda: count >= 2)


@pytest.mark.anyio
async def test_the_store_says_which_process_runs_the_timetable(house: House) -> None:
    async with started(house.app.store):
        with house.app.store.read() as tx:
            found = keeper(tx, system_clock())
        assert found and found.running
    with house.app.store.read() as tx:
        assert keeper(tx, system_clock()) is None


@pytest.mark.anyio
async def test_jobs_that_are_no_more_are_forgotten_and_the_others_keep_their_state(store: Store) -> None:
    with store.write() as tx:
        tx.jobs.declare({"feeds": "every 30 minutes", "daily": "0 7 * * *"})
        assert tx.jobs.claim("daily", NOW, NOW) and not tx.jobs.claim("daily", NOW, NOW)
        tx.jobs.declare({"daily": "0 8 * * *", "weekly": "0 7 * * MON"})
        assert [(job.name, job.trigger, job.fired) for job in tx.jobs.all()] == [
            ("daily", "0 8 * * *", NOW),
            ("weekly", "0 7 * * MON", None),
        ]


def test_a_claim_made_while_the_clock_ran_ahead_holds_nobody_up(store: Store) -> None:
    with store.write() as tx:
        tx.jobs.declare({"daily": "0 7 * * *"})
        assert tx.jobs.claim("daily", NOW.replace(year=2036), NOW.replace(year=2036))
        assert tx.jobs.claim("daily", NOW, NOW)
        assert not tx.jobs.claim("daily", NOW, NOW)


# --- letters that wait ------------------------------------------------------------------------------------------


def test_a_deferred_letter_goes_out_when_its_time_has_come_and_not_before(house: House) -> None:
    house.article("Waste")
    reader = house.reader("alice")
    house.publish()
    (issue,) = house.issues()
    again = house.clock() + timedelta(minutes=17)
    engine = open_engine(house.store_url)
    with engine.begin() as connection:
        connection.execute(deliveries.update().values(state=DeliveryState.DEFERRED, next_attempt=again))
        connection.execute(subscribers.update().values(watermark=0))
        connection.execute(issues.update().values(state="sending"))
    engine.dispose()

    def tick() -> tuple[str, int]:
        line = next(line for line in lines(house.app, asyncio.Event()) if line.name == "letters")
        said = asyncio.run(line.work())
        with house.app.store.read() as tx:
            return said, len(tx.runs.list())

    house.clock.forward(minutes=16)
    assert tick() == ("", 1), "nothing is due: no run"
    house.clock.forward(minutes=1)
    assert tick() == ("run 2 done", 2)
    assert house.deliveries(issue)[reader.id].state is DeliveryState.ACCEPTED
    assert tick() == ("", 2)


@pytest.mark.anyio
async def test_a_relay_that_takes_nothing_is_left_alone_for_a_while() -> None:
    tries, left = 0, 3

    async def send() -> str:
        nonlocal tries
        tries += 1
        return "run failed"

    patient = schedule._Patient(send, lambda: left, pause_s=3600)
    assert [await patient(), await patient(), await patient()] == ["run failed", "", ""]
    assert tries == 1
    patient._not_before = 0.0
    left = 0
    assert await patient() == "" and tries == 1


@pytest.mark.anyio
async def test_letters_go_on_when_a_limit_or_breaker_lets_them_and_not_only_at_the_full_minute(store: Store) -> None:
    fired: list[datetime] = []
    at: list[datetime] = []

    async def send() -> str:
        fired.append(system_clock())
        return ""

    def goes_on() -> datetime:
        at[:] = at or [system_clock() + timedelta(seconds=3)]
        return at[0]

    letters = Line("letters", EveryTrigger(timedelta(days=1)), send, goes_on=goes_on)
    timetable = Timetable([letters], JobState(store, system_clock), system_clock)
    await timetable.start()
    try:
        await timetable._tick()
        await until(lambda: bool(fired) and fired[-1] >= at[0])
    finally:
        await timetable.close(5)


def test_letters_held_back_by_a_breaker_are_not_tried_before_it_closes(house: House) -> None:
    house.rebuild(smtp={"host": "127.0.0.1", "port": 1, "security": "none"})
    house.article("Waste")
    house.reader("alice")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("publisher.smtp.postman.Postman.connect", _refused)
        house.publish()
    (line,) = [line for line in lines(house.app, asyncio.Event()) if line.name == "letters"]
    assert line.goes_on is not None
    at = line.goes_on()
    assert at is not None and at == house.clock() + timedelta(minutes=1), "the breaker's first time"
    assert asyncio.run(line.work()) == "", "no run"
    house.rebuild(smtp={})
    with house.app.store.read() as tx:
        assert len(tx.runs.list()) == 1


async def _refused(self: object) -> None:
    raise RelayUnavailable("relay 127.0.0.1:1: refused")
