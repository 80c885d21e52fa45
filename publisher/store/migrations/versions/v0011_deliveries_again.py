"""Deliveries without an index on their state, which changes twice for each letter. Floor: store.

They are found by their issue, of those that are not finished; what waits for its time by an index of the rows that have
one. So nothing that changes for a letter that gets through is in an index, and PostgreSQL writes the row alone, where
its page has room for it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    # before this, a deferred letter without a time could be tried at once, and a cancelled issue was finished at once
    op.execute("UPDATE deliveries SET next_attempt = changed WHERE state = 'deferred' AND next_attempt IS NULL")
    op.execute("""
        UPDATE issues SET finished = NULL WHERE state = 'cancelled' AND EXISTS (SELECT 1 FROM deliveries
            WHERE deliveries.issue_id = issues.id AND deliveries.state IN ('planned', 'deferred', 'handing over'))
    """)
    op.execute("UPDATE issues SET finished = NULL WHERE state IN ('sending', 'paused', 'waiting')")
    op.drop_index("ix_deliveries_state", "deliveries")
    op.drop_index("ix_deliveries_due", "deliveries")
    op.create_index(
        "ix_deliveries_again",
        "deliveries",
        ["issue_id", "subscriber_id"],
        sqlite_where=sa.text("next_attempt IS NOT NULL"),
        postgresql_where=sa.text("next_attempt IS NOT NULL"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE deliveries SET (fillfactor = 70)")
        op.execute("ALTER TABLE subscribers SET (fillfactor = 80)")
