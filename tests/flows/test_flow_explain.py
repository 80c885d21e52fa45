"""`explain` and the digest agree: what is said of an article for a reader is what then happens."""

from __future__ import annotations

import random

from flows.house import House, slugs_in

from publisher.digest.explain import Explanation, Verdict, Why
from publisher.flows.explain import explain_article
from publisher.flows.run import Order
from publisher.flows.subscribe import unsubscribe
from publisher.model import Frequency, SubscriberState


def said(house: House, title: str, name: str) -> Explanation:
    app = house.app
    address = f"{name}@readers.example"
    return explain_article(app.store, app.settings, app.terms, title, address, now=house.clock())[1]


def test_it_follows_an_article_from_the_slot_to_the_reader(house: House) -> None:
    house.rebuild(digest={"daily": {"enabled": False}, "monthly": {"enabled": False}})
    house.publish(Order())
    house.article("Waste")
    house.reader("alice")
    house.reader("bob", "drugs")
    house.publish(Order())
    before = said(house, "Waste", "alice")
    assert (before.verdict, before.issue) == (Verdict.WILL, "weekly-1")
    assert before.at is not None
    assert said(house, "Waste", "bob").why is Why.OTHER_TOPICS
    house.clock.now = before.at
    house.publish(Order())
    after = said(house, "Waste", "alice")
    assert (after.verdict, after.issue, after.at) == (Verdict.GOT, "weekly-1", before.at)
    house.reader("charlie")
    assert said(house, "Waste", "charlie").why is Why.BEFORE_START


def test_a_held_back_article_and_one_that_was_withdrawn(house: House) -> None:
    house.rebuild(digest={"hold_back_days": 30})
    house.article("Old", date="2019-01-01")
    house.reader("alice")
    house.publish(Order())
    assert said(house, "Old", "alice").why is Why.HELD_BACK


def test_what_is_said_beforehand_is_what_happens(house: House) -> None:
    """Many readers in all states: `will get it` of the next issue, and nobody else, gets it when that is sent."""
    choice = random.Random(4)
    readers = {}
    titles = []
    for number in range(6):
        titles.append(f"Story {number}")
        house.article(titles[-1], f"News on {choice.choice(('environment', 'drugs', 'data'))}.")
        for extra in range(3):
            topics = choice.choice((("environment",), ("drugs", "data"), ("all",)))
            name = f"reader{number}-{extra}"
            readers[name] = house.reader(name, *topics, frequency=choice.choice((Frequency.WEEKLY, Frequency.DAILY)))
        if number in {1, 3}:
            house.publish(Order(forced=(Frequency.WEEKLY,)))
        name = choice.choice(list(readers))
        unsubscribe(house.app.store, readers[name].id, now=house.clock(), reason="by the link")
        with house.app.store.write() as tx:
            name = choice.choice(list(readers))
            if tx.subscribers.get(readers[name].id).state is SubscriberState.ACTIVE:
                tx.subscribers.set_state(readers[name].id, SubscriberState.PAUSED, house.clock(), reason="their wish")
    house.publish(Order(digests=False))
    house.clock.forward(minutes=1)
    expected = {
        (name, title)
        for name in readers
        for title in titles
        if (answer := said(house, title, name)).verdict is Verdict.WILL and answer.issue.startswith("weekly-")
    }
    before = set(house.outbox.glob("*.eml"))
    house.publish(Order(forced=(Frequency.WEEKLY,)))
    got = {
        (name, title)
        for path in set(house.outbox.glob("*.eml")) - before
        for name in readers
        if f"-{name}-at-" in path.name
        for title in titles
        if title.lower().replace(" ", "-") in slugs_in(path.read_bytes())
    }
    assert got == expected and expected
    for name, title in got:
        assert said(house, title, name).verdict is Verdict.GOT
