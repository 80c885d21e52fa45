from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from store_samples import NOW

from publisher.errors import NotFound, RunInProgress
from publisher.model import Run, RunState, RunTrigger
from publisher.store import Store


def begin(store: Store, *, alive: bool, host: str = "here", after: timedelta = timedelta(0)) -> Run:
    with store.write() as tx:
        return tx.runs.begin(RunTrigger.COMMAND, host=host, pid=7, now=NOW + after, is_alive=lambda run: alive)


def test_a_run_is_begun_and_finished_with_its_report(store: Store) -> None:
    run = begin(store, alive=True)
    with store.write() as tx:
        assert tx.runs.current() == tx.runs.get(run.id) == run
        assert tx.runs.finish(run.id, RunState.DONE, report={"new": 3}, now=NOW + timedelta(minutes=1))
        assert not tx.runs.finish(run.id, RunState.FAILED, report={}, now=NOW)
        done = tx.runs.get(run.id)
        assert (done.state, done.report, done.finished) == (RunState.DONE, {"new": 3}, NOW + timedelta(minutes=1))
        assert tx.runs.current() is None
        for number in (99, 0, -1, 10**30, -(10**30)):
            with pytest.raises(NotFound):
                tx.runs.get(number)


def test_a_second_run_is_told_who_holds_the_lock(store: Store) -> None:
    begin(store, alive=True)
    with pytest.raises(RunInProgress, match=r"run 1 \(command\) since 2026-03-02 07:00:00 UTC, process 7 on here"):
        begin(store, alive=True)


def test_a_run_whose_process_is_gone_is_interrupted_by_the_next_at_once(store: Store) -> None:
    first = begin(store, alive=True)
    second = begin(store, alive=False)
    with store.write() as tx:
        assert [run.state for run in tx.runs.list()] == [RunState.RUNNING, RunState.INTERRUPTED]
        assert not tx.runs.beat(first.id, NOW)  # it learns that it was taken for dead
        assert tx.runs.beat(second.id, NOW)


def test_a_beat_says_where_a_run_has_got_to(store: Store) -> None:
    run = begin(store, alive=True)
    with store.write() as tx:
        tx.runs.beat(run.id, NOW + timedelta(seconds=3), step="sending letters", done=5, total=20)
        tx.runs.beat(run.id, NOW + timedelta(seconds=6), step="sending letters", done=9, total=20)
        now = tx.runs.get(run.id)
    assert (now.heartbeat, now.beats) == (NOW + timedelta(seconds=6), 2)
    assert (now.step, now.done, now.total) == ("sending letters", 9, 20)


def test_the_newest_runs_come_first(store: Store) -> None:
    for _ in range(3):
        begin(store, alive=False)
    with store.read() as tx:
        assert [run.id for run in tx.runs.list(2)] == [3, 2]


def test_of_processes_that_start_together_one_gets_the_lock(store_url: str, store: Store, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    program = f"""
import pathlib, sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from store_samples import NOW
from publisher.errors import RunInProgress
from publisher.model import RunTrigger
from publisher.store import Store
store = Store({store_url!r})
store.check()
pathlib.Path(sys.argv[1]).touch()
while not pathlib.Path({str(gate)!r}).exists():
    time.sleep(0.001)
try:
    with store.write() as tx:
        tx.runs.begin(RunTrigger.COMMAND, host="here", pid=1, now=NOW, is_alive=lambda run: True)
        time.sleep(0.2)
    print("mine")
except RunInProgress:
    print("taken")
"""
    ready = [tmp_path / f"ready{n}" for n in range(3)]
    racers = [
        subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
        for path in ready
    ]
    while not all(path.exists() for path in ready):
        assert all(racer.poll() is None for racer in racers)
    gate.touch()
    answers = sorted(racer.communicate(timeout=30)[0].strip() for racer in racers)
    assert answers == ["mine", "taken", "taken"]
    with store.read() as tx:
        assert len(tx.runs.list()) == 1
