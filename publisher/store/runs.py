"""Publish runs, and the lock that lets one run at a time. Floor: store.

The lock is a row: a partial unique index allows a single run in state `running`, so two processes that start
together cannot both have it. A run whose process is gone is `interrupted` by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from publisher.errors import NotFound, RunInProgress
from publisher.model import Run, RunState, RunTrigger
from publisher.store.schema import runs

HEARTBEAT = timedelta(seconds=60)
"""A run on another machine whose last beat is older has lost its process."""

_FIELDS = [runs.c[name] for name in Run.__dataclass_fields__]
AllRuns = list[Run]


class Runs:
    """The runs of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def begin(self, trigger: RunTrigger, *, host: str, pid: int, now: datetime, is_alive: Callable[[Run], bool]) -> Run:
        """Take the run lock. Raises RunInProgress while another run is alive.

        `is_alive` looks for the process of a run. On this `host` its answer decides; of another machine's run it
        cannot know, so there a beat within the last minute counts as life too.
        """
        former = self._running()
        if former is not None:
            run, beat = former
            if is_alive(run) or (run.host != host and now - beat <= HEARTBEAT):
                raise RunInProgress(_holder(run))
            self.finish(run.id, RunState.INTERRUPTED, report=run.report, now=now)
        values = {
            "trigger": trigger,
            "state": RunState.RUNNING,
            "started": now,
            "host": host,
            "pid": pid,
            "heartbeat": now,
            "report": {},
        }
        try:
            with self._connection.begin_nested():
                row = self._connection.execute(sa.insert(runs).values(values).returning(*_FIELDS)).one()
        except IntegrityError as error:  # PostgreSQL: another process was faster since we looked
            winner = self._running()
            raise RunInProgress(_holder(winner[0]) if winner else "it began just now") from error
        return _run(row)

    def beat(self, run_id: int, now: datetime) -> bool:
        """Say that the run is alive. False: it is not running any more, somebody took it for dead."""
        return bool(
            self._connection.execute(
                sa.update(runs).where(runs.c.id == run_id, runs.c.state == RunState.RUNNING).values(heartbeat=now)
            ).rowcount
        )

    def finish(self, run_id: int, state: RunState, *, report: Mapping[str, object], now: datetime) -> bool:
        """End a run and give the lock back. False: it had ended already, and nothing was changed."""
        return bool(
            self._connection.execute(
                sa.update(runs)
                .where(runs.c.id == run_id, runs.c.state == RunState.RUNNING)
                .values(state=state, report=dict(report), finished=now)
            ).rowcount
        )

    def get(self, run_id: int) -> Run:
        """Raises NotFound."""
        row = self._connection.execute(sa.select(*_FIELDS).where(runs.c.id == run_id)).one_or_none()
        if row is None:
            raise NotFound("run", str(run_id), "`publisher runs list` shows them")
        return _run(row)

    def list(self, limit: int = 50) -> AllRuns:
        """The newest first."""
        query = sa.select(*_FIELDS).order_by(runs.c.id.desc()).limit(limit)
        return [_run(row) for row in self._connection.execute(query)]

    def current(self) -> Run | None:
        """The run that holds the lock, whether or not its process still lives."""
        former = self._running()
        return former[0] if former else None

    def _running(self) -> tuple[Run, datetime] | None:
        query = sa.select(*_FIELDS, runs.c.heartbeat).where(runs.c.state == RunState.RUNNING)
        row = self._connection.execute(query).one_or_none()
        return (_run(row[:-1]), row[-1]) if row else None


def _run(row: Any) -> Run:
    return Run(**dict(zip(Run.__dataclass_fields__, row, strict=True)))


def _holder(run: Run) -> str:
    return f"run {run.id} ({run.trigger}) since {run.started:%Y-%m-%d %H:%M:%S} UTC, process {run.pid} on {run.host}"
