"""How many letters went out lately: what limits are held by, over all processes and restarts. Floor: store.

Tokens are kept by interval and slot, a hundredth of the interval each, and not one by one: a limit of a thousand in a
second costs a hundred rows, one of a million in a day as well. A token counts from the end of its slot, so that a
limit is never exceeded, at worst reached a hundredth later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from publisher.mail.rates import Limit
from publisher.store.schema import rate_slots

_ROW = rate_slots.c


class Grant(NamedTuple):
    """`letters` that may go out now; where there are none, `wait_ms` milliseconds until it is worth asking again."""

    letters: int
    wait_ms: int


class Rates:
    """The limits of one transaction. `name` says whose: ``relay/main``, ``domain/mail.example``."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def take(self, name: str, limits: Sequence[Limit], wanted: int, now_ms: int) -> Grant:
        """Up to `wanted` letters, as many as all `limits` allow at `now_ms` (milliseconds since 1970)."""
        from publisher.store.rate_bucket import StoreBucket  # noqa: PLC0415  (late: few sites have limits)

        return Grant(*StoreBucket(self._connection, name, limits).take(wanted, now_ms))

    def give_back(self, name: str, limits: Sequence[Limit], letters: int, taken_ms: int) -> None:
        """Letters that were taken at `taken_ms` and did not go out."""
        from publisher.store.rate_bucket import slot_of  # noqa: PLC0415  (late, as above)

        for limit in limits:
            key = slot_of(limit.interval, taken_ms)
            mine = (_ROW.name == name, _ROW.interval_ms == limit.interval, _ROW.slot_ms == key, _ROW.taken >= letters)
            self._connection.execute(sa.update(rate_slots).where(*mine).values(taken=_ROW.taken - letters))

    def used(self, name: str, now_ms: int) -> dict[int, list[tuple[int, int]]]:
        """What still counts: interval (ms) -> (moment, letters), the oldest first."""
        return self._used(_ROW.name == name, now_ms).get(name, {})

    def used_below(self, prefix: str, now_ms: int) -> dict[str, dict[int, list[tuple[int, int]]]]:
        """The same of all whose name begins so, by what follows: ``domain/`` -> ``mail.example``."""
        found = self._used(_ROW.name.startswith(prefix, autoescape=True), now_ms)
        return {name.removeprefix(prefix): used for name, used in found.items()}

    def _used(self, whose: sa.ColumnElement[bool], now_ms: int) -> dict[str, dict[int, list[tuple[int, int]]]]:
        query = sa.select(_ROW.name, _ROW.interval_ms, _ROW.slot_ms, _ROW.taken).where(
            whose, _ROW.slot_ms > now_ms - _ROW.interval_ms, _ROW.taken > 0
        )
        found: dict[str, dict[int, list[tuple[int, int]]]] = {}
        for name, interval, slot, taken in self._connection.execute(query.order_by(_ROW.slot_ms)):
            found.setdefault(name, {}).setdefault(interval, []).append((slot, taken))
        return found
