"""The first schema. Floor: store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TEXT = sa.Text()
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _facts()
    _articles()
    _past_articles()
    _filings()
    _feeds()
    _documents()
    _readers()
    _issues()
    _deliveries()
    _runs()
    _hub()


def _facts() -> None:
    op.create_table(
        "meta",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_meta"),
    )
    op.create_table(
        "counters",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )
    counters = sa.table("counters", sa.column("name", TEXT), sa.column("value", NUMBER))
    names = ("article stamp", "articles touched", "filing seq")
    op.bulk_insert(counters, [{"name": name, "value": 0} for name in names])


def _articles() -> None:
    op.create_table(
        "articles",
        sa.Column("key", NAME, nullable=False),
        sa.Column("entry_id", TEXT, nullable=False),
        sa.Column("slug", NAME, nullable=False),
        sa.Column("slug_base", NAME, nullable=False),
        sa.Column("title", TEXT, nullable=False),
        sa.Column("summary", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("author", TEXT),
        sa.Column("language", TEXT, nullable=False),
        sa.Column("source_url", TEXT),
        sa.Column("published", TIME, nullable=False),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("updated", TIME, nullable=False),
        sa.Column("revision", NUMBER, nullable=False),
        sa.Column("stamp", NUMBER, nullable=False),
        sa.Column("explicit_topics", TEXT),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("origin", TEXT, nullable=False),
        sa.Column("touched", NUMBER, nullable=False),
        sa.Column("corrected", TIME),
        sa.Column("correction", TEXT, nullable=False),
        sa.Column("withdrawn", TIME),
        sa.Column("withdrawal", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_articles"),
        sa.UniqueConstraint("entry_id", name="uq_articles_entry_id"),
        sa.UniqueConstraint("slug", name="uq_articles_slug"),
        sa.UniqueConstraint("stamp", name="uq_articles_stamp"),
    )
    op.create_index("ix_articles_published", "articles", ["published", "key"])
    op.create_index(
        "ix_articles_withdrawn",
        "articles",
        ["withdrawn"],
        sqlite_where=sa.text("withdrawn IS NOT NULL"),
        postgresql_where=sa.text("withdrawn IS NOT NULL"),
    )
    op.create_index("ix_articles_slug_base", "articles", ["slug_base"])
    op.create_index("ix_articles_updated", "articles", ["updated"])
    op.create_index("ix_articles_touched", "articles", ["touched"])


def _past_articles() -> None:
    op.create_table(
        "article_revisions",
        sa.Column("article_key", NAME, nullable=False),
        sa.Column("revision", NUMBER, autoincrement=False, nullable=False),
        sa.Column("title", TEXT, nullable=False),
        sa.Column("summary", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("author", TEXT),
        sa.Column("language", TEXT, nullable=False),
        sa.Column("source_url", TEXT),
        sa.Column("published", TIME, nullable=False),
        sa.Column("updated", TIME, nullable=False),
        sa.Column("stamp", NUMBER, nullable=False),
        sa.Column("explicit_topics", TEXT),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("corrected", TIME),
        sa.Column("correction", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["article_key"], ["articles.key"], name="fk_article_revisions_article_key"),
        sa.PrimaryKeyConstraint("article_key", "revision", name="pk_article_revisions"),
    )
    op.create_table(
        "article_identities",
        sa.Column("identity", NAME, nullable=False),
        sa.Column("article_key", NAME, nullable=False),
        sa.ForeignKeyConstraint(["article_key"], ["articles.key"], name="fk_article_identities_article_key"),
        sa.PrimaryKeyConstraint("identity", name="pk_article_identities"),
    )
    op.create_index("ix_article_identities_article_key", "article_identities", ["article_key"])


def _filings() -> None:
    op.create_table(
        "filings",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("article_key", NAME, nullable=False),
        sa.Column("topic", NAME, nullable=False),
        sa.Column("rule", TEXT, nullable=False),
        sa.Column("filed_at", TIME, nullable=False),
        sa.Column("stamp", NUMBER, nullable=False),
        sa.Column("published", TIME, nullable=False),
        sa.ForeignKeyConstraint(["article_key"], ["articles.key"], name="fk_filings_article_key"),
        sa.PrimaryKeyConstraint("seq", name="pk_filings"),
        sa.UniqueConstraint("article_key", "topic", name="uq_filings_article_key_topic"),
    )
    op.create_index("ix_filings_topic_published", "filings", ["topic", "published"])
    op.create_index("ix_filings_topic_stamp", "filings", ["topic", "stamp"])


def _feeds() -> None:
    op.create_table(
        "departures",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("article_key", NAME, nullable=False),
        sa.Column("topic", NAME, nullable=False),
        sa.Column("rule", TEXT, nullable=False),
        sa.Column("filed_at", TIME, nullable=False),
        sa.Column("published", TIME, nullable=False),
        sa.Column("stamp", NUMBER, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("left", TIME),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["article_key"], ["articles.key"], name="fk_departures_article_key"),
        sa.PrimaryKeyConstraint("seq", name="pk_departures"),
        sa.UniqueConstraint("article_key", "topic", name="uq_departures_article_key_topic"),
    )
    op.create_index("ix_departures_topic_stamp", "departures", ["topic", "stamp"])
    op.create_index("ix_departures_state", "departures", ["state", "left"])
    op.create_table(
        "feeds",
        sa.Column("topic", NAME, nullable=False),
        sa.Column("articles", NUMBER, nullable=False),
        sa.Column("touched", NUMBER, nullable=False),
        sa.Column("archives", NUMBER, nullable=False),
        sa.Column("archived_upto", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("topic", name="pk_feeds"),
    )
    op.create_table(
        "archives",
        sa.Column("topic", NAME, nullable=False),
        sa.Column("number", NUMBER, autoincrement=False, nullable=False),
        sa.Column("lines", TEXT, nullable=False),
        sa.Column("written", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "number", name="pk_archives"),
    )
    op.create_index(
        "ix_archives_unwritten",
        "archives",
        ["topic", "number"],
        sqlite_where=sa.text("written = 0"),
        postgresql_where=sa.text("NOT written"),
    )


def _documents() -> None:
    op.create_table(
        "source_files",
        sa.Column("place", NAME, nullable=False),
        sa.Column("mark", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_source_files"),
    )
    op.create_table(
        "documents",
        sa.Column("path", NAME, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
        sa.Column("size", NUMBER, nullable=False),
        sa.Column("first_written", TIME, nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_documents"),
    )


def _readers() -> None:
    op.create_table(
        "subscribers",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("email", TEXT, nullable=False),
        sa.Column("email_key", NAME, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("frequency", TEXT, nullable=False),
        sa.Column("language", TEXT, nullable=False),
        sa.Column("watermark", NUMBER, nullable=False),
        sa.Column("feed_renewals", NUMBER, nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscribers"),
        sa.UniqueConstraint("email_key", name="uq_subscribers_email_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_subscribers_audience", "subscribers", ["frequency", "state", "id"])
    op.create_table(
        "subscriptions",
        sa.Column("subscriber_id", NUMBER, nullable=False),
        sa.Column("topic", NAME, nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_subscriptions_subscriber_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "topic", name="pk_subscriptions"),
    )
    op.create_index("ix_subscriptions_topic", "subscriptions", ["topic", "subscriber_id"])
    op.create_table(
        "subscriber_events",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("subscriber_id", NUMBER, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("event", TEXT, nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscriber_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_subscriber_events_subscriber_id", "subscriber_events", ["subscriber_id"])


def _issues() -> None:
    op.create_table(
        "issues",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("frequency", TEXT, nullable=False),
        sa.Column("number", NUMBER),
        sa.Column("slot", TIME),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("composed", TIME, nullable=False),
        sa.Column("upto_seq", NUMBER, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("selected", NUMBER, nullable=False),
        sa.Column("report", TEXT),
        sa.Column("finished", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_issues"),
        sa.UniqueConstraint("frequency", "number", name="uq_issues_frequency_number"),
        sa.UniqueConstraint("frequency", "slot", name="uq_issues_frequency_slot"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "editions",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("issue_id", NUMBER, nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("language", TEXT, nullable=False),
        sa.Column("subject", TEXT),
        sa.Column("text", TEXT),
        sa.Column("html", TEXT),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_editions_issue_id"),
        sa.PrimaryKeyConstraint("id", name="pk_editions"),
        sa.UniqueConstraint("issue_id", "fingerprint", name="uq_editions_issue_id_fingerprint"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "edition_articles",
        sa.Column("edition_id", NUMBER, nullable=False),
        sa.Column("position", NUMBER, autoincrement=False, nullable=False),
        sa.Column("topic", NAME, nullable=False),
        sa.Column("article_key", NAME, nullable=False),
        sa.ForeignKeyConstraint(["article_key"], ["articles.key"], name="fk_edition_articles_article_key"),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name="fk_edition_articles_edition_id"),
        sa.PrimaryKeyConstraint("edition_id", "position", name="pk_edition_articles"),
    )
    op.create_index("ix_edition_articles_article_key", "edition_articles", ["article_key"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("issue_id", NUMBER, nullable=False),
        sa.Column("subscriber_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("edition_id", NUMBER),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("attempts", NUMBER, nullable=False),
        sa.Column("next_attempt", TIME),
        sa.Column("reply", TEXT, nullable=False),
        sa.Column("changed", TIME, nullable=False),
        sa.Column("claimed_from", TEXT),
        sa.Column("claim_until", TIME),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name="fk_deliveries_edition_id"),
        sa.ForeignKeyConstraint(["issue_id"], ["issues.id"], name="fk_deliveries_issue_id"),
        sa.PrimaryKeyConstraint("issue_id", "subscriber_id", name="pk_deliveries"),
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["state", "next_attempt"],
        unique=False,
        sqlite_where=sa.text("next_attempt IS NOT NULL"),
        postgresql_where=sa.text("next_attempt IS NOT NULL"),
    )
    op.create_index("ix_deliveries_state", "deliveries", ["state", "issue_id", "subscriber_id"])
    op.create_index("ix_deliveries_subscriber", "deliveries", ["subscriber_id", "edition_id"])


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("trigger", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("started", TIME, nullable=False),
        sa.Column("finished", TIME),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("pid", NUMBER, nullable=False),
        sa.Column("heartbeat", TIME, nullable=False),
        sa.Column("report", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ux_runs_running",
        "runs",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )


def _hub() -> None:
    op.create_table(
        "hub_requests",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("mode", TEXT, nullable=False),
        sa.Column("callback", NAME, nullable=False),
        sa.Column("host", NAME, nullable=False),
        sa.Column("topic", NAME, nullable=False),
        sa.Column("lease_s", NUMBER, nullable=False),
        sa.Column("secret", TEXT),
        sa.Column("sha256", TEXT, nullable=False),
        sa.Column("asked", TIME, nullable=False),
        sa.Column("due", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hub_requests"),
        sa.UniqueConstraint("callback", "topic", name="uq_hub_requests_callback_topic"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "hub_subscriptions",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("callback", NAME, nullable=False),
        sa.Column("host", NAME, nullable=False),
        sa.Column("topic", NAME, nullable=False),
        sa.Column("secret", TEXT),
        sa.Column("expires", TIME, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hub_subscriptions"),
        sa.UniqueConstraint("callback", "topic", name="uq_hub_subscriptions_callback_topic"),
        sqlite_autoincrement=True,
    )
    for column in ("host", "topic", "expires"):
        op.create_index(f"ix_hub_subscriptions_{column}", "hub_subscriptions", [column])
    op.create_table(
        "hub_deliveries",
        sa.Column("subscription_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
        sa.Column("attempts", NUMBER, nullable=False),
        sa.Column("due", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["hub_subscriptions.id"],
            name="fk_hub_deliveries_subscription_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscription_id", name="pk_hub_deliveries"),
    )
    op.create_index("ix_hub_deliveries_due", "hub_deliveries", ["due"])
    op.create_table(
        "hub_pings",
        sa.Column("hub", NAME, nullable=False),
        sa.Column("topic", NAME, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
        sa.Column("attempts", NUMBER, nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("due", TIME),
        sa.PrimaryKeyConstraint("hub", "topic", name="pk_hub_pings"),
    )
