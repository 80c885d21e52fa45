"""Cache-Control tells the truth about the timetable; the cache of files sees each change."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from publisher.app import App
from publisher.clock import system_clock
from publisher.flows.job_state import JobState
from publisher.schedule import Line, Timetable
from publisher.triggers import EveryTrigger
from publisher.web.file_cache import FileCache
from publisher.web.freshness import Freshness
from publisher.web.server import make_asgi

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("after", "max_age"),
    [
        (timedelta(minutes=20), 1200),
        (timedelta(seconds=61), 61),
        (timedelta(seconds=10), 60),
        (timedelta(0), 60),  # a run is under way
        (timedelta(seconds=-30), 60),
        (timedelta(days=3), 86400),
        (None, 1800),
    ],
)
def test_documents_last_until_the_next_run_within_bounds(after: timedelta | None, max_age: int) -> None:
    freshness = Freshness(lambda: NOW, 30)
    freshness.follow(lambda: None if after is None else NOW + after)
    assert freshness.cache_control() == f"public, max-age={max_age}".encode()


@pytest.mark.parametrize(("minutes", "max_age"), [(1, 60), (30, 1800), (1440, 86400)])
def test_without_a_timetable_runs_are_believed_to_be_as_far_apart_as_set(minutes: int, max_age: int) -> None:
    assert Freshness(lambda: NOW, minutes).cache_control() == f"public, max-age={max_age}".encode()


def test_the_timetable_is_asked_once_a_second_and_the_time_runs_on() -> None:
    asked: list[int] = []
    tick, now = 100.0, NOW

    def next_run() -> datetime:
        asked.append(1)
        return NOW + timedelta(minutes=10)

    freshness = Freshness(lambda: now, 30, lambda: tick)
    freshness.follow(next_run)
    for _ in range(500):
        assert freshness.cache_control() == b"public, max-age=600"
    assert len(asked) == 1
    tick, now = 130.0, NOW + timedelta(seconds=30)
    assert freshness.cache_control() == b"public, max-age=570"


def test_the_real_timetable_says_when_documents_may_change(app: App) -> None:
    async def check() -> None:
        under_way, go = asyncio.Event(), asyncio.Event()

        async def work() -> str:
            under_way.set()
            await go.wait()
            return "done"

        async def nothing() -> str:
            return ""

        quarter, day = EveryTrigger(timedelta(minutes=15)), EveryTrigger(timedelta(days=1))
        table = (Line("feeds", quarter, work, is_run=True), Line("letters", day, nothing))
        timetable = Timetable(table, JobState(app.store, system_clock), system_clock)
        await timetable.start()
        await under_way.wait()  # the first run comes at once
        during = timetable.next_run()
        assert during is not None
        assert during <= datetime.now(UTC)  # nothing may be kept beyond the run that is changing it
        go.set()
        async with timetable._running:
            pass
        following = timetable.next_run()
        assert following is not None
        assert timedelta(0) < following - datetime.now(UTC) <= timedelta(minutes=15)
        await timetable.close(5)

    asyncio.run(check())


def test_the_server_follows_the_timetable_it_runs_beside(app: App) -> None:
    @dataclass
    class Soon:
        def next_run(self) -> datetime:
            return app.clock() + timedelta(seconds=125)

    @asynccontextmanager
    async def beside() -> AsyncIterator[Soon]:
        yield Soon()

    with TestClient(make_asgi(app, beside)) as client:
        assert client.get("/feeds/all.atom").headers["cache-control"] == "public, max-age=125"


# --- the files in memory ------------------------------------------------------------------------------------------


def cache(root: Path, **more: Any) -> FileCache:
    return FileCache(root, is_withdrawn=lambda _: False, extra_headers=lambda path: [(b"link", path.encode())], **more)


def fetched(files: FileCache, address: str) -> bytes | None:
    kept = files.get(address)
    if kept is None:
        place = files.file_of(address)
        kept = files.load(*place) if place else None
        if kept is None:
            return None
        files.keep(address, kept)
    assert kept.document is not None
    return kept.document.variants[""].body


def test_a_replaced_file_is_read_again_even_with_its_old_time_and_size(tmp_path: Path) -> None:
    files = cache(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"old")
    before = (tmp_path / "a.txt").stat()
    assert fetched(files, "/a.txt") == b"old"
    (tmp_path / "new").write_bytes(b"new")
    os.utime(tmp_path / "new", ns=(before.st_mtime_ns, before.st_mtime_ns))
    (tmp_path / "new").replace(tmp_path / "a.txt")
    assert fetched(files, "/a.txt") == b"new"
    (tmp_path / "a.txt").unlink()
    assert fetched(files, "/a.txt") is None


def test_memory_is_bounded_and_what_is_asked_for_stays(tmp_path: Path) -> None:
    files = cache(tmp_path, capacity=30_000)
    for name in "abcdefgh":
        (tmp_path / name).write_bytes(name.encode() * 5000)
        fetched(files, f"/{name}")
        fetched(files, "/a")
    assert files._weight <= 30_000
    assert files.get("/a") is not None
    assert files.get("/b") is None
    assert files._weight == sum(5000 + 2000 for _ in files._kept)


def test_further_headers_are_asked_for_once_for_each_version_and_are_no_part_of_a_304(tmp_path: Path) -> None:
    files = cache(tmp_path)
    (tmp_path / "a.atom").write_bytes(b"<feed/>")
    place = files.file_of("/a.atom")
    assert place is not None
    kept = files.load(*place)
    assert kept is not None
    assert kept.document is not None
    variant = kept.document.variants[""]
    assert (b"link", b"a.atom") in variant.headers
    assert (b"link", b"a.atom") not in variant.brief
