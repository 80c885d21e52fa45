"""An issue on its way to many readers, the senders that are stopped in the middle of it, and what must be true then."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from crash.sender import WAITING
from flows.house import House, Time
from flows.writing import write_config
from wire.hostile import HostileRelay, hostile_relay

from publisher.clock import system_clock
from publisher.flows.compose import compose
from publisher.flows.run import read_sources
from publisher.model import DeliveryState, Frequency, IssueState, SubscriberState
from publisher.store import NewSubscriber
from publisher.store.engine import open_engine
from publisher.store.schema import deliveries, issues, subscribers

CONNECTIONS = 4
D = DeliveryState


@contextmanager
def recording_relay(relay: HostileRelay | None = None) -> Iterator[HostileRelay]:
    """A relay in a thread that takes everything and remembers it; gone when the block ends."""
    relay = relay or HostileRelay()
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


@contextmanager
def frozen(relay: HostileRelay) -> Iterator[None]:
    """As if SIGSTOP had met it: its machine takes connections and bytes, and nothing answers."""
    stopped, go_on = threading.Event(), threading.Event()

    def stand_still() -> None:
        stopped.set()
        go_on.wait(60)

    assert relay.loop is not None
    relay.loop.call_soon_threadsafe(stand_still)
    assert stopped.wait(10)
    try:
        yield
    finally:
        go_on.set()


@dataclass
class Sending:
    """An issue to many readers, its senders, and what is known after each of them. `stops`: senders that did not
    come to their end; `said`: what the last one complained of."""

    house: House
    relay: HostileRelay
    forker: subprocess.Popen[str]
    connections: int
    in_doubt: Counter[str] = field(default_factory=Counter)
    stops: int = 0
    said: str = ""

    def start(self, point: str = "never", nth: int = 1) -> int:
        assert self.forker.stdin and self.forker.stdout
        self.said = ""
        self.forker.stdin.write(f"{point} {nth}\n")
        self.forker.stdin.flush()
        word, pid = self.forker.stdout.readline().split()
        assert word == "started"
        return int(pid)

    def ended(self) -> int:
        """Wait for the sender's end, and look at what it left; gives its status."""
        assert self.forker.stdout
        word, _, rest = self.forker.stdout.readline().strip().partition(" ")
        if word == "said":
            self.said = rest
            word, _, rest = self.forker.stdout.readline().strip().partition(" ")
        assert word == "ended"
        self.look(int(rest))
        return int(rest)

    def kill_at(self, point: str, nth: int) -> bool:
        """Whether a sender was killed there; else it finished before."""
        self.start(point, nth)
        return self.ended() == -signal.SIGKILL

    def kill_after(self, letters: int, seconds: float) -> None:
        """Kill a sender so long after the relay took so many more letters."""
        pid = self.start()

        def kill() -> None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

        loop = self.relay.loop
        assert loop is not None
        self.relay.after(letters, lambda: loop.call_later(seconds, kill))
        self.ended()

    def wait_for(self, letters: int, seconds: float = 20) -> None:
        """Until the relay took so many more letters, or so long."""
        enough, until = len(self.relay.taken) + letters, time.monotonic() + seconds
        while len(self.relay.taken) < enough and time.monotonic() < until:
            time.sleep(0.0005)

    def traced(self, injection: str) -> int:
        """The status of a sender into whose system calls strace put that fault (its option `--inject`)."""
        pid = self.start(WAITING)
        command = ["strace", "-f", "-qq", "-e", f"inject={injection}", "-e", "signal=none", "-p", str(pid)]
        tracer = subprocess.Popen(
            [*command, "-o", "/dev/null"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        until = time.monotonic() + 20
        while _tracer_of(pid) == 0:
            assert tracer.poll() is None, tracer.communicate()[1]
            assert time.monotonic() < until, "strace does not come"
            time.sleep(0.002)
        os.kill(pid, signal.SIGUSR1)
        status = self.ended()
        tracer.communicate(timeout=20)
        return status

    def start_afresh(self) -> None:
        """As if the issue had just been composed, and nobody knew of any letter."""
        self.house.app.store.close()
        planned = {"state": D.PLANNED, "attempts": 0, "reply": "", "reason": "", "next_attempt": None}
        engine = open_engine(self.house.store_url)
        with engine.begin() as connection:
            connection.execute(sa.update(deliveries).values(**planned, claimed_from=None, claim_until=None))
            connection.execute(sa.update(issues).values(state=IssueState.SENDING, finished=None))
            connection.execute(sa.update(subscribers).values(watermark=0))
        engine.dispose()
        self.relay.taken.clear()
        self.relay.seen.clear()
        self.in_doubt.clear()
        self.stops = 0

    def look(self, status: int) -> None:
        """What is known of each letter must be true at every moment that a sender can end at."""
        assert status in {0, -signal.SIGKILL} or self.said, "killed, at its end, or with a word about why not"
        rows = self.rows()
        held = [name for name, state in rows.items() if state is D.HANDING_OVER]
        assert len(held) <= self.connections, "in doubt is at most one letter for each connection"
        known = {D.ACCEPTED, D.HANDING_OVER, D.UNCERTAIN}
        assert all(rows[name] in known for name in set(self.relay.seen)), "no letter is out that is not known to be"
        self.in_doubt.update(held)
        self.stops += status != 0

    def rows(self) -> dict[str, DeliveryState]:
        (issue,) = self.house.issues()
        with self.house.app.store.read() as tx:
            assert tx.deliveries.sum(issue.id).balances
        return {email_of(number): row.state for number, row in self.house.deliveries(issue).items()}

    def finish(self) -> None:
        self.start()
        assert self.ended() == 0, f"it goes on and ends by itself, not: {self.said}"
        self.check_all_sent()

    def check_all_sent(self) -> None:
        copies = Counter(self.relay.taken)
        rows = self.rows()
        assert set(rows.values()) == {D.ACCEPTED}
        assert copies.keys() == rows.keys(), "nobody is left out"
        again = {name: number - 1 for name, number in copies.items() if number > 1}
        assert all(number <= self.in_doubt[name] for name, number in again.items()), "who got two was in doubt"
        assert sum(again.values()) <= self.stops * self.connections
        for contents in self.relay.seen.values():
            letters = {hashlib.sha256(content).digest() for content in contents}
            assert len(letters) == 1, "the same letter, byte for byte"
        names = {content[content.index(b"Message-ID:") :].splitlines()[0] for content, *_ in self.relay.seen.values()}
        assert len(names) == len(rows), "each letter has a name of its own"
        (issue,) = self.house.issues()
        assert issue.state is IssueState.FINISHED
        if self.house.store_url.startswith("sqlite"):
            engine = open_engine(self.house.store_url)
            with engine.connect() as connection:
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
            engine.dispose()


def email_of(number: int) -> str:
    """Of the reader with this number in the store."""
    return f"reader{number:05}@a.example"


def compose_for(house: House, count: int, email: Callable[[int], str] = email_of) -> None:
    """The first weekly issue, to so many readers; nothing of it is sent."""
    house.article("Waste")
    readers = [
        NewSubscriber(
            email=email(number), frequency=Frequency.WEEKLY, language="en",
            topics=("environment",), state=SubscriberState.ACTIVE, watermark=0,
        )
        for number in range(1, count + 1)
    ]  # fmt: skip
    with house.app.store.write() as tx:
        tx.subscribers.add_many(readers, house.clock())
    parts = house.app.parts
    read_sources(parts, house.app.store, house.clock())
    compose(
        house.app.store, Frequency.WEEKLY, slot=None, now=house.clock(), terms=parts.terms, letters=parts.post.letters
    )


@contextmanager
def sending(root: Path, store_url: str, count: int, *, connections: int = CONNECTIONS) -> Iterator[Sending]:
    """An issue to so many readers, composed; its senders are forked processes, its relay is in this one."""
    with recording_relay() as relay:
        endpoint = relay.endpoint
        smtp = {"host": endpoint.host, "port": endpoint.port, "security": "none", "connections": connections,
                "letters_per_connection": 50}  # fmt: skip
        house = House(root, store_url, clock=Time(system_clock()))
        compose_for(house, count)
        write_config(root, store_url, smtp)
        forker = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("sender.py")), str(root)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            yield Sending(house, relay, forker, connections)
        finally:
            assert forker.stdin
            forker.stdin.close()
            forker.wait(20)
            house.app.close()


def _tracer_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("TracerPid:")[1].split()[0])
