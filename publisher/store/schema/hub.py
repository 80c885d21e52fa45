"""What the hub of our own owes its subscribers, and what we owe other hubs. Floor: store."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Table, Text

from publisher.store.columns import Name, Number, UtcTime
from publisher.store.schema.base import metadata

hub_requests = Table(
    "hub_requests",
    metadata,
    Column("id", Number, primary_key=True),
    Column("mode", Text, nullable=False),
    Column("callback", Name, nullable=False),
    Column("host", Name, nullable=False),
    Column("topic", Name, nullable=False),
    Column("lease_s", Number, nullable=False),
    Column("secret", Text),
    Column("sha256", Text, nullable=False),
    Column("asked", UtcTime, nullable=False),
    Column("due", UtcTime, nullable=False),
    sa.UniqueConstraint("callback", "topic"),
    sqlite_autoincrement=True,  # a request that is being answered must not be taken for a newer one
)

hub_subscriptions = Table(
    "hub_subscriptions",
    metadata,
    Column("id", Number, primary_key=True),
    Column("callback", Name, nullable=False),
    Column("host", Name, nullable=False, index=True),
    Column("topic", Name, nullable=False, index=True),
    Column("secret", Text),
    Column("expires", UtcTime, nullable=False, index=True),
    Column("sha256", Text, nullable=False),
    sa.UniqueConstraint("callback", "topic"),
    sqlite_autoincrement=True,
)

hub_deliveries = Table(
    "hub_deliveries",
    metadata,
    Column(
        "subscription_id",
        Number,
        ForeignKey("hub_subscriptions.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("sha256", Text, nullable=False),
    Column("attempts", Number, nullable=False),
    Column("due", UtcTime, nullable=False, index=True),
)

hub_pings = Table(
    "hub_pings",
    metadata,
    Column("hub", Name, primary_key=True),
    Column("topic", Name, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("attempts", Number, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("due", UtcTime),
)
