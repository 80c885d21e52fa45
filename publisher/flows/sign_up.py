"""Sign up: the one gate for form, API, command and import. Floor: `flows`.

    wish -> address and choice checked -> gate (limits, never-write-to-me) -> row "asked"      then there is an answer
    row "asked" -> is the address known? -> letter to confirm, or letter "you are subscribed"  beside, in the mail room

Nobody looks at whether an address is known before the answer is given: the same statements run for all addresses, and
the answer cannot tell. The letter's row and what becomes of the wish are one transaction, so that none is lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from publisher.clock import Clock
from publisher.errors import UsageError
from publisher.flows.compose import order_topics, starting_watermark
from publisher.model import (
    ALL,
    STAYING,
    ConsentAct,
    Frequency,
    SignUp,
    SignUpMethod,
    SignUpState,
    Subscriber,
    SubscriberState,
    SuppressionReason,
)
from publisher.readers.address import address_key, checked_address
from publisher.readers.gate import ADDRESS_LIMITS, HOUR, Judgement, Limit, Limits, Ruling, Scope, judge, network_of
from publisher.readers.policy import AddressPolicy
from publisher.store import Store, Transaction
from publisher.tokens import ADDRESS, NETWORK, Signer

CONFIRM_LETTER = "confirm"
KNOWN_LETTER = "subscribed-already"
CHANGE_LETTER = "change-address"
ADDRESS_CHANGED_LETTER = "address-changed"
SETTINGS_LETTER = "settings-link"
"""Kinds of service letters, and the names of their templates below ``email/``."""

STRANGERS = frozenset({SignUpMethod.FORM, SignUpMethod.API})
"""Doors at which anybody may stand: all limits and the policy for addresses hold there."""

BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUpTerms:
    """What the settings say of sign-up. `overall`, `domain` and `network` are letters an hour."""

    consent: str
    confirm_within: timedelta
    keep: timedelta
    overall: int
    domain: int
    network: int
    policy: AddressPolicy
    topic_order: Sequence[str]
    frequencies: Collection[Frequency]
    languages: Sequence[str]

    @property
    def limits(self) -> Limits:
        return {
            Scope.OVERALL: (Limit(self.overall, HOUR),),
            Scope.DOMAIN: (Limit(self.domain, HOUR),),
            Scope.NETWORK: (Limit(self.network, HOUR),),
            Scope.ADDRESS: ADDRESS_LIMITS,
        }

    @property
    def wording(self) -> str:
        """The version of the words that readers agree to: the beginning of their hash."""
        return hashlib.sha256(self.consent.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class SignUpParts:
    """What sign-up works with."""

    store: Store
    signer: Signer
    terms: SignUpTerms
    clock: Clock

    def addresses(self, email: str) -> list[str]:
        """The keyed hashes under which the mailbox may be kept, the present one first. Raises UsageError."""
        return self.signer.digests(ADDRESS, address_key(email))

    def network(self, host: str) -> str:
        """The keyed hash of the network that a client is in; "" where that says nothing."""
        network = network_of(host)
        return self.signer.digest(NETWORK, network) if network else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asks for: no topics means all of them, no language the first one. `host` is the client's address,
    as the web server knows it; the operator's own wishes have none."""

    email: str = field(repr=False)
    topics: Collection[str] = ()
    frequency: Frequency
    language: str = ""
    method: SignUpMethod
    host: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the gate said. `address` is the keyed hash of the mailbox: what the page for the code knows it by.

    Only the operator may be told of the rulings BLOCKED and ADDRESS; strangers get the same words for them as for
    LETTER. After `wait` the ruling may be another one.
    """

    ruling: Ruling
    wait: timedelta
    address: str


def request_sign_up(parts: SignUpParts, wish: Wish) -> Asked:
    """Take a wish, if the gate lets it. Raises UsageError for an address or a choice that cannot be.

    The letter goes out when the mail room works: wake it, or call it, after this.
    """
    return request_sign_ups(parts, [wish])[0]


def request_sign_ups(parts: SignUpParts, wishes: Sequence[Wish]) -> list[Asked]:
    """The same for several, in one transaction."""
    checked = [_checked(parts, wish) for wish in wishes]
    now = parts.clock()
    with parts.store.write() as tx:
        tx.consents.keep_wording(parts.terms.wording, parts.terms.consent, now)
        return [_take(tx, parts, wish, now) for wish in checked]


@dataclass(frozen=True, slots=True)
class _Checked:
    """A wish that can be, in its one spelling."""

    wish: Wish
    email: str = field(repr=False)
    topics: tuple[str, ...]
    language: str


def _checked(parts: SignUpParts, wish: Wish) -> _Checked:
    terms = parts.terms
    email = checked_address(wish.email)
    topics, language = _checked_choice(terms, wish)
    if wish.method in STRANGERS:
        terms.policy.check(email)
    return _Checked(wish, email, topics, language)


def _take(tx: Transaction, parts: SignUpParts, checked: _Checked, now: datetime) -> Asked:
    wish, address = checked.wish, parts.addresses(checked.email)[0]
    stranger = wish.method in STRANGERS
    judgement = pass_gate(tx, parts, checked.email, host=wish.host, now=now, stranger=stranger)
    if judgement.granted:
        tx.sign_ups.add(
            email=checked.email,
            address=address,
            topics=checked.topics,
            frequency=wish.frequency,
            language=checked.language,
            method=wish.method,
            network=parts.network(wish.host),
            wording=parts.terms.wording,
            asked=now,
            expires=now + parts.terms.confirm_within,
        )
    return Asked(judgement.ruling, judgement.wait, address)


def settle_asked(parts: SignUpParts) -> int:
    """Write the letters of wishes that nobody has looked at yet. Safe to repeat. Returns how many there were."""
    settled = 0
    while True:
        with parts.store.read() as tx:
            asked = tx.sign_ups.asked(BATCH)
        if not asked:
            return settled
        with parts.store.write() as tx:
            for sign_up in asked:
                _settle(tx, sign_up)
        settled += len(asked)


def is_under_pressure(parts: SignUpParts) -> bool:
    """Whether so many sign up that a person's form is worth a second look: over a third of an hour's letters."""
    limit = parts.terms.limits[Scope.OVERALL][0]
    with parts.store.read() as tx:
        tally = tx.gate.tallies(["overall"])["overall"]
    return sum(moment > parts.clock() - limit.within for moment in tally.granted) * 3 > limit.letters


def _checked_choice(terms: SignUpTerms, wish: Wish) -> tuple[tuple[str, ...], str]:
    """Topics and language. Strangers choose among what the form offers; the operator knows better."""
    topics = order_topics(wish.topics, terms.topic_order) if wish.topics else (ALL,)
    if not topics or set(wish.topics) - set(topics):
        raise UsageError("Please choose topics from the list.")
    language = wish.language or terms.languages[0]
    if wish.method in STRANGERS:
        if wish.frequency not in terms.frequencies:
            raise UsageError("Please choose how often the digest comes.")
        if language not in terms.languages:
            raise UsageError("Please choose a language from the list.")
    return topics, language


def pass_gate(
    tx: Transaction, parts: SignUpParts, email: str, *, host: str, now: datetime, stranger: bool = True
) -> Judgement:
    """Whether a letter that anybody can ask for may go to this address now; if so, it is counted. For the operator,
    who is no `stranger`, the limits of the address alone hold."""
    addresses, network = parts.addresses(email), parts.network(host)
    names = {Scope.ADDRESS: f"address {addresses[0]}"}
    if stranger:
        domain = parts.signer.digest(ADDRESS, address_key(email).rpartition("@")[2])
        names |= {Scope.OVERALL: "overall", Scope.DOMAIN: f"domain {domain}"}
        if network:
            names[Scope.NETWORK] = f"network {network}"
    tx.gate.lock()
    found = tx.gate.tallies(names.values())
    tallies = {scope: found[name] for scope, name in names.items()}
    blocked = SuppressionReason.BLOCKED in tx.gate.suppressed(addresses).values()
    judgement = judge(tallies, parts.terms.limits, now, blocked=blocked)
    tx.gate.keep({names[scope]: tally for scope, tally in judgement.changed.items()}, now)
    return judgement


def _settle(tx: Transaction, sign_up: SignUp) -> None:
    reader = tx.subscribers.find(sign_up.email)
    known = reader is not None and reader.state in STAYING
    if reader is None:
        reader = _pending_reader(tx, sign_up)
    if not tx.sign_ups.settle(sign_up.id, SignUpState.KNOWN if known else SignUpState.WAITING, reader.id):
        return  # another process was faster
    if not known:
        tx.consents.add(
            reader.id,
            ConsentAct.ASKED,
            sign_up.asked,
            method=sign_up.method,
            wording=sign_up.wording,
            network=sign_up.network,
            detail=f"{sign_up.frequency}: {', '.join(sign_up.topics)}",
        )
    tx.service_letters.add(
        KNOWN_LETTER if known else CONFIRM_LETTER,
        email=sign_up.email,
        address=sign_up.address,
        language=sign_up.language,
        facts={"subscriber": reader.id} if known else {"sign_up": sign_up.id, "address": sign_up.address},
        written=sign_up.asked,
        expires=sign_up.expires,
    )


def _pending_reader(tx: Transaction, sign_up: SignUp) -> Subscriber:
    return tx.subscribers.add(
        sign_up.email,
        frequency=sign_up.frequency,
        language=sign_up.language,
        topics=sign_up.topics,
        state=SubscriberState.PENDING,
        watermark=starting_watermark(tx, sign_up.frequency),
        now=sign_up.asked,
    )


def ruling_words(asked: Asked) -> str:
    """What the operator is told of a wish that got no letter."""
    hours = max(1, round(asked.wait / HOUR))
    return {
        Ruling.LETTER: "",
        Ruling.BLOCKED: "the owner of this address said: never write to me again",
        Ruling.ADDRESS: f"this address had its confirmation letter; the next one may go in {hours} hours",
    }.get(asked.ruling, "too many sign-ups at the moment; try again later")
