"""What becomes of letters: each outcome of the wire, and who is not harmed by it."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flows.house import FEEDS_ONLY, WEEKLY, House, headers, name_of, relay_settings, slugs_in, topic_rules
from wire.servers import DROP, TAKEN_THEN_DROP, Relay

from publisher.errors import StoreError
from publisher.flows import sending
from publisher.flows.deliver import DOUBT
from publisher.flows.ledger_desk import LedgerDesk
from publisher.flows.ledger_tray import Batch, LedgerTray
from publisher.flows.run import Order, publish
from publisher.flows.subscribe import unsubscribe
from publisher.mail.backoff import DOUBTS
from publisher.model import Delivery, DeliveryState, Frequency, IssueState, RunState, SubscriberState
from publisher.smtp.postman import Handed, deliver_all
from publisher.store import Job, Key
from publisher.store.deliveries import Deliveries


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Knock again at once at a relay that does not answer."""
    monkeypatch.setattr(sending, "deliver_all", partial(deliver_all, pauses_s=(0.0,)))


def letters_of(relay: Relay, name: str) -> list[tuple[str, ...]]:
    return [slugs_in(taken.content) for taken in relay.taken if name_of(taken) == name]


def row_of(house: House, name: str, number: int = -1) -> Delivery:
    with house.app.store.read() as tx:
        reader = tx.subscribers.find(f"{name}@readers.example")
        assert reader is not None
        return tx.deliveries.of_issue(tx.issues.numbered()[number].id)[reader.id - 1]


def state_of(house: House, name: str) -> SubscriberState:
    with house.app.store.read() as tx:
        reader = tx.subscribers.find(f"{name}@readers.example")
    assert reader is not None
    return reader.state


def three_readers(house: House) -> None:
    house.article("Waste")
    for name in ("alice", "bob", "charlie"):
        house.reader(name)


def test_every_reader_gets_the_letter_and_the_issue_is_finished(posting_anywhere: House, relay: Relay) -> None:
    three_readers(posting_anywhere)
    run, report = posting_anywhere.publish()
    assert run.state is RunState.DONE
    assert dict(report.delivery.states) == {DeliveryState.ACCEPTED: 3}
    assert sorted(map(name_of, relay.taken)) == ["alice", "bob", "charlie"]
    assert {slugs_in(taken.content) for taken in relay.taken} == {("waste",)}
    (issue,) = posting_anywhere.issues()
    assert issue.state is IssueState.FINISHED
    posting_anywhere.check_sums()
    with posting_anywhere.app.store.read() as tx:
        assert {reader.watermark for reader in tx.subscribers.list()} == {issue.upto_seq}


def test_a_deferred_letter_waits_for_its_time_and_is_then_sent(posting_anywhere: House, relay: Relay) -> None:
    house = posting_anywhere
    three_readers(house)
    relay.rcpt["bob@readers.example"] = "450 4.2.0 not now"
    run, report = house.publish()
    assert run.state is RunState.DONE and report.delivery.waiting == 1
    assert dict(report.delivery.states) == {DeliveryState.ACCEPTED: 2, DeliveryState.DEFERRED: 1}
    assert house.issues()[0].state is IssueState.SENDING
    relay.rcpt.clear()
    assert not house.deliver().states, "its time has not come"
    due = row_of(house, "bob").next_attempt
    assert due is not None and due > house.clock()
    house.clock.now = due
    assert dict(house.deliver().states) == {DeliveryState.ACCEPTED: 1}
    assert letters_of(relay, "bob") == [("waste",)]
    assert house.issues()[0].state is IssueState.FINISHED
    house.check_sums()


def test_a_dead_address_bounces_its_reader_alone(posting: House, relay: Relay) -> None:
    three_readers(posting)
    relay.rcpt["bob@readers.example"] = "550 5.1.1 no such user"
    relay.rcpt["charlie@readers.example"] = "550 5.7.1 we do not like this"
    posting.publish()
    assert [row_of(posting, name).state for name in ("alice", "bob", "charlie")] == [
        DeliveryState.ACCEPTED, DeliveryState.REJECTED, DeliveryState.REJECTED,
    ]  # fmt: skip
    assert [state_of(posting, name) for name in ("alice", "bob", "charlie")] == [
        SubscriberState.ACTIVE, SubscriberState.BOUNCED, SubscriberState.ACTIVE,
    ]  # fmt: skip
    assert posting.issues()[0].state is IssueState.FINISHED
    posting.check_sums()


