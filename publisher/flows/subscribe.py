"""Subscribe and leave: readers' wishes -> the store. Floor: `flows`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
