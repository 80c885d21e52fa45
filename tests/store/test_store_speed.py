"""The limits are generous: they are to catch a walk over everything, not a busy machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from store_samples import NOW, add_issue, new

from publisher.model import ALL, DeliveryState, Frequency, SubscriberState
from publisher.store import NewFiling, NewSubscriber, Store


@contextmanager
def within(seconds: float) -> Iterator[None]:
    start = time.perf_counter()
    yield
    assert time.perf_counter() - start < seconds


def test_ten_thousand_articles_in_four_topics_are_stored_in_seconds_and_found_in_milliseconds(
    sqlite_store: Store,
) -> None:
    articles = [new(n) for n in range(1, 10_001)]
    topics = (ALL, "environment", "region-mena", "digital-customs")
    filings = [NewFiling(item.article.key, topic, "rule", NOW) for item in articles for topic in topics]
    with within(4), sqlite_store.write() as tx:
        tx.articles.add(articles)
        assert len(tx.filings.add(filings)) == 40_000
    with sqlite_store.read() as tx:
        tx.articles.newest("environment", 50)  # the first time compiles the statement
        with within(0.02):
            assert len(tx.articles.newest("environment", 50)) == 50
        with within(0.02):
            assert len(tx.articles.list(topic="environment", limit=50)) == 50


def test_twenty_thousand_deliveries_are_planned_in_a_second(sqlite_store: Store) -> None:
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
    with sqlite_store.write() as tx:
        added = tx.subscribers.add_many(readers, NOW)
        tx.articles.add([new(1)])
        issue, edition = add_issue(tx, 1, upto_seq=5)
        with within(1):
            rows = ((reader.id, edition.id, DeliveryState.PLANNED, "") for reader in added)
            assert tx.deliveries.plan(issue.id, rows, NOW) == 20_000
        with within(0.5):
            assert tx.deliveries.sum(issue.id).pending == 20_000
