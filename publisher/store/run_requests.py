"""Runs that one process asks of another: written down, taken by one worker, answered. Floor: store.

asked ──take──> taken ──begun──> answered with the run's number
  │                └────refuse──> answered with the reason
  └──withdraw──> gone: nobody took it in time
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from publisher.model import Frequency, RunTrigger
from publisher.store.schema import run_requests as rows


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What kind of run is asked for; the fields of the flow's order."""

    id: int
    trigger: RunTrigger
    forced: tuple[Frequency, ...]
    digests: bool
    rebuild: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAnswer:
    """What became of a request: the run that began, or the `problem` because of which none did. `busy`: the problem
    is another run, and its text says whose. Neither of them while nobody has answered yet."""

    taken: bool
    run_id: int | None
    busy: bool
    problem: str

    @property
    def is_there(self) -> bool:
        return self.run_id is not None or bool(self.problem)


class RunRequests:
    """The requests of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def ask(
        self, trigger: RunTrigger, *, forced: tuple[Frequency, ...], digests: bool, rebuild: bool, now: datetime
    ) -> int:
        """Write a request down; gives its number."""
        values = {
            "asked": now,
            "trigger": trigger,
            "forced": " ".join(forced),
            "digests": digests,
            "rebuild": rebuild,
            "busy": False,
            "problem": "",
        }
        return int(self._connection.execute(sa.insert(rows).values(values).returning(rows.c.id)).scalar_one())

    def waiting(self) -> bool:
        """Whether there is a request that nobody took."""
        return self._connection.execute(sa.select(rows.c.id).where(rows.c.taken.is_(None)).limit(1)).first() is not None

    def take(self, now: datetime) -> RunRequest | None:
        """The oldest request that nobody took; it is ours then. None: there is none, or somebody was faster."""
        row = self._connection.execute(
            sa.select(rows).where(rows.c.taken.is_(None)).order_by(rows.c.id).limit(1)
        ).first()
        if row is None:
            return None
        ours = sa.update(rows).where(rows.c.id == row.id, rows.c.taken.is_(None)).values(taken=now)
        if not self._connection.execute(ours).rowcount:
            return None
        forced = tuple(Frequency(name) for name in row.forced.split())
        return RunRequest(id=row.id, trigger=row.trigger, forced=forced, digests=row.digests, rebuild=row.rebuild)

    def begun(self, request_id: int, run_id: int) -> None:
        self._connection.execute(sa.update(rows).where(rows.c.id == request_id).values(run_id=run_id))

    def refuse(self, request_id: int, problem: str, *, busy: bool) -> None:
        self._connection.execute(sa.update(rows).where(rows.c.id == request_id).values(problem=problem, busy=busy))

    def answer(self, request_id: int) -> RunAnswer:
        row = self._connection.execute(sa.select(rows).where(rows.c.id == request_id)).one()
        return RunAnswer(taken=row.taken is not None, run_id=row.run_id, busy=row.busy, problem=row.problem)

    def withdraw(self, request_id: int) -> bool:
        """Ask no more. False: somebody took it just now."""
        gone = sa.delete(rows).where(rows.c.id == request_id, rows.c.taken.is_(None))
        return bool(self._connection.execute(gone).rowcount)

    def forget(self, before: datetime) -> int:
        """Remove what was asked before then. Returns how many."""
        return self._connection.execute(sa.delete(rows).where(rows.c.asked < before)).rowcount
