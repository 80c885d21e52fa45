"""The store by itself: what large tables cost, timed in the process.

python bench/store.py     prints a line a step: what, seconds
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "store"))
from store_samples import NOW, add_issue, new

from publisher.model import ALL, DeliveryState, Frequency, SubscriberState
from publisher.store import NewFiling, NewSubscriber, Store

TOPICS = (ALL, "environment", "region-mena", "digital-customs")


@contextmanager
def timed(what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"{time.perf_counter() - start:8.4f} s  {what}")


def articles_and_filings(store: Store) -> None:
    articles = [new(n) for n in range(1, 10_001)]
    filings = [NewFiling(item.article.key, topic, "rule", NOW) for item in articles for topic in TOPICS]
    with timed("add 10,000 articles in four topics"), store.write() as tx:
        tx.articles.add(articles)
        tx.filings.add(filings)
    with store.read() as tx:
        tx.articles.newest("environment", 50)  # the first time compiles the statement
        with timed("the newest 50 of a topic"):
            tx.articles.newest("environment", 50)
        with timed("the latest 50 of a topic"):
            tx.articles.list(topic="environment", limit=50)


def deliveries(store: Store) -> None:
    readers = [
        NewSubscriber(
            email=f"reader{n}@customs.example",
            frequency=Frequency.WEEKLY,
            language="en",
            topics=("environment",),
            state=SubscriberState.ACTIVE,
            watermark=0,
        )
        for n in range(20_000)
    ]
    with store.write() as tx:
        added = tx.subscribers.add_many(readers, NOW)
        issue, edition = add_issue(tx, 1, upto_seq=5)
        with timed("plan 20,000 deliveries"):
            tx.deliveries.plan(issue.id, ((r.id, edition.id, DeliveryState.PLANNED, "") for r in added), NOW)
        with timed("the sum of 20,000 deliveries"):
            tx.deliveries.sum(issue.id)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/store.db", topic_order=TOPICS)
        store.upgrade(NOW)
        articles_and_filings(store)
        deliveries(store)
