from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest
from store_samples import DAY, NOW, add_reader

from publisher.errors import NotFound, UsageError
from publisher.model import STAYING, Frequency, SubscriberState
from publisher.store import AudienceRow, NewSubscriber, Store, SubscriberEvent, Transaction


def test_a_reader_comes_back_as_added(store: Store) -> None:
    with store.write() as tx:
        alice = add_reader(tx, "alice", topics=["region-mena", "environment"], watermark=7)
        assert tx.subscribers.get(alice.id) == tx.subscribers.find("Alice@CUSTOMS.example") == alice
        assert (alice.topics, alice.watermark, alice.created) == (("environment", "region-mena"), 7, NOW)
        assert tx.subscribers.find("bob@customs.example") is None


def test_a_mailbox_is_added_once_however_it_is_spelled(store: Store) -> None:
    with store.write() as tx:
        alice = add_reader(tx, "alice", state=SubscriberState.PAUSED)
        with pytest.raises(UsageError, match=f"subscriber {alice.id} already, paused") as caught:
            add_reader(tx, "ALICE")
        assert "customs.example" not in str(caught.value)


def test_an_import_adds_what_is_new_and_leaves_the_rest_alone(store: Store) -> None:
    def row(name: str) -> NewSubscriber:
        return NewSubscriber(
            email=f"{name}@customs.example",
            frequency=Frequency.DAILY,
            language="en",
            topics=("environment", "digital-customs"),
            state=SubscriberState.ACTIVE,
            watermark=3,
        )

    with store.write() as tx:
        add_reader(tx, "alice", topics=())
        added = tx.subscribers.add_many([row("bob"), row("ALICE"), row("Bob"), row("charlie")], NOW)
        assert [reader.email.partition("@")[0] for reader in added] == ["bob", "charlie"]
        assert tx.subscribers.get(added[1].id) == added[1]
        assert added[0].topics == ("environment", "digital-customs")
        assert tx.subscribers.count() == 3
        assert tx.subscribers.add_many([row("bob")], NOW) == []


def test_each_change_is_noted_once_and_without_an_address(store: Store) -> None:
    with store.write() as tx:
        alice = add_reader(tx, "alice", state=SubscriberState.PENDING)
        for _ in range(2):  # the second time nothing changes
            tx.subscribers.set_state(alice.id, SubscriberState.ACTIVE, NOW + DAY, reason="confirmed by link")
            tx.subscribers.set_topics(alice.id, ["region-mena", "environment"], NOW + DAY)
            tx.subscribers.set_frequency(alice.id, Frequency.DAILY, NOW + DAY)
            changed = tx.subscribers.set_language(alice.id, "fr", NOW + DAY)
        assert (changed.state, changed.frequency, changed.language) == (SubscriberState.ACTIVE, Frequency.DAILY, "fr")
        assert changed.topics == ("environment", "region-mena")
        assert tx.subscribers.events(alice.id) == [
            SubscriberEvent(NOW, "added", "pending, weekly: environment"),
            SubscriberEvent(NOW + DAY, "state", "pending -> active: confirmed by link"),
            SubscriberEvent(NOW + DAY, "topics", "environment, region-mena"),
            SubscriberEvent(NOW + DAY, "frequency", "weekly -> daily"),
            SubscriberEvent(NOW + DAY, "language", "en -> fr"),
        ]


def test_settings_never_move_the_watermark(store: Store) -> None:
    with store.write() as tx:
        alice = add_reader(tx, "alice", watermark=5)
        tx.subscribers.set_state(alice.id, SubscriberState.PAUSED, NOW, reason="asked")
        tx.subscribers.set_frequency(alice.id, Frequency.MONTHLY, NOW)
        tx.subscribers.set_topics(alice.id, [], NOW)
        assert tx.subscribers.set_state(alice.id, SubscriberState.ACTIVE, NOW, reason="asked").watermark == 5
        tx.subscribers.raise_watermark(alice.id, 4)
        assert tx.subscribers.get(alice.id).watermark == 5
        tx.subscribers.raise_watermark(alice.id, 9)
        assert tx.subscribers.get(alice.id).watermark == 9


