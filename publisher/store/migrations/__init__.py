"""The way from any older schema to today's. Floor: store. Alembic is loaded only when there is something to do."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

FOLDER = Path(__file__).parent
_LOCK = 0x7075626C  # one number for PostgreSQL's advisory locks: two processes never migrate at the same time


def upgrade(connection: sa.Connection) -> None:
    """Run what is missing, all of it or nothing, in the transaction that `connection` is in."""
    from alembic import command  # noqa: PLC0415 - costs 100 ms that only a migration needs
    from alembic.config import Config  # noqa: PLC0415

    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
