"""The way from any older schema to today's. Floor: store. Alembic is loaded only when there is something to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

FOLDER = Path(__file__).parent
_LOCK = 0x7075626C  # one number for PostgreSQL's advisory locks: two processes never migrate at the same time


@dataclass(frozen=True, slots=True)
class Step:
    """A migration that was done: its revision, and what it is for."""

    revision: str
    what: str


def upgrade(connection: sa.Connection, revision: str = "head") -> list[Step]:
    """Run what is missing up to `revision`, all of it or nothing, in the transaction that `connection` is in; gives
    what was done."""
    from alembic import command  # noqa: PLC0415 - costs 100 ms that only a migration needs
    from alembic.config import Config  # noqa: PLC0415

    done: list[Step] = []

    def note(*, step: Any, **_: object) -> None:
        done.append(Step(step.up_revision_id, step.up_revision.doc.removesuffix("Floor: store.").strip(". ")))

    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["note"] = note
    command.upgrade(config, revision)
    return done
