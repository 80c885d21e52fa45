"""Whether the process that began a run is still there, without asking any clock. Floor: `flows`.

A process is known by its number, and by what tells it from all others that had that number: the machine's boot, the
namespace the number is of, and the tick at which it started (proc(5)). Clocks are set, in steps of hours at times;
none of these moves with them. Where they say nothing (another machine, a container, a system without /proc), only
time can tell: see `run`, which then waits for a beat of the run's heart.
"""

from __future__ import annotations

import os
import socket
from enum import Enum
from pathlib import Path

_ENDED = {"Z", "X"}  # gone, but its parent has not asked yet how it ended: the first process of a container may never


class Presence(Enum):
    HERE = "here"
    GONE = "gone"
    UNKNOWN = "unknown"


def this_process() -> str:
    """What names this process for good, "" where the system does not tell."""
    return name_of(os.getpid())


def name_of(pid: int) -> str:
    """The same of a process of this machine; "" if it is not there."""
    facts = _facts(pid)
    return f"{_place()}/{facts[1]}" if facts and _place() else ""


def presence(host: str, pid: int, process: str) -> Presence:
    """Whether process `pid` of `host`, named `process` when it was last seen, is there."""
    place, _, started = process.rpartition("/")
    if host != socket.gethostname() or place != _place():
        return Presence.UNKNOWN
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return Presence.GONE
    except (PermissionError, OverflowError):
        pass
    facts = _facts(pid)
    if facts is None or not started:
        return Presence.UNKNOWN
    state, tick = facts
    return Presence.HERE if state not in _ENDED and tick == started else Presence.GONE


def _place() -> str:
    """This boot of this machine, and the namespace that our numbers are of."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115  (it is no path)
    except OSError:
        return ""


def _facts(pid: int) -> tuple[str, str] | None:
    """The state of a process and the tick at which it started; None where the system does not tell (proc(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return None
