"""The operator adds readers who are active at once, and answers for it that they asked. Floor: `flows`.

Who left, was forgotten, or said "never write to me again" is not added again unless that is asked for in so many words.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from publisher.config import check_language
from publisher.errors import Conflict, UsageError
from publisher.flows.compose import order_topics, starting_watermark
from publisher.flows.sign_up import SignUpParts
from publisher.model import (
    STAYING,
    Consent,
    ConsentAct,
    Frequency,
    SignUpMethod,
    Subscriber,
    SubscriberState,
    SuppressionReason,
)
from publisher.readers.address import checked_address
from publisher.store import Transaction

LEFT: Mapping[SubscriberState | SuppressionReason, str] = {
    SubscriberState.UNSUBSCRIBED: "they left",
    SubscriberState.BOUNCED: "letters to them came back",
    SuppressionReason.FORGOTTEN: "they asked to be forgotten",
    SuppressionReason.BLOCKED: "they said: never write to me again",
}
"""Why an address is not added again without being asked for, in words."""


def vouch(
    parts: SignUpParts,
    email: str,
    *,
    topics: Collection[str],
    frequency: Frequency,
    language: str,
    include_left: bool = False,
    method: SignUpMethod = SignUpMethod.COMMAND,
) -> Subscriber:
    """Add a reader who is active at once; one who had not confirmed yet need not any more. They start where the last
    issue of their frequency ended.

    Raises UsageError for what is no address and an empty choice of topics, Conflict for a reader who is there already
    and, unless `include_left`, for one in LEFT.
    """
    address = checked_address(email)
    chosen = order_topics(topics, parts.terms.topic_order)
    if not chosen:
        raise UsageError("no topics chosen; name some with --topics, or all")
    try:
        check_language(language)
    except ValueError as error:
        raise UsageError(f"language {language!r}: {error}") from None
    now = parts.clock()
    with parts.store.write() as tx:
        reader = tx.subscribers.find(address)
        if reader is not None and reader.state in STAYING:
            raise Conflict(f"this address is subscriber {reader.id} already, {reader.state}")
        if not include_left:
            check_not_left(tx, parts, address)
        tx.gate.release(parts.addresses(address))
        if reader is None:
            reader = tx.subscribers.add(
                address,
                frequency=frequency,
                language=language,
                topics=chosen,
                state=SubscriberState.ACTIVE,
                watermark=starting_watermark(tx, frequency),
                now=now,
            )
        else:
            tx.subscribers.set_topics(reader.id, chosen, now)
            tx.subscribers.set_frequency(reader.id, frequency, now)
            tx.subscribers.set_language(reader.id, language, now)
            activate(tx, reader.id, frequency, now)
        tx.consents.add_many([(reader.id, vouched(now, method))])
        return tx.subscribers.get(reader.id)


def check_not_left(tx: Transaction, parts: SignUpParts, email: str) -> None:
    """Raises Conflict for an address in LEFT."""
    reader = tx.subscribers.find(email)
    left: list[SubscriberState | SuppressionReason] = [*tx.gate.suppressed(parts.addresses(email)).values()]
    left += [reader.state] if reader is not None and reader.state in LEFT else []
    if left:
        nevertheless = "the command `publisher subscribers add --include-left` adds them nevertheless"
        raise Conflict(f"not added: {LEFT[left[0]]}; {nevertheless}")


def activate(tx: Transaction, subscriber_id: int, frequency: Frequency, now: datetime) -> None:
    """Let a reader of the past get letters again, from where the last issue ended."""
    tx.subscribers.raise_watermark(subscriber_id, starting_watermark(tx, frequency))
    tx.subscribers.set_state(subscriber_id, SubscriberState.ACTIVE, now, reason="added by the operator")


def vouched(now: datetime, method: SignUpMethod, detail: str = "") -> Consent:
    return Consent(at=now, act=ConsentAct.VOUCHED, method=method, wording="", network="", detail=detail)
