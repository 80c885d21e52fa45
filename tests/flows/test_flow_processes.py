"""Runs and the processes that do them: one at a time, and none that a dead one holds up."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flows.house import FEEDS_ONLY, WEEKLY, House, relay_settings
from flows.writing import write_config
from wire.servers import Relay

from publisher.clock import system_clock
from publisher.errors import RunInProgress, StoreBusy, StoreError
from publisher.flows import run as run_flow
from publisher.flows import run_record
from publisher.flows.deliver import DOUBT
from publisher.flows.process import Presence, name_of, presence, this_process
from publisher.flows.reports import SiteReport
from publisher.model import DeliveryState, Run, RunState, RunTrigger
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
    assert (row.state, row.attempts, relay.taken) == ("uncertain", 1, []), "the relay may have it, and still be at work"
    site.clock.now = system_clock() + DOUBT
    site.deliver()
    (row,) = site.deliveries(issue).values()
    assert (row.state, row.attempts) == ("accepted", 2), "nobody knew whether the relay had it: it was sent again"
    assert len(relay.taken) == 1
    site.check_sums()


@pytest.mark.parametrize(("name", "ends"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_asked_to_stop_finishes_the_letter_in_hand_and_says_what_remains(
    site: House, relay: Relay, name: signal.Signals, ends: int
) -> None:
    site.reader("bob")
    site.reader("charlie")
    process = sending(site.root, relay, seconds=1.5)
    process.send_signal(name)
    code, _, err = finished(process)
    assert code == ends
    assert "stopped; 1 letter still to be sent, `publisher deliver` sends what is due" in err
    (issue,) = site.issues()
    states = [row.state for row in site.deliveries(issue).values()]
    assert sorted(states) == ["accepted", "accepted", "planned"], "two connections, a letter in hand on each"
    assert len(relay.taken) == 2
    site.check_sums()


HOST = socket.gethostname()


def begin(house: House, *, process: str, host: str = HOST) -> int:
    """A run of another process that has this one's number."""
    with house.app.store.write() as tx:
        run = tx.runs.begin(
            RunTrigger.COMMAND,
            host=host,
            pid=os.getpid(),
            process=process,
            now=house.clock(),
            is_alive=lambda run: False,
        )
    return run.id


def earlier(process: str) -> str:
    """The name of a process of this machine that had the same number before."""
    place, _, tick = process.rpartition("/")
    return f"{place}/{int(tick) - 1}"


def test_a_killed_run_whose_number_is_ours_now_does_not_hold_us_up(house: House) -> None:
    begin(house, process=earlier(this_process()))
    run, _ = house.publish(FEEDS_ONLY)
    assert run.state is RunState.DONE


@pytest.mark.parametrize("step", [timedelta(days=-400), timedelta(0), timedelta(days=400)])
def test_a_run_of_a_living_process_holds_the_lock_however_the_clock_is_set(house: House, step: timedelta) -> None:
    begin(house, process=this_process())
    house.clock.now += step
    with pytest.raises(RunInProgress):
        house.publish(FEEDS_ONLY)


class TestARunThatOnlyItsHeartTellsOf:
    """One of another machine, or of another container that has this machine's name."""

    @pytest.mark.parametrize("step", [timedelta(days=-400), timedelta(0), timedelta(days=400)])
    @pytest.mark.parametrize("host", ["far.example", HOST])
    def test_it_is_dead_when_its_heart_stands_still(
        self, house: House, monkeypatch: pytest.MonkeyPatch, host: str, step: timedelta
    ) -> None:
        monkeypatch.setattr(run_record, "WATCH_S", 0.1)
        begin(house, host=host, process="another boot/pid:[1]/7")
        house.clock.now += step
        assert house.publish(FEEDS_ONLY)[0].state is RunState.DONE

    @pytest.mark.parametrize("step", [timedelta(days=-400), timedelta(0), timedelta(days=400)])
    def test_it_is_alive_when_its_heart_beats(
        self, house: House, monkeypatch: pytest.MonkeyPatch, step: timedelta
    ) -> None:
        monkeypatch.setattr(run_record, "WATCH_S", 30)
        number = begin(house, host="far.example", process="another boot/pid:[1]/7")
        now, done = house.clock() + step, threading.Event()

        def beat() -> None:
            while not done.wait(0.05):
                with house.app.store.write() as tx:
                    tx.runs.beat(number, now)  # by its own clock, which stands still

        heart = threading.Thread(target=beat)
        heart.start()
        try:
            with pytest.raises(RunInProgress):
                house.publish(FEEDS_ONLY)
        finally:
            done.set()
            heart.join()


