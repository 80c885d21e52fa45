"""Who gets no letter any more: refused by the relay, or came back -> the reader's state. Floor: `flows`.

    the relay's answer  -> an event of that letter ─┐
    mail that came back -> an event ────────────────┴-> score with those before -> state, in the same transaction

Safe to repeat: a letter has one event for what the relay answers, and the last answer counts.
"""

from __future__ import annotations

from datetime import datetime

from publisher.errors import NotFound
from publisher.mail.replies import enhanced_status
from publisher.mail.scoring import COUNTS_FOR, LIMIT, WEIGHT, BounceKind, score
from publisher.model import STAYING, SubscriberState
from publisher.store import REFUSED, BounceEvent, Transaction

_AFRESH = {"added", "state", "address"}
"""Events of a reader after which what came of earlier letters says nothing of them any more."""


def refused(letter: str, kind: BounceKind, reply: str, now: datetime, *, reader: int, issue: int | None) -> BounceEvent:
    """What the relay's answer `reply` (code, status and text, without addresses) says of `reader`; `letter` names the
    letter among all."""
    return BounceEvent(
        sha256=f"{REFUSED}{letter}",
        at=now,
        kind=kind,
        subscriber_id=reader,
        issue_id=issue,
        status=enhanced_status(reply[3:]),
        detail=reply,
    )


def take_note(tx: Transaction, refusal: BounceEvent, now: datetime) -> None:
    """Remember a refusal, and change the reader's state if that is enough."""
    tx.bounces.replace(refusal)
    consequences(tx, refusal, now)


def consequences(tx: Transaction, event: BounceEvent, now: datetime) -> list[SubscriberState]:
    """Change the reader's state if the event, with those before it, says so; the state, if it changed."""
    if event.subscriber_id is None:
        return []
    try:
        reader = tx.subscribers.get(event.subscriber_id)
    except NotFound:  # forgotten meanwhile
        return []
    if event.kind in {BounceKind.COMPLAINT, BounceKind.UNSUBSCRIBE}:
        if reader.state is SubscriberState.UNSUBSCRIBED:
            return []
        complained = f"the reader complained of a letter ({event.detail})"
        reason = complained if event.kind is BounceKind.COMPLAINT else "by a letter to the address for leaving"
        tx.subscribers.set_state(reader.id, SubscriberState.UNSUBSCRIBED, now, reason=reason)
        return [SubscriberState.UNSUBSCRIBED]
    if reader.state not in STAYING:
        return []
    fresh_start = max(one.at for one in tx.subscribers.events(reader.id) if one.event in _AFRESH)
    if event.at < fresh_start:
        return []
    points = WEIGHT.get(event.kind, 0)
    if points < LIMIT:
        since = max(fresh_start, now - COUNTS_FOR[reader.frequency])
        returned = [(one.at, one.issue_id, one.kind) for one in tx.bounces.of_subscriber(reader.id, since=since)]
        points = score(returned, reader.frequency, now)
    if points < LIMIT:
        return []
    what = "was refused" if event.is_refusal else "came back"
    said = " ".join(filter(None, [_letter_name(tx, event.issue_id), f"{what}: {event.kind}", event.status]))
    tx.subscribers.set_state(reader.id, SubscriberState.BOUNCED, now, reason=f"{said} (score {points} of {LIMIT})")
    return [SubscriberState.BOUNCED]


def _letter_name(tx: Transaction, issue_id: int | None) -> str:
    try:
        return f"letter of {tx.issues.get(issue_id).name}" if issue_id is not None else "a letter"
    except NotFound:
        return "a letter"
