"""Letters that are no digest, such as those that ask for a confirmation: a row each. Floor: store.

    planned -> handing over -> accepted | rejected | deferred -> ... | expired

The row is written together with what causes the letter. It is claimed by a conditional update before its content goes
out. A claim whose process is gone runs out, and the letter is sent again: the same bytes, the same Message-ID. So none
is lost, and a second copy is what a mail program may hide.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from publisher.model import DeliveryState
from publisher.store.schema import service_letters

_WAITING = (DeliveryState.PLANNED, DeliveryState.DEFERRED, DeliveryState.HANDING_OVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLetter:
    """A letter to one address. `kind` is the name of its templates below ``email/``; `facts` are plain values
    from which they are filled in. `attempts` counts those made; `next_attempt` is also until when a claim holds."""

    id: int
    kind: str
    email: str = field(repr=False)
    language: str
    facts: Mapping[str, Any] = field(repr=False)
    written: datetime
    expires: datetime
    state: DeliveryState
    attempts: int
    next_attempt: datetime


_FIELDS = [service_letters.c[name] for name in ServiceLetter.__dataclass_fields__]


class ServiceLetters:
    """The letters of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(
        self,
        kind: str,
        *,
        email: str,
        address: str,
        language: str,
        facts: Mapping[str, object],
        written: datetime,
        expires: datetime,
    ) -> int:
        """Plan a letter; `address` is the keyed hash of the mailbox. Gives its number."""
        values = {
            "kind": kind,
            "email": email,
            "address": address,
            "language": language,
            "facts": dict(facts),
            "written": written,
            "expires": expires,
            "state": DeliveryState.PLANNED,
            "attempts": 0,
            "next_attempt": written,
            "reply": "",
            "changed": written,
        }
        statement = sa.insert(service_letters).values(values).returning(service_letters.c.id)
        number: int = self._connection.execute(statement).scalar_one()
        return number

    def due(self, now: datetime, limit: int) -> list[ServiceLetter]:
        """Letters whose time has come, and those whose claim ran out, in the order they were written."""
        query = sa.select(*_FIELDS).where(
            service_letters.c.state.in_(_WAITING),
            service_letters.c.next_attempt <= now,
            service_letters.c.expires > now,
        )
        query = query.order_by(service_letters.c.id).limit(limit)
        return [ServiceLetter(**row._mapping) for row in self._connection.execute(query)]

    def waiting(self, now: datetime) -> int:
        """How many are still to be sent, now or later."""
        where = (service_letters.c.state.in_(_WAITING), service_letters.c.expires > now)
        query = sa.select(sa.func.count()).select_from(service_letters).where(*where)
        return self._connection.execute(query).scalar_one()

    def claim(self, letter: ServiceLetter, now: datetime, until: datetime) -> bool:
        """False where somebody else has it, or it was taken back."""
        return bool(
            self._connection.execute(
                sa.update(service_letters)
                .where(
                    service_letters.c.id == letter.id,
                    service_letters.c.state == letter.state,
                    service_letters.c.next_attempt == letter.next_attempt,
                )
                .values(
                    state=DeliveryState.HANDING_OVER,
                    attempts=service_letters.c.attempts + 1,
                    next_attempt=until,
                    changed=now,
                )
            ).rowcount
        )

    def record(
        self, number: int, state: DeliveryState, now: datetime, *, reply: str = "", next_attempt: datetime | None = None
    ) -> None:
        """How it ended, or when it is tried again. A letter that is over keeps no address."""
        values: dict[str, object] = {"state": state, "reply": reply, "changed": now}
        if state in _WAITING:
            values["next_attempt"] = next_attempt or now
        else:
            values |= {"email": "", "facts": {}}
        self._connection.execute(sa.update(service_letters).where(service_letters.c.id == number).values(values))

    def expire(self, now: datetime) -> int:
        """Give up those whose time is over. Returns how many."""
        where = (service_letters.c.state.in_(_WAITING), service_letters.c.expires <= now)
        values = {"state": DeliveryState.EXPIRED, "email": "", "facts": {}, "changed": now}
        return self._connection.execute(sa.update(service_letters).where(*where).values(values)).rowcount

    def forget(self, addresses: Collection[str]) -> int:
        """Delete what is to go to an address (by its keyed hashes), and what went there. Returns how many."""
        where = service_letters.c.address.in_(list(addresses))
        return self._connection.execute(sa.delete(service_letters).where(where)).rowcount

    def delete_over(self, before: datetime) -> int:
        """Delete those that were over before then. Returns how many."""
        where = (service_letters.c.state.not_in(_WAITING), service_letters.c.changed < before)
        return self._connection.execute(sa.delete(service_letters).where(*where)).rowcount

    def counts(self) -> dict[DeliveryState, int]:
        """How many are in each state that occurs."""
        query = sa.select(service_letters.c.state, sa.func.count()).group_by(service_letters.c.state)
        return dict(self._connection.execute(query).all())
