"""What the timetable did and saw; where a run has got to and which process does it; issues that wait. Floor: store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

TEXT = sa.Text()
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("name", NAME, nullable=False),
        sa.Column("trigger", TEXT, nullable=False),
        sa.Column("slot", TIME),
        sa.Column("fired", TIME),
        sa.Column("ended", TIME),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.Column("next", TIME),
        sa.PrimaryKeyConstraint("name", name="pk_jobs"),
    )
    op.create_table(
        "timetables",
        sa.Column("frequency", TEXT, nullable=False),
        sa.Column("cron", TEXT, nullable=False),
        sa.Column("zone", TEXT, nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("seen", TIME, nullable=False),
        sa.Column("owed", TIME),
        sa.PrimaryKeyConstraint("frequency", name="pk_timetables"),
    )
    for name, kind in (("process", TEXT), ("step", TEXT)):
        op.add_column("runs", sa.Column(name, kind, nullable=False, server_default=""))
    for name in ("beats", "done", "total"):
        op.add_column("runs", sa.Column(name, NUMBER, nullable=False, server_default="0"))
    op.add_column("issues", sa.Column("asked", TIME))
