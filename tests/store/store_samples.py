"""Articles and readers of the store's tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from publisher.model import (
    Article,
    DeliveryState,
    Edition,
    Frequency,
    Issue,
    IssueState,
    Section,
    Subscriber,
    SubscriberState,
)
from publisher.store import FIRST, Job, NewArticle, NewFiling, Transaction

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def article(number: int, **changes: object) -> Article:
    values: dict[str, object] = {
        "key": f"key{number:06}",
        "entry_id": f"tag:publisher.example,2026:{number}",
        "slug": f"waste-shipments-in-port-{number}",
        "title": f"Waste shipments in port {number}",
        "summary": f"Officers stopped shipment {number}.",
        "body": f"<p>Officers stopped shipment {number}.</p>",
        "text": f"Officers stopped shipment {number}.",
        "author": None,
        "language": "en",
        "source_url": None,
        "published": NOW - number * DAY,
        "first_seen": NOW,
        "updated": NOW + timedelta(seconds=number),
        "revision": 1,
        "stamp": number,
    }
    return Article(**{**values, **changes})  # type: ignore[arg-type]


def new(number: int, **changes: object) -> NewArticle:
    return NewArticle(article(number, **changes), (f"name of {number}",), f"print of {number}")


def filing(number: int, topic: str = "environment") -> NewFiling:
    return NewFiling(f"key{number:06}", topic, "phrase 'waste shipments'", NOW)


def add_reader(tx: Transaction, name: str, **changes: object) -> Subscriber:
    values: dict[str, object] = {
        "frequency": Frequency.WEEKLY,
        "language": "en",
        "topics": ("environment",),
        "state": SubscriberState.ACTIVE,
        "watermark": 0,
        "now": NOW,
    }
    return tx.subscribers.add(f"{name}@customs.example", **{**values, **changes})  # type: ignore[arg-type]


def add_issue(tx: Transaction, number: int, *, upto_seq: int, composed: datetime = NOW) -> tuple[Issue, Edition]:
    """Weekly issue `number` with one edition that holds article 1, which must be there."""
    issue = tx.issues.create(
        Frequency.WEEKLY,
        number=number,
        slot=NOW + number * 7 * DAY,
        state=IssueState.SENDING,
        composed=composed,
        upto_seq=upto_seq,
    )
    sections = [Section("environment", ("key000001",))]
    return issue, tx.issues.add_edition(issue.id, fingerprint="one", language="en", sections=sections)


def claim(tx: Transaction, now: datetime, limit: int, *, uncertain: bool, until: datetime) -> list[Job]:
    """Take up to `limit` letters that are due, as a sender does: look up, hand over, go on behind them."""
    jobs: list[Job] = []
    states = (DeliveryState.UNCERTAIN, DeliveryState.DEFERRED, DeliveryState.PLANNED)
    for state in states if uncertain else states[1:]:
        after = FIRST
        while len(jobs) < limit and (found := tx.deliveries.upcoming(state, now, limit - len(jobs), after=after)):
            ours = tx.deliveries.hand_over(found, now, until)
            jobs += [job for job in found if job.key in ours]
            after = found[-1].key
    return jobs