class TestWhetherAProcessIsStillThere:
    def test_this_one_is(self) -> None:
        assert presence(HOST, os.getpid(), this_process()) is Presence.HERE

    def test_one_that_had_its_number_before_is_not(self) -> None:
        assert presence(HOST, os.getpid(), earlier(this_process())) is Presence.GONE

    def test_nobody_knows_of_another_machine(self) -> None:
        assert presence("far.example", os.getpid(), this_process()) is Presence.UNKNOWN

    def test_one_that_ended_is_not_even_while_nobody_asked_how(self) -> None:
        process = subprocess.Popen(["sleep", "60"])
        name = name_of(process.pid)
        assert presence(HOST, process.pid, name) is Presence.HERE
        process.kill()
        until = time.monotonic() + 5
        while presence(HOST, process.pid, name) is Presence.HERE:
            assert time.monotonic() < until
        process.wait()
        assert presence(HOST, process.pid, name) is Presence.GONE


def test_a_run_that_was_taken_for_dead_stops(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_record, "HEARTBEAT_S", 0.005)
    house.article("Waste")
    for number in range(20):
        house.reader(f"reader{number}")
    begun = Runs.begin

    def stolen(self: Runs, *arguments: Any, **more: Any) -> Run:
        run = begun(self, *arguments, **more)
        self.finish(run.id, RunState.INTERRUPTED, report={}, now=house.clock())
        return run

    monkeypatch.setattr(Runs, "begin", stolen)

    def look(*_: object) -> None:
        time.sleep(0.05)  # the heart has its time

    monkeypatch.setattr(run_flow, "publish_site", lambda *_, **__: look() or SiteReport())
    run, report = house.publish()
    assert run.state is RunState.INTERRUPTED
    assert report.delivery.states.get(DeliveryState.ACCEPTED, 0) < 20


def test_others_see_how_far_a_run_has_got(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_record, "HEARTBEAT_S", 0.005)
    house.article("Waste")
    for number in range(30):
        house.reader(f"reader{number}")
    seen = set()

    def watch(step: str, done: int, total: int) -> None:
        time.sleep(0.01)
        with house.app.store.read() as tx:
            run = tx.runs.current()
        if run:
            seen.add((run.step, run.total))

    asyncio.run(run_flow.publish(house.app.parts, WEEKLY, progress=watch))
    assert ("sending letters", 30) in seen


def test_a_heartbeat_that_finds_the_store_busy_does_not_end_the_run(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats = []

    def busy(_self: Runs, run_id: int, _now: datetime, **_: object) -> bool:
        beats.append(run_id)
        raise StoreBusy("the database is locked by another process")

    monkeypatch.setattr(run_record, "HEARTBEAT_S", 0.005)
    monkeypatch.setattr(Runs, "beat", busy)
    for number in range(5):
        house.article(f"Waste {number}")
    run, _ = house.publish(FEEDS_ONLY)
    assert run.state is RunState.DONE
    assert len(beats) > 1, "it goes on trying"


def test_a_run_whose_end_could_not_be_written_down_does_not_hold_up_its_own_process(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> bool:
        raise StoreError("the database server cannot be reached")

    monkeypatch.setattr(run_record, "ENDING_S", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(Runs, "finish", away)
        with pytest.raises(StoreError):
            house.publish(FEEDS_ONLY)
    run, _ = house.publish(FEEDS_ONLY)
    assert (run.id, run.state) == (2, RunState.DONE)
    with house.app.store.read() as tx:
        assert tx.runs.get(1).state is RunState.INTERRUPTED


def test_a_database_that_is_away_for_a_moment_loses_no_end_of_a_run(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, left = Runs.finish, [1, 2]

    def away_for_a_moment(self: Runs, *arguments: Any, **more: Any) -> bool:
        if left:
            left.pop()
            raise StoreError("the database server cannot be reached")
        return finish(self, *arguments, **more)

    monkeypatch.setattr(Runs, "finish", away_for_a_moment)
    assert house.publish(FEEDS_ONLY)[0].state is RunState.DONE


def test_what_fails_is_recorded_with_the_run(house: House) -> None:
    house.article("Waste")
    house.site.write_text("a file where the folder should be")
    with suppress(Exception):
        house.publish(FEEDS_ONLY)
    with house.app.store.read() as tx:
        (run,) = tx.runs.list()
    assert run.state is RunState.FAILED
    assert "site" in run.report["problem"]
