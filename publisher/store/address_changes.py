"""Readers who want their digest at another address, until they confirm it. Floor: store."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from publisher.errors import NotFound
from publisher.store.schema import address_changes


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChange:
    """`email` is the new address; the wish holds until `expires`."""

    id: int
    subscriber_id: int
    email: str = field(repr=False)
    asked: datetime
    expires: datetime


_FIELDS = [address_changes.c[name] for name in AddressChange.__dataclass_fields__]


class AddressChanges:
    """The wishes of one transaction, one for each reader at most."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def put(self, subscriber_id: int, email: str, *, asked: datetime, expires: datetime) -> int:
        """Keep a wish in the place of the reader's former one; gives its number, which is used only once."""
        theirs = address_changes.c.subscriber_id == subscriber_id
        self._connection.execute(sa.delete(address_changes).where(theirs))
        values = {"subscriber_id": subscriber_id, "email": email, "asked": asked, "expires": expires}
        statement = sa.insert(address_changes).values(values).returning(address_changes.c.id)
        number: int = self._connection.execute(statement).scalar_one()
        return number

    def get(self, number: int) -> AddressChange:
        """Raises NotFound."""
        row = self._connection.execute(sa.select(*_FIELDS).where(address_changes.c.id == number)).one_or_none()
        if row is None:
            raise NotFound("change of address", str(number))
        return AddressChange(**row._mapping)

    def of(self, subscriber_id: int) -> AddressChange | None:
        """What the reader asked for, if anything waits."""
        query = sa.select(*_FIELDS).where(address_changes.c.subscriber_id == subscriber_id)
        row = self._connection.execute(query).one_or_none()
        return AddressChange(**row._mapping) if row else None

    def remove(self, number: int) -> None:
        self._connection.execute(sa.delete(address_changes).where(address_changes.c.id == number))

    def forget(self, before: datetime) -> int:
        """Those that expired before then; gives how many."""
        return self._connection.execute(sa.delete(address_changes).where(address_changes.c.expires < before)).rowcount
