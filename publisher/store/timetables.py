"""What is remembered of each frequency's timetable, so that a change of it loses and repeats nothing. Floor: store."""

from __future__ import annotations

import sqlalchemy as sa

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
        changed = self._connection.execute(
            sa.update(timetables).where(timetables.c.frequency == frequency).values(values)
        ).rowcount
        if not changed:
            self._connection.execute(sa.insert(timetables).values(frequency=frequency, **values))
