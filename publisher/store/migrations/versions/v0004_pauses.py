"""Pauses that end by themselves. Floor: store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("subscribers", sa.Column("paused_until", sa.DateTime(timezone=True)))
    dated = sa.text("paused_until IS NOT NULL")
    op.create_index(
        "ix_subscribers_waking", "subscribers", ["paused_until"], sqlite_where=dated, postgresql_where=dated
    )
