"""Which files of the sources were read, and in what state they were. Floor: store."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from publisher.store.columns import batches
from publisher.store.schema import source_files
from publisher.store.upsert import upsert


class SourceFiles:
    """The marks of one transaction: a place, and a text that changes when the file there changes."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def all(self) -> dict[str, str]:
        rows = self._connection.execute(sa.select(source_files.c.place, source_files.c.mark))
        return {row.place: row.mark for row in rows}

    def put(self, marks: Mapping[str, str]) -> None:
        """Remember marks; what was known of the same places is replaced."""
        statement = upsert(self._connection, source_files)
        statement = statement.on_conflict_do_update(
            index_elements=[source_files.c.place], set_={"mark": statement.excluded.mark}
        )
        for batch in batches(marks.items()):
            self._connection.execute(statement, [{"place": place, "mark": mark} for place, mark in batch])
