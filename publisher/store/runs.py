"""Publish runs, and the lock that lets one run at a time. Floor: store.

The lock is a row: a partial unique index allows a single run in state `running`, so two processes that start
together cannot both have it. A run whose process is gone is `interrupted` by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from publisher.errors import NotFound, RunInProgress
from publisher.model import Run, RunState, RunTrigger
from publisher.store.schema import runs

_FIELDS = [runs.c[name] for name in Run.__dataclass_fields__]
AllRuns = list[Run]


class Runs:
    """The runs of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def begin(
        self,
        trigger: RunTrigger,
        *,
        host: str,
        pid: int,
        now: datetime,
        is_alive: Callable[[Run], bool],
        process: str = "",
    ) -> Run:
        """Take the run lock. Raises RunInProgress while another run is alive, which `is_alive` says of it."""
        former = self.current()
        if former is not None:
            if is_alive(former):
                raise RunInProgress(_holder(former))
            self.finish(former.id, RunState.INTERRUPTED, report=former.report, now=now)
        values = {
            "trigger": trigger,
            "state": RunState.RUNNING,
            "started": now,
            "host": host,
            "pid": pid,
            "process": process,
            "heartbeat": now,
            "report": {},
        }
        try:
            with self._connection.begin_nested():
                row = self._connection.execute(sa.insert(runs).values(values).returning(*_FIELDS)).one()
        except IntegrityError as error:  # PostgreSQL: another process was faster since we looked
            winner = self.current()
            raise RunInProgress(_holder(winner) if winner else "it began just now") from error
        return _run(row)

    def beat(self, run_id: int, now: datetime, *, step: str = "", done: int = 0, total: int = 0) -> bool:
        """Say that the run is alive, and where it has got to. False: it is not running any more, somebody took it for
        dead."""
        values = {"heartbeat": now, "beats": runs.c.beats + 1, "step": step, "done": done, "total": total}
        mine = (runs.c.id == run_id, runs.c.state == RunState.RUNNING)
        return bool(self._connection.execute(sa.update(runs).where(*mine).values(values)).rowcount)

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
        row = None
        if 0 < run_id < 1 << 63:  # the databases know no others
            row = self._connection.execute(sa.select(*_FIELDS).where(runs.c.id == run_id)).one_or_none()
        if row is None:
            raise NotFound("run", str(run_id), "`publisher runs list` shows them")
        return _run(row)

    def list(self, limit: int = 50, *, before: int | None = None) -> AllRuns:
        """The newest first; `before` is the last number of the page before."""
        query = sa.select(*_FIELDS).order_by(runs.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(runs.c.id < before)
        return [_run(row) for row in self._connection.execute(query)]

    def forget(self, before: datetime) -> int:
        """Remove the record of runs that ended before then. Returns how many."""
        old = sa.delete(runs).where(runs.c.state != RunState.RUNNING, runs.c.finished < before)
        return self._connection.execute(old).rowcount

    def current(self) -> Run | None:
        """The run that holds the lock, whether or not its process still lives."""
        query = sa.select(*_FIELDS).where(runs.c.state == RunState.RUNNING)
        row = self._connection.execute(query).one_or_none()
        return _run(row) if row else None


def _run(row: Any) -> Run:
    return Run(**dict(zip(Run.__dataclass_fields__, row, strict=True)))


def _holder(run: Run) -> str:
    return f"run {run.id} ({run.trigger}) since {run.started:%Y-%m-%d %H:%M:%S} UTC, process {run.pid} on {run.host}"
