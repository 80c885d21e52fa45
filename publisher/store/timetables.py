"""What is remembered of each frequency's timetable, so that a change of it loses and repeats nothing. Floor: store."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from publisher.digest.due import Watch
from publisher.model import Frequency
from publisher.store.schema import timetables

_FIELDS = [timetables.c[name] for name in Watch.__dataclass_fields__]


class Timetables:
    """The timetables of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def get(self, frequency: Frequency) -> Watch | None:
        """None before the first look."""
        query = sa.select(*_FIELDS).where(timetables.c.frequency == frequency)
        row = self._connection.execute(query).one_or_none()
        return Watch(**row._mapping) if row else None

    def set(self, frequency: Frequency, watch: Watch) -> None:
        values = {name: getattr(watch, name) for name in Watch.__dataclass_fields__}
        change = sa.update(timetables).where(timetables.c.frequency == frequency).values(values)
        if self._connection.execute(change).rowcount:
            return
        try:
            with self._connection.begin_nested():
                self._connection.execute(sa.insert(timetables).values(frequency=frequency, **values))
        except IntegrityError:  # PostgreSQL: another process was faster since we looked
            self._connection.execute(change)
