"""Mail that came back. Floor: store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TEXT = sa.Text()
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "bounce_events",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("sha256", NAME, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("subscriber_id", NUMBER),
        sa.Column("issue_id", NUMBER),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bounce_events"),
        sa.UniqueConstraint("sha256", name="uq_bounce_events_sha256"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_bounce_events_subscriber", "bounce_events", ["subscriber_id", "at"])
