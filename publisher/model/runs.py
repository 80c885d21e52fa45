"""Publish runs, and the lines of the timetable. Floor: `model`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class RunTrigger(StrEnum):
    COMMAND = "command"
    TIMETABLE = "timetable"
    ADMIN = "admin"
    API = "api"


class RunState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # its process is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One publish run: who triggered it, when, what it did (`report`, plain JSON values), how it ended.

    While it is running `step` says what it is doing, with `done` of `total` (0: not counted), as of `heartbeat`, and
    `beats` grows. `process` says which process of `host` does it, also after its number `pid` was given to another.
    """

    id: int
    trigger: RunTrigger
    state: RunState
    started: datetime
    finished: datetime | None
    host: str
    pid: int
    report: Mapping[str, object] = field(default_factory=dict)
    process: str = ""
    heartbeat: datetime | None = None
    beats: int = 0
    step: str = ""
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A line of the timetable, as the store remembers it: when it fired last and how that ended (`outcome` is "" while
    it is at work, "waiting" while another run is, "interrupted" when its process was killed), when it `ended` last,
    which may be an earlier firing, and when it fires next, as far as the process that runs the timetable knows."""

    name: str
    trigger: str
    fired: datetime | None = None
    ended: datetime | None = None
    outcome: str = ""
    detail: str = ""
    next: datetime | None = None
