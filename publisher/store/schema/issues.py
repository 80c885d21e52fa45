"""Issues, the ledger of their letters, and what keeps letters back. Floor: store.

Deliveries, events and bounces name a subscriber by number without a foreign key: a reader who asks to be forgotten
leaves no address behind, and the sum of each issue stays right.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table, Text, text

from publisher.mail.scoring import BounceKind
from publisher.model import DeliveryState, Frequency, IssueState
from publisher.store.columns import Name, Number, Report, UtcTime, Word
from publisher.store.schema.base import metadata

issues = Table(
    "issues",
    metadata,
    Column("id", Number, primary_key=True),
    Column("frequency", Word(Frequency), nullable=False),
    Column("number", Number),
    Column("slot", UtcTime),
    Column("state", Word(IssueState), nullable=False),
    Column("composed", UtcTime, nullable=False),
    Column("upto_seq", Number, nullable=False),
    Column("reason", Text, nullable=False),
    Column("selected", Number, nullable=False),
    Column("report", Report),
    Column("finished", UtcTime),
    Column("asked", UtcTime),
    sa.UniqueConstraint("frequency", "number"),
    sa.UniqueConstraint("frequency", "slot"),
    sqlite_autoincrement=True,
)

editions = Table(
    "editions",
    metadata,
    Column("id", Number, primary_key=True),
    Column("issue_id", Number, ForeignKey("issues.id"), nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("subject", Text),
    Column("text", Text),
    Column("html", Text),
    sa.UniqueConstraint("issue_id", "fingerprint"),
    sqlite_autoincrement=True,
)

edition_articles = Table(
    "edition_articles",
    metadata,
    Column("edition_id", Number, ForeignKey("editions.id"), primary_key=True),
    Column("position", Number, primary_key=True, autoincrement=False),
    Column("topic", Name, nullable=False),
    Column("article_key", Name, ForeignKey("articles.key"), nullable=False, index=True),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("issue_id", Number, ForeignKey("issues.id"), primary_key=True),
    Column("subscriber_id", Number, primary_key=True, autoincrement=False),
    Column("edition_id", Number, ForeignKey("editions.id")),
    Column("state", Word(DeliveryState), nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempts", Number, nullable=False),
    Column("next_attempt", UtcTime),
    Column("reply", Text, nullable=False),
    Column("changed", UtcTime, nullable=False),
    Column("claimed_from", Word(DeliveryState)),
    Column("claim_until", UtcTime),
    Index(
        "ix_deliveries_again",
        "issue_id",
        "subscriber_id",
        sqlite_where=text("next_attempt IS NOT NULL"),
    ),
    Index("ix_deliveries_subscriber", "subscriber_id", "edition_id"),
)

bounce_events = Table(
    "bounce_events",
    metadata,
    Column("id", Number, primary_key=True),
    Column("sha256", Name, nullable=False, unique=True),
    Column("at", UtcTime, nullable=False),
    Column("kind", Word(BounceKind), nullable=False),
    Column("subscriber_id", Number),
    Column("issue_id", Number),
    Column("status", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_bounce_events_subscriber", "subscriber_id", "at"),
    sqlite_autoincrement=True,
)

rate_slots = Table(
    "rate_slots",
    metadata,
    Column("name", Name, primary_key=True),
    Column("interval_ms", Number, primary_key=True, autoincrement=False),
    Column("slot_ms", Number, primary_key=True, autoincrement=False),
    Column("taken", Number, nullable=False),
)

circuits = Table(
    "circuits",
    metadata,
    Column("kind", Name, primary_key=True),
    Column("name", Name, primary_key=True),
    Column("failures", Number, nullable=False),
    Column("openings", Number, nullable=False),
    Column("until", UtcTime),
    Column("reason", Text, nullable=False),
    Column("changed", UtcTime, nullable=False),
)
