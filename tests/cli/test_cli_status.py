"""`status`: what runs and what comes next, told by any process, whether or not a timetable is running."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from publisher.clock import system_clock
from publisher.flows.job_state import JobState
from publisher.flows.process import this_process
from publisher.model import IssueState, RunTrigger
from publisher.store import Store
from publisher.store.engine import open_engine

Publisher = Any


@pytest.fixture
def store(site: Path) -> Any:
    store = Store(f"sqlite:///{site}/data/publisher.db")
    yield store
    store.close()


def test_a_new_site_has_a_timetable_that_nobody_runs_yet(new_site: Path, publisher: Publisher) -> None:
    told = publisher("status", "--json").json
    assert told["keeper"] is None and told["current"] is None and told["last"] is None
    assert [job["name"] for job in told["jobs"]] == [
        "feeds",
        "daily",
        "weekly",
        "monthly",
        "letters",
        "backup",
        "housekeeping",
    ]
    assert all(job["next"] for job in told["jobs"])
    assert told["relay"]["outbox"].endswith("outbox")
    assert told["disk"]["free"] > 0 and told["disk"]["database"] > 0
    assert {feed["changed"] for feed in told["feeds"]} == {None}
    text = publisher("status").out
    assert "not running; `publisher serve`" in text and "none published yet" in text


def test_what_was_published_and_sent_is_told(site: Path, publisher: Publisher) -> None:
    told = publisher("status", "--json").json
    assert told["last"]["state"] == "done"
    assert told["readers"]["active"] == 1
    assert all(feed["changed"] for feed in told["feeds"])
    assert told["queue"] == []


def test_a_run_of_another_process_is_told_with_how_far_it_got(site: Path, publisher: Publisher, store: Store) -> None:
    now = system_clock()
    with store.write() as tx:
        run = tx.runs.begin(
            RunTrigger.API,
            host=socket.gethostname(),
            pid=os.getpid(),
            process=this_process(),
            now=now,
            is_alive=lambda run: False,
        )
        tx.runs.beat(run.id, now, step="sending letters", done=1250, total=20000)
    told = publisher("status", "--json").json
    assert told["current_process"] == "here"
    assert (told["current"]["step"], told["current"]["done"], told["current"]["total"]) == (
        "sending letters",
        1250,
        20000,
    )
    assert f"no. {run.id} (api), begun" in publisher("status").out
    assert "sending letters 1,250 of 20,000" in publisher("status").out


def test_a_run_whose_process_is_gone_is_told_as_such(site: Path, publisher: Publisher, store: Store) -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    place = this_process().rpartition("/")[0]
    with store.write() as tx:
        tx.runs.begin(
            RunTrigger.API,
            host=socket.gethostname(),
            pid=process.pid,
            process=f"{place}/1",
            now=system_clock(),
            is_alive=lambda run: False,
        )
    assert "its process is gone" in publisher("status").out


def test_issues_with_letters_that_wait_are_told(site: Path, publisher: Publisher, store: Store) -> None:
    with store.write() as tx:
        issue = tx.issues.by_name("weekly-1")
        tx.issues.set_state(issue.id, IssueState.PAUSED, now=system_clock())
    (line,) = publisher("status", "--json").json["queue"]
    assert (line["issue"], line["state"], line["accepted"], line["waiting"]) == ("weekly-1", "paused", 1, 0)
    assert "weekly-1\tpaused\t1 of 1\t0" in publisher("status").out


def test_a_letter_in_doubt_waits_in_the_line_of_its_issue_too(site: Path, publisher: Publisher, store: Store) -> None:
    with store.write() as tx:
        issue = tx.issues.by_name("weekly-1")
        tx.issues.set_state(issue.id, IssueState.PAUSED, now=system_clock())
    engine = open_engine(f"sqlite:///{site}/data/publisher.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'uncertain'")
    engine.dispose()
    (line,) = publisher("status", "--json").json["queue"]
    assert (line["accepted"], line["waiting"]) == (0, 1)
    hold = {"PUBLISHER_SMTP_ON_UNCERTAIN": "hold"}
    assert publisher("status", "--json", environ=hold).json["queue"][0]["waiting"] == 0


def test_a_timetable_that_runs_says_when_each_job_fires(site: Path, publisher: Publisher, store: Store) -> None:
    now = system_clock()
    state = JobState(store, lambda: now)
    state.declare({"feeds": "every 7 minutes", "letters": "every minute"})
    state.claim("feeds", now)
    state.ended(["feeds"], "failed", "the relay is away", {"feeds": now})
    told = publisher("status", "--json").json
    assert told["keeper"]["running"] and told["keeper"]["pid"] == os.getpid()
    assert [job["name"] for job in told["jobs"]] == ["feeds", "letters"], "as it runs, not as the file says by now"
    assert "failed: the relay is away" in publisher("status").out


def test_a_job_whose_process_was_killed_is_not_at_work(site: Path, publisher: Publisher, store: Store) -> None:
    hour_ago = system_clock() - timedelta(hours=1)

    def outcomes() -> dict[str, str]:
        return {job["name"]: job["outcome"] for job in publisher("status", "--json").json["jobs"]}

    killed = JobState(store, lambda: hour_ago)
    killed.declare({"weekly": "0 7 * * MON", "backup": "10 3 * * *"})
    killed.claim("weekly", hour_ago)
    killed.claim("backup", hour_ago)
    assert outcomes() == {"weekly": "interrupted", "backup": ""}, "no run is under way; a timetable is there"
    killed.leave()
    assert (outcomes()["weekly"], outcomes()["backup"]) == ("interrupted", "interrupted")
    JobState(store, system_clock).declare({"weekly": "0 7 * * MON", "backup": "10 3 * * *"})
    assert outcomes() == {"weekly": "interrupted", "backup": "interrupted"}
    assert "interrupted: its process ended before it did" in publisher("status").out


def test_watching_goes_on_until_it_is_stopped_and_fits_eighty_columns(site: Path) -> None:
    main, terminal = pty.openpty()
    environ = {**os.environ, "COLUMNS": "80", "LINES": "40", "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "publisher", "status", "--watch"],
        cwd=site,
        stdout=terminal,
        stderr=terminal,
        env=environ,
    )
    os.close(terminal)
    seen, end = b"", time.monotonic() + 60
    while seen.count(b"timetable") < 2:
        assert time.monotonic() < end
        seen += os.read(main, 65536)
    process.send_signal(signal.SIGINT)
    try:
        while chunk := os.read(main, 65536):
            seen += chunk
    except OSError:  # the other side is closed
        pass
    assert process.wait(timeout=60) in {0, 130}
    assert b"Traceback" not in seen
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode(errors="replace"))
    assert max(len(line.rstrip()) for line in plain.split("\r\n")) <= 80


def test_watching_as_json_prints_a_line_for_each_look(site: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "publisher", "status", "--watch", "--json"], cwd=site, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    looks = [json.loads(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert looks[0]["now"] < looks[1]["now"]
