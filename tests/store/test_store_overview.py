"""The numbers of the operator's first page, the log of changes, and API tokens: on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from store_samples import DAY, MINUTE, NOW, add_issue, add_reader, claim, filing, new

from publisher.errors import Conflict, NotFound
from publisher.model import DeliveryState, Frequency, SubscriberState
from publisher.store import KeptRequest, Outcome, Store, TopicMonth, TopicReaders, Trouble


def test_articles_are_counted_by_topic_and_month_from_a_day_on(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1), new(2, published=NOW - 40 * DAY), new(3, published=NOW - 400 * DAY)])
        tx.filings.add([filing(1), filing(2), filing(3), filing(1, "digital-customs")])
    with store.read() as tx:
        assert tx.overview.articles_by_month(datetime(2026, 1, 1, tzinfo=UTC)) == [
            TopicMonth("digital-customs", "2026-03", 1),
            TopicMonth("environment", "2026-01", 1),
            TopicMonth("environment", "2026-03", 1),
        ]


def test_only_active_readers_are_counted_under_each_of_their_topics(store: Store) -> None:
    with store.write() as tx:
        add_reader(tx, "alice", topics=("environment", "digital-customs"))
        add_reader(tx, "bob", frequency=Frequency.DAILY)
        add_reader(tx, "carol", state=SubscriberState.PENDING)
    with store.read() as tx:
        assert tx.overview.readers_by_topic() == [
            TopicReaders("digital-customs", Frequency.WEEKLY, 1),
            TopicReaders("environment", Frequency.DAILY, 1),
            TopicReaders("environment", Frequency.WEEKLY, 1),
        ]


def test_active_readers_who_follow_none_of_some_topics_are_counted_by_what_they_follow(store: Store) -> None:
    with store.write() as tx:
        add_reader(tx, "alice", topics=("environment", "digital-customs"))
        add_reader(tx, "bob", topics=("environment",))
        add_reader(tx, "carol", topics=("environment", "green"))
        add_reader(tx, "dora", topics=("environment",), state=SubscriberState.PENDING)
    with store.read() as tx:
        assert tx.overview.readers_without(["digital-customs", "all"]) == [("environment", 2), ("green", 1)]
        assert tx.overview.readers_without(["environment"]) == []


def test_letters_that_failed_are_counted_by_reason(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1)])
        issue, edition = add_issue(tx, 1, upto_seq=1)
        readers = [add_reader(tx, name).id for name in ("alice", "bob", "carol")]
        tx.deliveries.plan(issue.id, [(number, edition.id, DeliveryState.PLANNED, "") for number in readers], NOW)
        jobs = claim(tx, NOW, 2, uncertain=False, until=NOW + MINUTE)
        said = (DeliveryState.REJECTED, "550 no such mailbox", "", None)
        tx.deliveries.record([Outcome(job.key, *said) for job in jobs], NOW)
    with store.read() as tx:
        assert tx.overview.troubles([issue.id], 10) == [
            Trouble(issue.id, DeliveryState.REJECTED, "550 no such mailbox", 2)
        ]
        assert tx.overview.troubles([], 10) == []


def test_the_log_goes_back_page_by_page(store: Store) -> None:
    with store.write() as tx:
        for number in range(5):
            tx.audit.add("admin", "article added", f"key{number}", NOW)
    with store.read() as tx:
        first = tx.audit.list(2)
        assert [line.subject for line in first] == ["key4", "key3"]
        assert [line.subject for line in tx.audit.list(9, before=first[-1].id)] == ["key2", "key1", "key0"]


def test_a_token_has_a_name_of_its_own_and_is_revoked_once(store: Store) -> None:
    with store.write() as tx:
        token = tx.api_tokens.add("robot", "00", ("runs:read",), NOW, None)
        with pytest.raises(Conflict, match="robot"):
            tx.api_tokens.add("robot", "01", ("runs:read",), NOW, None)
        assert tx.api_tokens.find(token.id) == (token, "00")
        assert tx.api_tokens.find(token.id + 1) is None
        assert tx.api_tokens.revoke("robot", NOW)
        assert not tx.api_tokens.revoke("robot", NOW + DAY)
        with pytest.raises(NotFound):
            tx.api_tokens.revoke("nobody", NOW)
        assert tx.api_tokens.list()[0].revoked == NOW


def test_a_kept_request_is_known_for_a_week(store: Store) -> None:
    with store.write() as tx:
        token = tx.api_tokens.add("robot", "00", ("runs:write",), NOW, None)
        tx.api_tokens.keep_request(token.id, "one", KeptRequest("ab", 7), NOW)
        assert tx.api_tokens.request(token.id, "one") == KeptRequest("ab", 7)
        tx.api_tokens.keep_request(token.id, "two", KeptRequest("ab", 8), NOW + timedelta(days=8))
        assert tx.api_tokens.request(token.id, "one") is None


def test_sessions_end_with_their_operator_and_with_time(store: Store) -> None:
    with store.write() as tx:
        assert not tx.operators.any()
        assert tx.operators.set_password("ann", "hash", NOW)
        tx.operators.open_session("aa", "ann", NOW)
        tx.operators.open_session("bb", "ann", NOW + DAY)
        tx.operators.close_old_sessions(created_before=NOW + DAY, seen_before=NOW)
        assert tx.operators.session("aa") is None
        assert tx.operators.session("bb") is not None
        assert not tx.operators.set_password("ann", "other", NOW + DAY)
        assert tx.operators.session("bb") is None
        tx.operators.open_session("cc", "ann", NOW)
        tx.operators.remove("ann")
        assert tx.operators.session("cc") is None
        assert tx.operators.password("ann") is None


def test_a_part_of_an_address_finds_its_reader_whatever_the_case(store: Store) -> None:
    with store.write() as tx:
        alice = add_reader(tx, "alice")
        add_reader(tx, "bob")
        assert tx.subscribers.search("ALI", 10) == [alice]
        assert tx.subscribers.search("%", 10) == []
        assert len(tx.subscribers.search("customs", 1)) == 1


def test_withdrawn_articles_are_a_list_of_their_own(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1), new(2)])
        tx.filings.add([filing(1), filing(2)])
        tx.departures.withdraw("key000001", NOW, "Wrong.")
    with store.read() as tx:
        assert [filed.article.key for filed in tx.articles.list(withdrawn=True)] == ["key000001"]
        assert [filed.article.key for filed in tx.articles.list(topic="environment")] == ["key000002"]
