"""Readers, their subscriptions, and what happened to them. Floor: store."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Table, Text, text

from publisher.model import Frequency, SubscriberState
from publisher.store.columns import Name, Number, UtcTime, Word
from publisher.store.schema.base import metadata

subscribers = Table(
    "subscribers",
    metadata,
    Column("id", Number, primary_key=True),
    Column("email", Text, nullable=False),
    Column("email_key", Name, nullable=False, unique=True),
    Column("state", Word(SubscriberState), nullable=False),
    Column("frequency", Word(Frequency), nullable=False),
    Column("language", Text, nullable=False),
    Column("watermark", Number, nullable=False),
    Column("feed_renewals", Number, nullable=False, default=0),
    Column("created", UtcTime, nullable=False),
    Column("paused_until", UtcTime),
    Index("ix_subscribers_audience", "frequency", "state", "id"),
    Index(
        "ix_subscribers_waking",
        "paused_until",
        sqlite_where=text("paused_until IS NOT NULL"),
    ),
    sqlite_autoincrement=True,  # links in old letters name the number: it must never be somebody else's
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("subscriber_id", Number, ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    Column("topic", Name, primary_key=True),
    Index("ix_subscriptions_topic", "topic", "subscriber_id"),
)

address_changes = Table(
    "address_changes",
    metadata,
    Column("id", Number, primary_key=True),
    Column("subscriber_id", Number, ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("email", Text, nullable=False),
    Column("asked", UtcTime, nullable=False),
    Column("expires", UtcTime, nullable=False),
    sqlite_autoincrement=True,  # links in letters name the number
)

subscriber_events = Table(
    "subscriber_events",
    metadata,
    Column("id", Number, primary_key=True),
    Column("subscriber_id", Number, nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("event", Text, nullable=False),
    Column("detail", Text, nullable=False),
    sqlite_autoincrement=True,
)
