"""Subscribe and leave: readers' wishes -> the store. Floor: `flows`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from publisher.config import check_language
from publisher.errors import NotFound, UsageError
from publisher.flows.compose import order_topics, starting_watermark
from publisher.model import Frequency, Subscriber, SubscriberState
from publisher.readers.address import checked_address
from publisher.store import Store, Transaction


def add_subscriber(
    store: Store,
    email: str,
    *,
    topics: Collection[str],
    frequency: Frequency,
    language: str,
    topic_order: Sequence[str],
    now: datetime,
) -> Subscriber:
    """Add a reader who is active at once. They start where the last issue of their frequency ended.

    Raises UsageError for what is no address, an empty choice of topics, or a reader who is there already.
    """
    address = checked_address(email)
    chosen = order_topics(topics, topic_order)
    if not chosen:
        raise UsageError("no topics chosen; name some with --topics, or all")
    try:
        check_language(language)
    except ValueError as error:
        raise UsageError(f"language {language!r}: {error}") from None
    with store.write() as tx:
        return tx.subscribers.add(
            address,
            frequency=frequency,
            language=language,
            topics=chosen,
            state=SubscriberState.ACTIVE,
            watermark=starting_watermark(tx, frequency),
            now=now,
        )


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a reader chose on their page."""

    topics: tuple[str, ...]
    frequency: Frequency
    paused: bool


def change_preferences(
    store: Store, subscriber_id: int, wishes: Wishes, *, topic_order: Sequence[str], now: datetime
) -> Subscriber:
    """Set topics, frequency and pause of a reader who is active or paused; nothing is skipped or repeated by it.

    Raises UsageError for a choice without topics, NotFound for a reader who is gone or has left.
    """
    chosen = order_topics(wishes.topics, topic_order)
    if not chosen:
        raise UsageError("Please choose at least one topic, or leave the digest altogether.")
    state = SubscriberState.PAUSED if wishes.paused else SubscriberState.ACTIVE
    with store.write() as tx:
        reader = tx.subscribers.get(subscriber_id)
        if reader.state not in {SubscriberState.ACTIVE, SubscriberState.PAUSED}:
            raise NotFound("subscription", str(subscriber_id))
        tx.subscribers.set_topics(subscriber_id, chosen, now)
        tx.subscribers.set_frequency(subscriber_id, wishes.frequency, now)
        if reader.state is not state:
            tx.subscribers.set_state(subscriber_id, state, now, reason="on the preference page")
        return tx.subscribers.get(subscriber_id)


def find_subscriber(tx: Transaction, email: str) -> Subscriber:
    """The reader of that address; raises NotFound."""
    reader = tx.subscribers.find(checked_address(email))
    if reader is None:
        raise NotFound("subscriber", email, "`publisher subscribers list` shows them")
    return reader


def unsubscribe(store: Store, subscriber_id: int, *, now: datetime, reason: str) -> bool:
    """No letter goes to this reader any more, also not one that is planned. Safe to repeat; False when unknown."""
    with store.write() as tx:
        try:
            reader = tx.subscribers.get(subscriber_id)
        except NotFound:
            return False
        if reader.state is not SubscriberState.UNSUBSCRIBED:
            tx.subscribers.set_state(subscriber_id, SubscriberState.UNSUBSCRIBED, now, reason=reason)
    return True
