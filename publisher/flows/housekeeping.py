"""Housekeeping: forget what nobody needs any more. Floor: `flows`.

Each chore looks after one thing and says how many it took away; a new one is one more line of CHORES. Safe to repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from publisher.config import Settings
from publisher.flows.run import Parts
from publisher.flows.tidy import forget_files, forget_letters, forget_tallies, forget_unconfirmed
from publisher.sources.mailboxes import PROCESSED
from publisher.store import Transaction

Chore = Callable[[Transaction, Parts, datetime], int]


def _old_runs(tx: Transaction, parts: Parts, now: datetime) -> int:
    return tx.runs.forget(now - timedelta(days=parts.settings.store.keep_runs_days))


def _unconfirmed(tx: Transaction, parts: Parts, now: datetime) -> int:
    return forget_unconfirmed(tx, timedelta(days=parts.settings.signup.keep_days), now)


def _old_texts(tx: Transaction, parts: Parts, now: datetime) -> int:
    return tx.issues.forget_renderings(now - timedelta(days=parts.settings.store.keep_letters_days))


def _old_log(tx: Transaction, parts: Parts, now: datetime) -> int:
    return tx.audit.forget(now - timedelta(days=parts.settings.store.keep_log_days))


def _folders(settings: Settings) -> tuple[tuple[str, Path, str, int], ...]:
    """What lies in them, where, in which files, and after how many days it goes."""
    processed = settings.path(settings.bounces.folder) / PROCESSED
    return (
        ("letters of the outbox", settings.path(settings.outbox.path), "*.eml", settings.outbox.keep_days),
        ("letters that came back", processed, "*", settings.bounces.keep_days),
    )


CHORES: tuple[tuple[str, Chore], ...] = (
    ("old runs", _old_runs),
    ("texts of old letters", _old_texts),
    ("old lines of the log", _old_log),
    ("runs asked for long ago", lambda tx, _, now: tx.run_requests.forget(now - timedelta(days=1))),
    ("sign-ups that nobody confirmed", _unconfirmed),
    ("old tallies of sign-ups", lambda tx, _, now: forget_tallies(tx, now)),
    ("changes of address that nobody confirmed", lambda tx, _, now: tx.address_changes.forget(now)),
    ("old service letters", lambda tx, _, now: forget_letters(tx, now)),
)


def keep_house(parts: Parts) -> str:
    """Do every chore, each in a transaction of its own, then look through the folders; says what was done."""
    done = []
    for name, chore in CHORES:
        with parts.store.write() as tx:
            count = chore(tx, parts, parts.clock())
        if count:
            done.append(f"{count:,} {name}")
    for name, folder, files, days in _folders(parts.settings):
        if count := forget_files(folder, files, parts.clock() - timedelta(days=days)):
            done.append(f"{count:,} {name}")
    return ", ".join(done) or "nothing to do"
