"""A database server that ends our connections, and a relay that stands still, in the middle of a sending."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash.sendings import Sending, frozen, sending

from publisher.model import DeliveryState
from publisher.store.engine import open_engine

READERS = 400
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


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def sockets_to(port: int) -> int:
    """Connections of this machine to that port."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    established = "01"
    return sum(fields[2].endswith(f":{port:04X}") and fields[3] == established for fields in map(str.split, lines))
