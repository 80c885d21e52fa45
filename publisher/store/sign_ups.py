"""Wishes for the digest until they are confirmed, and the proof of consent. Floor: store.

    asked -> waiting (its letter is written) -> confirmed
          -> known (the address is subscribed already)

A wish is settled, tried and confirmed by conditional updates, so that a link or code counts once however often it is
used at the same moment.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from publisher.errors import NotFound
from publisher.model import Consent, ConsentAct, Frequency, SignUp, SignUpMethod, SignUpState
from publisher.store.columns import batches, storable
from publisher.store.schema import consent_wordings, consents, sign_ups
from publisher.store.upsert import upsert

_FIELDS = [sign_ups.c[name] for name in SignUp.__dataclass_fields__]
_CONSENT = [consents.c[name] for name in Consent.__dataclass_fields__]
_OPEN = (SignUpState.ASKED, SignUpState.WAITING, SignUpState.KNOWN)


class SignUps:
    """The wishes of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(
        self,
        *,
        email: str,
        address: str,
        topics: tuple[str, ...],
        frequency: Frequency,
        language: str,
        method: SignUpMethod,
        network: str,
        wording: str,
        asked: datetime,
        expires: datetime,
    ) -> int:
        """Keep a wish nobody has looked at yet; gives its number."""
        values = {
            "email": email,
            "address": address,
            "topics": topics,
            "frequency": frequency,
            "language": language,
            "method": method,
            "network": network,
            "wording": wording,
            "asked": asked,
            "expires": expires,
            "state": SignUpState.ASKED,
            "tries": 0,
        }
        statement = sa.insert(sign_ups).values(values).returning(sign_ups.c.id)
        number: int = self._connection.execute(statement).scalar_one()
        return number

    def get(self, number: int) -> SignUp:
        """Raises NotFound."""
        found = self._found(sa.select(*_FIELDS).where(sign_ups.c.id == number))
        if not found:
            raise NotFound("sign-up", str(number))
        return found[0]

    def asked(self, limit: int) -> list[SignUp]:
        """Those that nobody has looked at, in the order they came."""
        query = sa.select(*_FIELDS).where(sign_ups.c.state == SignUpState.ASKED)
        return self._found(query.order_by(sign_ups.c.id).limit(limit))

    def settle(self, number: int, state: SignUpState, subscriber_id: int) -> bool:
        """What became of one that was asked. False where somebody else settled it."""
        values: dict[str, object] = {"state": state, "subscriber_id": subscriber_id}
        if state is SignUpState.KNOWN:
            values["email"] = ""
        return self._move(number, SignUpState.ASKED, values)

    def waiting_for(self, addresses: Collection[str], now: datetime) -> SignUp | None:
        """The newest wish of an address (by its keyed hashes) that its letter can still confirm. A form may send
        anything in their place."""
        query = sa.select(*_FIELDS).where(
            sign_ups.c.address.in_([address for address in addresses if storable(address)]),
            sign_ups.c.state == SignUpState.WAITING,
            sign_ups.c.expires > now,
        )
        found = self._found(query.order_by(sign_ups.c.id.desc()).limit(1))
        return found[0] if found else None

    def count_try(self, number: int, limit: int) -> bool:
        """Take one of the `limit` tries at the code; False when there is none left."""
        return bool(
            self._connection.execute(
                sa.update(sign_ups)
                .where(sign_ups.c.id == number, sign_ups.c.tries < limit)
                .values(tries=sign_ups.c.tries + 1)
            ).rowcount
        )

    def confirm(self, number: int) -> bool:
        """From here on the reader has the address. False where it was not waiting any more."""
        return self._move(number, SignUpState.WAITING, {"state": SignUpState.CONFIRMED, "email": ""})

    def readers_of(self, addresses: Collection[str]) -> set[int]:
        """The subscribers that wishes of this address led to."""
        query = sa.select(sign_ups.c.subscriber_id).where(
            sign_ups.c.address.in_(list(addresses)), sign_ups.c.subscriber_id.is_not(None)
        )
        return set(self._connection.scalars(query))

    def forget(self, addresses: Collection[str], subscriber_id: int | None = None) -> int:
        """Delete the wishes of an address, and those that led to this subscriber. Returns how many."""
        whose: sa.ColumnElement[bool] = sign_ups.c.address.in_(list(addresses))
        if subscriber_id is not None:
            whose |= sign_ups.c.subscriber_id == subscriber_id
        return self._connection.execute(sa.delete(sign_ups).where(whose)).rowcount

    def overdue(self, before: datetime, limit: int) -> list[SignUp]:
        """Those asked before then that nobody confirmed."""
        query = sa.select(*_FIELDS).where(sign_ups.c.asked < before, sign_ups.c.state.in_(_OPEN))
        return self._found(query.order_by(sign_ups.c.id).limit(limit))

    def still_open(self, subscriber_ids: Collection[int], since: datetime) -> set[int]:
        """Those of the subscribers for whom a wish asked since then is open."""
        query = sa.select(sign_ups.c.subscriber_id).where(
            sign_ups.c.subscriber_id.in_(list(subscriber_ids)), sign_ups.c.asked >= since, sign_ups.c.state.in_(_OPEN)
        )
        return set(self._connection.scalars(query))

    def delete(self, numbers: Collection[int]) -> None:
        self._connection.execute(sa.delete(sign_ups).where(sign_ups.c.id.in_(list(numbers))))

    # --- within -------------------------------------------------------------------------------------------------

    def _move(self, number: int, former: SignUpState, values: Mapping[str, object]) -> bool:
        where = (sign_ups.c.id == number, sign_ups.c.state == former)
        return bool(self._connection.execute(sa.update(sign_ups).where(*where).values(values)).rowcount)

    def _found(self, query: sa.Select[Any]) -> list[SignUp]:
        return [SignUp(**row._mapping) for row in self._connection.execute(query)]


