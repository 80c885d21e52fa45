"""Runs and the processes that do them: one at a time, and none that a dead one holds up."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flows.house import FEEDS_ONLY, House, relay_settings
from flows.writing import write_config
from wire.servers import Relay

from publisher.clock import system_clock
from publisher.errors import RunInProgress, StoreBusy
from publisher.flows import run as run_flow
from publisher.flows.process import is_still_there
from publisher.model import RunState, RunTrigger
from publisher.store.runs import Runs

COMMAND = [sys.executable, "-m", "publisher", "publish"]


@pytest.fixture
def site(tmp_path: Path, posting: House, relay: Relay) -> Iterator[House]:
    """The house of `posting` with a config.toml, so that other processes can work in it."""
    posting.article("Waste")
    posting.reader("alice")
    write_config(posting.root, posting.store_url, relay_settings(relay))
    return posting


def start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*COMMAND, *arguments], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def sending(root: Path, relay: Relay, seconds: float = 60) -> subprocess.Popen[str]:
    """A run that has begun to hand over a letter and waits for the relay's answer."""

    async def answer_late() -> str:
        started.touch()
        await asyncio.sleep(seconds)
        return "250 2.0.0 taken"

    started = root / "started"
    relay.content["*"] = answer_late
    process = start(root, "--digest", "weekly")
    until = time.monotonic() + 30
    while not started.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.02)
    return process


def test_a_second_run_at_once_fails_and_says_who_is_running(site: House, relay: Relay) -> None:
    first = sending(site.root, relay)
    try:
        code, out, err = finished(start(site.root))
        assert code == 1 and out == ""
        (line,) = err.splitlines()
        assert "another run is under way" in line and f"process {first.pid}" in line
        with pytest.raises(RunInProgress, match=str(first.pid)):
            site.clock.now = system_clock()
            site.publish(FEEDS_ONLY)
    finally:
        first.kill()
        first.communicate()


def test_a_killed_run_is_followed_by_a_good_one_at_once(site: House, relay: Relay) -> None:
    first = sending(site.root, relay)
    first.kill()  # not waited for: its entry in the table of processes stays
    relay.content.clear()
    code, _, err = finished(start(site.root, "--no-digest"))
    assert (code, err) == (0, "")
    first.communicate()
    with site.app.store.read() as tx:
        assert [run.state for run in tx.runs.list()] == [RunState.DONE, RunState.INTERRUPTED]
    (issue,) = site.issues()
    (row,) = site.deliveries(issue).values()
    assert (row.state, row.attempts) == ("accepted", 2), "nobody knew whether the relay had it: it was sent again"
    assert len(relay.taken) == 1
    site.check_sums()


def test_a_run_that_is_asked_to_stop_finishes_the_letter_in_hand(site: House, relay: Relay) -> None:
    site.reader("bob")
    site.reader("charlie")
    process = sending(site.root, relay, seconds=1.5)
    process.send_signal(signal.SIGTERM)
    code, _, _ = finished(process)
    assert code == 0
    (issue,) = site.issues()
    states = [row.state for row in site.deliveries(issue).values()]
    assert sorted(states) == ["accepted", "accepted", "planned"], "two connections, a letter in hand on each"
    assert len(relay.taken) == 2
    site.check_sums()


def begin(house: House, *, pid: int, started: datetime) -> None:
    with house.app.store.write() as tx:
        tx.runs.begin(RunTrigger.COMMAND, host=socket.gethostname(), pid=pid, now=started, is_alive=lambda run: False)


def test_a_killed_run_whose_number_is_ours_now_does_not_hold_us_up(house: House) -> None:
    begin(house, pid=os.getpid(), started=datetime(2020, 1, 1, tzinfo=UTC))
    run, _ = house.publish(FEEDS_ONLY)
    assert run.state is RunState.DONE


def test_a_run_of_this_very_process_holds_the_lock(house: House) -> None:
    begin(house, pid=os.getpid(), started=system_clock())
    with pytest.raises(RunInProgress):
        house.publish(FEEDS_ONLY)


class TestWhetherAProcessIsStillThere:
    def test_this_one_is(self) -> None:
        assert is_still_there(os.getpid(), system_clock())

    def test_one_that_began_later_is_another_one(self) -> None:
        assert not is_still_there(os.getpid(), datetime(2020, 1, 1, tzinfo=UTC))

    def test_one_that_ended_is_not_even_while_nobody_asked_how(self) -> None:
        process = subprocess.Popen(["sleep", "60"])
        started = system_clock()
        assert is_still_there(process.pid, started)
        process.kill()
        until = time.monotonic() + 5
        while is_still_there(process.pid, started):
            assert time.monotonic() < until
        process.wait()
        assert not is_still_there(process.pid, started)


def test_a_heartbeat_that_finds_the_store_busy_does_not_end_the_run(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats = []

    def busy(_self: Runs, run_id: int, _now: datetime) -> bool:
        beats.append(run_id)
        raise StoreBusy("the database is locked by another process")

    monkeypatch.setattr(run_flow, "HEARTBEAT_S", 0.005)
    monkeypatch.setattr(Runs, "beat", busy)
    for number in range(5):
        house.article(f"Waste {number}")
    run, _ = house.publish(FEEDS_ONLY)
    assert run.state is RunState.DONE
    assert len(beats) > 1, "it goes on trying"


def test_what_fails_is_recorded_with_the_run(house: House) -> None:
    house.article("Waste")
    house.site.write_text("a file where the folder should be")
    with suppress(Exception):
        house.publish(FEEDS_ONLY)
    with house.app.store.read() as tx:
        (run,) = tx.runs.list()
    assert run.state is RunState.FAILED
    assert "site" in run.report["problem"]
