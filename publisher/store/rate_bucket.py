"""A bucket of pyrate-limiter in our own transaction: its algorithm decides, our table counts. Floor: store."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from pyrate_limiter import AbstractBucket, Rate, RateItem
from pyrate_limiter.abstracts import Decision

from publisher.mail.rates import Limit
from publisher.store.schema import rate_slots

SLOTS = 100
"""Slots of an interval."""

_ROW = rate_slots.c


class StoreBucket(AbstractBucket):
    """The tokens of `name` under `limits`, by interval and slot."""

    is_async = False

    def __init__(self, connection: sa.Connection, name: str, limits: Sequence[Limit]) -> None:
        self._connection = connection
        self._name = name
        self.rates = [Rate(limit.letters, limit.interval) for limit in limits]
        if connection.dialect.name == "postgresql":  # SQLite lets one write at a time anyway
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"rate/{name}"))))

    def take(self, wanted: int, now_ms: int) -> tuple[int, int]:
        """Up to `wanted` tokens, as many as all rates have; and if there are none, the milliseconds to wait."""
        counts = self._counts(now_ms)
        room = min(rate.limit - count for rate, count in zip(self.rates, counts, strict=True))
        granted = max(min(wanted, room), 0)
        item = RateItem(self._name, now_ms, weight=max(granted, 1))
        if self.put(item):
            return granted, 0
        return 0, max(self._recorded_wait(item) or 0, 1)

    def put(self, item: RateItem) -> bool:
        counts = self._counts(item.timestamp)
        decision = self._algorithm.admit(self.rates, counts, item.weight)
        if decision.failing_rate is not None:
            return self._record(item, self._denied(decision.failing_rate, item))
        for rate in self.rates:
            self._add(rate, item)
        return self._record(item, decision)

    def leak(self, current_timestamp: int | None = None) -> int:  # noqa: ARG002
        """`put` clears up behind itself."""
        return 0

    def flush(self) -> None:
        self._connection.execute(sa.delete(rate_slots).where(_ROW.name == self._name))
        self.failing_rate = None

    def count(self) -> int:
        query = sa.select(sa.func.coalesce(sa.func.sum(_ROW.taken), 0))
        return int(self._connection.execute(query.where(*self._mine(self.rates[-1]))).scalar_one())

    def peek(self, index: int) -> RateItem | None:
        moment = self._moment(self.rates[-1], index)
        return None if moment is None else RateItem(self._name, moment)

    # --- within ---------------------------------------------------------------------------------------------------

    def _mine(self, rate: Rate) -> tuple[sa.ColumnElement[bool], ...]:
        return _ROW.name == self._name, _ROW.interval_ms == rate.interval

    def _counts(self, now_ms: int) -> list[int]:
        query = sa.select(sa.func.coalesce(sa.func.sum(_ROW.taken), 0))
        return [
            int(
                self._connection.execute(
                    query.where(*self._mine(rate), _ROW.slot_ms >= self._algorithm.window_start(rate, now_ms))
                ).scalar_one()
            )
            for rate in self.rates
        ]

    def _denied(self, rate: Rate, item: RateItem) -> Decision:
        offset = self._algorithm.blocking_offset(rate, item.weight)
        blocking = None if offset is None else self._moment(rate, offset)
        return Decision(rate, self._algorithm.retry_after(rate, item.timestamp, blocking))

    def _moment(self, rate: Rate, offset: int) -> int | None:
        """From when on the token counts that has `offset` newer ones."""
        query = sa.select(_ROW.slot_ms, _ROW.taken).where(*self._mine(rate)).order_by(_ROW.slot_ms.desc())
        for slot, taken in self._connection.execute(query):
            if taken > offset:
                return int(slot)
            offset -= taken
        return None

    def _add(self, rate: Rate, item: RateItem) -> None:
        slot = slot_of(rate.interval, item.timestamp)
        here = (*self._mine(rate), _ROW.slot_ms == slot)
        added = sa.update(rate_slots).where(*here).values(taken=_ROW.taken + item.weight)
        if not self._connection.execute(added).rowcount:
            values = {"name": self._name, "interval_ms": rate.interval, "slot_ms": slot, "taken": item.weight}
            self._connection.execute(sa.insert(rate_slots), values)
            old = _ROW.slot_ms < self._algorithm.window_start(rate, item.timestamp)
            self._connection.execute(sa.delete(rate_slots).where(*self._mine(rate), old))


def slot_of(interval_ms: int, moment_ms: int) -> int:
    """The end of the slot that holds `moment_ms`."""
    length = max(interval_ms // SLOTS, 1)
    return -(-moment_ms // length) * length
