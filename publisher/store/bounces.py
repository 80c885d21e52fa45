"""Mail that came back, each message once by the hash of its bytes, and letters that the relay refused. Floor: store.

A row names reader and issue by number and holds no address: whoever is forgotten leaves none behind here either.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from publisher.mail.scoring import BounceKind
from publisher.store.schema import bounce_events

REFUSED = "smtp/"
"""So begins the name of an event that is no message: the relay refused a letter. The letter's name follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceEvent:
    """What a message said of what was so at `at`. `sha256` is of its bytes, in hexadecimal digits; of what the relay
    refused it is the name, see REFUSED."""

    sha256: str
    at: datetime
    kind: BounceKind
    subscriber_id: int | None = None
    issue_id: int | None = None
    status: str = ""
    detail: str = ""

    @property
    def is_refusal(self) -> bool:
        return self.sha256.startswith(REFUSED)


_FIELDS = [bounce_events.c[name] for name in BounceEvent.__dataclass_fields__]


class Bounces:
    """The messages of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def find(self, sha256: str) -> BounceEvent | None:
        """The message of that hash, if it was read before."""
        row = self._connection.execute(sa.select(*_FIELDS).where(bounce_events.c.sha256 == sha256)).one_or_none()
        return None if row is None else BounceEvent(**row._mapping)

    def add(self, event: BounceEvent) -> None:
        values = {name: getattr(event, name) for name in BounceEvent.__dataclass_fields__}
        self._connection.execute(sa.insert(bounce_events).values(values))

    def replace(self, event: BounceEvent) -> None:
        """Add it in place of one of the same name."""
        self._connection.execute(sa.delete(bounce_events).where(bounce_events.c.sha256 == event.sha256))
        self.add(event)

    def of_subscriber(self, subscriber_id: int, *, since: datetime) -> list[BounceEvent]:
        """Those that speak of `since` and later, as they were read."""
        query = sa.select(*_FIELDS).where(bounce_events.c.subscriber_id == subscriber_id, bounce_events.c.at >= since)
        return [BounceEvent(**row._mapping) for row in self._connection.execute(query.order_by(bounce_events.c.id))]

    def of_issue(self, issue_id: int) -> dict[BounceKind, int]:
        """How many letters of an issue came back after they were accepted, by kind."""
        came_back = (bounce_events.c.issue_id == issue_id, bounce_events.c.sha256.not_like(f"{REFUSED}%"))
        query = sa.select(bounce_events.c.kind, sa.func.count()).where(*came_back)
        rows = self._connection.execute(query.group_by(bounce_events.c.kind).order_by(bounce_events.c.kind))
        return {row[0]: row[1] for row in rows}

    def latest(self, limit: int, *, kinds: Collection[BounceKind] = ()) -> list[BounceEvent]:
        """The newest first, of these kinds; of any where none is named."""
        query = sa.select(*_FIELDS).order_by(bounce_events.c.id.desc()).limit(limit)
        if kinds:
            query = query.where(bounce_events.c.kind.in_(kinds))
        return [BounceEvent(**row._mapping) for row in self._connection.execute(query)]
