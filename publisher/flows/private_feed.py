"""A reader's own feed: who may read it, by which address, and how that address is made anew. Floor: `flows`.

The address holds a token of the reader and the number of times that it was renewed: each time ends all former ones. It
lives on when the letters stop, and ends when the reader is forgotten.
"""

from __future__ import annotations

from datetime import datetime

from publisher.errors import NotFound, TokenError
from publisher.model import Subscriber, SubscriberState
from publisher.store import Store, Transaction
from publisher.tokens import PRIVATE_FEED, Signer


def feed_token(tx: Transaction, signer: Signer, subscriber_id: int) -> str:
    """What the present address of the reader's feed holds. Raises NotFound."""
    return signer.token(_purpose(tx.subscribers.feed_renewals(subscriber_id)), subscriber_id)


def reader_of_feed(tx: Transaction, signer: Signer, token: str) -> Subscriber:
    """Whose feed it is. Raises TokenError alike for a forged token, a former one, and one of a forgotten reader."""
    claimed = signer.claimed_id(token)
    try:
        reader = tx.subscribers.get(claimed)
        renewals = tx.subscribers.feed_renewals(claimed)
    except NotFound:
        raise TokenError("no feed has this address") from None
    signer.subscriber_id(_purpose(renewals), token)
    if reader.state is SubscriberState.PENDING:  # somebody else may have typed that address
        raise TokenError("no feed has this address")
    return reader


def renew_feed(store: Store, subscriber_id: int, *, now: datetime) -> None:
    """Take back the present address; the reader gets another. Raises NotFound."""
    with store.write() as tx:
        tx.subscribers.renew_feed(subscriber_id, now)


def feed_identity(signer: Signer, subscriber_id: int) -> str:
    """A stable name of the reader's feed that tells nothing about them."""
    return signer.digest(PRIVATE_FEED, subscriber_id)


def _purpose(renewals: int) -> str:
    return f"{PRIVATE_FEED} {renewals}"
