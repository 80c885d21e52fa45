"""The record of a run: the lock, the heart that beats while it is at work, and how it ended. Floor: `flows`.

    lock -> beats, with the step that the run is at -> done | failed | interrupted

A run that holds the lock and whose process is gone is dead, and the next one ends it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from publisher.errors import PublisherError, StoreBusy, StoreError
from publisher.flows.crossing import across
from publisher.flows.late_log import log
from publisher.flows.process import Presence, presence, this_process
from publisher.flows.records import as_json
from publisher.flows.reports import RunReport
from publisher.logs import RUN
from publisher.model import Run, RunState, RunTrigger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from publisher.flows.run import Parts

HEARTBEAT_S = 3.0
"""So often a run says that it is alive, and where it has got to."""

WATCH_S = 20.0
"""A run of which nothing else is known is dead when its heart does not beat for so long."""

ENDING_S = 5.0
"""So long a run tries to write down how it ended while the database is away."""

_unended: set[tuple[str, int]] = set()
"""Runs of this process, by store and number, that are over though nobody could write that down. Others see a process
that lives, and leave them alone."""

Progress = Callable[[str, int, int], None]
"""Told of each step: its name, how much of it is done, and of how much (0: unknown)."""


@dataclass(slots=True)
class Record:
    """A run while it is at work: what it says of itself, and what will be written down."""

    run: Run
    stop: asyncio.Event
    tell: Progress
    state: RunState = RunState.FAILED
    report: RunReport = field(default_factory=RunReport)
    problem: str = ""
    step: tuple[str, int, int] = ("", 0, 0)

    def progress(self, step: str, done: int, total: int) -> None:
        """Told of each step: passes it on, and keeps it for the next beat of the heart."""
        self.step = (step, done, total)
        self.tell(step, done, total)


@asynccontextmanager
async def recorded(
    parts: Parts, trigger: RunTrigger, progress: Progress, stop: asyncio.Event | None
) -> AsyncIterator[Record]:
    """Hold the run's lock, beat its heart, and write down how it ended."""
    dead = await _dead(parts)
    record = Record(await across(_begin, parts, trigger, dead), stop or asyncio.Event(), progress)
    numbered = RUN.set(record.run.id)
    heart = asyncio.create_task(_beat(parts, record))
    try:
        yield record
    except (PublisherError, OSError) as error:
        record.problem = str(error)
        raise
    except asyncio.CancelledError:
        record.state, record.problem = RunState.INTERRUPTED, "stopped"
        raise
    finally:
        heart.cancel()
        await asyncio.wait([heart])
        try:
            await _ended(parts, record)
        finally:
            RUN.reset(numbered)


async def _dead(parts: Parts) -> Run | None:
    """The run that holds the lock and has lost its process, as it was seen last.

    Where its process cannot be looked for, it is watched: one that lives beats before long.
    """

    def look() -> Run | None:
        with parts.store.read() as tx:
            return tx.runs.current()

    run = await across(look)
    if run is None or ((_url(parts), run.id) in _unended and run.process == this_process()):
        return run
    seen = presence(run.host, run.pid, run.process)
    if seen is Presence.HERE:
        return None
    if seen is Presence.UNKNOWN:
        log("run").info("run.watched", run=run.id, host=run.host, seconds=WATCH_S)
        end = time.monotonic() + WATCH_S
        while time.monotonic() < end:
            await asyncio.sleep(min(1.0, WATCH_S / 10))
            now = await across(look)
            if now is None or (now.id, now.beats) != (run.id, run.beats):
                return None
    return run


def _begin(parts: Parts, trigger: RunTrigger, dead: Run | None) -> Run:
    def is_alive(run: Run) -> bool:
        return dead is None or (run.id, run.beats) != (dead.id, dead.beats)

    with parts.store.write() as tx:
        run = tx.runs.begin(
            trigger,
            host=socket.gethostname(),
            pid=os.getpid(),
            process=this_process(),
            now=parts.clock(),
            is_alive=is_alive,
        )
    if dead is not None:
        _unended.discard((_url(parts), dead.id))
    return run


async def _beat(parts: Parts, record: Record) -> None:
    """Say every few seconds that the run is alive. One that was taken for dead ends as if it was asked to."""

    def beat() -> bool:
        step, done, total = record.step
        with parts.store.write() as tx:
            return tx.runs.beat(record.run.id, parts.clock(), step=step, done=done, total=total)

    while True:
        await asyncio.sleep(HEARTBEAT_S)
        try:
            ours = await asyncio.to_thread(beat)  # a thread of its own: the store's may be busy for long
        except StoreBusy:  # whoever keeps the store that busy is most likely this very run; the next beat counts
            continue
        except PublisherError as error:
            log("run").warning("run.beat", run=record.run.id, problem=str(error))
            continue
        if not ours:
            log("run").error("run.lost", run=record.run.id)
            record.stop.set()
            return


async def _ended(parts: Parts, record: Record) -> None:
    """Write down how the run ended. Where the database stays away, the next run of this process does."""
    end = time.monotonic() + ENDING_S
    while True:
        try:
            record.run = await across(_finish, parts, record)
        except StoreError as error:
            if time.monotonic() < end:
                await asyncio.sleep(ENDING_S / 10)
                continue
            _unended.add((_url(parts), record.run.id))
            log("run").error("run.unended", run=record.run.id, problem=str(error))
            if not record.problem:
                raise
        return


def _url(parts: Parts) -> str:
    return parts.settings.store.url


def _finish(parts: Parts, record: Record) -> Run:
    report = as_json(record.report)
    if record.problem:
        report["problem"] = record.problem
    with parts.store.write() as tx:
        tx.runs.finish(record.run.id, record.state, report=report, now=parts.clock())
        return tx.runs.get(record.run.id)