def test_a_forgotten_reader_leaves_no_address_and_the_number_is_never_used_again(store: Store) -> None:
    with store.write() as tx:
        alice = add_reader(tx, "alice")
        tx.subscribers.remove(alice.id, NOW)
        assert tx.subscribers.find("alice@customs.example") is None
        assert tx.subscribers.count(topic="environment") == 0
        assert [event.event for event in tx.subscribers.events(alice.id)] == ["added", "forgotten"]
    with store.write() as tx:
        assert add_reader(tx, "alice").id > alice.id


def test_what_is_not_there_is_not_found(store: Store) -> None:
    with store.write() as tx:
        for attempt in (
            lambda: tx.subscribers.get(1),
            lambda: tx.subscribers.remove(1, NOW),
            lambda: tx.subscribers.set_topics(1, [], NOW),
            lambda: tx.subscribers.set_state(1, SubscriberState.ACTIVE, NOW, reason=""),
        ):
            with pytest.raises(NotFound):
                attempt()


def test_readers_are_listed_and_counted_by_state_frequency_and_topic(store: Store) -> None:
    with store.write() as tx:
        alice = add_reader(tx, "alice")
        bob = add_reader(tx, "bob", frequency=Frequency.DAILY, topics=["region-mena"])
        charlie = add_reader(tx, "charlie", state=SubscriberState.PENDING, topics=["environment", "region-mena"])
        assert tx.subscribers.list() == [alice, bob, charlie]
        assert tx.subscribers.list(after_id=alice.id, limit=1) == [bob]
        assert tx.subscribers.list(topic="region-mena") == [bob, charlie]
        assert tx.subscribers.list(state=SubscriberState.ACTIVE, frequency=Frequency.WEEKLY) == [alice]
        assert tx.subscribers.count(topic="environment") == 2
        assert tx.subscribers.counts() == {
            **dict.fromkeys(SubscriberState, 0),
            SubscriberState.ACTIVE: 2,
            SubscriberState.PENDING: 1,
        }


def test_the_audience_is_the_active_readers_of_the_frequency_in_batches(store: Store) -> None:
    with store.write() as tx:
        readers = [add_reader(tx, f"reader{n}", watermark=n) for n in range(5)]
        add_reader(tx, "bob", frequency=Frequency.DAILY)
        tx.subscribers.set_state(readers[1].id, SubscriberState.PAUSED, NOW, reason="asked")
        tx.subscribers.set_topics(readers[2].id, [], NOW)
        batches = list(tx.subscribers.audience(Frequency.WEEKLY, batch=3))
        assert [len(batch) for batch in batches] == [3, 1]
        assert [row for batch in batches for row in batch] == [
            AudienceRow(readers[n].id, "en", () if n == 2 else ("environment",), n) for n in (0, 2, 3, 4)
        ]


def meanwhile(pool: ThreadPoolExecutor, store: Store, change: Callable[[Transaction], object]) -> Future[None]:
    """Another process's transaction: it has begun, and is done or has to wait, when this returns."""

    def work() -> None:
        with store.write() as tx:
            change(tx)

    working = pool.submit(work)
    wait([working], timeout=0.3)
    return working


def test_who_leaves_while_their_settings_are_saved_has_left(store: Store) -> None:
    with store.write() as tx:
        number = add_reader(tx, "alice", state=SubscriberState.PAUSED).id
    with ThreadPoolExecutor() as pool, store.write() as tx:
        assert tx.subscribers.get(number).state in STAYING
        leaving = meanwhile(
            pool,
            store,
            lambda other: other.subscribers.set_state(number, SubscriberState.UNSUBSCRIBED, NOW, reason="one click"),
        )
        tx.subscribers.set_state(number, SubscriberState.ACTIVE, NOW, reason="on the preference page")
    leaving.result()
    with store.read() as tx:
        assert tx.subscribers.get(number).state is SubscriberState.UNSUBSCRIBED
        assert tx.subscribers.events(number)[-1].detail == "active -> unsubscribed: one click"


def test_the_same_topics_chosen_twice_at_once_are_chosen_once(store: Store) -> None:
    chosen = ("environment", "digital-customs")
    with store.write() as tx:
        number = add_reader(tx, "alice").id
    with ThreadPoolExecutor() as pool, store.write() as tx:
        tx.subscribers.set_topics(number, chosen, NOW)
        again = meanwhile(pool, store, lambda other: other.subscribers.set_topics(number, chosen, NOW))
    again.result()
    with store.read() as tx:
        assert tx.subscribers.get(number).topics == chosen
        assert [event.event for event in tx.subscribers.events(number)] == ["added", "topics"]
