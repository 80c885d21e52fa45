"""What is known of the published files. Floor: store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from publisher.model import PublishedDocument
from publisher.store.columns import batches
from publisher.store.schema import documents
from publisher.store.upsert import upsert

_FIELDS = (documents.c.path, documents.c.sha256, documents.c.size, documents.c.first_written)


class Documents:
    """The documents of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def all(self) -> dict[str, PublishedDocument]:
        """Every document by its path."""
        return self._found(sa.select(*_FIELDS))

    def some(self, paths: Collection[str]) -> dict[str, PublishedDocument]:
        """Those of `paths` that were published."""
        found: dict[str, PublishedDocument] = {}
        for batch in batches(paths):
            found.update(self._found(sa.select(*_FIELDS).where(documents.c.path.in_(batch))))
        return found

    def outside(self, prefix: str) -> dict[str, PublishedDocument]:
        """The documents whose path does not begin with `prefix`."""
        return self._found(sa.select(*_FIELDS).where(~documents.c.path.startswith(prefix, autoescape=True)))

    def put(self, items: Sequence[PublishedDocument]) -> None:
        """Remember documents; what was known of the same paths is replaced."""
        statement = upsert(self._connection, documents)
        statement = statement.on_conflict_do_update(
            index_elements=[documents.c.path],
            set_={column.name: statement.excluded[column.name] for column in _FIELDS[1:]},
        )
        for batch in batches(items):
            rows = [{column.name: getattr(item, column.name) for column in _FIELDS} for item in batch]
            self._connection.execute(statement, rows)

    def remove(self, paths: Collection[str]) -> None:
        for batch in batches(paths):
            self._connection.execute(sa.delete(documents).where(documents.c.path.in_(batch)))

    def _found(self, query: sa.Select[Any]) -> dict[str, PublishedDocument]:
        return {row.path: PublishedDocument(*row) for row in self._connection.execute(query)}
