"""What the operator's first page shows: runs, what came in, who reads it, how the letters fared. Floor: `flows`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from publisher.config import Settings
from publisher.digest.due import next_slot
from publisher.flows.outlook import Outlook, outlook
from publisher.model import ALL, Frequency, Issue, IssueSum, Run, SubscriberState
from publisher.store import Store, Trouble

MONTHS = 12
RUNS = 6
ISSUES = 8
TROUBLES = 12


@dataclass(frozen=True, slots=True)
class TopicLine:
    """A topic with its articles by month (the oldest first) and in all, and its active readers by frequency."""

    slug: str
    label: str
    by_month: tuple[int, ...]
    articles: int
    readers: dict[Frequency, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """`months` are ``2026-03``, the oldest first; `everything` is the line of all articles; `next_digests` those of the
    timetable."""

    current: Run | None
    runs: Sequence[Run]
    next_digests: dict[Frequency, datetime]
    months: tuple[str, ...]
    everything: TopicLine
    topics: Sequence[TopicLine]
    readers: dict[SubscriberState, int]
    issues: Sequence[tuple[Issue, IssueSum]]
    troubles: Sequence[tuple[str, Trouble]]
    outlook: Outlook


def overview(store: Store, settings: Settings, now: datetime) -> Overview:
    months = _months(now)
    with store.read() as tx:
        since = datetime.strptime(months[0], "%Y-%m").replace(tzinfo=now.tzinfo)
        by_month = tx.overview.articles_by_month(since)
        readers = tx.overview.readers_by_topic()
        counts = tx.feeds.counts()

        def line(slug: str, label: str) -> TopicLine:
            articles = {row.month: row.articles for row in by_month if row.topic == slug}
            return TopicLine(
                slug=slug,
                label=label,
                by_month=tuple(articles.get(month, 0) for month in months),
                articles=counts.get(slug, 0),
                readers={
                    frequency: sum(row.readers for row in readers if (row.topic, row.frequency) == (slug, frequency))
                    for frequency in Frequency
                },
            )

        issues = [(issue, tx.deliveries.sum(issue.id)) for issue in tx.issues.list(ISSUES) if issue.number is not None]
        names = {issue.id: issue.name for issue, _ in issues}
        return Overview(
            current=tx.runs.current(),
            runs=tx.runs.list(RUNS),
            next_digests=next_digests(settings, now),
            months=months,
            everything=line(ALL, "Everything"),
            topics=[line(topic.slug, topic.label) for topic in settings.topic_list],
            readers=tx.subscribers.counts(),
            issues=issues,
            troubles=[(names[trouble.issue_id], trouble) for trouble in tx.overview.troubles(list(names), TROUBLES)],
            outlook=outlook(
                tx, settings.relays, settings.domain, resend=settings.smtp.on_uncertain == "resend", now=now
            ),
        )


def next_digests(settings: Settings, now: datetime) -> dict[Frequency, datetime]:
    """When each digest of the timetable is due next."""
    return {
        frequency: next_slot(settings.timetable(frequency).cron, settings.digest_zone, now)
        for frequency in Frequency
        if settings.timetable(frequency).enabled
    }


def _months(now: datetime) -> tuple[str, ...]:
    """This month and the eleven before it."""
    last = now.year * 12 + now.month - 1
    return tuple(f"{month // 12}-{month % 12 + 1:02}" for month in range(last - MONTHS + 1, last + 1))
