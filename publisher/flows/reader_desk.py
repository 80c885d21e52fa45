"""What an operator changes of a reader; the admin page and the API call the same. Floor: `flows`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from publisher.config import check_language
from publisher.errors import Conflict, UsageError
from publisher.flows.compose import order_topics
from publisher.flows.preferences import LONGEST_PAUSE
from publisher.model import STAYING, Frequency, Subscriber, SubscriberState
from publisher.store import Store, Transaction

BY_OPERATOR = "by the operator"
SETTABLE = (SubscriberState.ACTIVE, SubscriberState.PAUSED, SubscriberState.UNSUBSCRIBED)
"""States that an operator may give a reader. Who has left comes back only by signing up again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderChange:
    """What is to be another; None is left as it is. `until`: when the pause ends, None: when somebody says so."""

    topics: Sequence[str] | None = None
    frequency: Frequency | None = None
    language: str | None = None
    state: SubscriberState | None = None
    until: datetime | None = None


def change_reader(
    store: Store, subscriber_id: int, change: ReaderChange, *, topic_order: Sequence[str], now: datetime
) -> Subscriber:
    """Nothing is skipped or repeated by it. Raises NotFound, UsageError for a value that cannot be, and Conflict for a
    state that cannot follow the present one."""
    topics = None if change.topics is None else order_topics(change.topics, topic_order)
    if topics is not None and (not topics or set(change.topics or ()) - set(topics)):
        raise UsageError("Choose at least one topic, each from the list.")
    if change.language is not None:
        try:
            check_language(change.language)
        except ValueError as error:
            raise UsageError(f"language: {error}") from None
    if change.until is not None and not now < change.until <= now + LONGEST_PAUSE:
        raise UsageError("A pause ends after today and within a year.")
    with store.write() as tx:
        tx.subscribers.get(subscriber_id)
        if topics is not None:
            tx.subscribers.set_topics(subscriber_id, topics, now)
        if change.frequency is not None:
            tx.subscribers.set_frequency(subscriber_id, change.frequency, now)
        if change.language is not None:
            tx.subscribers.set_language(subscriber_id, change.language, now)
        if change.state is not None:
            _set_state(tx, subscriber_id, change.state, change.until, now)
        return tx.subscribers.get(subscriber_id)


def _set_state(
    tx: Transaction, subscriber_id: int, state: SubscriberState, until: datetime | None, now: datetime
) -> None:
    reader = tx.subscribers.get(subscriber_id)
    if state not in SETTABLE:
        raise UsageError(f"a reader is set {', '.join(SETTABLE)}; {state} they become by themselves")
    if state is SubscriberState.PAUSED and reader.state in STAYING:
        tx.subscribers.pause(subscriber_id, until, now, reason=BY_OPERATOR)
    elif state is reader.state:
        return
    elif state is SubscriberState.UNSUBSCRIBED or reader.state in STAYING:
        tx.subscribers.set_state(subscriber_id, state, now, reason=BY_OPERATOR)
    else:
        raise Conflict(f"this reader is {reader.state}; they come back by signing up again")
