"""Killed at any moment, sending goes on by itself: nobody is left out, and who got two letters is known."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from crash.sender import POINTS
from flows.house import House, Time
from flows.test_flow_processes import write_config
from wire.hostile import HostileRelay, hostile_relay

from publisher.clock import system_clock
from publisher.flows.compose import compose
from publisher.flows.run import read_sources
from publisher.model import DeliveryState, Frequency, IssueState, SubscriberState
from publisher.store import NewSubscriber

CONNECTIONS = 4
ONCE = {"while recovering", "before the end"}  # a sender comes to these at its start
STEPS = [(point, nth) for nth in (1, 2, 5) for point in POINTS if nth == 1 or point not in ONCE]
D = DeliveryState


@contextmanager
def recording_relay() -> Iterator[HostileRelay]:
    """A relay in a thread that takes everything and remembers it."""
    relay = HostileRelay()
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with hostile_relay(relay):
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield relay
    finally:
        done.set()
        thread.join(10)


@dataclass
class Sending:
    """An issue to `count` readers, its senders, and what is known after each of them."""

    house: House
    relay: HostileRelay
    forker: subprocess.Popen[str]
    in_doubt: Counter[str] = field(default_factory=Counter)
    kills: int = 0

    def start(self, point: str, nth: int = 1) -> int:
        assert self.forker.stdin and self.forker.stdout
        self.forker.stdin.write(f"{point} {nth}\n")
        self.forker.stdin.flush()
        word, pid = self.forker.stdout.readline().split()
        assert word == "started"
        return int(pid)

    def ended(self) -> int:
        assert self.forker.stdout
        word, status = self.forker.stdout.readline().split()
        assert word == "ended"
        return int(status)

    def kill_at(self, point: str, nth: int) -> bool:
        """Whether a sender was killed there; else it finished before."""
        self.start(point, nth)
        return self._look(self.ended())

    def kill_after(self, letters: int, seconds: float) -> None:
        """Kill a sender so long after the relay took so many more letters."""
        enough, until = len(self.relay.taken) + letters, time.monotonic() + 20
        pid = self.start("never")
        while len(self.relay.taken) < enough and time.monotonic() < until:
            time.sleep(0.0005)
        time.sleep(seconds)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self._look(self.ended())

    def _look(self, status: int) -> bool:
        """What is known of each letter must be true at every moment that a sender can be killed at."""
        assert status in {0, -signal.SIGKILL}
        rows = self.rows()
        held = [name for name, state in rows.items() if state is D.HANDING_OVER]
        assert len(held) <= CONNECTIONS, "in doubt is at most one letter for each connection"
        known = {D.ACCEPTED, D.HANDING_OVER, D.UNCERTAIN}
        assert all(rows[name] in known for name in set(self.relay.taken)), "no letter is out that is not known to be"
        self.in_doubt.update(held)
        self.kills += status != 0
        return status != 0

    def rows(self) -> dict[str, DeliveryState]:
        (issue,) = self.house.issues()
        with self.house.app.store.read() as tx:
            assert tx.deliveries.sum(issue.id).balances
        return {_email(number): row.state for number, row in self.house.deliveries(issue).items()}

    def finish(self) -> None:
        assert not self.kill_at("never", 1), "it goes on and ends by itself"
        copies = Counter(self.relay.taken)
        rows = self.rows()
        assert set(rows.values()) == {D.ACCEPTED}
        assert copies.keys() == rows.keys(), "nobody is left out"
        again = {name: number - 1 for name, number in copies.items() if number > 1}
        assert all(number <= self.in_doubt[name] for name, number in again.items()), "who got two was in doubt"
        assert sum(again.values()) <= self.kills * CONNECTIONS
        for contents in self.relay.seen.values():
            assert len({hashlib.sha256(content).digest() for content in contents}) == 1, (
                "the same letter, byte for byte"
            )
        (issue,) = self.house.issues()
        assert issue.state is IssueState.FINISHED


def _email(number: int) -> str:
    """Of the reader with this number in the store."""
    return f"reader{number:05}@a.example"


@contextmanager
def sending(root: Path, store_url: str, count: int) -> Iterator[Sending]:
    with recording_relay() as relay:
        endpoint = relay.endpoint
        smtp = {"host": endpoint.host, "port": endpoint.port, "security": "none", "connections": CONNECTIONS,
                "letters_per_connection": 50}  # fmt: skip
        house = House(root, store_url, clock=Time(system_clock()))
        house.article("Waste")
        readers = [
            NewSubscriber(
                email=_email(number), frequency=Frequency.WEEKLY, language="en",
                topics=("environment",), state=SubscriberState.ACTIVE, watermark=0,
            )
            for number in range(1, count + 1)
        ]  # fmt: skip
        with house.app.store.write() as tx:
            tx.subscribers.add_many(readers, house.clock())
        parts = house.app.parts
        read_sources(parts, house.app.store, house.clock())
        compose(
            house.app.store,
            Frequency.WEEKLY,
            slot=None,
            now=house.clock(),
            terms=parts.terms,
            letters=parts.post.letters,
        )
        write_config(root, store_url, smtp)
        forker = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("sender.py")), str(root)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            yield Sending(house, relay, forker)
        finally:
            assert forker.stdin
            forker.stdin.close()
            forker.wait(20)
            house.app.close()


def test_killed_at_each_step_of_the_ledger_nothing_is_lost(tmp_path: Path, store_url: str) -> None:
    with sending(tmp_path, store_url, 300) as process:
        for point, nth in STEPS:
            assert process.kill_at(point, nth), f"killed at {point}"
        assert process.kill_at("before the end", 2)
        process.finish()


def test_killed_at_random_moments_nothing_is_lost(tmp_path: Path, sqlite_url: str) -> None:
    chance = random.Random(20_260_302)
    with sending(tmp_path, sqlite_url, 600) as process:
        for _ in range(25):
            process.kill_after(chance.randrange(20), chance.uniform(0.0, 0.005))
        assert process.kills == 25
        process.finish()


@pytest.mark.slow
def test_killed_200_times_in_a_sending_to_5000_readers_nothing_is_lost(tmp_path: Path, sqlite_url: str) -> None:
    chance = random.Random(20_260_303)
    with sending(tmp_path, sqlite_url, 5000) as process:
        for kill in range(200):
            if kill % 2:
                process.kill_at(*STEPS[kill // 2 % len(STEPS)])
            else:
                process.kill_after(chance.randrange(40), chance.uniform(0.0, 0.005))
        assert process.kills == 200
        process.finish()
