"""What the relay's refusals mean for readers: at once where it names the address dead, else when it says so again."""

from __future__ import annotations

import asyncio

from flows.house import House
from wire.servers import Relay

from publisher.flows.issue_desk import retry
from publisher.flows.settings_link import ask_for_settings
from publisher.flows.sign_up import Wish, request_sign_up
from publisher.mail.scoring import IN_A_ROW, BounceKind
from publisher.model import Frequency, SignUpMethod, Subscriber, SubscriberState

ACTIVE, BOUNCED, PENDING = SubscriberState.ACTIVE, SubscriberState.BOUNCED, SubscriberState.PENDING


def found(house: House, name: str = "alice") -> tuple[Subscriber, str]:
    """The reader, and the last line of their history."""
    with house.app.store.read() as tx:
        reader = tx.subscribers.find(f"{name}@readers.example")
        assert reader is not None
        return reader, tx.subscribers.events(reader.id)[-1].detail


def noted(house: House) -> list[tuple[BounceKind, str]]:
    with house.app.store.read() as tx:
        return [(one.kind, one.status) for one in reversed(tx.bounces.latest(100))]


def issue(house: House, number: int) -> None:
    """A week later, an issue with something new."""
    if number:
        house.clock.forward(days=7)
    house.article(f"News {number}")
    house.publish()


def test_a_doubtful_refusal_strikes_nobody_off_before_another_issue_meets_it(
    posting_anywhere: House, relay: Relay
) -> None:
    house = posting_anywhere
    answers = {"alice": "550 5.2.1 mailbox disabled", "benedict": "550 no", "charlotte": "553 5.1.0 not here"}
    for name in ("bob", *answers):
        house.reader(name)
    relay.rcpt.update({f"{name}@readers.example": answer for name, answer in answers.items()})
    issue(house, 0)
    for _ in range(2):
        assert retry(house.app.store, "weekly-1", now=house.clock()).planned == 3
        house.deliver()
    assert [found(house, name)[0].state for name in answers] == [ACTIVE] * 3, "the same issue, asked again"
    assert len(noted(house)) == 3
    issue(house, 1)
    assert [found(house, name)[0].state for name in answers] == [BOUNCED] * 3
    said = "active -> bounced: letter of weekly-2 was refused: doubtful"
    assert found(house, "alice")[1] == f"{said} 5.2.1 (score 6 of 5)"
    assert found(house, "benedict")[1] == f"{said} (score 6 of 5)"
    assert found(house, "bob")[0].state is ACTIVE
    with house.app.store.read() as tx:
        assert [tx.bounces.of_issue(one.id) for one in tx.issues.list(9)] == [{}, {}], "no letter of theirs came back"
    house.check_sums()


def test_an_answer_that_names_the_address_dead_counts_more_than_one_before(posting: House, relay: Relay) -> None:
    posting.reader("alice")
    relay.rcpt["alice@readers.example"] = "550 no"
    issue(posting, 0)
    relay.rcpt["alice@readers.example"] = "550 5.1.1 nobody here"
    retry(posting.app.store, "weekly-1", now=posting.clock())
    posting.deliver()
    assert found(posting)[1] == "active -> bounced: letter of weekly-1 was refused: dead 5.1.1 (score 5 of 5)"


def test_a_full_mailbox_is_given_up_after_five_issues(posting: House, relay: Relay) -> None:
    for name, answer in {"alice": "552 5.2.2 full", "bob": "450 4.2.2 full", "charlie": "450 4.2.2 full"}.items():
        posting.reader(name)
        relay.rcpt[f"{name}@readers.example"] = answer
    for number in range(5):
        assert [found(posting, name)[0].state for name in ("alice", "bob")] == [ACTIVE] * 2
        issue(posting, number)
        del relay.rcpt["charlie@readers.example"]  # whose mailbox has room again in time
        posting.clock.forward(hours=posting.app.settings.smtp.give_up_hours - 1)
        posting.deliver()
        relay.rcpt["charlie@readers.example"] = "450 4.2.2 full"
        posting.clock.forward(hours=1, seconds=1)
        posting.deliver()
    assert [found(posting, name)[0].state for name in ("alice", "bob", "charlie")] == [BOUNCED, BOUNCED, ACTIVE]
    assert noted(posting) == [(BounceKind.SOFT, "5.2.2"), (BounceKind.SOFT, "4.2.2")] * 5


def test_what_may_be_our_fault_never_counts(posting: House, relay: Relay) -> None:
    answers = {"alice": "550 5.7.1 policy", "bob": "550 blocked using a DNSBL", "charlie": "554 no"}
    for name, answer in answers.items():
        posting.reader(name)
        relay.rcpt[f"{name}@readers.example"] = answer
    for number in range(2):
        issue(posting, number)
    assert [found(posting, name)[0].state for name in answers] == [ACTIVE] * 3
    assert noted(posting) == []


def test_a_relay_that_refuses_everybody_is_not_believed(posting: House, relay: Relay) -> None:
    for number in range(3 * IN_A_ROW):
        posting.reader(f"reader{number:02}")
    relay.rcpt["*"] = "550 no"
    issue(posting, 0)
    issue(posting, 1)
    with posting.app.store.read() as tx:
        states = [reader.state for reader in tx.subscribers.list(limit=100)]
    assert states.count(BOUNCED) <= IN_A_ROW
    assert states.count(ACTIVE) >= 2 * IN_A_ROW


def test_a_service_letter_to_a_dead_address_strikes_its_reader_off_and_leaves_who_never_was_one(
    posting_anywhere: House, relay: Relay
) -> None:
    house = posting_anywhere
    alice = house.reader("alice")
    house.reader("bob")
    for name in ("alice", "charlie"):
        relay.rcpt[f"{name}@readers.example"] = "550 5.1.1 nobody here"
    ask_for_settings(house.app.sign_up, alice.id, host="192.0.2.1")
    wish = Wish(email="charlie@readers.example", frequency=Frequency.WEEKLY, method=SignUpMethod.FORM, host="192.0.2.2")
    request_sign_up(house.app.sign_up, wish)
    asyncio.run(house.app.mail_room.work_off())
    assert found(house) == (found(house)[0], "active -> bounced: a letter was refused: dead 5.1.1 (score 5 of 5)")
    assert found(house, "charlie")[0].state is PENDING
    issue(house, 0)
    assert [taken.recipient for taken in relay.taken] == ["bob@readers.example"]
    assert "@" not in str(house.dump()["bounce_events"])
