"""Two real `publisher serve` on one database: what is due is sent once, whoever of them comes first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flows.house import House, relay_settings, relay_thread
from flows.writing import write_config
from wire.servers import Relay

from publisher.clock import system_clock
from publisher.model import RunState
from publisher.store import INSTALLED_AT

READERS = 25
PATIENCE_S = 90


@pytest.fixture
def relay() -> Iterator[Relay]:
    with relay_thread() as relay:
        yield relay


@pytest.fixture
def site(tmp_path: Path, store_url: str, relay: Relay) -> Iterator[House]:
    """A site whose daily slot passed while nothing ran: it is due as soon as anybody looks."""
    house = House(tmp_path, store_url, {"smtp": relay_settings(relay)})
    house.clock.now = system_clock()
    house.article("Waste")
    for number in range(READERS):
        house.reader(f"reader{number}", frequency="daily")  # type: ignore[arg-type]
    with house.app.store.write() as tx:
        tx.meta.set(INSTALLED_AT, (house.clock() - timedelta(days=30)).isoformat())
    write_config(tmp_path, store_url, relay_settings(relay))
    yield house
    house.app.close()


def set_hours(root: Path, cron: str) -> None:
    config = root / "config.toml"
    off = "\n".join(f"{name} = {{ enabled = false }}" for name in ("weekly", "monthly"))
    config.write_text(config.read_text() + f'\n[digest]\ndaily = {{ cron = "{cron}" }}\n{off}\n')


def serving(root: Path, number: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "publisher", *(["serve", "--port", "0"] if number % 2 else ["schedule"])]
    log = (root / f"serve{number}.log").open("wb")
    return subprocess.Popen(command, cwd=root, stdout=log, stderr=log, env={**os.environ, "NO_COLOR": "1"})


def until(root: Path, processes: list[subprocess.Popen[bytes]], true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        logs = [path.read_text() for path in sorted(root.glob("serve*.log"))]
        assert all(process.poll() is None for process in processes), logs
        assert time.monotonic() < end, logs
        time.sleep(0.1)


def stopped(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        assert process.wait(timeout=PATIENCE_S) in {0, -signal.SIGTERM}


def looked(root: Path) -> bool:
    """Both are up, and one has done a run; the other may have come when there was nothing left to do."""
    logs = [path.read_text() for path in root.glob("serve*.log")]
    up = [log for log in logs if "timetable.running" in log or "serving" in log]
    return len(up) == len(logs) and any("run.done" in log for log in logs)


def test_a_slot_that_was_missed_is_made_good_by_one_of_two_processes(site: House, relay: Relay) -> None:
    set_hours(site.root, "0 */6 * * *")
    processes = [serving(site.root, number) for number in range(2)]
    try:
        until(site.root, processes, lambda: len(relay.taken) >= READERS and looked(site.root))
        stopped(processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    letters = Counter(taken.recipient for taken in relay.taken)
    assert set(letters.values()) == {1} and len(letters) == READERS
    slots = Counter(issue.slot for issue in site.issues())
    assert max(slots.values()) == 1
    assert [issue.number for issue in site.issues() if issue.number] == [1]
    with site.app.store.read() as tx:
        runs = tx.runs.list()
    assert {run.state for run in runs} == {RunState.DONE}
    site.check_sums()


@pytest.mark.slow
def test_two_processes_with_a_digest_every_minute_send_each_article_once(site: House, relay: Relay) -> None:
    set_hours(site.root, "* * * * *")
    processes = [serving(site.root, number) for number in range(2)]
    try:
        for number in range(1, 4):
            site.article(f"More {number}")
            until(site.root, processes, lambda: len(relay.taken) >= READERS * number)  # noqa: B023
        stopped(processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    slots = Counter(issue.slot for issue in site.issues())
    assert set(slots.values()) == {1} and len(slots) >= 3
    assert set(Counter((t.recipient, t.content) for t in relay.taken).values()) == {1}
    site.check_sums()
