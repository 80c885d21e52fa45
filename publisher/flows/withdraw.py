"""Take an article back, or bring it back. Floor: `flows`.

    withdraw -> notice with the reason -> tombstone -> nothing          (each at its time, by the publish runs)
    restore  -> the article again, with an `updated` after its tombstone

Nothing is published here: the next run does that. Safe to repeat.
"""

from __future__ import annotations

from datetime import datetime

from publisher.cleantext import clean_line
from publisher.errors import UsageError
from publisher.model import Article
from publisher.store import Transactions

MAX_REASON = 600


def withdraw(store: Transactions, name: str, *, reason: str, now: datetime) -> tuple[Article, bool]:
    """Withdraw the article that people mean by `name`, and whether it was there to be withdrawn. Its pages and feeds
    will show `reason`. Raises NotFound, and UsageError when `name` fits several or the reason is blank."""
    shown = clean_line(reason, MAX_REASON)
    if not shown:
        raise UsageError("say why the article is withdrawn: readers see the reason in its place")
    with store.write() as tx:
        key = tx.articles.resolve(name).key
        done = tx.departures.withdraw(key, now, shown)
        return tx.articles.get(key), done


def restore(store: Transactions, name: str, *, now: datetime) -> tuple[Article, bool]:
    """Undo `withdraw`, and whether there was anything to undo. Raises as `withdraw` does."""
    with store.write() as tx:
        key = tx.articles.resolve(name).key
        done = tx.departures.restore(key, now)
        return tx.articles.get(key), done
