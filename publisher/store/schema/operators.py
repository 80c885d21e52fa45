"""Who may change things: operators, their sessions, tokens of programs, and the log. Floor: store."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Table, Text

from publisher.store.columns import Name, Number, Slugs, UtcTime
from publisher.store.schema.base import metadata

operators = Table(
    "operators",
    metadata,
    Column("name", Name, primary_key=True),
    Column("password", Text, nullable=False),  # an Argon2id hash
    Column("changed", UtcTime, nullable=False),
)

admin_sessions = Table(
    "admin_sessions",
    metadata,
    Column("sha256", Name, primary_key=True),  # of the id in the cookie: who reads the database cannot sign in with it
    Column("operator", Name, ForeignKey("operators.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("created", UtcTime, nullable=False),
    Column("seen", UtcTime, nullable=False),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Number, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    sqlite_autoincrement=True,
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Number, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("sha256", Text, nullable=False),
    Column("scopes", Slugs, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("expires", UtcTime),
    Column("last_used", UtcTime),
    Column("revoked", UtcTime),
    sqlite_autoincrement=True,
)

api_requests = Table(
    "api_requests",
    metadata,
    Column("token_id", Number, ForeignKey("api_tokens.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("key", Name, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("run_id", Number, nullable=False),  # no foreign key: old runs are forgotten
    Column("at", UtcTime, nullable=False),
)
