"""Former versions of feeds, for answers that bring only what is new. Floor: store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "feed_versions",
        sa.Column("path", NAME, nullable=False),
        sa.Column("sha256", NAME, nullable=False),
        sa.Column("first_written", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entries", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("path", "sha256", name="pk_feed_versions"),
    )
