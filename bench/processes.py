"""Commands as whole processes, with the system's own account of each."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: seconds from start to end, seconds of processor time, peak memory in MB.

    Linux counts as a process's peak at least what its parent held at the start: this program stays small.
    """

    wall: float
    cpu: float
    peak: float


class Children(threading.Thread):
    """Looks at the children of a process while it runs, for the system's account of it names only the largest peak
    among them. `peak` is the sum of theirs in MB, whether they lived at the same time or not; Linux only."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._tasks = Path(f"/proc/{pid}/task")
        self._peaks: dict[str, int] = {}
        self.start()

    @property
    def peak(self) -> float:
        return sum(self._peaks.values()) * 1024 / 1e6

    def run(self) -> None:
        while self._tasks.exists():
            with suppress(OSError):
                for children in self._tasks.glob("*/children"):
                    for pid in children.read_text().split():
                        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
                        self._peaks[pid] = int(found[1]) if found else self._peaks.get(pid, 0)
            time.sleep(0.05)


def medians(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(values) for values in zip(*((c.wall, c.cpu, c.peak) for c in costs), strict=True)))


def run(folder: Path, *arguments: str, bytecode: Path) -> tuple[Cost, str]:
    """Run this Python with `arguments` in `folder`; its cost and what it printed. A failure ends the program.

    Compiled modules are kept in `bytecode`, as after an ordinary installation, whatever the surroundings forbid.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PUBLISHER_", "PYTHON"))}
    environment["PYTHONPYCACHEPREFIX"] = str(bytecode)
    output = folder.parent / "output.txt"
    with output.open("wb") as file:
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, *arguments], cwd=folder, env=environment, stdout=file, stderr=file)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    printed = output.read_text(encoding="utf-8")
    if process.returncode:
        sys.exit(f"python {' '.join(arguments)} ended with {process.returncode}:\n{printed[-2000:]}")
    kilobyte = 1 if sys.platform == "darwin" else 1024  # the one system counts bytes, the other kilobytes
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * kilobyte / 1e6), printed
