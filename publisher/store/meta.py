"""Small facts about the store itself, by name. Floor: store."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from publisher.store.schema import meta

INSTALLED_AT = "installed_at"
"""The fact (ISO 8601) that says when this store was first set up."""


class Meta:
    """The facts of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def installed_at(self) -> datetime:
        """When this store was first set up."""
        return datetime.fromisoformat(
            self._connection.execute(sa.select(meta.c.value).where(meta.c.name == INSTALLED_AT)).scalar_one()
        )

    def get(self, name: str) -> str | None:
        return self._connection.execute(sa.select(meta.c.value).where(meta.c.name == name)).scalar_one_or_none()

    def set(self, name: str, value: str) -> None:
        change = sa.update(meta).where(meta.c.name == name).values(value=value)
        if self._connection.execute(change).rowcount:
            return
        try:
            with self._connection.begin_nested():
                self._connection.execute(sa.insert(meta).values(name=name, value=value))
        except IntegrityError:  # PostgreSQL: another process was faster since we looked
            self._connection.execute(change)
