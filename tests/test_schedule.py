"""The timetable: which jobs there are, when they fire, and that they never overlap."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from publisher.config import Settings, from_values
from publisher.errors import RunInProgress, StoreBusy
from publisher.schedule import SlotTrigger, Timetable

NOW = datetime(2026, 3, 2, 6, 59, tzinfo=UTC)  # a Monday


def settings(**digest: Any) -> Settings:
    return from_values({"feeds": {"every_minutes": 30}, "digest": digest}, {}, root=Path("/"))


async def nothing() -> None:
    pass


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


@pytest.mark.anyio
async def test_there_is_a_job_for_the_feeds_and_one_for_each_digest_that_is_enabled() -> None:
    table = Timetable(settings(monthly={"enabled": False, "cron": "0 7 1 * *"}), nothing, now=NOW)
    table.start()
    try:
        assert set(table.next_times()) == {"feeds", "daily", "weekly"}
    finally:
        await table.close(1)


@pytest.mark.anyio
async def test_the_first_run_comes_at_the_start_so_that_a_missed_hour_is_made_good() -> None:
    ran = asyncio.Event()

    async def work() -> None:
        ran.set()

    table = Timetable(settings(), work, now=datetime.now(UTC) - timedelta(seconds=2))
    table.start()
    await asyncio.wait_for(ran.wait(), 5)
    await table.close(1)


@pytest.mark.anyio
async def test_a_job_that_fires_during_a_run_leaves_the_work_to_it() -> None:
    running, most, count = 0, 0, 0

    async def work() -> None:
        nonlocal running, most, count
        running, count = running + 1, count + 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1

    table = Timetable(settings(), work, now=NOW)
    await asyncio.gather(*(table._once(job) for job in ("feeds", "daily", "weekly")))
    assert (most, count) == (1, 1)


@pytest.mark.anyio
@pytest.mark.parametrize("error", [StoreBusy("locked"), RunInProgress("the command, process 7"), OSError("disk")])
async def test_a_run_that_fails_does_not_stop_the_timetable(error: Exception) -> None:
    calls = 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        raise error

    table = Timetable(settings(), work, now=NOW)
    await table._once("feeds")
    await table._once("feeds")
    assert calls == 2


@pytest.mark.anyio
async def test_closing_waits_for_the_run_in_hand() -> None:
    finished = False

    async def work() -> None:
        nonlocal finished
        await asyncio.sleep(0.2)
        finished = True

    table = Timetable(settings(), work, now=NOW)
    table.start()
    task = asyncio.create_task(table._once("feeds"))
    await asyncio.sleep(0.05)
    await table.close(5)
    await task
    assert finished