def test_the_next_issue_brings_what_was_refused_before(posting: House, relay: Relay) -> None:
    three_readers(posting)
    relay.rcpt["bob@readers.example"] = "550 5.7.1 we do not like this"
    posting.publish()
    relay.rcpt.clear()
    posting.clock.forward(days=7)
    posting.article("Plastics")
    posting.publish()
    assert letters_of(relay, "alice") == [("waste",), ("plastics",)]
    assert letters_of(relay, "bob") == [("plastics", "waste")]


def test_a_relay_that_is_down_leaves_everything_planned_and_the_run_says_why(posting: House, relay: Relay) -> None:
    three_readers(posting)
    relay.greeting = lambda number: DROP
    run, report = posting.publish()
    assert run.state is RunState.FAILED
    assert f"{relay.endpoint.host}:{relay.endpoint.port}" in report.delivery.problem
    assert run.report["delivery"]["problem"] == report.delivery.problem
    assert "@" not in report.delivery.problem
    assert (posting.site / "feeds/environment.atom").exists(), "the feeds do not wait for the relay"
    (issue,) = posting.issues()
    assert {row.state for row in posting.deliveries(issue).values()} == {DeliveryState.PLANNED}
    assert {row.attempts for row in posting.deliveries(issue).values()} == {0}
    relay.greeting = lambda number: None
    run, report = posting.publish(FEEDS_ONLY)
    assert run.state is RunState.DONE
    assert dict(report.delivery.states) == {DeliveryState.ACCEPTED: 3}
    posting.check_sums()


def test_a_reader_who_leaves_between_composing_and_sending_gets_nothing(posting: House, relay: Relay) -> None:
    three_readers(posting)
    relay.greeting = lambda number: DROP
    posting.publish()
    relay.greeting = lambda number: None
    with posting.app.store.read() as tx:
        bob = tx.subscribers.find("bob@readers.example")
    assert bob is not None
    unsubscribe(posting.app.store, bob.id, now=posting.clock(), reason="by the link in a letter")
    posting.deliver()
    assert sorted(map(name_of, relay.taken)) == ["alice", "charlie"]
    assert (row_of(posting, "bob").state, row_of(posting, "bob").reason) == (DeliveryState.SUPPRESSED, "left")
    assert posting.issues()[0].state is IssueState.FINISHED
    posting.check_sums()


def test_a_newer_issue_takes_over_what_is_deferred(posting_anywhere: House, relay: Relay) -> None:
    house = posting_anywhere
    three_readers(house)
    relay.rcpt["bob@readers.example"] = "450 4.2.0 not now"
    house.publish()
    relay.rcpt.clear()
    house.article("Plastics")
    house.clock.forward(minutes=1)
    house.publish()
    assert letters_of(relay, "bob") == [("plastics", "waste")]
    assert letters_of(relay, "alice") == [("waste",), ("plastics",)]
    old = row_of(house, "bob")
    assert (old.state, old.reason) == (DeliveryState.EXPIRED, "taken over by weekly-2")
    assert {issue.state for issue in house.issues()} == {IssueState.FINISHED}
    house.clock.forward(days=1)
    assert not house.deliver().states
    house.check_sums()


def test_a_letter_deferred_for_too_long_is_given_up_and_comes_with_the_next_issue(posting: House, relay: Relay) -> None:
    three_readers(posting)
    relay.rcpt["bob@readers.example"] = "450 4.2.0 not now"
    posting.publish()
    relay.rcpt.clear()
    posting.clock.forward(hours=posting.app.settings.smtp.give_up_hours, seconds=1)
    posting.deliver()
    assert (row_of(posting, "bob").state, row_of(posting, "bob").reason) == (DeliveryState.EXPIRED, "given up")
    assert posting.issues()[0].state is IssueState.FINISHED
    posting.article("Plastics")
    posting.publish()
    assert letters_of(relay, "bob") == [("plastics", "waste")]


