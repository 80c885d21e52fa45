"""Articles, where they are filed, and what was published of them. Floor: store.

`filings` repeats `published` of its article, and has a `stamp` of its own: when the article last changed, or entered
the topic. The newest fifty of a topic are then one walk down the index (topic, stamp) instead of a sort of everything
ever filed there. `Articles.revise` keeps both right. A filing that ends moves to `departures`; `feeds` counts what each
topic has, `archives` remembers what each archive was made of.

`touched` grows with whatever changes an article's page: its content (then `stamp` grows too), or where it is filed.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table, Text, text

from publisher.model import DepartureState
from publisher.store.columns import Name, Number, Slugs, UtcTime, Word
from publisher.store.schema.base import metadata

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
