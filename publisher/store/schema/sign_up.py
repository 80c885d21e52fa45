"""The tables of sign-up: wishes, consents, who is not to be written to, service letters. Floor: store.

An address stands in plain in `sign_ups` until it is confirmed or deleted, and in `service_letters` until the letter is
over; elsewhere it is a keyed hash. Consents name a subscriber by number without a foreign key, as events do: the proof
stays when the person is forgotten.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text

from publisher.model import (
    ConsentAct,
    DeliveryState,
    Frequency,
    SignUpMethod,
    SignUpState,
    SuppressionReason,
)
from publisher.store.columns import Name, Number, Report, Slugs, UtcTime, Word
from publisher.store.schema.base import metadata

sign_ups = Table(
    "sign_ups",
    metadata,
    Column("id", Number, primary_key=True),
    Column("email", Text, nullable=False),
    Column("address", Name, nullable=False),
    Column("topics", Slugs, nullable=False),
    Column("frequency", Word(Frequency), nullable=False),
    Column("language", Text, nullable=False),
    Column("method", Word(SignUpMethod), nullable=False),
    Column("network", Text, nullable=False),
    Column("wording", Text, nullable=False),
    Column("asked", UtcTime, nullable=False, index=True),
    Column("expires", UtcTime, nullable=False),
    Column("state", Word(SignUpState), nullable=False),
    Column("tries", Number, nullable=False),
    Column("subscriber_id", Number, index=True),
    Index("ix_sign_ups_address", "address", "id"),
    Index("ix_sign_ups_state", "state", "id"),
    sqlite_autoincrement=True,  # links in letters name the number: it must never be another wish's
)

consents = Table(
    "consents",
    metadata,
    Column("id", Number, primary_key=True),
    Column("subscriber_id", Number, nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("act", Word(ConsentAct), nullable=False),
    Column("method", Word(SignUpMethod), nullable=False),
    Column("wording", Text, nullable=False),
    Column("network", Text, nullable=False),
    Column("detail", Text, nullable=False),
    sqlite_autoincrement=True,
)

consent_wordings = Table(
    "consent_wordings",
    metadata,
    Column("version", Name, primary_key=True),
    Column("text", Text, nullable=False),
    Column("first_used", UtcTime, nullable=False),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("address", Name, primary_key=True),
    Column("reason", Word(SuppressionReason), nullable=False),
    Column("since", UtcTime, nullable=False),
)

gate_tallies = Table(
    "gate_tallies",
    metadata,
    Column("name", Name, primary_key=True),
    Column("granted", Text, nullable=False),
    Column("refused", Number, nullable=False),
    Column("until", UtcTime),
    Column("changed", UtcTime, nullable=False, index=True),
)

service_letters = Table(
    "service_letters",
    metadata,
    Column("id", Number, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("address", Name, nullable=False, index=True),
    Column("language", Text, nullable=False),
    Column("facts", Report, nullable=False),
    Column("written", UtcTime, nullable=False),
    Column("expires", UtcTime, nullable=False),
    Column("state", Word(DeliveryState), nullable=False),
    Column("attempts", Number, nullable=False),
    Column("next_attempt", UtcTime, nullable=False),
    Column("reply", Text, nullable=False),
    Column("changed", UtcTime, nullable=False),
    Index("ix_service_letters_due", "state", "next_attempt", "id"),
    sqlite_autoincrement=True,
)
