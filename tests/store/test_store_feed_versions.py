"""What is remembered of the former versions of a feed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from publisher.store import FeedVersion, Store
from publisher.store.feed_versions import KEPT

NOW = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
PATH = "feeds/all.atom"


def digest(n: int) -> str:
    return f"{n:064x}"[::-1]


def test_a_version_is_found_by_the_first_digits_of_its_hash(store: Store) -> None:
    with store.write() as tx:
        tx.feed_versions.put([FeedVersion(PATH, digest(1), NOW, ("aa", "bb"))])
        tx.feed_versions.put([FeedVersion(PATH, digest(2), NOW + timedelta(seconds=1), ())])
    with store.read() as tx:
        assert tx.feed_versions.marks(PATH, digest(1)[:32]) == {"aa", "bb"}
        assert tx.feed_versions.marks(PATH, digest(2)[:32]) == set()
        assert tx.feed_versions.marks(PATH, "f" * 32) is None
        assert tx.feed_versions.marks("feeds/other.atom", digest(1)[:32]) is None


def test_the_oldest_versions_are_forgotten_and_other_feeds_left_alone(store: Store) -> None:
    with store.write() as tx:
        tx.feed_versions.put([FeedVersion("feeds/other.atom", digest(0), NOW - timedelta(days=1), ("aa",))])
        for n in range(KEPT + 3):
            tx.feed_versions.put([FeedVersion(PATH, digest(n), NOW + timedelta(seconds=n), (str(n),))])
    with store.read() as tx:
        remembered = [n for n in range(KEPT + 3) if tx.feed_versions.marks(PATH, digest(n)) is not None]
        assert remembered == list(range(3, KEPT + 3))
        assert tx.feed_versions.marks("feeds/other.atom", digest(0)) == {"aa"}
        assert tx.feed_versions.paths() == {PATH, "feeds/other.atom"}


def test_bytes_that_come_back_are_remembered_once(store: Store) -> None:
    with store.write() as tx:
        tx.feed_versions.put([FeedVersion(PATH, digest(1), NOW, ("aa",))])
        tx.feed_versions.put([FeedVersion(PATH, digest(1), NOW + timedelta(hours=1), ("aa",))])
    with store.read() as tx:
        assert tx.feed_versions.marks(PATH, digest(1)) == {"aa"}
