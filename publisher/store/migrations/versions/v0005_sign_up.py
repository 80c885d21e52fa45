"""Sign-up: wishes, consents, the list of who is not to be written to, and letters that are no digest. Floor: store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TEXT = sa.Text()
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _wishes()
    _consents()
    _gate()
    op.create_table(
        "service_letters",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("email", TEXT, nullable=False),
        sa.Column("address", NAME, nullable=False),
        sa.Column("language", TEXT, nullable=False),
        sa.Column("facts", TEXT, nullable=False),
        sa.Column("written", TIME, nullable=False),
        sa.Column("expires", TIME, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("attempts", NUMBER, nullable=False),
        sa.Column("next_attempt", TIME, nullable=False),
        sa.Column("reply", TEXT, nullable=False),
        sa.Column("changed", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_service_letters"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_service_letters_address", "service_letters", ["address"])
    op.create_index("ix_service_letters_due", "service_letters", ["state", "next_attempt", "id"])


def _wishes() -> None:
    op.create_table(
        "sign_ups",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("email", TEXT, nullable=False),
        sa.Column("address", NAME, nullable=False),
        sa.Column("topics", TEXT, nullable=False),
        sa.Column("frequency", TEXT, nullable=False),
        sa.Column("language", TEXT, nullable=False),
        sa.Column("method", TEXT, nullable=False),
        sa.Column("network", TEXT, nullable=False),
        sa.Column("wording", TEXT, nullable=False),
        sa.Column("asked", TIME, nullable=False),
        sa.Column("expires", TIME, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("tries", NUMBER, nullable=False),
        sa.Column("subscriber_id", NUMBER),
        sa.PrimaryKeyConstraint("id", name="pk_sign_ups"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sign_ups_asked", "sign_ups", ["asked"])
    op.create_index("ix_sign_ups_subscriber_id", "sign_ups", ["subscriber_id"])
    op.create_index("ix_sign_ups_address", "sign_ups", ["address", "id"])
    op.create_index("ix_sign_ups_state", "sign_ups", ["state", "id"])


def _consents() -> None:
    op.create_table(
        "consents",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("subscriber_id", NUMBER, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("act", TEXT, nullable=False),
        sa.Column("method", TEXT, nullable=False),
        sa.Column("wording", TEXT, nullable=False),
        sa.Column("network", TEXT, nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_consents"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_consents_subscriber_id", "consents", ["subscriber_id"])
    op.create_table(
        "consent_wordings",
        sa.Column("version", NAME, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("first_used", TIME, nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_consent_wordings"),
    )


def _gate() -> None:
    op.create_table(
        "suppressions",
        sa.Column("address", NAME, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.PrimaryKeyConstraint("address", name="pk_suppressions"),
    )
    op.create_table(
        "gate_tallies",
        sa.Column("name", NAME, nullable=False),
        sa.Column("granted", TEXT, nullable=False),
        sa.Column("refused", NUMBER, nullable=False),
        sa.Column("until", TIME),
        sa.Column("changed", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_gate_tallies"),
    )
    op.create_index("ix_gate_tallies_changed", "gate_tallies", ["changed"])
