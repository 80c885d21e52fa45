"""The log of what operators and programs changed; only age removes a line. Floor: store."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from publisher.model import AuditLine
from publisher.store.schema import audit_log

_FIELDS = [audit_log.c[name] for name in AuditLine.__dataclass_fields__]
AuditLines = list[AuditLine]  # `list` is a method below


class Audit:
    """The log of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, who: str, action: str, subject: str, now: datetime, detail: str = "") -> None:
        """`action` in a few words (``article withdrawn``), `subject` what was changed, by a name without an address."""
        values = {"at": now, "who": who, "action": action, "subject": subject, "detail": detail}
        self._connection.execute(sa.insert(audit_log).values(values))

    def forget(self, before: datetime) -> int:
        """Remove what was done before then. Returns how many lines."""
        return self._connection.execute(sa.delete(audit_log).where(audit_log.c.at < before)).rowcount

    def list(self, limit: int = 100, *, before: int | None = None) -> AuditLines:
        """The newest first; `before` is the id of the last line of the page before."""
        query = sa.select(*_FIELDS).order_by(audit_log.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(audit_log.c.id < before)
        return [AuditLine(**row._mapping) for row in self._connection.execute(query)]
