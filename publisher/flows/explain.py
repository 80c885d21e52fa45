"""Explain: what became of an article for one reader, and what will. Floor: `flows`."""

from __future__ import annotations

from datetime import datetime, timedelta

from publisher.config import Settings
from publisher.digest.due import next_slot
from publisher.digest.explain import Explanation, Facts, LetterFact, explain
from publisher.flows.compose import Terms
from publisher.flows.due import due
from publisher.flows.subscribe import find_subscriber
from publisher.model import OVER, Article, DeliveryState, Subscriber
from publisher.store import Store, Transaction


def explain_article(
    store: Store, settings: Settings, terms: Terms, article: str, email: str, *, now: datetime
) -> tuple[Article, Explanation]:
    """`article` is its key, slug, or title. Raises NotFound for an article or reader who is not there."""
    with store.read() as tx:
        found = tx.articles.resolve(article)
        reader = find_subscriber(tx, email)
        return found, explain(_facts(tx, settings, terms, found, reader, now=now))


def _facts(
    tx: Transaction, settings: Settings, terms: Terms, article: Article, reader: Subscriber, *, now: datetime
) -> Facts:
    last = tx.issues.last(reader.frequency)
    hold_back = terms.hold_back
    return Facts(
        withdrawn=article.withdrawn,
        held_back=hold_back is not None and article.published < article.first_seen - hold_back,
        filings=tx.filings.of(article.key),
        topics=reader.topics,
        state=reader.state,
        frequency=reader.frequency,
        created=reader.created,
        watermark=reader.watermark,
        letters=_letters(tx, article, reader),
        next_issue=f"{reader.frequency}-{tx.issues.next_number(reader.frequency)}",
        next_slot=_slot(tx, settings, reader, now),
        passed_by=last.name if last and last.upto_seq <= reader.watermark else "",
        wakes=reader.paused_until,
    )


def _letters(tx: Transaction, article: Article, reader: Subscriber) -> list[LetterFact]:
    found = []
    for letter in tx.deliveries.of_subscriber(reader.id):
        if letter.edition_id is None or article.key not in tx.issues.edition(letter.edition_id).article_keys:
            continue
        issue = tx.issues.get(letter.issue_id)
        found.append(
            LetterFact(
                issue=issue.name,
                issue_state=issue.state,
                state=letter.state,
                changed=letter.changed,
                next_attempt=None
                if issue.state in OVER or letter.state is DeliveryState.ACCEPTED
                else letter.next_attempt,
                said=letter.reply or letter.reason,
            )
        )
    return found


def _slot(tx: Transaction, settings: Settings, reader: Subscriber, now: datetime) -> datetime | None:
    """The slot of the reader's next issue: one that is owed already, else the next one after their pause."""
    timetable = settings.timetable(reader.frequency)
    if not timetable.enabled:
        return None
    if reader.paused_until is not None and reader.paused_until > now:
        return next_slot(timetable.cron, settings.digest_zone, reader.paused_until - timedelta(seconds=1))
    return dict(due(tx, settings, now)).get(reader.frequency) or next_slot(timetable.cron, settings.digest_zone, now)
