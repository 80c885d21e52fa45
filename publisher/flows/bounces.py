"""Bounces: mail that came back -> what it says -> the reader's state. Floor: `flows`.

    message -> read before? -> what it says -> which letter, proved -> remembered, reader's state, in one transaction
        -> settled in its mailbox

Safe to repeat and to be killed anywhere: a message counts once, and is settled when it is met again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from publisher.errors import TokenError, UsageError
from publisher.flows.struck_off import consequences
from publisher.mail.bounces import Bounce, Clues, read_bounce
from publisher.mail.scoring import ABOUT_A_LETTER, FOR_PEOPLE, BounceKind
from publisher.mail.verp import LetterName, ReturnPath
from publisher.model import DeliveryState, SubscriberState
from publisher.sources.mailboxes import Incoming
from publisher.store import BounceEvent, Store, Transaction
from publisher.tokens import MESSAGE_ID, UNSUBSCRIBE, Signer

_HANDED_OVER = {DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN}
_DIGEST = 26  # characters of a Message-ID's first half, see Signer.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceReport:
    """What a reading did. `kinds`: new messages by what they say; `known`: read before; `bounced` and `unsubscribed`:
    readers who get no letter any more."""

    kinds: Mapping[BounceKind, int]
    known: int
    bounced: int
    unsubscribed: int


def read_bounces(
    store: Store, mails: Iterable[Incoming], *, signer: Signer, return_path: ReturnPath | None, now: datetime
) -> BounceReport:
    """Read `mails` one by one; each is settled when what it says is written down."""
    kinds: Counter[BounceKind] = Counter()
    changes: Counter[SubscriberState] = Counter()
    seen = 0
    for mail in mails:
        seen += 1
        sha256 = hashlib.sha256(mail.content.replace(b"\r\n", b"\n")).hexdigest()
        with store.read() as tx:
            event = tx.bounces.find(sha256)
        if event is None:
            bounce = read_bounce(mail.content)  # before the transaction: nobody shall wait for a parser
            with store.write() as tx:
                event = tx.bounces.find(sha256)  # another process may have been faster
                if event is None:
                    event = _event(tx, bounce, signer, return_path, sha256=sha256, now=now)
                    tx.bounces.add(event)
                    kinds[event.kind] += 1
                    changes.update(consequences(tx, event, now))
        mail.settle(event.kind in FOR_PEOPLE)
    return BounceReport(
        kinds=dict(kinds),
        known=seen - kinds.total(),
        bounced=changes[SubscriberState.BOUNCED],
        unsubscribed=changes[SubscriberState.UNSUBSCRIBED],
    )


def _event(
    tx: Transaction, bounce: Bounce, signer: Signer, return_path: ReturnPath | None, *, sha256: str, now: datetime
) -> BounceEvent:
    leaving = _leaves(bounce, return_path)
    if leaving is not None:
        return BounceEvent(sha256=sha256, at=now, kind=BounceKind.UNSUBSCRIBE, subscriber_id=leaving)
    about = bounce.kind in ABOUT_A_LETTER
    letter = _letter(tx, bounce.clues, signer, return_path) if about else None
    return BounceEvent(
        sha256=sha256,
        at=_time_of(tx, bounce, letter, now),
        kind=BounceKind.UNMATCHED if about and letter is None else bounce.kind,
        subscriber_id=letter.subscriber_id if letter else None,
        issue_id=letter.issue_id if letter else None,
        status=bounce.status,
        detail=bounce.detail,
    )


def _time_of(tx: Transaction, bounce: Bounce, letter: LetterName | None, now: datetime) -> datetime:
    """What the bounce speaks of: when its letter was handed over, else the day it bears if that is not ahead. Mail may
    lie in its mailbox for months before it is read: what was so then says nothing of today."""
    if letter is not None and letter.issue_id is not None:
        for delivery in tx.deliveries.of_subscriber(letter.subscriber_id):
            if delivery.issue_id == letter.issue_id and delivery.state in _HANDED_OVER:
                return min(delivery.changed or now, now)
    return min(bounce.dated or now, now)


def _leaves(bounce: Bounce, return_path: ReturnPath | None) -> int | None:
    """The reader who wrote to their address to leave. A report of a mail server only quotes it; a person who quotes a
    bounce means what they wrote there for."""
    if return_path is None or bounce.is_report:
        return None
    return return_path.find_leaving(bounce.clues.return_paths)


# --- which letter ---------------------------------------------------------------------------------------------------


def _letter(tx: Transaction, clues: Clues, signer: Signer, return_path: ReturnPath | None) -> LetterName | None:
    """The letter, proved by its return path, else by its Message-ID, else by its link to leave, which does not say of
    which issue it was."""
    named = return_path.find(clues.return_paths) if return_path else None
    if named is not None:
        return named
    leaving = list(_leaving(clues, signer))
    for subscriber_id in [*leaving, *_addressed(tx, clues)]:
        for delivery in tx.deliveries.of_subscriber(subscriber_id):
            if any(
                len(digest) == _DIGEST and signer.is_digest(digest, MESSAGE_ID, delivery.issue_id, subscriber_id)
                for digest in (name.partition("@")[0] for name in clues.message_ids)
            ):
                return LetterName(delivery.issue_id, subscriber_id)
    return LetterName(None, leaving[0]) if leaving else None


def _leaving(clues: Clues, signer: Signer) -> Iterator[int]:
    for url in clues.unsubscribe:
        try:
            yield signer.subscriber_id(UNSUBSCRIBE, url.rpartition("/")[2])
        except TokenError:
            continue


def _addressed(tx: Transaction, clues: Clues) -> Iterator[int]:
    for address in clues.recipients:
        try:
            reader = tx.subscribers.find(address.strip("<>"))
        except UsageError:
            continue
        if reader is not None:
            yield reader.id
