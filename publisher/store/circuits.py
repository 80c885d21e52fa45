"""What is known of the health of relays and domains, so that a restart remembers it. Floor: store."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from publisher.mail.circuit import CLOSED, Circuit
from publisher.store.schema import circuits

_ROW = circuits.c


class Kind(StrEnum):
    RELAY = "relay"
    DOMAIN = "domain"


class Circuits:
    """The circuits of one transaction; one that is closed and had no failure has no row."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def all(self, kind: Kind) -> dict[str, Circuit]:
        query = sa.select(_ROW.name, _ROW.failures, _ROW.openings, _ROW.until, _ROW.reason)
        rows = self._connection.execute(query.where(_ROW.kind == kind).order_by(_ROW.name))
        return {row[0]: Circuit(row[1], row[2], row[3], row[4]) for row in rows}

    def keep(self, kind: Kind, name: str, circuit: Circuit, now: datetime) -> None:
        """`reason` must hold no address."""
        here = (_ROW.kind == kind, _ROW.name == name)
        if circuit == CLOSED:
            self._connection.execute(sa.delete(circuits).where(*here))
            return
        values = {
            "failures": circuit.failures,
            "openings": circuit.openings,
            "until": circuit.until,
            "reason": circuit.reason,
            "changed": now,
        }
        if not self._connection.execute(sa.update(circuits).where(*here).values(values)).rowcount:
            self._connection.execute(sa.insert(circuits), {"kind": kind, "name": name, **values})

    def forget(self, before: datetime) -> int:
        """Drop what did not change since `before` and is open no more: it says nothing about today. Gives how many."""
        old = (_ROW.changed < before, _ROW.until.is_(None) | (_ROW.until < before))
        return self._connection.execute(sa.delete(circuits).where(*old)).rowcount
