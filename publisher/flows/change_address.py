"""Move a subscription to another address: asked on the reader's page, done by a button behind a letter. Floor: `flows`.

    new address -> the gate of sign-up -> row, letter to the new address          the digest still goes to the old one
    link in that letter -> button -> the reader has the new address, letter to the old one

The answer to the reader is the same whether the new address is known or not: what is to be said, its letter says.
"""

from __future__ import annotations

from datetime import timedelta

from publisher.errors import TokenError, UsageError
from publisher.flows.preferences import staying
from publisher.flows.sign_up import ADDRESS_CHANGED_LETTER, CHANGE_LETTER, KNOWN_LETTER, SignUpParts, pass_gate
from publisher.model import STAYING, Subscriber
from publisher.readers.address import address_key, checked_address
from publisher.readers.gate import Ruling
from publisher.store import AddressChange, Transaction
from publisher.tokens import CHANGE_ADDRESS

_SHORT_OF_TIME = frozenset({Ruling.OVERALL, Ruling.DOMAIN, Ruling.NETWORK})
NOTICE_WITHIN = timedelta(days=3)
"""So long the letter to the former address is tried."""


def ask_for_change(parts: SignUpParts, subscriber_id: int, email: str, *, host: str) -> None:
    """Take the wish and plan the letter; a former wish of this reader does not hold any more.

    Raises UsageError for what is no address that may be used, for the present one, and where too many ask; NotFound
    for a reader who is gone or has left.
    """
    address = checked_address(email)
    parts.terms.policy.check(address)
    now = parts.clock()
    with parts.store.write() as tx:
        reader = staying(tx, subscriber_id)
        if address_key(address) == address_key(reader.email):
            raise UsageError("This is the address that the digest goes to already.")
        judgement = pass_gate(tx, parts, address, host=host, now=now)
        if judgement.ruling in _SHORT_OF_TIME:
            raise UsageError("Too many letters have been asked for. Please try again later.")
        if not judgement.granted:  # it had its letter, or wants none: nobody learns which
            return
        expires = now + parts.terms.confirm_within
        change = tx.address_changes.put(reader.id, address, asked=now, expires=expires)
        other = _holder(tx, address)
        tx.service_letters.add(
            KNOWN_LETTER if other else CHANGE_LETTER,
            email=address,
            address=parts.addresses(address)[0],
            language=reader.language,
            facts={"subscriber": other.id} if other else {"change": change},
            written=now,
            expires=expires,
        )


def find_change(parts: SignUpParts, token: str) -> AddressChange:
    """The wish that the link stands for. Raises TokenError for a link that is forged or (`expired`) too old, NotFound
    for one that was used, or replaced by a later wish."""
    number = parts.signer.subscriber_id(CHANGE_ADDRESS, token)
    with parts.store.read() as tx:
        change = tx.address_changes.get(number)
    if change.expires <= parts.clock():
        raise TokenError("this link is too old", expired=True)
    return change


def change_address(parts: SignUpParts, token: str) -> Subscriber:
    """From now on the digest goes to the new address; the old one is told. Raises as `find_change`, and UsageError
    when another subscriber has that address by now."""
    number = find_change(parts, token).id
    now = parts.clock()
    with parts.store.write() as tx:
        change = tx.address_changes.get(number)
        reader = staying(tx, change.subscriber_id)
        if _holder(tx, change.email) is not None:
            raise UsageError("A subscription of its own goes to this address already.")
        tx.address_changes.remove(number)
        changed = tx.subscribers.set_email(reader.id, change.email, now)
        tx.service_letters.add(
            ADDRESS_CHANGED_LETTER,
            email=reader.email,
            address=parts.addresses(reader.email)[0],
            language=reader.language,
            facts={},
            written=now,
            expires=now + NOTICE_WITHIN,
        )
    return changed


def _holder(tx: Transaction, email: str) -> Subscriber | None:
    """The reader who gets letters at that address. One who never confirmed, or has left, stands in nobody's way."""
    other = tx.subscribers.find(email)
    return other if other is not None and other.state in STAYING else None
