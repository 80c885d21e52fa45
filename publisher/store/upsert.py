"""INSERT ... ON CONFLICT, which each database has under a name of its own. Floor: store."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite


def upsert(connection: sa.Connection, table: sa.Table) -> sqlite.Insert:
    """An INSERT into `table` with `on_conflict_do_update` and `on_conflict_do_nothing`, for the database of
    `connection`; that of PostgreSQL has the same methods as SQLite's."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415  (late: most sites have no server)

        return postgresql.insert(table)  # type: ignore[return-value]
    return sqlite.insert(table)
