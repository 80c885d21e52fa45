"""The hub's rows on both databases: claimed once, sent once, nothing lost in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from publisher.store import HubRequest, Push, Store, Transaction

NOW = datetime(2026, 3, 2, 7, tzinfo=UTC)
SOON = NOW + timedelta(minutes=1)
LATER = NOW + timedelta(days=1)
TOPIC = "feeds/all.atom"


def ask(tx: Transaction, callback: str = "https://a.example/cb", mode: str = "subscribe", **more: str) -> HubRequest:
    topic = more.get("topic", TOPIC)
    tx.hub.ask(
        mode=mode,
        callback=callback,
        host=callback.split("/")[2],
        topic=topic,
        lease_s=600,
        secret=more.get("secret"),
        sha256="one",
        now=NOW,
    )
    return next(r for r in tx.hub.due_requests(NOW, 100) if (r.callback, r.topic) == (callback, topic))


def subscribe(tx: Transaction, callback: str = "https://a.example/cb", **more: str) -> None:
    request = ask(tx, callback, **more)
    assert tx.hub.answered(request)
    tx.hub.subscribe(request, LATER)


def due(tx: Transaction, now: datetime = NOW) -> list[Push]:
    return tx.hub.due_pushes(now, [TOPIC], 100)


def test_a_newer_request_takes_the_place_of_an_older_one_that_is_being_answered(store: Store) -> None:
    with store.write() as tx:
        first = ask(tx, secret="old")
        second = ask(tx, secret="new")
        assert tx.hub.waiting() == 1
        assert not tx.hub.answered(first)
        assert tx.hub.claim_request(second, SOON)
        assert not tx.hub.claim_request(second, SOON)
        assert tx.hub.due_requests(NOW, 10) == []
        [again] = tx.hub.due_requests(SOON, 10)
        assert (again.secret, again.due) == ("new", SOON)
        assert "new" not in repr(again)
        tx.hub.forget_requests(NOW + timedelta(seconds=1))
        assert tx.hub.waiting() == 0


def test_a_change_is_sent_to_each_subscriber_of_the_topic_once(store: Store) -> None:
    with store.write() as tx:
        subscribe(tx)
        subscribe(tx, "https://b.example/cb")
        subscribe(tx, "https://b.example/cb", topic="feeds/all.rss")
        assert tx.hub.sent_versions() == {(TOPIC, "one"), ("feeds/all.rss", "one")}
        tx.hub.schedule(TOPIC, "two", NOW)
        tx.hub.schedule(TOPIC, "two", NOW)
        assert tx.hub.sent_versions() == {(TOPIC, "two"), ("feeds/all.rss", "one")}
        pushes = due(tx)
        assert [(push.host, push.attempts, push.due) for push in pushes] == [
            ("a.example", 0, NOW),
            ("b.example", 0, NOW),
        ]
        for push in pushes:
            assert tx.hub.claim_push(push, SOON)
            assert not tx.hub.claim_push(push, SOON)
            tx.hub.pushed(push, "two", NOW)
        assert due(tx, LATER - timedelta(seconds=1)) == []


def test_a_version_that_came_while_another_was_sent_is_due_at_once(store: Store) -> None:
    with store.write() as tx:
        subscribe(tx)
        tx.hub.schedule(TOPIC, "two", NOW)
        [push] = due(tx)
        assert tx.hub.claim_push(push, SOON)
        tx.hub.schedule(TOPIC, "three", NOW)
        tx.hub.pushed(push, "two", NOW)
        [push] = due(tx)
        assert push.attempts == 0


def test_going_back_to_what_a_subscriber_has_takes_the_row_away(store: Store) -> None:
    with store.write() as tx:
        subscribe(tx)
        tx.hub.schedule(TOPIC, "two", NOW)
        tx.hub.schedule(TOPIC, "one", NOW)
        assert due(tx) == []
        assert tx.hub.sent_versions() == {(TOPIC, "one")}


def test_who_failed_comes_after_who_did_not(store: Store) -> None:
    with store.write() as tx:
        subscribe(tx)
        subscribe(tx, "https://b.example/cb")
        tx.hub.schedule(TOPIC, "two", NOW)
        first, _ = due(tx)
        assert tx.hub.claim_push(first, SOON)
        assert [(push.host, push.attempts) for push in due(tx, SOON)] == [("b.example", 0), ("a.example", 1)]


def test_a_host_with_many_requests_takes_no_turn_of_another(store: Store) -> None:
    with store.write() as tx:
        for number in range(20):
            ask(tx, f"https://many.example/{number}")
        ask(tx, "https://a.example/1")
        ask(tx, "https://a.example/2")
        ask(tx, "https://b.example/1")
        first = [request.callback for request in tx.hub.due_requests(NOW, 6)]
    places = ["many.example/0", "a.example/1", "b.example/1", "many.example/1", "a.example/2", "many.example/2"]
    assert first == [f"https://{place}" for place in places]


def test_a_host_with_many_subscriptions_takes_no_turn_of_another(store: Store) -> None:
    with store.write() as tx:
        for number in range(20):
            subscribe(tx, f"https://many.example/{number}")
        subscribe(tx)
        tx.hub.schedule(TOPIC, "two", NOW)
        assert [push.host for push in tx.hub.due_pushes(NOW, [TOPIC], 3)] == [
            "many.example",
            "a.example",
            "many.example",
        ]
        failed, *_ = due(tx)
        assert tx.hub.claim_push(failed, NOW)  # it is due again, after those of its host that did not fail
        callbacks = [push.callback for push in due(tx)]
        assert callbacks[:2] == ["https://many.example/1", "https://a.example/cb"]
        assert callbacks[-1] == failed.callback


def test_the_end_of_a_subscription_takes_what_was_to_be_sent_along(store: Store) -> None:
    with store.write() as tx:
        subscribe(tx)
        subscribe(tx, "https://b.example/cb")
        tx.hub.schedule(TOPIC, "two", NOW)
        tx.hub.end(due(tx)[0].subscription_id)
        assert [push.host for push in due(tx)] == ["b.example"]
        assert not tx.hub.has_lapsed(NOW)
        assert due(tx, LATER) == []  # its lease is over
        assert tx.hub.has_lapsed(LATER)
        assert tx.hub.lapse(LATER) == 1
        assert (tx.hub.count(), tx.hub.count("b.example"), tx.hub.sent_versions()) == (0, 0, set())


def test_a_renewal_keeps_what_is_still_to_be_sent(store: Store) -> None:
    with store.write() as tx:
        subscribe(tx)
        tx.hub.schedule(TOPIC, "two", NOW)
        subscribe(tx, secret="new")
        assert [push.secret for push in due(tx)] == ["new"]
        assert tx.hub.count() == tx.hub.count("a.example") == 1
        assert tx.hub.is_subscribed("https://a.example/cb", TOPIC)
        tx.hub.unsubscribe("https://a.example/cb", TOPIC)
        assert not tx.hub.is_subscribed("https://a.example/cb", TOPIC)


@pytest.mark.parametrize("settled", [True, False])
def test_a_ping_is_due_until_it_is_settled_and_again_when_the_feed_changes(store: Store, settled: bool) -> None:
    with store.write() as tx:
        tx.hub.want_pings(["https://hub.example/"], {TOPIC: "one"}, NOW)
        tx.hub.want_pings(["https://hub.example/"], {TOPIC: "one"}, SOON)
        [ping] = tx.hub.due_pings(SOON)
        assert (ping.since, ping.attempts) == (NOW, 0)
        assert tx.hub.claim_ping(ping, LATER)
        assert not tx.hub.claim_ping(ping, LATER)
        if settled:
            tx.hub.settle_ping(ping)
        assert tx.hub.pings_waiting() == (0 if settled else 1)
        assert len(tx.hub.due_pings(LATER)) == (0 if settled else 1)
        tx.hub.want_pings(["https://hub.example/"], {TOPIC: "two"}, SOON)
        [ping] = tx.hub.due_pings(SOON)
        assert (ping.sha256, ping.since, ping.attempts) == ("two", SOON, 0)
        tx.hub.want_pings(["https://other.example/"], {TOPIC: "two"}, SOON)
        assert [ping.hub for ping in tx.hub.due_pings(SOON)] == ["https://other.example/"]


def test_a_ping_that_is_settled_late_settles_no_newer_version(store: Store) -> None:
    with store.write() as tx:
        tx.hub.want_pings(["https://hub.example/"], {TOPIC: "one"}, NOW)
        [ping] = tx.hub.due_pings(NOW)
        tx.hub.want_pings(["https://hub.example/"], {TOPIC: "two"}, NOW)
        tx.hub.settle_ping(ping)
        assert tx.hub.pings_waiting() == 1
