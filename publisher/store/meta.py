"""Small facts about the store itself, by name. Floor: store."""

from __future__ import annotations

import sqlalchemy as sa

from publisher.store.schema import meta


class Meta:
    """The facts of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def get(self, name: str) -> str | None:
        return self._connection.execute(sa.select(meta.c.value).where(meta.c.name == name)).scalar_one_or_none()

    def set(self, name: str, value: str) -> None:
        changed = self._connection.execute(sa.update(meta).where(meta.c.name == name).values(value=value)).rowcount
        if not changed:
            self._connection.execute(sa.insert(meta).values(name=name, value=value))
