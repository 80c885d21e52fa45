"""The tables. Floor: store. The migrations add up to this; a test compares the two on both databases.

`filings` repeats `published` of its article, and has a `stamp` of its own: when the article last changed, or entered
the topic. The newest fifty of a topic are then one walk down the index (topic, stamp) instead of a sort of everything
ever filed there. `Articles.revise` keeps both right. A filing that ends moves to `departures`; `feeds` counts what each
topic has, `archives` remembers what each archive was made of.

`touched` grows with whatever changes an article's page: its content (then `stamp` grows too), or where it is filed.

Deliveries, events and bounces name a subscriber by number without a foreign key: a reader who asks to be forgotten
leaves no address behind, and the sum of each issue stays right.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table, Text, text

from publisher.mail.bounces import BounceKind
from publisher.model import DeliveryState, DepartureState, Frequency, IssueState, RunState, RunTrigger, SubscriberState
from publisher.store.columns import Name, Number, Report, Slugs, UtcTime, Word

HEAD = "0010"
"""The newest migration: what the schema of an opened database must be."""

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

meta = Table("meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Number, nullable=False),
)

articles = Table(
    "articles",
    metadata,
    Column("key", Name, primary_key=True),
    Column("entry_id", Text, nullable=False, unique=True),
    Column("slug", Name, nullable=False, unique=True),
    Column("slug_base", Name, nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("author", Text),
    Column("language", Text, nullable=False),
    Column("source_url", Text),
    Column("published", UtcTime, nullable=False),
    Column("first_seen", UtcTime, nullable=False),
    Column("updated", UtcTime, nullable=False, index=True),
    Column("revision", Number, nullable=False),
    Column("stamp", Number, nullable=False, unique=True),
    Column("explicit_topics", Slugs),
    Column("fingerprint", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("touched", Number, nullable=False, index=True),
    Column("corrected", UtcTime),
    Column("correction", Text, nullable=False),
    Column("withdrawn", UtcTime),
    Column("withdrawal", Text, nullable=False),
    Index("ix_articles_published", "published", "key"),
    Index(
        "ix_articles_withdrawn",
        "withdrawn",
        sqlite_where=text("withdrawn IS NOT NULL"),
        postgresql_where=text("withdrawn IS NOT NULL"),
    ),
)

article_revisions = Table(
    "article_revisions",
    metadata,
    Column("article_key", Name, ForeignKey("articles.key"), primary_key=True),
    Column("revision", Number, primary_key=True, autoincrement=False),
    Column("title", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("author", Text),
    Column("language", Text, nullable=False),
    Column("source_url", Text),
    Column("published", UtcTime, nullable=False),
    Column("updated", UtcTime, nullable=False),
    Column("stamp", Number, nullable=False),
    Column("explicit_topics", Slugs),
    Column("fingerprint", Text, nullable=False),
    Column("corrected", UtcTime),
    Column("correction", Text, nullable=False),
)

article_identities = Table(
    "article_identities",
    metadata,
    Column("identity", Name, primary_key=True),
    Column("article_key", Name, ForeignKey("articles.key"), nullable=False, index=True),
)

filings = Table(
    "filings",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("article_key", Name, ForeignKey("articles.key"), nullable=False),
    Column("topic", Name, nullable=False),
    Column("rule", Text, nullable=False),
    Column("filed_at", UtcTime, nullable=False),
    Column("stamp", Number, nullable=False),
    Column("published", UtcTime, nullable=False),
    sa.UniqueConstraint("article_key", "topic"),
    Index("ix_filings_topic_stamp", "topic", "stamp"),
    Index("ix_filings_topic_published", "topic", "published"),
)

departures = Table(
    "departures",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("article_key", Name, ForeignKey("articles.key"), nullable=False),
    Column("topic", Name, nullable=False),
    Column("rule", Text, nullable=False),
    Column("filed_at", UtcTime, nullable=False),
    Column("published", UtcTime, nullable=False),
    Column("stamp", Number, nullable=False),
    Column("state", Word(DepartureState), nullable=False),
    Column("left", UtcTime),
    Column("withdrawn", sa.Boolean, nullable=False),
    Column("archived", sa.Boolean, nullable=False),
    sa.UniqueConstraint("article_key", "topic"),
    Index("ix_departures_topic_stamp", "topic", "stamp"),
    Index("ix_departures_state", "state", "left"),
)

feeds = Table(
    "feeds",
    metadata,
    Column("topic", Name, primary_key=True),
    Column("articles", Number, nullable=False),
    Column("touched", Number, nullable=False),
    Column("archives", Number, nullable=False),
    Column("archived_upto", Number, nullable=False),
)

archives = Table(
    "archives",
    metadata,
    Column("topic", Name, primary_key=True),
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("lines", Text, nullable=False),
    Column("written", sa.Boolean, nullable=False),
    Index(
        "ix_archives_unwritten",
        "topic",
        "number",
        sqlite_where=text("written = 0"),  # word for word as queries say it
        postgresql_where=text("NOT written"),
    ),
)

source_files = Table(
    "source_files",
    metadata,
    Column("place", Name, primary_key=True),
    Column("mark", Text, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("path", Name, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("size", Number, nullable=False),
    Column("first_written", UtcTime, nullable=False),
)

feed_versions = Table(
    "feed_versions",
    metadata,
    Column("path", Name, primary_key=True),
    Column("sha256", Name, primary_key=True),
    Column("first_written", UtcTime, nullable=False),
    Column("entries", Text, nullable=False),
)

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
        postgresql_where=text("paused_until IS NOT NULL"),
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
    Index("ix_deliveries_state", "state", "issue_id", "subscriber_id"),
    Index(
        "ix_deliveries_due",
        "state",
        "next_attempt",
        sqlite_where=text("next_attempt IS NOT NULL"),
        postgresql_where=text("next_attempt IS NOT NULL"),
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

runs = Table(
    "runs",
    metadata,
    Column("id", Number, primary_key=True),
    Column("trigger", Word(RunTrigger), nullable=False),
    Column("state", Word(RunState), nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("finished", UtcTime),
    Column("host", Text, nullable=False),
    Column("pid", Number, nullable=False),
    Column("heartbeat", UtcTime, nullable=False),
    Column("report", Report, nullable=False),
    Column("process", Text, nullable=False),
    Column("step", Text, nullable=False, default=""),
    Column("beats", Number, nullable=False, default=0),
    Column("done", Number, nullable=False, default=0),
    Column("total", Number, nullable=False, default=0),
    # at most one run is running: the database itself says so
    Index(
        "ux_runs_running",
        "state",
        unique=True,
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
    sqlite_autoincrement=True,
)

jobs = Table(
    "jobs",
    metadata,
    Column("name", Name, primary_key=True),
    Column("trigger", Text, nullable=False),
    Column("slot", UtcTime),
    Column("fired", UtcTime),
    Column("ended", UtcTime),
    Column("outcome", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("next", UtcTime),
)

run_requests = Table(
    "run_requests",
    metadata,
    Column("id", Number, primary_key=True),
    Column("asked", UtcTime, nullable=False),
    Column("trigger", Word(RunTrigger), nullable=False),
    Column("forced", Text, nullable=False),
    Column("digests", sa.Boolean, nullable=False),
    Column("rebuild", sa.Boolean, nullable=False),
    Column("taken", UtcTime),
    Column("run_id", Number),
    Column("busy", sa.Boolean, nullable=False),
    Column("problem", Text, nullable=False),
    sqlite_autoincrement=True,
)

helpers = Table(
    "helpers",
    metadata,
    Column("name", Name, primary_key=True),
    Column("until", UtcTime, nullable=False),
)

timetables = Table(
    "timetables",
    metadata,
    Column("frequency", Word(Frequency), primary_key=True),
    Column("cron", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("seen", UtcTime, nullable=False),
    Column("owed", UtcTime),
)

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