class Consents:
    """The proof of consent in one transaction: lines are added and never changed."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(
        self,
        subscriber_id: int,
        act: ConsentAct,
        at: datetime,
        *,
        method: SignUpMethod,
        wording: str = "",
        network: str = "",
        detail: str = "",
    ) -> None:
        self.add_many([(subscriber_id, Consent(at=at, act=act, method=method, wording=wording, network=network,
                                               detail=detail))])  # fmt: skip

    def add_many(self, lines: Sequence[tuple[int, Consent]]) -> None:
        rows = [
            {"subscriber_id": number, **{name: getattr(line, name) for name in Consent.__dataclass_fields__}}
            for number, line in lines
        ]
        for batch in batches(rows):
            self._connection.execute(sa.insert(consents), batch)

    def of(self, subscriber_id: int) -> list[Consent]:
        """In the order they were given."""
        return self.of_many([subscriber_id]).get(subscriber_id, [])

    def of_many(self, subscriber_ids: Collection[int]) -> dict[int, list[Consent]]:
        found: dict[int, list[Consent]] = {}
        for batch in batches(subscriber_ids):
            query = sa.select(consents.c.subscriber_id, *_CONSENT).where(consents.c.subscriber_id.in_(batch))
            for row in self._connection.execute(query.order_by(consents.c.id)):
                number, *values = row
                found.setdefault(number, []).append(
                    Consent(**dict(zip(Consent.__dataclass_fields__, values, strict=True)))
                )
        return found

    def keep_wording(self, version: str, text: str, now: datetime) -> None:
        """Remember what that version of the wording said."""
        statement = upsert(self._connection, consent_wordings).values(version=version, text=text, first_used=now)
        self._connection.execute(statement.on_conflict_do_nothing(index_elements=["version"]))

    def wordings(self) -> dict[str, str]:
        """What each version said."""
        return dict(self._connection.execute(sa.select(consent_wordings.c.version, consent_wordings.c.text)).all())
