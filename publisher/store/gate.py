"""The gate's memory: tallies by keyed names, and who is not to be written to. Floor: store.

Names and addresses come in as keyed hashes; nobody can read an address out of them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import sqlalchemy as sa

from publisher.model import SuppressionReason
from publisher.readers.gate import Tally
from publisher.store.columns import batches
from publisher.store.schema import gate_tallies, suppressions
from publisher.store.upsert import upsert

_LOCK = 0x5167  # any number that no other advisory lock of ours has


class Gate:
    """The gate of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def lock(self) -> None:
        """One wish at a time until the transaction ends; on SQLite a writer is alone anyway."""
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))

    # --- tallies ------------------------------------------------------------------------------------------------

    def tallies(self, names: Collection[str]) -> dict[str, Tally]:
        """The tally of each name; one that was never counted is empty."""
        found = dict.fromkeys(names, Tally())
        query = sa.select(gate_tallies).where(gate_tallies.c.name.in_(list(names)))
        for row in self._connection.execute(query):
            moments = tuple(datetime.fromtimestamp(second, UTC) for second in json.loads(row.granted))
            found[row.name] = Tally(moments, row.refused, row.until)
        return found

    def keep(self, tallies: Mapping[str, Tally], now: datetime) -> None:
        rows = [
            {
                "name": name,
                "granted": json.dumps([int(moment.timestamp()) for moment in tally.granted]),
                "refused": tally.refused,
                "until": tally.until,
                "changed": now,
            }
            for name, tally in tallies.items()
        ]
        if rows:
            statement = upsert(self._connection, gate_tallies)
            new = {name: statement.excluded[name] for name in ("granted", "refused", "until", "changed")}
            self._connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=new), rows)

    def forget_tallies(self, before: datetime) -> int:
        """Those that nothing was added to since `before`. Returns how many."""
        return self._connection.execute(sa.delete(gate_tallies).where(gate_tallies.c.changed < before)).rowcount

    # --- suppressions -------------------------------------------------------------------------------------------

    def suppressed(self, addresses: Collection[str]) -> dict[str, SuppressionReason]:
        """Those of `addresses` that are suppressed, and why."""
        found: dict[str, SuppressionReason] = {}
        for batch in batches(addresses):
            query = sa.select(suppressions.c.address, suppressions.c.reason)
            rows = self._connection.execute(query.where(suppressions.c.address.in_(batch)))
            found |= {row.address: row.reason for row in rows}
        return found

    def suppress(self, address: str, reason: SuppressionReason, now: datetime) -> None:
        """`blocked` is never made less: who was blocked and is forgotten stays blocked."""
        statement = upsert(self._connection, suppressions).values(address=address, reason=reason, since=now)
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["address"], set_={"reason": reason}, where=suppressions.c.reason != "blocked"
            )
        )

    def release(self, addresses: Collection[str]) -> int:
        """They may be added again. Returns how many were suppressed."""
        return self._connection.execute(
            sa.delete(suppressions).where(suppressions.c.address.in_(list(addresses)))
        ).rowcount
