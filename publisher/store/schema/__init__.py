"""The tables. Floor: store. The migrations add up to this; a test compares the two on both databases."""

from publisher.store.schema.articles import (
    archives,
    article_identities,
    article_revisions,
    articles,
    departures,
    documents,
    feed_versions,
    feeds,
    filings,
    source_files,
)
from publisher.store.schema.base import counters, meta, metadata
from publisher.store.schema.hub import hub_deliveries, hub_pings, hub_requests, hub_subscriptions
from publisher.store.schema.issues import (
    bounce_events,
    circuits,
    deliveries,
    edition_articles,
    editions,
    issues,
    rate_slots,
)
from publisher.store.schema.operators import admin_sessions, api_requests, api_tokens, audit_log, operators
from publisher.store.schema.readers import address_changes, subscriber_events, subscribers, subscriptions
from publisher.store.schema.runs import helpers, jobs, run_requests, runs, timetables
from publisher.store.schema.sign_up import (
    consent_wordings,
    consents,
    gate_tallies,
    service_letters,
    sign_ups,
    suppressions,
)

HEAD = "0011"
"""The newest migration: what the schema of an opened database must be."""

__all__ = [
    "HEAD",
    "address_changes",
    "admin_sessions",
    "api_requests",
    "api_tokens",
    "archives",
    "article_identities",
    "article_revisions",
    "articles",
    "audit_log",
    "bounce_events",
    "circuits",
    "consent_wordings",
    "consents",
    "counters",
    "deliveries",
    "departures",
    "documents",
    "edition_articles",
    "editions",
    "feed_versions",
    "feeds",
    "filings",
    "gate_tallies",
    "helpers",
    "hub_deliveries",
    "hub_pings",
    "hub_requests",
    "hub_subscriptions",
    "issues",
    "jobs",
    "meta",
    "metadata",
    "operators",
    "rate_slots",
    "run_requests",
    "runs",
    "service_letters",
    "sign_ups",
    "source_files",
    "subscriber_events",
    "subscribers",
    "subscriptions",
    "suppressions",
    "timetables",
]
