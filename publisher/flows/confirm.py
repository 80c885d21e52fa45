"""Confirm, by the link or the code of the letter; or: never write to me again. Floor: `flows`.

    waiting -> confirmed: the reader is active, the consent is on record    once, by a conditional update

A reader starts where the last issue of their frequency ended when they confirm, not when they asked.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from publisher.errors import NotFound, TokenError
from publisher.flows.compose import starting_watermark
from publisher.flows.sign_up import Asked, SignUpParts, Wish, request_sign_up
from publisher.model import (
    STAYING,
    ConsentAct,
    SignUp,
    SignUpMethod,
    SignUpState,
    Subscriber,
    SubscriberState,
    SuppressionReason,
)
from publisher.readers.gate import Ruling
from publisher.store import Transaction
from publisher.tokens import CODE, CONFIRM, NOT_ME

TRIES = 5
"""So often a code may be typed for one letter: with a letter a day, guesses have five chances in a million a day."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The reader of a link or a code; `again` when it had been used before, and then nothing has changed."""

    reader: Subscriber
    again: bool = False


def find_sign_up(parts: SignUpParts, token: str) -> SignUp:
    """The wish that a letter's link stands for. Raises TokenError for a forged link, NotFound when it was deleted."""
    number = parts.signer.subscriber_id(CONFIRM, token)
    with parts.store.read() as tx:
        return tx.sign_ups.get(number)


def is_expired(sign_up: SignUp, now: datetime) -> bool:
    return sign_up.state is not SignUpState.CONFIRMED and sign_up.expires <= now


def confirm_by_link(parts: SignUpParts, number: int, *, host: str) -> Confirmed:
    """Raises TokenError (`expired`) for a link that is too old, NotFound for one whose reader is gone."""
    now = parts.clock()
    with parts.store.write() as tx:
        return _confirm(tx, parts, tx.sign_ups.get(number), now, host=host, way="link")


def confirm_by_code(parts: SignUpParts, address: str, code: str, *, host: str) -> Confirmed | None:
    """`address` is the keyed hash that the page after sign-up knows. None alike for a wrong code, too many tries, and
    an address for which nothing waits: nobody learns which."""
    now = parts.clock()
    with parts.store.write() as tx:
        sign_up = tx.sign_ups.waiting_for([address], now)
        if sign_up is None or not tx.sign_ups.count_try(sign_up.id, TRIES):
            return None
        typed = "".join(character for character in code if character.isdigit())
        if not parts.signer.is_code(typed, CODE, sign_up.id):
            return None
        return _confirm(tx, parts, sign_up, now, host=host, way="code")


def ask_again(parts: SignUpParts, number: int, *, host: str) -> Asked:
    """Another letter for a wish whose link is too old, by the same gate. Raises NotFound; UsageError where the choice
    is not to be had any more."""
    with parts.store.read() as tx:
        sign_up = tx.sign_ups.get(number)
    if sign_up.state is not SignUpState.WAITING:
        return Asked(Ruling.ADDRESS, timedelta(), sign_up.address)
    wish = Wish(
        email=sign_up.email,
        topics=sign_up.topics,
        frequency=sign_up.frequency,
        language=sign_up.language,
        method=SignUpMethod.FORM,
        host=host,
    )
    return request_sign_up(parts, wish)


def check_not_me(parts: SignUpParts, token: str) -> str:
    """The keyed hash of the address whose owner holds this link; raises TokenError."""
    address, _, proof = token.partition(".")
    genuine = parts.signer.digest(NOT_ME, address)
    if len(proof) != len(genuine) or not parts.signer.is_digest(proof, NOT_ME, address):
        raise TokenError("this link is incomplete or was changed")
    return address


def never_write_again(parts: SignUpParts, address: str) -> None:
    """No letter of any kind goes there any more, also none that is planned. Who has moved to another address since
    keeps getting theirs. Safe to repeat."""
    now = parts.clock()
    with parts.store.write() as tx:
        tx.gate.suppress(address, SuppressionReason.BLOCKED, now)
        for number in sorted(tx.sign_ups.readers_of([address])):
            with suppress(NotFound):
                reader = tx.subscribers.get(number)
                if address not in parts.addresses(reader.email):
                    continue
                if reader.state is SubscriberState.PENDING:
                    tx.subscribers.remove(number, now)
                elif reader.state in STAYING:
                    tx.subscribers.set_state(
                        number, SubscriberState.UNSUBSCRIBED, now, reason="never write to me again"
                    )
        tx.sign_ups.forget([address])
        tx.service_letters.forget([address])


def _confirm(tx: Transaction, parts: SignUpParts, sign_up: SignUp, now: datetime, *, host: str, way: str) -> Confirmed:
    if sign_up.subscriber_id is None:
        raise NotFound("sign-up", str(sign_up.id))  # its letter is not written yet, so nobody can hold its link
    reader = tx.subscribers.get(sign_up.subscriber_id)
    if is_expired(sign_up, now):
        raise TokenError("this link is too old", expired=True)
    if not tx.sign_ups.confirm(sign_up.id):
        return Confirmed(reader, again=True)
    tx.subscribers.set_topics(reader.id, sign_up.topics, now)
    tx.subscribers.set_frequency(reader.id, sign_up.frequency, now)
    tx.subscribers.set_language(reader.id, sign_up.language, now)
    if reader.state not in STAYING:
        tx.subscribers.raise_watermark(reader.id, starting_watermark(tx, sign_up.frequency))
        tx.subscribers.set_state(reader.id, SubscriberState.ACTIVE, now, reason=f"confirmed by {way}")
    tx.gate.release(parts.addresses(reader.email))
    tx.consents.add(
        reader.id,
        ConsentAct.CONFIRMED,
        now,
        method=sign_up.method,
        wording=sign_up.wording,
        network=parts.network(host),
        detail=f"by {way}, {_age(now - sign_up.asked)} after it was asked for",
    )
    return Confirmed(tx.subscribers.get(reader.id))


def _age(span: timedelta) -> str:
    minutes = int(span.total_seconds()) // 60
    return f"{minutes} minutes" if minutes < 180 else f"{minutes // 60} hours"
