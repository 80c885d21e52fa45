"""`publisher serve` as a process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 30


@contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running server and its address."""
    log = (folder / "serve.log").open("w+")
    process = subprocess.Popen(
        [sys.executable, "-m", "publisher", "serve", "--port", "0"],
        cwd=folder,
        stderr=log,
        stdout=log,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    try:
        yield process, _address(process, folder / "serve.log")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        log.close()


def _address(process: subprocess.Popen[str], log: Path) -> str:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+/", log.read_text())
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(log.read_text())
