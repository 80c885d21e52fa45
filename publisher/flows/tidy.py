"""Delete what nobody confirmed, and what the gate need not remember any more. Floor: `flows`.

The timetable calls it, and the mail room now and then; safe to repeat, and worth it every hour.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from publisher.errors import NotFound
from publisher.flows.sign_up import SignUpParts
from publisher.model import SubscriberState
from publisher.readers.gate import ADDRESS_LIMITS

BATCH = 500
REMEMBERED = max(limit.within for limit in ADDRESS_LIMITS)
LETTERS_KEPT = timedelta(days=30)
"""So long the record of a service letter stays, which holds no address."""


@dataclass(frozen=True, slots=True)
class Tidied:
    """How many were deleted: wishes that nobody confirmed, readers who were only pending, tallies, old letters."""

    sign_ups: int = 0
    readers: int = 0
    tallies: int = 0
    letters: int = 0


def tidy(parts: SignUpParts) -> Tidied:
    """Delete what is over, in short transactions."""
    now = parts.clock()
    overdue = now - parts.terms.keep
    sign_ups = readers = 0
    while True:
        with parts.store.write() as tx:
            old = tx.sign_ups.overdue(overdue, BATCH)
            tx.sign_ups.delete([sign_up.id for sign_up in old])
            numbers = {sign_up.subscriber_id for sign_up in old if sign_up.subscriber_id is not None}
            for number in sorted(numbers - tx.sign_ups.still_open(numbers, overdue)):
                with suppress(NotFound):
                    if tx.subscribers.get(number).state is SubscriberState.PENDING:
                        tx.subscribers.remove(number, now)
                        readers += 1
        sign_ups += len(old)
        if len(old) < BATCH:
            break
    with parts.store.write() as tx:
        tx.service_letters.expire(now)
        return Tidied(
            sign_ups,
            readers,
            tx.gate.forget_tallies(now - REMEMBERED),
            tx.service_letters.delete_over(now - LETTERS_KEPT),
        )
