"""What limits and circuit breakers remember. Floor: store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

TEXT = sa.Text()
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "rate_slots",
        sa.Column("name", NAME, nullable=False),
        sa.Column("interval_ms", NUMBER, nullable=False),
        sa.Column("slot_ms", NUMBER, nullable=False),
        sa.Column("taken", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("name", "interval_ms", "slot_ms", name="pk_rate_slots"),
    )
    op.create_table(
        "circuits",
        sa.Column("kind", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("failures", NUMBER, nullable=False),
        sa.Column("openings", NUMBER, nullable=False),
        sa.Column("until", TIME),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("changed", TIME, nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name="pk_circuits"),
    )
    # a letter in doubt without a time is not sent again from here on; those of before were to be
    op.execute("UPDATE deliveries SET next_attempt = changed WHERE state = 'uncertain' AND next_attempt IS NULL")
