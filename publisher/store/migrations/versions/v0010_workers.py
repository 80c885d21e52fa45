"""Runs asked of other machines, and who sends beside a run. Floor: store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

TEXT = sa.Text()
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "run_requests",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("asked", TIME, nullable=False),
        sa.Column("trigger", TEXT, nullable=False),
        sa.Column("forced", TEXT, nullable=False),
        sa.Column("digests", sa.Boolean(), nullable=False),
        sa.Column("rebuild", sa.Boolean(), nullable=False),
        sa.Column("taken", TIME),
        sa.Column("run_id", NUMBER),
        sa.Column("busy", sa.Boolean(), nullable=False),
        sa.Column("problem", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_run_requests"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "helpers",
        sa.Column("name", NAME, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_helpers"),
    )
