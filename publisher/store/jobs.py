"""The jobs of the timetable: what fired when, how it ended, what comes next. Floor: store.

Jobs are declared by the program and its settings; this is only their state. Each firing has a slot, and a slot is
claimed by a conditional update: of two processes with the same timetable one fires it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from publisher.model import Job
from publisher.store.schema import jobs

_FIELDS = [jobs.c[name] for name in Job.__dataclass_fields__]


class Jobs:
    """The jobs of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def declare(self, triggers: Mapping[str, str]) -> None:
        """These are the jobs, each with its trigger in words. What is no job any more is forgotten; the others keep
        what is known of them."""
        self._connection.execute(sa.delete(jobs).where(jobs.c.name.not_in(list(triggers))))
        for name, trigger in triggers.items():
            changed = self._connection.execute(sa.update(jobs).where(jobs.c.name == name).values(trigger=trigger))
            if not changed.rowcount:
                try:
                    with self._connection.begin_nested():
                        new = sa.insert(jobs).values(name=name, trigger=trigger, outcome="", detail="")
                        self._connection.execute(new)
                except IntegrityError:  # PostgreSQL: another process declared it since we looked
                    continue

    def slots(self) -> dict[str, datetime]:
        """The last slot of each job that had one."""
        rows = self._connection.execute(sa.select(jobs.c.name, jobs.c.slot).where(jobs.c.slot.is_not(None)))
        return {row.name: row.slot for row in rows}

    def claim(self, name: str, slot: datetime, now: datetime) -> bool:
        """Whether this firing is ours. False: another process has it. A claim for a slot still to come was made while
        the clock ran ahead, and holds nobody up."""
        free = jobs.c.slot.is_(None) | (jobs.c.slot < slot) | (jobs.c.slot > max(slot, now))
        values = {"slot": slot, "fired": now, "outcome": "", "detail": ""}
        return bool(self._connection.execute(sa.update(jobs).where(jobs.c.name == name, free).values(values)).rowcount)

    def end(self, name: str, *, outcome: str, detail: str, now: datetime) -> None:
        """How the last firing ended, in a word, with what there is to say of it."""
        values = {"ended": now, "outcome": outcome, "detail": detail}
        self._connection.execute(sa.update(jobs).where(jobs.c.name == name).values(values))

    def interrupt(self, *, detail: str) -> None:
        """Nobody is at work: what fired and never ended was interrupted."""
        unended = (jobs.c.fired.is_not(None), jobs.c.outcome == "")
        self._connection.execute(sa.update(jobs).where(*unended).values(outcome="interrupted", detail=detail))

    def wait(self, name: str, *, detail: str) -> None:
        """The last firing found a run under way and is tried again. When the job ended last stays as it is: that tells
        how long nothing was done."""
        values = {"outcome": "waiting", "detail": detail}
        self._connection.execute(sa.update(jobs).where(jobs.c.name == name).values(values))

    def plan(self, upcoming: Mapping[str, datetime | None]) -> None:
        """When each of these fires next."""
        for name, moment in upcoming.items():
            self._connection.execute(sa.update(jobs).where(jobs.c.name == name).values(next=moment))

    def all(self) -> Sequence[Job]:
        """By name."""
        rows = self._connection.execute(sa.select(*_FIELDS).order_by(jobs.c.name))
        return [Job(**row._mapping) for row in rows]
