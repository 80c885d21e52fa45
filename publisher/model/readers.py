"""Readers: what they get, how they asked for it, and what was agreed. Floor: `model`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Frequency(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class SubscriberState(StrEnum):
    PENDING = "pending"  # asked for it, has not confirmed yet
    ACTIVE = "active"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"


STAYING = frozenset({SubscriberState.ACTIVE, SubscriberState.PAUSED})
"""Who is a reader now, with letters or in a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A reader. `watermark` is the highest filing `seq` that an accepted letter has covered; `paused_until` is when a
    pause ends by itself, None for one without an end and for who is not paused."""

    id: int
    email: str = field(repr=False)
    state: SubscriberState
    frequency: Frequency
    language: str
    topics: tuple[str, ...]
    watermark: int
    created: datetime
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextLetter:
    """What a reader gets next, as far as is known now. `at` is the slot it belongs to: None where none will come,
    because the timetable of their frequency is off or their pause has no end. `is_due`: that slot has come already,
    and the next run sends it. `waiting` articles would stand in it if it went out now; `on_its_way` is the name of an
    issue whose letter to them has not arrived yet, or empty."""

    at: datetime | None
    is_due: bool = False
    waiting: int = 0
    on_its_way: str = ""


class SignUpMethod(StrEnum):
    """The door that a wish for the digest came in by."""

    FORM = "form"
    API = "api"
    COMMAND = "command"
    IMPORT = "import"


class SignUpState(StrEnum):
    ASKED = "asked"  # taken; nobody has looked yet whether the address is known
    WAITING = "waiting"  # the confirmation letter is written
    KNOWN = "known"  # the address is subscribed already; its letter says so
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """A wish for the digest that waits for its confirmation. `address` is the keyed hash of the mailbox, `network` that
    of where it was asked from ("" where nobody knows). Once it is confirmed or known, `email` is empty."""

    id: int
    email: str = field(repr=False)
    address: str
    topics: tuple[str, ...]
    frequency: Frequency
    language: str
    method: SignUpMethod
    network: str
    wording: str
    asked: datetime
    expires: datetime
    state: SignUpState
    tries: int
    subscriber_id: int | None


class ConsentAct(StrEnum):
    ASKED = "asked"
    CONFIRMED = "confirmed"
    VOUCHED = "vouched"  # the operator added the address and answers for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One line of the proof of consent, which only grows. `wording` is the version of what was agreed to, `network` the
    keyed hash of where it came from, `detail` says how, without an address."""

    at: datetime
    act: ConsentAct
    method: SignUpMethod
    wording: str
    network: str
    detail: str


class SuppressionReason(StrEnum):
    """Why an address, known by its keyed hash alone, is not to be added again."""

    BLOCKED = "blocked"  # its owner said: never write to me
    FORGOTTEN = "forgotten"  # erased on request
