"""What housekeeping takes away: what nobody confirmed, what the gate need not know, old letters. Floor: `flows`."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from publisher.errors import NotFound
from publisher.model import SubscriberState
from publisher.readers.gate import ADDRESS_LIMITS
from publisher.store import Transaction

BATCH = 500
REMEMBERED = max(limit.within for limit in ADDRESS_LIMITS)
LETTERS_KEPT = timedelta(days=30)
"""So long the record of a service letter stays, which holds no address."""


def forget_unconfirmed(tx: Transaction, keep: timedelta, now: datetime) -> int:
    """Delete wishes that nobody confirmed within `keep`, and the readers who were only pending for them. Returns how
    many wishes there were."""
    overdue = now - keep
    deleted = 0
    while old := tx.sign_ups.overdue(overdue, BATCH):
        tx.sign_ups.delete([sign_up.id for sign_up in old])
        numbers = {sign_up.subscriber_id for sign_up in old if sign_up.subscriber_id is not None}
        for number in sorted(numbers - tx.sign_ups.still_open(numbers, overdue)):
            with suppress(NotFound):
                if tx.subscribers.get(number).state is SubscriberState.PENDING:
                    tx.subscribers.remove(number, now)
        deleted += len(old)
    return deleted


def forget_tallies(tx: Transaction, now: datetime) -> int:
    """Delete what the gate counted so long ago that it means nothing any more. Returns how many tallies."""
    return tx.gate.forget_tallies(now - REMEMBERED)


def forget_letters(tx: Transaction, now: datetime) -> int:
    """Give up service letters whose time is over, and delete the record of old ones. Returns how many."""
    return tx.service_letters.expire(now) + tx.service_letters.delete_over(now - LETTERS_KEPT)


def forget_files(folder: Path, names: str, before: datetime) -> int:
    """Delete the files of `folder` whose name fits the pattern `names` and that were last written `before`. Returns how
    many."""
    deleted = 0
    for path in folder.glob(names):
        with suppress(FileNotFoundError):  # somebody else was faster
            if path.is_file() and not path.is_symlink() and path.stat().st_mtime < before.timestamp():
                path.unlink()
                deleted += 1
    return deleted
