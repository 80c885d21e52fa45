"""A full disk, and a database that somebody else has for themselves: nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from crash.sendings import sending

from publisher.store.engine import open_engine, writer

READERS = 400
REFUSED_TO_GO_ON = 1
CANNOT_COME = 10_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no program to mount a file system with")
    if mounted.returncode:
        pytest.skip(f"no small file system may be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_stops_the_sending_and_free_space_lets_it_go_on(
    small_disk: Path, tmp_path: Path, migrated_sqlite: Path
) -> None:
    database = small_disk / "publisher.db"
    database.write_bytes(migrated_sqlite.read_bytes())
    with sending(tmp_path, f"sqlite:///{database}", READERS) as process:
        process.house.app.store.close()  # folds the write-ahead log into the file
        ballast = small_disk / "ballast"
        left = os.statvfs(small_disk)
        ballast.write_bytes(bytes(max(0, left.f_bavail * left.f_frsize - 300_000)))
        process.start()
        assert process.ended() == REFUSED_TO_GO_ON
        assert "disk" in process.said and "full" in process.said
        assert 0 < len(process.relay.taken) < READERS, "it was full in the middle"
        with ballast.open("ab", buffering=0) as more, suppress(OSError):
            while more.write(bytes(4096)):
                pass
        command = [sys.executable, "-m", "publisher", "deliver"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert "disk" in line and "full" in line
        ballast.unlink()
        process.finish()


@contextmanager
def locked(store_url: str) -> Iterator[None]:
    """Somebody else has the ledger for themselves."""
    engine = open_engine(store_url)
    with writer(engine).begin() as connection:
        connection.exec_driver_sql("SELECT 1")
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("LOCK TABLE deliveries IN EXCLUSIVE MODE")
        yield
    engine.dispose()


def test_a_database_locked_for_a_moment_is_waited_for(tmp_path: Path, store_url: str) -> None:
    with sending(tmp_path, store_url, READERS) as process:
        process.start()
        for _ in range(3):
            process.wait_for(20)
            with locked(store_url):
                process.wait_for(CANNOT_COME, 0.3)
        assert process.ended() == 0
        process.check_all_sent()
