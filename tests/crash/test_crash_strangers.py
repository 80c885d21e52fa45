"""A database server that ends our connections, and a relay that stands still, in the middle of a sending."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import httpx2 as httpx
import pytest
from crash.sendings import CONNECTIONS, Sending, compose_for, email_of, frozen, sending
from flows.house import House, Time
from flows.serving import PATIENCE_S, serving
from flows.writing import write_config
from wire.sink import needs_sink, smtp_sink

from publisher.clock import system_clock
from publisher.model import DeliveryState, IssueState
from publisher.store import INSTALLED_AT
from publisher.store.engine import open_engine
from publisher.tokens import UNSUBSCRIBE

READERS = 400
SERVED = 800
REFUSED_TO_GO_ON = 1
CANNOT_COME = 10_000
D = DeliveryState


def test_a_database_server_that_throws_us_out_leaves_nobody_out(
    tmp_path: Path, postgresql_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with sending(tmp_path, postgresql_url, READERS) as process:
        engine = open_engine(postgresql_url)
        for _ in range(3):
            process.start()
            process.wait_for(20)
            with engine.begin() as connection:
                connection.exec_driver_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )
            assert process.ended() == REFUSED_TO_GO_ON
            assert "the database server cannot be reached" in process.said
        engine.dispose()
        assert "Traceback" not in capfd.readouterr().err
        process.finish()


@pytest.fixture
def halfway(tmp_path: Path, sqlite_url: str) -> Iterator[tuple[Sending, int]]:
    """A sending that has begun, and its process."""
    with sending(tmp_path, sqlite_url, READERS) as process:
        pid = process.start()
        process.wait_for(50)
        yield process, pid


def test_a_relay_that_stands_still_costs_nothing_and_gets_each_letter_once(halfway: tuple[Sending, int]) -> None:
    process, pid = halfway
    with frozen(process.relay):
        before, taken = resident_bytes(pid), len(process.relay.taken)
        process.wait_for(CANNOT_COME, 1)
        assert len(process.relay.taken) == taken
        assert sockets_to(process.relay.endpoint.port) <= process.connections
        assert resident_bytes(pid) - before < 20 << 20
        held = [name for name, state in process.rows().items() if state is D.HANDING_OVER]
        assert 0 < len(held) <= process.connections
        with process.house.app.store.write() as tx:  # who wants to leave need not wait for the relay
            tx.meta.set("touched", "while it stands still")
    assert process.ended() == 0
    process.check_all_sent()


@pytest.mark.slow
def test_asked_to_stop_while_the_relay_stands_still_it_leaves_and_says_what_is_in_doubt(
    halfway: tuple[Sending, int],
) -> None:
    process, pid = halfway
    with frozen(process.relay):
        os.kill(pid, signal.SIGTERM)
        assert process.ended() == 0, "it left before the relay said anything"
        doubtful = [name for name, state in process.rows().items() if state is D.UNCERTAIN]
        assert 0 < len(doubtful) <= process.connections
        process.in_doubt.update(doubtful)
        process.stops += 1
    process.finish()


@needs_sink
@pytest.mark.parametrize("frozen_s", [1.0, pytest.param(60.0, marks=pytest.mark.slow)], ids=["a second", "a minute"])
def test_while_the_relay_s_process_is_stopped_the_server_answers_and_lets_readers_leave(
    tmp_path: Path, store_url: str, frozen_s: float
) -> None:
    """`publisher serve` sends; SIGSTOP meets the relay's process in the middle, SIGCONT later."""
    house = House(tmp_path, store_url, clock=Time(system_clock()))
    with house.app.store.write() as tx:
        tx.meta.set(INSTALLED_AT, house.clock().isoformat())  # so that no slot has passed yet
    compose_for(house, SERVED)
    (issue,) = house.issues()
    with smtp_sink(tmp_path / "sink") as sink:
        where = {"host": "127.0.0.1", "port": sink.endpoint.port, "security": "none", "connections": CONNECTIONS}
        write_config(tmp_path, store_url, where)
        with serving(tmp_path) as (process, address), httpx.Client(base_url=address, timeout=20) as client:
            until(lambda: sink.count > SERVED // 10)
            with sink.frozen():
                left = [number for number, row in house.deliveries(issue).items() if row.state is D.PLANNED][-2:]
                assert left, "it was stopped in the middle"
                before, taken, over = resident_bytes(process.pid), sink.count, time.monotonic() + frozen_s
                for path in cycle(["", "feeds/all.atom", "healthz", "subscribe", "issues/"]):
                    assert client.get(path).status_code < 500
                    if time.monotonic() > over:
                        break
                for number in left:
                    path = f"unsubscribe/{house.app.signer.token(UNSUBSCRIBE, number)}"
                    assert client.post(path, data={"List-Unsubscribe": "One-Click"}).status_code == 200
                assert sockets_to(sink.endpoint.port) <= CONNECTIONS
                assert resident_bytes(process.pid) - before < 20 << 20
                assert sink.count == taken
            until(lambda: house.issues()[0].state is IssueState.FINISHED)
            assert process.poll() is None
        rows = house.deliveries(issue)
        assert {number for number, row in rows.items() if row.state is D.SUPPRESSED} == {*left}
        letters = Counter(recipient for recipient, _ in sink.taken)
    assert letters == Counter(email_of(number) for number, row in rows.items() if row.state is D.ACCEPTED)
    assert len(letters) == SERVED - len(left)
    assert "Traceback" not in (tmp_path / "serve.log").read_text()
    house.app.close()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def sockets_to(port: int) -> int:
    """Connections of this machine to that port."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    established = "01"
    return sum(fields[2].endswith(f":{port:04X}") and fields[3] == established for fields in map(str.split, lines))
