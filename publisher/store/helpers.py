"""Processes that send letters beside the one that holds the run's lock. Floor: store.

As long as one is signed in, a claim may be a living process's own: only those that ran out are taken back.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from publisher.store.schema import helpers


class Helpers:
    """The helpers of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def sign(self, name: str, until: datetime) -> None:
        """`name` helps, and none of its claims holds longer than `until`. Repeat it while it helps."""
        if not self._connection.execute(sa.update(helpers).where(helpers.c.name == name).values(until=until)).rowcount:
            self._connection.execute(sa.insert(helpers).values(name=name, until=until))

    def leave(self, name: str) -> None:
        """It has no claim any more."""
        self._connection.execute(sa.delete(helpers).where(helpers.c.name == name))

    def any(self, now: datetime) -> bool:
        """Whether somebody may hold a claim; those whose last claim has run out are forgotten."""
        self._connection.execute(sa.delete(helpers).where(helpers.c.until <= now))
        return self._connection.execute(sa.select(helpers.c.name).limit(1)).first() is not None
