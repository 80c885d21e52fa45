"""Real processes on one PostgreSQL: a server that only answers, workers that publish and send, one that is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from flows.house import FEEDS_ONLY, House, relay_settings, relay_thread
from flows.writing import write_config
from wire.servers import Relay

from publisher.clock import system_clock
from publisher.errors import NoWorker
from publisher.flows.api_tokens import add_token
from publisher.flows.run import Order
from publisher.model import Frequency, RunState, RunTrigger, Scope
from publisher.store import INSTALLED_AT, Store
from publisher.web import run_desk

READERS = 30
PATIENCE_S = 120


class Machines:
    """Processes of one installation. Each has a log of its own in the site's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        log = self._log(name).open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "publisher", *command],
            cwd=self.root,
            stdout=log,
            stderr=log,
            env={**os.environ, "NO_COLOR": "1"},
        )
        self.processes[name] = process
        return process

    def said(self, name: str) -> str:
        return self._log(name).read_text()

    def until(self, true: Callable[[], bool], *, gone: tuple[str, ...] = ()) -> None:
        end = time.monotonic() + PATIENCE_S
        while not true():
            said = {name: self.said(name) for name in self.processes}
            living = [process.poll() is None for name, process in self.processes.items() if name not in gone]
            assert all(living), said
            assert time.monotonic() < end, said
            time.sleep(0.1)

    def kill(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()

    def _log(self, name: str) -> Path:
        return self.root / f"{name}.log"


@pytest.fixture
def relay() -> Iterator[Relay]:
    with relay_thread() as relay:
        yield relay


@pytest.fixture
def site(tmp_path: Path, postgresql_url: str, relay: Relay) -> Iterator[House]:
    house = House(tmp_path, postgresql_url, {"smtp": relay_settings(relay)})
    house.clock.now = system_clock()
    house.article("Waste")
    for number in range(READERS):
        house.reader(f"reader{number}")
    with house.app.store.write() as tx:
        tx.meta.set(INSTALLED_AT, house.clock().isoformat())  # so that no slot has passed yet
    write_config(tmp_path, postgresql_url, relay_settings(relay))
    yield house
    house.app.close()


@pytest.fixture
def machines(site: House) -> Iterator[Machines]:
    machines = Machines(site.root)
    yield machines
    machines.kill()


@pytest.fixture
def answering(site: House, machines: Machines) -> Iterator[httpx.Client]:
    """The API of a server that only answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    _, secret = add_token(site.app.store, "robot", tuple(Scope), now=system_clock(), by="test")
    machines.start("web", "serve", "--web-only", "--port", str(port))
    machines.until(lambda: "serving" in machines.said("web"))
    address, headers = f"http://127.0.0.1:{port}", {"authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=address, headers=headers, timeout=PATIENCE_S) as client:
        yield client


def ask(client: httpx.Client, **order: Any) -> httpx.Response:
    return client.post("/api/v1/runs", json={"digest": [], **order})


def letters(relay: Relay) -> Counter[str]:
    return Counter(taken.recipient for taken in relay.taken)


def test_a_run_asked_for_at_the_server_is_done_by_a_worker(
    site: House, machines: Machines, answering: httpx.Client, relay: Relay
) -> None:
    worker = machines.start("one", "worker")
    machines.until(lambda: "worker.running" in machines.said("one"))

    def begun() -> bool:
        answer = ask(answering, digest=["weekly"])
        if answer.status_code == 409:  # the timetable's first run is under way
            assert "run is under way" in answer.json()["detail"]
            return False
        assert answer.status_code == 202, answer.text
        return True

    machines.until(begun)
    machines.until(lambda: len(relay.taken) >= READERS)
    machines.until(lambda: {run["state"] for run in answering.get("/api/v1/runs").json()} == {"done"})
    with site.app.store.read() as tx:
        run = next(run for run in tx.runs.list() if run.trigger is RunTrigger.API)
        assert run.pid == worker.pid
    assert set(letters(relay).values()) == {1} and len(letters(relay)) == READERS
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=PATIENCE_S) == 0
    site.check_sums()


@pytest.mark.slow
def test_what_a_killed_worker_had_in_hand_is_finished_by_another(site: House, machines: Machines, relay: Relay) -> None:
    held = site.root / "held"

    async def hold() -> str:
        if len(relay.taken) < 5:
            return "250 2.0.0 taken"
        held.touch()
        await asyncio.sleep(3600)
        return "450 4.0.0 never"

    relay.content["*"] = hold
    first = machines.start("one", "publish", "--digest", "weekly")
    machines.until(held.exists)
    machines.start("two", "worker")
    machines.until(lambda: "worker.running" in machines.said("two"))
    first.kill()
    relay.content.clear()
    (issue,) = site.issues()
    in_hand = 2  # one on each connection of the dead one; nobody knows whether the relay took them
    machines.until(lambda: states(site, issue)["accepted"] == READERS - in_hand, gone=("one",))
    assert states(site, issue).keys() <= {"accepted", "uncertain", "handing over"}
    machines.kill()
    site.clock.now = system_clock() + timedelta(minutes=20)
    site.deliver()  # those whose claim ran out are in doubt, and wait
    site.clock.forward(minutes=20)
    site.deliver()
    assert states(site, issue) == {"accepted": READERS}
    assert set(letters(relay).values()) == {1} and len(letters(relay)) == READERS
    with site.app.store.read() as tx:
        assert RunState.INTERRUPTED in {run.state for run in tx.runs.list()}
    site.check_sums()


def states(site: House, issue: Any) -> Counter[str]:
    return Counter(str(row.state) for row in site.deliveries(issue).values())


@pytest.mark.slow
def test_workers_send_along_when_a_run_elsewhere_has_many_letters(
    site: House, machines: Machines, relay: Relay
) -> None:
    site.publish(FEEDS_ONLY)

    async def wait_for_more() -> str:
        while relay.open_most < 4:  # noqa: ASYNC110  (two lines of the run, two of the helper)
            await asyncio.sleep(0.02)
        return "250 2.0.0 taken"

    relay.content["*"] = wait_for_more
    machines.start("helper", "worker")
    machines.until(lambda: "run.done" in machines.said("helper"))
    run = machines.start("run", "publish", "--digest", "weekly")
    assert run.wait(timeout=PATIENCE_S) == 0, machines.said("run")
    machines.until(lambda: "helped" in machines.said("helper"), gone=("run",))
    assert set(letters(relay).values()) == {1} and len(letters(relay)) == READERS
    (issue,) = site.issues()
    assert states(site, issue) == {"accepted": READERS}
    assert str(issue.state) == "finished"
    with site.app.store.write() as tx:
        assert not tx.helpers.any(system_clock())
    site.check_sums()


def test_without_a_worker_the_server_says_what_to_start(site: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_desk, "TAKEN_WITHIN_S", 0.3)
    desk = run_desk.RunRequestDesk(site.app)
    with pytest.raises(NoWorker, match="publisher worker"):
        asyncio.run(desk.start(Order(trigger=RunTrigger.ADMIN)))
    with site.app.store.read() as tx:
        assert not tx.run_requests.waiting(), "nobody does it later, unasked"


def test_a_request_is_taken_by_one_worker_and_carries_the_whole_order(store: Store) -> None:
    now = system_clock()
    forced = (Frequency.DAILY, Frequency.MONTHLY)
    with store.write() as tx:
        number = tx.run_requests.ask(RunTrigger.ADMIN, forced=forced, digests=True, rebuild=True, now=now)
        assert not tx.run_requests.answer(number).taken
        taken = tx.run_requests.take(now)
        assert taken is not None
        assert (taken.trigger, taken.forced, taken.digests, taken.rebuild) == (RunTrigger.ADMIN, forced, True, True)
        assert tx.run_requests.take(now) is None
        assert not tx.run_requests.withdraw(number)
        tx.run_requests.refuse(number, "run 7", busy=True)
        answer = tx.run_requests.answer(number)
        assert answer.is_there and answer.busy and answer.problem == "run 7"
        assert tx.run_requests.forget(now + timedelta(seconds=1)) == 1


def test_claims_of_a_living_helper_are_not_taken_back(store: Store) -> None:
    now = system_clock()
    with store.write() as tx:
        tx.helpers.sign("far.example/1", now + timedelta(minutes=17))
        tx.helpers.sign("far.example/1", now + timedelta(minutes=18))
        assert tx.helpers.any(now)
        assert tx.helpers.any(now + timedelta(minutes=17, seconds=59))
        assert not tx.helpers.any(now + timedelta(minutes=18)), "it died: its claims have run out by then"
        assert not tx.helpers.any(now)
