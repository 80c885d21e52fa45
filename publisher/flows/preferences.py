"""A reader's own settings -> the store; nothing is skipped or repeated by any of them. Floor: `flows`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from publisher.errors import NotFound, UsageError
from publisher.flows.compose import order_topics
from publisher.model import STAYING, Frequency, Subscriber, SubscriberState
from publisher.store import Store, Transaction

LONGEST_PAUSE = timedelta(days=366)
UNDO_WITHIN = timedelta(hours=1)
"""So long after leaving a button takes it back; the link in a letter of years ago must bring nobody back."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a reader chose on their page. `until`: when the pause ends; None: when they say so. `language` empty: as
    it is."""

    topics: tuple[str, ...]
    frequency: Frequency
    paused: bool
    until: datetime | None = None
    language: str = ""


def change_preferences(
    store: Store, subscriber_id: int, wishes: Wishes, *, topic_order: Sequence[str], now: datetime
) -> Subscriber:
    """Set what a reader who is active or paused may choose.

    Raises UsageError for a choice that makes no sense, NotFound for a reader who is gone or has left.
    """
    chosen = order_topics(wishes.topics, topic_order)
    if not chosen:
        raise UsageError("Please choose at least one topic, or leave the digest altogether.")
    if wishes.paused and wishes.until is not None and not now < wishes.until <= now + LONGEST_PAUSE:
        raise UsageError("Please choose a day for the end of the pause that is after today and within a year.")
    reason = "on the preference page"
    with store.write() as tx:
        reader = staying(tx, subscriber_id)
        tx.subscribers.set_topics(subscriber_id, chosen, now)
        tx.subscribers.set_frequency(subscriber_id, wishes.frequency, now)
        if wishes.language:
            tx.subscribers.set_language(subscriber_id, wishes.language, now)
        if wishes.paused:
            tx.subscribers.pause(subscriber_id, wishes.until, now, reason=reason)
        elif reader.state is SubscriberState.PAUSED:
            tx.subscribers.set_state(subscriber_id, SubscriberState.ACTIVE, now, reason=reason)
        return tx.subscribers.get(subscriber_id)


def fewer_letters(store: Store, subscriber_id: int, frequency: Frequency, *, now: datetime) -> Subscriber:
    """Stay, with letters of another frequency. Raises NotFound for a reader who is gone or has left."""
    with store.write() as tx:
        staying(tx, subscriber_id)
        return tx.subscribers.set_frequency(subscriber_id, frequency, now)


def undo_leaving(store: Store, subscriber_id: int, *, now: datetime) -> Subscriber:
    """Take back what the reader just did: they are again what they were before. Safe to repeat. Raises NotFound for
    who is gone, and for who left longer ago than UNDO_WITHIN."""
    with store.write() as tx:
        reader = tx.subscribers.get(subscriber_id)
        if reader.state in STAYING:
            return reader
        before = may_undo(tx, reader, now)
        if before is None:
            raise NotFound("subscription", str(subscriber_id))
        return tx.subscribers.set_state(subscriber_id, before, now, reason="leaving was taken back")


def may_undo(tx: Transaction, reader: Subscriber, now: datetime) -> SubscriberState | None:
    """What the reader would be again if they took back that they left; None where they cannot."""
    last = tx.subscribers.last_change_of_state(reader.id)
    if reader.state is not SubscriberState.UNSUBSCRIBED or last is None:
        return None
    before, left = last
    return before if before in STAYING and now - left <= UNDO_WITHIN else None


def less_often(frequency: Frequency) -> tuple[Frequency, ...]:
    """The frequencies with fewer letters than this one, the next one first."""
    order = tuple(Frequency)
    return order[order.index(frequency) + 1 :]


def staying(tx: Transaction, subscriber_id: int) -> Subscriber:
    """The reader, if they are active or paused; raises NotFound."""
    reader = tx.subscribers.get(subscriber_id)
    if reader.state not in STAYING:
        raise NotFound("subscription", str(subscriber_id))
    return reader
