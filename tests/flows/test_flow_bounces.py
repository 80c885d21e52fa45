"""From a letter that came back to its reader's state, and from nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from typing import Any

import pytest
from flows.house import House, name_of
from wire.servers import Relay, Taken

from publisher.flows.bounces import BounceReport, read_bounces
from publisher.flows.subscribe import unsubscribe
from publisher.mail.bounces import Bounce, read_bounce
from publisher.mail.scoring import BounceKind
from publisher.model import SubscriberState
from publisher.sources.mailboxes import Incoming

ADDRESS = {"address": "bounces@publisher.example"}


@pytest.fixture
def returning(posting_anywhere: House, relay: Relay) -> Iterator[House]:
    """A house whose letters come back to an address of their own; alice and bob got the first weekly issue."""
    house = posting_anywhere
    house.rebuild(bounces=ADDRESS)
    house.article("Waste")
    for name in ("alice", "bob"):
        house.reader(name)
    house.publish()
    yield house
    house.app.close()


def letter_to(relay: Relay, name: str) -> Taken:
    return next(taken for taken in reversed(relay.taken) if name_of(taken) == name)


def notice(taken: Taken, status: str, *, action: str = "failed", to: str = "", headers_only: bool = True) -> bytes:
    """What a mail server sends back for this letter (RFC 3464)."""
    head = (
        f"From: MAILER-DAEMON@reader.example\r\nTo: {to or taken.sender}\r\nSubject: Your letter\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="cut"\r\n\r\n'
    )
    returned = taken.content.partition(b"\r\n\r\n")[0] if headers_only else taken.content
    kind = "text/rfc822-headers" if headers_only else "message/rfc822"
    parts = [
        "Content-Type: text/plain\r\n\r\nIt came back.",
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.reader.example\r\n\r\n"
        f"Final-Recipient: rfc822; {taken.recipient}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; 550 {status} about <{taken.recipient}>",
        f"Content-Type: {kind}\r\n\r\n{returned.decode()}",
    ]
    body = "".join(f"--cut\r\n{part}\r\n\r\n" for part in parts) + "--cut--\r\n"
    return (head + body).encode()


def complaint(taken: Taken) -> bytes:
    """What the feedback loop of a provider sends (RFC 5965), addresses struck out."""
    letter = taken.content.replace(taken.recipient.encode(), b"redacted")
    head = (
        "From: fbl@provider.example\r\nTo: abuse@publisher.example\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="arf"\r\n\r\n'
        "--arf\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n\r\n"
        "--arf\r\nContent-Type: message/rfc822\r\n\r\n"
    )
    return head.encode() + letter + b"\r\n--arf--\r\n"


def read(house: House, *contents: bytes) -> tuple[BounceReport, list[bool]]:
    settled: list[bool] = []
    app = house.app
    mails = [Incoming(content, settled.append) for content in contents]
    report = read_bounces(app.store, mails, signer=app.signer, return_path=app.return_path, now=house.clock())
    return report, settled


def reader_of(house: House, name: str) -> Any:
    with house.app.store.read() as tx:
        reader = tx.subscribers.find(f"{name}@readers.example")
        assert reader is not None
        return reader, [event.detail for event in tx.subscribers.events(reader.id)]


def state_of(house: House, name: str) -> SubscriberState:
    return SubscriberState(reader_of(house, name)[0].state)


def events(house: House) -> list[tuple[BounceKind, int | None, int | None]]:
    with house.app.store.read() as tx:
        return [(one.kind, one.subscriber_id, one.issue_id) for one in tx.bounces.latest(100)]


def test_every_letter_has_a_return_path_of_its_own(returning: House, relay: Relay) -> None:
    senders = {taken.sender for taken in relay.taken}
    assert len(senders) == 2
    assert all(sender.startswith("bounces+") and sender.endswith("@publisher.example") for sender in senders)


def test_a_dead_address_gets_no_letter_any_more_and_the_history_says_why(returning: House, relay: Relay) -> None:
    report, settled = read(returning, notice(letter_to(relay, "alice"), "5.1.1"))
    assert (report.kinds, report.bounced, settled) == ({BounceKind.DEAD: 1}, 1, [False])
    reader, history = reader_of(returning, "alice")
    assert reader.state is SubscriberState.BOUNCED
    assert history[-1] == "active -> bounced: letter of weekly-1 came back: dead 5.1.1 (score 5 of 5)"
    assert state_of(returning, "bob") is SubscriberState.ACTIVE
    returning.article("Second")
    returning.publish()
    assert [name_of(taken) for taken in relay.taken[2:]] == ["bob"]
    assert "@" not in str(returning.dump()["bounce_events"])


def test_a_message_read_twice_counts_once(returning: House, relay: Relay) -> None:
    content = notice(letter_to(relay, "alice"), "5.2.1")
    read(returning, content)
    for _ in range(5):
        report, settled = read(returning, content, content.replace(b"\r\n", b"\n"))
        assert (report.kinds, report.known, settled) == ({}, 2, [False, False])
    assert state_of(returning, "alice") is SubscriberState.ACTIVE
    assert len(events(returning)) == 1


def test_nobody_waits_for_a_parser_to_write(returning: House, relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(content: bytes) -> Bounce:
        with returning.app.store.write() as tx:  # as another process would meanwhile
            tx.subscribers.set_language(reader.id, "fr", returning.clock())
        return read_bounce(content)

    reader, _ = reader_of(returning, "bob")
    monkeypatch.setattr("publisher.flows.bounces.read_bounce", parse)
    report, _ = read(returning, notice(letter_to(relay, "alice"), "5.1.1"))
    assert report.bounced == 1


def test_a_full_mailbox_is_given_up_after_five_issues_in_a_row(returning: House, relay: Relay) -> None:
    for number in range(2, 7):
        assert state_of(returning, "alice") is SubscriberState.ACTIVE
        taken = letter_to(relay, "alice")
        read(returning, notice(taken, "5.2.2"), notice(taken, "4.2.2"))  # two of one letter count once
        returning.clock.forward(days=7)
        returning.article(f"News {number}")
        returning.publish()
    assert state_of(returning, "alice") is SubscriberState.BOUNCED
    assert state_of(returning, "bob") is SubscriberState.ACTIVE


@pytest.mark.parametrize("status", ["5.1.1", "5.2.1"])
def test_a_letter_to_the_address_before_says_nothing_of_the_reader_s_new_one(
    returning: House, relay: Relay, status: str
) -> None:
    old = [letter_to(relay, "alice")]
    returning.clock.forward(days=7)
    returning.article("Second")
    returning.publish()
    old.append(letter_to(relay, "alice"))
    reader, _ = reader_of(returning, "alice")
    returning.clock.forward(hours=1)
    with returning.app.store.write() as tx:
        tx.subscribers.set_email(reader.id, "amelia@readers.example", returning.clock())
    returning.clock.forward(hours=1)
    report, _ = read(returning, *[notice(taken, status) for taken in old])
    assert (report.bounced, sum(report.kinds.values())) == (0, 2)
    assert [(one[1], one[2]) for one in reversed(events(returning))] == [(reader.id, 1), (reader.id, 2)], "remembered"
    assert state_of(returning, "amelia") is SubscriberState.ACTIVE
    returning.clock.forward(days=7)
    returning.article("Third")
    returning.publish()
    read(returning, notice(letter_to(relay, "amelia"), "5.2.1"))
    assert state_of(returning, "amelia") is SubscriberState.ACTIVE, "doubt about the old address is none about this"
    read(returning, notice(letter_to(relay, "amelia"), "5.1.1"))
    assert state_of(returning, "amelia") is SubscriberState.BOUNCED


def test_bounces_that_lay_in_their_mailbox_for_months_strike_nobody_off(returning: House, relay: Relay) -> None:
    full = []
    for number in range(2, 7):
        full.append(notice(letter_to(relay, "alice"), "5.2.2"))
        returning.clock.forward(days=7)
        returning.article(f"News {number}")
        returning.publish()
    returning.clock.forward(days=90)
    report, _ = read(returning, *full)
    assert report.kinds == {BounceKind.SOFT: 5}
    assert state_of(returning, "alice") is SubscriberState.ACTIVE


def _of_no_issue(taken: Taken, date: str) -> bytes:
    """A bounce that only the link to leave proves."""
    content = taken.content.replace(b"Message-ID:", b"X-Gone:")
    bare = Taken("x@relay.example", taken.recipient, content, 1, ())
    dated = notice(bare, "5.2.1", to="bounces@publisher.example")
    return f"Date: {date}\r\n".encode() + dated if date else dated


@pytest.mark.parametrize(
    ("date", "counts"),
    [
        ("Mon, 01 Dec 2025 09:00:00 +0000", False),
        ("Mon, 02 Mar 2026 09:00:00 -0000", True),
        ("Tue, 02 Mar 2027 09:00:00 +0000", True),  # ahead: a clock that is wrong
        ("Mon, 99 Mar 2026 09:00:00 +0000", True),
        ("", True),
    ],
)
def test_a_bounce_of_a_letter_that_nobody_can_date_counts_from_the_date_it_bears(
    returning: House, relay: Relay, date: str, counts: bool
) -> None:
    taken = letter_to(relay, "alice")
    read(returning, _of_no_issue(taken, date), notice(taken, "5.2.1"))
    assert state_of(returning, "alice") is (SubscriberState.BOUNCED if counts else SubscriberState.ACTIVE)


def test_a_reader_who_was_taken_back_starts_afresh(returning: House, relay: Relay) -> None:
    read(returning, notice(letter_to(relay, "alice"), "5.1.1"))
    returning.clock.forward(hours=1)
    reader, _ = reader_of(returning, "alice")
    with returning.app.store.write() as tx:
        tx.subscribers.set_state(reader.id, SubscriberState.ACTIVE, returning.clock(), reason="wrote to us")
    returning.clock.forward(hours=1)
    read(returning, notice(letter_to(relay, "alice"), "5.2.2"))
    assert state_of(returning, "alice") is SubscriberState.ACTIVE


def test_who_complains_is_unsubscribed_even_when_all_addresses_are_struck_out(returning: House, relay: Relay) -> None:
    report, _ = read(returning, complaint(letter_to(relay, "bob")))
    assert (report.kinds, report.unsubscribed) == ({BounceKind.COMPLAINT: 1}, 1)
    assert state_of(returning, "bob") is SubscriberState.UNSUBSCRIBED
    assert state_of(returning, "alice") is SubscriberState.ACTIVE
    (((_, _, issue),)) = events(returning)
    assert issue is not None  # known by the Message-ID


def outlook_complaint(returned: bytes) -> bytes:
    """What Outlook.com sends (JMRP): the letter, and no part that says what about it."""
    head = (
        "From: staff@outlook.example\r\nTo: abuse@publisher.example\r\nMIME-Version: 1.0\r\n"
        "Subject: complaint about message from 192.0.2.10\r\n"
        'Content-Type: multipart/mixed; boundary="jmrp"\r\n\r\n--jmrp\r\nContent-Type: message/rfc822\r\n\r\n'
    )
    return head.encode() + returned + b"\r\n--jmrp--\r\n"


def test_a_complaint_at_outlook_is_proved_by_the_letter_it_returns(returning: House, relay: Relay) -> None:
    forged = (
        b"From: digest@publisher.example\r\nTo: bob@readers.example\r\nMessage-ID: <x@publisher.example>\r\n\r\nx\r\n"
    )
    report, _ = read(returning, outlook_complaint(letter_to(relay, "alice").content), outlook_complaint(forged))
    assert report.kinds == {BounceKind.COMPLAINT: 1, BounceKind.UNMATCHED: 1}
    assert state_of(returning, "alice") is SubscriberState.UNSUBSCRIBED
    assert state_of(returning, "bob") is SubscriberState.ACTIVE


@pytest.mark.parametrize(("status", "action"), [("5.7.1", "failed"), ("4.4.1", "delayed"), ("2.0.0", "delivered")])
def test_what_is_not_the_readers_fault_changes_nothing(
    returning: House, relay: Relay, status: str, action: str
) -> None:
    for _ in range(6):
        read(returning, notice(letter_to(relay, "alice"), status, action=action))
    assert state_of(returning, "alice") is SubscriberState.ACTIVE


@pytest.mark.parametrize("headers_only", [True, False])
def test_a_relay_that_takes_the_return_path_away_leaves_the_letter_to_prove_it(
    returning: House, relay: Relay, headers_only: bool
) -> None:
    taken = letter_to(relay, "alice")
    for content in (taken.content, taken.content.replace(b"List-Unsubscribe: <https://", b"X-Gone: <https://")):
        cut = Taken("x@relay.example", taken.recipient, content, 1, ())
        report, _ = read(returning, notice(cut, "5.1.1", to="bounces@publisher.example", headers_only=headers_only))
        assert report.kinds == {BounceKind.DEAD: 1}
    (issue,) = returning.issues()
    reader, _ = reader_of(returning, "alice")
    assert reader.state is SubscriberState.BOUNCED
    assert {(one[1], one[2]) for one in events(returning)} == {(reader.id, issue.id)}


def test_a_forged_bounce_strikes_nobody_off(returning: House, relay: Relay) -> None:
    alice, bob = letter_to(relay, "alice"), letter_to(relay, "bob")
    bare = b"From: digest@publisher.example\r\nSubject: x\r\nMessage-ID: <%s@publisher.example>\r\n\r\nx\r\n"
    stolen = message_from_bytes(alice.content)["Message-ID"].strip("<>").partition("@")[0].encode()
    forged = [
        Taken(alice.sender.replace("+1.", "+2."), bob.recipient, bare % b"x", 1, ()),
        Taken("digest@publisher.example", bob.recipient, bare % b"x", 1, ()),
        Taken("digest@publisher.example", bob.recipient, bare % b"", 1, ()),
        Taken("digest@publisher.example", bob.recipient, bare % stolen, 1, ()),  # of another reader's letter
        Taken("digest@publisher.example", "nobody at all", bare % stolen, 1, ()),
    ]
    report, settled = read(returning, *[notice(taken, "5.1.1") for taken in forged])
    assert report.kinds == {BounceKind.UNMATCHED: len(forged)}
    assert settled == [True] * len(forged)
    assert {state_of(returning, name) for name in ("alice", "bob")} == {SubscriberState.ACTIVE}


def test_a_reader_who_left_or_was_forgotten_is_left_in_peace(returning: House, relay: Relay) -> None:
    alice, _ = reader_of(returning, "alice")
    bob, _ = reader_of(returning, "bob")
    unsubscribe(returning.app.store, alice.id, now=returning.clock(), reason="wanted to")
    with returning.app.store.write() as tx:
        tx.subscribers.remove(bob.id, returning.clock())
    report, _ = read(returning, *[notice(letter_to(relay, name), "5.1.1") for name in ("alice", "bob")])
    assert (report.kinds, report.bounced) == ({BounceKind.DEAD: 2}, 0)
    assert state_of(returning, "alice") is SubscriberState.UNSUBSCRIBED


def test_questions_are_kept_for_people(returning: House, relay: Relay) -> None:
    question = f"From: a@reader.example\r\nTo: {letter_to(relay, 'alice').sender}\r\nSubject: Re\r\n\r\nWhy?\r\n"
    report, settled = read(returning, question.encode())
    assert (report.kinds, settled) == ({BounceKind.UNPARSED: 1}, [True])
    assert read(returning, question.encode())[1] == [True]  # also when it was not moved in time


def test_letters_come_back_to_their_sender_unless_an_address_is_set(posting: House, relay: Relay) -> None:
    posting.article("Waste")
    posting.reader("alice")
    posting.publish()
    assert [taken.sender for taken in relay.taken] == ["digest@publisher.example"]
    report, _ = read(posting, notice(relay.taken[0], "5.1.1"))
    assert report.bounced == 1


def mailto(relay: Relay, name: str) -> str:
    header = message_from_bytes(letter_to(relay, name).content)["List-Unsubscribe"]
    web, _, mail = header.partition(", ")
    assert web.startswith("<https://news.example/unsubscribe/")
    assert mail.startswith("<mailto:bounces+u.")
    return str(mail.removeprefix("<mailto:").removesuffix("?subject=unsubscribe>"))


def wish(to: str, more: str = "") -> bytes:
    return f"From: Alice <alice@readers.example>\r\nTo: {to}\r\n{more}Subject: unsubscribe\r\n\r\n".encode()


def test_a_letter_for_leaving_counts_though_a_detector_of_flufl_fails_on_it(
    returning: House, relay: Relay, capfd: pytest.CaptureFixture[str]
) -> None:
    without_sender = f"To: {mailto(relay, 'alice')}\r\nSubject: unsubscribe\r\n\r\nplease stop\r\n".encode()
    report, _ = read(returning, without_sender)
    assert report.unsubscribed == 1
    assert state_of(returning, "alice") is SubscriberState.UNSUBSCRIBED
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("change", [str, str.upper, "Leave <{}>".format])
def test_a_letter_to_the_address_for_leaving_ends_the_digest(returning: House, relay: Relay, change: Any) -> None:
    leaving = mailto(relay, "alice")
    assert len(leaving.partition("@")[0]) <= 64
    for _ in range(2):
        report, _ = read(returning, wish(change(leaving)))
    assert report.known == 1
    assert state_of(returning, "alice") is SubscriberState.UNSUBSCRIBED
    assert state_of(returning, "bob") is SubscriberState.ACTIVE
    with returning.app.store.read() as tx:
        (event,) = tx.bounces.latest(10)
        assert (event.kind, event.issue_id) == (BounceKind.UNSUBSCRIBE, None)


@pytest.mark.parametrize("quoted", ["550 5.1.1 user unknown", "452 4.2.2 mailbox full"])
def test_a_letter_for_leaving_counts_though_it_quotes_a_bounce(returning: House, relay: Relay, quoted: str) -> None:
    text = (
        "I wrote to you, and it came back:\r\n\r\n"
        "This message was created automatically by mail delivery software.\r\n\r\n"
        "A message that you sent could not be delivered to one or more of its\r\nrecipients. "
        "This is a permanent error. "
        f"The following address(es) failed:\r\n\r\n  alice@readers.example\r\n    {quoted}\r\n"
    )
    content = wish(mailto(relay, "alice")) + text.encode()
    assert read_bounce(content).kind is not BounceKind.UNPARSED
    report, _ = read(returning, content)
    assert report.kinds == {BounceKind.UNSUBSCRIBE: 1}
    assert state_of(returning, "alice") is SubscriberState.UNSUBSCRIBED


def test_a_forged_address_and_a_bounce_that_quotes_one_end_nothing(returning: House, relay: Relay) -> None:
    leaving, of_bob = mailto(relay, "alice"), mailto(relay, "bob")
    forged = leaving.replace(".1.", ".2.") if ".1." in leaving else leaving.replace(".2.", ".1.")
    assert forged != of_bob
    read(returning, wish(forged))
    read(returning, notice(letter_to(relay, "alice"), "4.2.2", action="delayed", to=leaving))
    assert state_of(returning, "alice") is SubscriberState.ACTIVE
    assert state_of(returning, "bob") is SubscriberState.ACTIVE


def test_without_a_mailbox_for_it_the_header_has_the_web_address_alone(posting: House, relay: Relay) -> None:
    posting.article("Waste")
    posting.reader("alice")
    posting.publish()
    header = message_from_bytes(letter_to(relay, "alice").content)["List-Unsubscribe"]
    assert "mailto" not in header
