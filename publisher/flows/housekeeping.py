"""Housekeeping: forget what nobody needs any more. Floor: `flows`.

Each chore looks after one thing and says how many it took away; a new one is one more line of CHORES. Safe to repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from publisher.flows.run import Parts
from publisher.store import Transaction

Chore = Callable[[Transaction, Parts, datetime], int]


def _old_runs(tx: Transaction, parts: Parts, now: datetime) -> int:
    return tx.runs.forget(now - timedelta(days=parts.settings.store.keep_runs_days))


CHORES: tuple[tuple[str, Chore], ...] = (("old runs", _old_runs),)


def keep_house(parts: Parts) -> str:
    """Do every chore, each in a transaction of its own; says what was done."""
    done = []
    for name, chore in CHORES:
        with parts.store.write() as tx:
            count = chore(tx, parts, parts.clock())
        if count:
            done.append(f"{count:,} {name}")
    return ", ".join(done) or "nothing to do"