def test_answers_of_the_relay_outlast_a_store_that_is_away_for_a_moment(
    posting: House, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_readers(posting)
    write, away = LedgerTray._write, [1, 2, 3]

    def away_for_a_moment(self: LedgerTray, store: Any, batch: Batch) -> set[Key]:
        if batch.outcomes and away:
            away.pop()
            raise StoreError("the database server cannot be reached")
        return write(self, store, batch)

    monkeypatch.setattr(LedgerTray, "_write", away_for_a_moment)
    with pytest.raises(StoreError):
        posting.publish()
    with posting.app.store.read() as tx:
        taken = {row.state for row in tx.deliveries.of_issue(1) if row.attempts}
    assert relay.taken and taken == {DeliveryState.ACCEPTED}
    posting.deliver()
    assert [letters_of(relay, name) for name in ("alice", "bob", "charlie")] == [[("waste",)]] * 3
    posting.check_sums()


class TestALetterWhoseReplyWasLost:
    @pytest.fixture
    def lost(self, posting: House, relay: Relay) -> None:
        three_readers(posting)
        relay.content["bob@readers.example"] = DROP
        assert posting.publish()[0].state is RunState.DONE
        assert row_of(posting, "bob").state is DeliveryState.UNCERTAIN
        relay.content.clear()

    @pytest.mark.usefixtures("lost")
    def test_is_sent_again_byte_for_byte_after_a_while(self, posting: House, relay: Relay) -> None:
        assert posting.issues()[0].state is IssueState.SENDING
        assert not posting.deliver().states
        posting.clock.now += DOUBT
        posting.deliver()
        assert letters_of(relay, "bob") == [("waste",)]
        assert row_of(posting, "bob").state is DeliveryState.ACCEPTED
        assert posting.issues()[0].state is IssueState.FINISHED
        posting.check_sums()

    @pytest.mark.usefixtures("lost")
    def test_is_held_where_the_settings_say_so(self, posting: House, relay: Relay) -> None:
        posting.rebuild(smtp={**posting.values["smtp"], "on_uncertain": "hold"})
        posting.clock.forward(days=3)
        posting.deliver()
        assert letters_of(relay, "bob") == []
        assert row_of(posting, "bob").state is DeliveryState.UNCERTAIN
        assert posting.issues()[0].state is IssueState.FINISHED
        posting.check_sums()

    @pytest.mark.usefixtures("lost")
    def test_is_given_up_in_the_end_and_its_articles_come_with_the_next_issue(
        self, posting: House, relay: Relay
    ) -> None:
        posting.clock.forward(hours=posting.app.settings.smtp.give_up_hours, seconds=1)
        assert posting.deliver().waiting == 0
        assert row_of(posting, "bob").state is DeliveryState.UNCERTAIN, "nobody knows better"
        assert posting.issues()[0].state is IssueState.FINISHED
        posting.article("Plastics")
        posting.publish()
        assert letters_of(relay, "bob") == [("plastics", "waste")], "a second copy is better than none"
        assert letters_of(relay, "alice") == [("waste",), ("plastics",)]

    @pytest.mark.usefixtures("lost")
    def test_counts_among_what_waits_with_the_time_at_which_it_goes_on(self, posting: House) -> None:
        report = posting.deliver()
        assert (report.waiting, dict(report.states)) == (1, {})
        assert report.outlook is not None
        assert report.outlook.goes_on == report.outlook.next_due == posting.clock() + DOUBT

    @pytest.mark.usefixtures("lost")
    def test_is_not_sent_from_a_finished_issue_when_its_reader_comes_back_from_a_pause(
        self, posting: House, relay: Relay
    ) -> None:
        with posting.app.store.write() as tx:
            bob = tx.subscribers.find("bob@readers.example")
            assert bob is not None
            tx.subscribers.set_state(bob.id, SubscriberState.PAUSED, posting.clock(), reason="holiday")
        posting.clock.now += DOUBT
        assert posting.deliver().waiting == 0
        assert posting.issues()[0].state is IssueState.FINISHED
        with posting.app.store.write() as tx:
            tx.subscribers.set_state(bob.id, SubscriberState.ACTIVE, posting.clock(), reason="back")
        assert posting.deliver().waiting == 0
        assert letters_of(relay, "bob") == [], "the next issue brings it"
        posting.article("Plastics")
        posting.publish()
        assert letters_of(relay, "bob") == [("plastics", "waste")]

    @pytest.mark.usefixtures("lost")
    def test_is_never_sent_more_than_so_often_where_each_reply_is_lost(self, posting: House, relay: Relay) -> None:
        posting.rebuild(smtp={**posting.values["smtp"], "give_up_hours": 300})
        relay.content["bob@readers.example"] = TAKEN_THEN_DROP
        for _ in range(12):
            posting.clock.forward(hours=5)
            posting.deliver()
        assert len(letters_of(relay, "bob")) == DOUBTS - 1, "the first one was not taken"
        assert posting.issues()[0].state is IssueState.FINISHED


def test_articles_of_a_letter_in_doubt_come_again_and_those_of_an_accepted_one_do_not(
    posting: House, relay: Relay
) -> None:
    posting.article("Waste", "On environment, with cobalt.")
    posting.reader("alice", "data", "environment")
    posting.reader("bob", "data", "environment")
    relay.content["bob@readers.example"] = DROP
    posting.publish()
    relay.content.clear()
    posting.rebuild(topics=topic_rules(data=("cobalt",)))
    posting.clock.forward(minutes=1)
    posting.article("Plastics")
    posting.publish()
    assert letters_of(relay, "alice") == [("waste",), ("plastics",)], "filed once more, and not sent once more"
    assert [set(letter) for letter in letters_of(relay, "bob")] == [{"plastics", "waste"}]


def test_a_letter_put_off_for_the_relays_fault_costs_its_reader_no_attempt(posting: House, relay: Relay) -> None:
    three_readers(posting)
    relay.rcpt["bob@readers.example"] = "554 5.7.1 Relay access denied"
    assert posting.publish()[1].delivery.problem
    row = row_of(posting, "bob")
    assert (row.state, row.attempts) == (DeliveryState.DEFERRED, 0)
    relay.rcpt.clear()
    posting.clock.forward(hours=1)
    posting.deliver()
    assert row_of(posting, "bob").attempts == 1


def test_a_letter_sent_again_has_the_same_message_id_and_the_same_bytes(posting: House, relay: Relay) -> None:
    three_readers(posting)
    relay.content["bob@readers.example"] = TAKEN_THEN_DROP
    posting.publish()
    relay.content.clear()
    posting.rebuild()  # another process
    posting.clock.now += DOUBT
    posting.deliver()
    again = [taken.content for taken in relay.taken if name_of(taken) == "bob"]
    assert len(again) == 2 and again[0] == again[1]
    assert headers(again[0])["Message-ID"].endswith("@publisher.example>")


def test_a_stopped_run_finishes_the_letters_in_hand_and_the_next_one_the_rest(posting: House, relay: Relay) -> None:
    posting.article("Waste")
    for number in range(12):
        posting.reader(f"reader{number:02}")

    async def stopped_after_three() -> None:
        stop = asyncio.Event()

        def progress(step: str, done: int, _total: int) -> None:
            if step == "sending letters" and done >= 3:
                stop.set()

        await publish(posting.app.parts, WEEKLY, progress=progress, stop=stop)

    asyncio.run(stopped_after_three())
    (issue,) = posting.issues()
    states = [row.state for row in posting.deliveries(issue).values()]
    accepted = states.count(DeliveryState.ACCEPTED)
    assert 3 <= accepted <= 3 + posting.app.settings.smtp.connections
    assert states.count(DeliveryState.PLANNED) == 12 - accepted
    posting.deliver()
    assert sorted(map(name_of, relay.taken)) == [f"reader{number:02}" for number in range(12)]
    assert posting.issues()[0].state is IssueState.FINISHED


def test_readers_of_the_same_get_one_edition_and_others_their_own(posting: House, relay: Relay) -> None:
    posting.article("Waste")
    posting.article("Seizure", "On drugs.")
    posting.article("Both", "On environment and drugs.")
    posting.reader("alice", "environment")
    posting.reader("bob", "environment", "drugs")
    posting.reader("charlie", "environment")
    posting.reader("dora", "all")
    posting.reader("emil", "data")
    report = posting.publish()[1]
    (issue,) = report.issues
    assert (issue.readers, issue.letters, issue.articles) == (5, 4, 3)
    assert {name: sorted(letters_of(relay, name)[0]) for name in ("alice", "bob", "charlie", "dora")} == {
        "alice": ["both", "waste"],
        "bob": ["both", "seizure", "waste"],
        "charlie": ["both", "waste"],
        "dora": ["both", "seizure", "waste"],
    }
    assert letters_of(relay, "emil") == []
    assert row_of(posting, "emil").state is DeliveryState.SUPPRESSED


def test_an_issue_of_another_frequency_does_not_disturb(posting: House, relay: Relay) -> None:
    posting.article("Waste")
    posting.reader("alice", frequency=Frequency.DAILY)
    posting.reader("bob", frequency=Frequency.MONTHLY)
    posting.publish(Order(forced=(Frequency.DAILY,)))
    assert letters_of(relay, "bob") == [] and letters_of(relay, "alice") == [("waste",)]
    posting.publish(Order(forced=(Frequency.DAILY, Frequency.MONTHLY)))
    assert letters_of(relay, "bob") == [("waste",)] and letters_of(relay, "alice") == [("waste",)]


def test_no_result_is_lost_between_many_connections(posting: House, relay: Relay) -> None:
    posting.rebuild(smtp={**posting.values["smtp"], "connections": 8})
    posting.article("Waste")
    for number in range(60):
        posting.reader(f"reader{number:02}")
    report = posting.publish()[1]
    (issue,) = posting.issues()
    assert {row.state for row in posting.deliveries(issue).values()} == {DeliveryState.ACCEPTED}
    assert dict(report.delivery.states) == {DeliveryState.ACCEPTED: 60}
    assert issue.state is IssueState.FINISHED
    assert len(relay.taken) == len(set(relay.recipients)) == 60


def test_a_reader_who_left_while_the_relay_called_them_dead_has_left(posting: House, relay: Relay) -> None:
    posting.article("Waste")
    bob = posting.reader("bob")

    def leave_then_refuse() -> str:
        unsubscribe(posting.app.store, bob.id, now=posting.clock(), reason="by the link in a letter")
        return "550 5.1.1 no such user"

    relay.rcpt["bob@readers.example"] = leave_then_refuse
    posting.publish()
    assert state_of(posting, "bob") is SubscriberState.UNSUBSCRIBED


def test_a_reader_removed_while_the_relay_called_them_dead_does_not_stop_the_run(posting: House, relay: Relay) -> None:
    posting.article("Waste")
    bob = posting.reader("bob")
    posting.reader("charlie")

    def remove_then_refuse() -> str:
        with posting.app.store.write() as tx:
            tx.subscribers.remove(bob.id, posting.clock())
        return "550 5.1.1 no such user"

    relay.rcpt["bob@readers.example"] = remove_then_refuse
    run, _ = posting.publish()
    assert run.state is RunState.DONE
    assert [name_of(taken) for taken in relay.taken] == ["charlie"]
    posting.check_sums()


@pytest.mark.parametrize("topics", [("all",), ("data", "environment")])
def test_an_article_filed_under_another_topic_later_does_not_come_again(
    posting_anywhere: House, relay: Relay, topics: tuple[str, ...]
) -> None:
    house = posting_anywhere
    house.article("Waste", "On environment, with cobalt.")
    house.reader("alice", *topics)
    house.reader("bob", "data")
    house.publish()
    house.rebuild(topics=topic_rules(data=("cobalt",)))
    house.clock.forward(days=7)
    house.publish()
    assert letters_of(relay, "alice") == [("waste",)]
    assert letters_of(relay, "bob") == [("waste",)], "new to who follows that topic alone"


def test_a_letter_that_was_accepted_while_the_ledger_was_looked_at_is_not_begun_again(
    tmp_path: Path, postgresql_url: str, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database server is asked beside the event loop: what its answer says may be over by then."""
    looked, accepted = threading.Event(), threading.Event()
    upcoming, accept = Deliveries.upcoming, LedgerDesk._accepted
    asked: Counter[str] = Counter()

    def slow_look(self: Deliveries, *arguments: Any, **options: Any) -> list[Job]:
        found = upcoming(self, *arguments, **options)
        if asked["bob"] and not looked.is_set() and any(job.email.startswith("bob") for job in found):
            looked.set()
            accepted.wait(5)
        return found

    def taken(self: LedgerDesk, handed: Handed[Job]) -> None:
        accept(self, handed)
        if handed.ref.email.startswith("bob"):
            accepted.set()

    async def when_looked_at() -> str:
        asked["bob"] += 1
        await asyncio.to_thread(looked.wait, 5)
        return "250 2.1.5 ok"

    monkeypatch.setattr(Deliveries, "upcoming", slow_look)
    monkeypatch.setattr(LedgerDesk, "_accepted", taken)
    relay.rcpt["bob@readers.example"] = when_looked_at
    house = House(tmp_path, postgresql_url, {"smtp": relay_settings(relay)})
    house.article("Waste")
    house.reader("alice")
    house.reader("bob")
    house.publish()
    assert looked.is_set() and accepted.is_set()
    assert sorted(map(name_of, relay.taken)) == ["alice", "bob"]
    house.app.close()
    assert asked["bob"] == 1, "the relay was told of it twice, and a connection was dropped for it"
