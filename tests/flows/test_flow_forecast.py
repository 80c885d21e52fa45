"""What a reader is told to get next is what they then get; pauses end by themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flows.house import FEEDS_ONLY, START, House, slugs_in

from publisher.flows.forecast import next_letter
from publisher.flows.preferences import Wishes, change_preferences
from publisher.flows.run import Order
from publisher.model import Frequency, NextLetter, Subscriber, SubscriberState


def told(house: House, reader: Subscriber) -> NextLetter:
    with house.app.store.read() as tx:
        present = tx.subscribers.get(reader.id)
        return next_letter(tx, house.app.settings, present, terms=house.app.terms, now=house.clock())


def wish(house: House, reader: Subscriber, *topics: str, until: datetime | None = None, paused: bool = False) -> None:
    wishes = Wishes(topics or ("environment",), Frequency.WEEKLY, paused or until is not None, until)
    order = house.app.topic_order
    change_preferences(house.app.store, reader.id, wishes, topic_order=order, now=house.clock())


def letters(house: House) -> list[tuple[str, ...]]:
    return sorted(slugs_in(path.read_bytes()) for path in house.outbox.glob("*.eml"))


def test_the_letter_that_comes_is_the_one_that_was_told(house: House) -> None:
    house.clock.now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    house.publish(Order())
    alice = house.reader("alice", "environment", "drugs")
    for name in ("One", "Two"):
        house.article(name)
    house.article("Three", "News on drugs.")
    house.article("Four", "News on data.")
    house.publish(FEEDS_ONLY)
    coming = told(house, alice)
    assert coming == NextLetter(at=datetime(2026, 1, 12, 7, tzinfo=UTC), waiting=3)
    house.clock.now = datetime(2026, 1, 12, 7, tzinfo=UTC)
    assert told(house, alice) == NextLetter(at=coming.at, is_due=True, waiting=3)
    house.publish(Order())
    assert [len(slugs) for slugs in letters(house)] == [3]
    assert told(house, alice) == NextLetter(at=datetime(2026, 1, 19, 7, tzinfo=UTC), waiting=0)


def test_what_a_letter_brought_already_does_not_wait_again_under_a_new_topic(house: House) -> None:
    alice = house.reader("alice")
    house.article("Both", "News on environment and drugs.")
    house.article("Other", "News on drugs.")
    house.publish()
    wish(house, alice, "environment", "drugs")
    assert told(house, alice).waiting == 0
    house.article("Third", "News on drugs.")
    house.publish(FEEDS_ONLY)
    assert told(house, alice).waiting == 1


@pytest.mark.usefixtures("no_pauses")
def test_a_letter_on_its_way_is_named_and_its_articles_do_not_wait_twice(posting: House) -> None:
    alice = posting.reader("alice")
    posting.article("One")
    posting.rebuild(smtp={"host": "127.0.0.1", "port": 1, "security": "none"})  # nobody listens there
    posting.publish()
    assert told(posting, alice).on_its_way == "weekly-1"
    assert told(posting, alice).waiting == 0


def test_after_a_dated_pause_one_letter_brings_all_that_was_missed_and_nothing_twice(house: House) -> None:
    alice, bob = house.reader("alice"), house.reader("bob")
    house.article("Before")
    house.publish()
    until = datetime(2026, 3, 20, tzinfo=UTC)
    wish(house, alice, until=until)
    assert told(house, alice) == NextLetter(at=datetime(2026, 3, 23, 7, tzinfo=UTC), waiting=0)
    for day, name in ((9, "Missed"), (16, "Missed too"), (23, "Last")):
        house.clock.now = datetime(2026, 3, day, 7, tzinfo=UTC)
        house.article(name)
        house.publish(Order())
    assert house.subscriber(alice).state is SubscriberState.ACTIVE
    assert house.subscriber(alice).paused_until is None
    of_bob = [("before",), ("missed",), ("missed-too",), ("last",)]
    of_alice = [("before",), ("last", "missed-too", "missed")]
    assert letters(house) == sorted(of_bob + of_alice)
    assert told(house, alice) == told(house, bob)
    house.check_sums()


def test_a_pause_without_an_end_stays_and_other_states_are_left_alone(house: House) -> None:
    alice, bob = house.reader("alice"), house.reader("bob")
    wish(house, alice, paused=True)
    wish(house, bob, until=START + timedelta(days=1))
    with house.app.store.write() as tx:
        tx.subscribers.set_state(bob.id, SubscriberState.UNSUBSCRIBED, START, reason="left meanwhile")
    house.clock.forward(days=400)
    house.publish()
    assert house.subscriber(alice).state is SubscriberState.PAUSED
    assert house.subscriber(bob).state is SubscriberState.UNSUBSCRIBED
    assert told(house, alice).at is None


def test_a_dry_run_wakes_nobody(house: House) -> None:
    alice = house.reader("alice")
    house.article("One")
    wish(house, alice, until=START + timedelta(days=1))
    house.clock.forward(days=2)
    assert [issue.letters for issue in house.plan().issues] == [1]
    assert house.subscriber(alice).state is SubscriberState.PAUSED
