"""Operators: the hashes of their passwords, and the sessions in which they are signed in. Floor: store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from publisher.errors import NotFound
from publisher.store.columns import storable
from publisher.store.schema import admin_sessions, operators


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who may sign in; `changed` is when their password was set."""

    name: str
    changed: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in: since when, and when they were last seen (to within some minutes)."""

    operator: str
    created: datetime
    seen: datetime


class Operators:
    """The operators of one transaction. A session is named by the SHA-256 (hex) of the id in its cookie."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def set_password(self, name: str, password: str, now: datetime) -> bool:
        """`password` is its hash. Whoever is signed in under `name` is signed out. True: the operator is new."""
        values = {"password": password, "changed": now}
        known = self._connection.execute(sa.update(operators).where(operators.c.name == name).values(values)).rowcount
        if not known:
            self._connection.execute(sa.insert(operators).values(name=name, **values))
        self._connection.execute(sa.delete(admin_sessions).where(admin_sessions.c.operator == name))
        return not known

    def password(self, name: str) -> str | None:
        """The hash of the operator's password; None for an unknown name."""
        query = sa.select(operators.c.password).where(operators.c.name == name)
        return self._connection.execute(query).scalar_one_or_none() if storable(name) else None

    def remove(self, name: str) -> None:
        """Raises NotFound. Whoever is signed in under `name` is signed out."""
        self._connection.execute(sa.delete(admin_sessions).where(admin_sessions.c.operator == name))
        if not self._connection.execute(sa.delete(operators).where(operators.c.name == name)).rowcount:
            raise NotFound("operator", name, "`publisher admin list` shows them")

    def all(self) -> list[Operator]:
        """By name."""
        query = sa.select(operators.c.name, operators.c.changed).order_by(operators.c.name)
        return [Operator(*row) for row in self._connection.execute(query)]

    def any(self) -> bool:
        return self._connection.execute(sa.select(operators.c.name).limit(1)).first() is not None

    # --- sessions -----------------------------------------------------------------------------------------------

    def open_session(self, sha256: str, operator: str, now: datetime) -> None:
        values = {"sha256": sha256, "operator": operator, "created": now, "seen": now}
        self._connection.execute(sa.insert(admin_sessions).values(values))

    def session(self, sha256: str) -> Session | None:
        columns = (admin_sessions.c.operator, admin_sessions.c.created, admin_sessions.c.seen)
        query = sa.select(*columns).where(admin_sessions.c.sha256 == sha256)
        row = self._connection.execute(query).one_or_none()
        return Session(*row) if row else None

    def seen(self, sha256: str, now: datetime) -> None:
        self._connection.execute(sa.update(admin_sessions).where(admin_sessions.c.sha256 == sha256).values(seen=now))

    def close_session(self, sha256: str) -> None:
        self._connection.execute(sa.delete(admin_sessions).where(admin_sessions.c.sha256 == sha256))

    def close_old_sessions(self, *, created_before: datetime, seen_before: datetime) -> None:
        old = (admin_sessions.c.created < created_before) | (admin_sessions.c.seen < seen_before)
        self._connection.execute(sa.delete(admin_sessions).where(old))
