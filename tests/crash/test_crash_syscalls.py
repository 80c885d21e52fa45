"""Faults that strace puts into the sender's system calls: killed at each of them, or told that the disk failed."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash.sendings import Sending, sending

KILLED = -signal.SIGKILL
LETTERS = 20
SYNC, WIRE, PAGES = "fdatasync", "write", "pwrite64"
"""The calls that make a commit durable, that speak to the relay, and that write the database's pages."""
ERRORS = ("EIO", "ENOSPC")


@pytest.fixture(scope="module", autouse=True)
def _strace() -> None:
    """Skip where a process may not look over another one's shoulder."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"strace may not be used here: {tried.stderr.strip()}")


@pytest.fixture(scope="module")
def _forker(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sending]:
    folder = tmp_path_factory.mktemp("syscalls")
    shutil.copy(migrated_sqlite, folder / "publisher.db")
    with sending(folder, f"sqlite:///{folder}/publisher.db", LETTERS) as process:
        yield process


@pytest.fixture
def process(_forker: Sending) -> Sending:
    _forker.start_afresh()
    return _forker


def points(call: str) -> Iterator[int]:
    """1, 2, 3, ...; pages are written so often that from five on they come in growing steps."""
    nth = 1
    while True:
        yield nth
        nth += 1 + (nth // 5 if call == PAGES else 0)


def test_killed_at_every_kind_of_system_call_that_matters_nothing_is_lost(process: Sending) -> None:
    for call in (SYNC, WIRE, PAGES):
        assert process.traced(f"{call}:signal=KILL:when=4") == KILLED, f"killed at {call}"
    process.finish()


@pytest.mark.slow
@pytest.mark.parametrize("call", [SYNC, WIRE, PAGES])
def test_killed_at_each_system_call_of_a_sending_nothing_is_lost(process: Sending, call: str) -> None:
    for nth in points(call):
        process.start_afresh()
        killed = process.traced(f"{call}:signal=KILL:when={nth}") == KILLED
        process.finish()
        if not killed:
            break
    assert nth > LETTERS / 2, "there were many such calls"


def test_a_disk_that_fails_once_leaves_no_letter_out_that_is_not_known_to_be(process: Sending) -> None:
    for call, error, nth in ((SYNC, "EIO", 6), (PAGES, "EIO", 6), (PAGES, "ENOSPC", 10)):
        process.traced(f"{call}:error={error}:when={nth}")
    process.finish()


@pytest.mark.parametrize("error", ERRORS)
def test_a_disk_that_goes_on_failing_ends_the_sending_with_a_clear_word(process: Sending, error: str) -> None:
    assert process.traced(f"{PAGES}:error={error}:when=12+") == 1
    assert "the disk is full" in process.said or "the disk reported an error or is full" in process.said
    process.finish()


@pytest.mark.slow
@pytest.mark.parametrize("lasting", ["", "+"], ids=["once", "for good"])
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("call", [SYNC, PAGES])
def test_the_disk_fails_at_each_call_of_a_sending(process: Sending, call: str, error: str, lasting: str) -> None:
    for nth in points(call):
        process.start_afresh()
        process.traced(f"{call}:error={error}:when={nth}{lasting}")
        failed = process.said != ""
        process.finish()
        if not failed and nth > LETTERS:
            break
