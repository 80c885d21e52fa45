"""Whether the process that began a run is still there. Floor: `flows`."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

_SLACK = timedelta(seconds=2)  # the kernel's clock counts in ticks, ours in whole seconds
_ENDED = {"Z", "X"}  # gone, but its parent has not asked yet how it ended: the first process of a container may never


def is_still_there(pid: int, since: datetime) -> bool:
    """Whether process `pid` of this machine has been running since `since`.

    A number is given again: after a container's restart a killed run's number may even be our own. So where the
    system tells when a process started (Linux), one that started later than `since` is another one. One that has ended
    is gone, even while its parent keeps its number.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    facts = _facts(pid)
    if facts is None:
        return True
    state, started = facts
    return state not in _ENDED and started <= since + _SLACK


def _facts(pid: int) -> tuple[str, datetime] | None:
    """The state of a process and when it started; None where the system does not tell (proc(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        booted = next(
            int(line.split()[1])
            for line in Path("/proc/stat").read_text(encoding="ascii").splitlines()
            if line.startswith("btime ")
        )
        return fields[0], datetime.fromtimestamp(booted + int(fields[19]) / os.sysconf("SC_CLK_TCK"), UTC)
    except (OSError, ValueError, IndexError, StopIteration):
        return None
