"""What each event of a letter makes of its reader, seen from the reader's state and history. Real databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from store.store_samples import NOW, add_issue, add_reader, new

from publisher.flows.struck_off import consequences, refused, take_note
from publisher.mail.scoring import COUNTS_FOR, WEIGHT, BounceKind
from publisher.model import Frequency, Subscriber, SubscriberState
from publisher.store import BounceEvent, Store, Transaction

ACTIVE, BOUNCED, LEFT = SubscriberState.ACTIVE, SubscriberState.BOUNCED, SubscriberState.UNSUBSCRIBED
HOUR = timedelta(hours=1)


@pytest.fixture
def tx(sqlite_store: Store) -> Iterator[Transaction]:
    with sqlite_store.write() as transaction:
        yield transaction


def came(
    tx: Transaction, kind: BounceKind, reader: Subscriber, at: datetime, *, issue: int | None = None, detail: str = ""
) -> list[SubscriberState]:
    """A message that came `at` that time is read then, as the mail room does."""
    said = BounceEvent(
        sha256=f"{len(tx.bounces.latest(99)):064}",
        at=at,
        kind=kind,
        subscriber_id=reader.id,
        issue_id=issue,
        detail=detail,
    )
    tx.bounces.add(said)
    return consequences(tx, said, at)


def history(tx: Transaction, reader: Subscriber) -> list[str]:
    return [event.detail for event in tx.subscribers.events(reader.id)]


@pytest.mark.parametrize("kind", [BounceKind.COMPLAINT, BounceKind.UNSUBSCRIBE])
def test_who_has_left_and_complains_afterwards_has_left_once(tx: Transaction, kind: BounceKind) -> None:
    reader = add_reader(tx, "alice")
    tx.subscribers.set_state(reader.id, LEFT, NOW, reason="by the link in a letter")
    before = history(tx, reader)
    assert came(tx, kind, reader, NOW + HOUR) == []
    assert tx.subscribers.get(reader.id).state is LEFT
    assert history(tx, reader) == before, "the history says how they left, not that they left twice"


@pytest.mark.parametrize("state", sorted(set(SubscriberState) - {LEFT}))
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (BounceKind.COMPLAINT, "the reader complained of a letter (feedback of type abuse)"),
        (BounceKind.UNSUBSCRIBE, "by a letter to the address for leaving"),
    ],
)
def test_whoever_wants_no_letters_has_left_whatever_they_were_and_the_history_says_how(
    tx: Transaction, state: SubscriberState, kind: BounceKind, reason: str
) -> None:
    reader = add_reader(tx, "alice", state=state)
    assert came(tx, kind, reader, NOW + HOUR, detail="feedback of type abuse") == [LEFT]
    assert tx.subscribers.get(reader.id).state is LEFT
    assert history(tx, reader)[-1] == f"{state} -> unsubscribed: {reason}"


@pytest.mark.parametrize("kind", BounceKind)
@pytest.mark.parametrize("forgotten", [True, False])
def test_an_event_of_nobody_changes_nobody(tx: Transaction, kind: BounceKind, forgotten: bool) -> None:
    gone, other = add_reader(tx, "alice"), add_reader(tx, "bob")
    tx.subscribers.remove(gone.id, NOW)
    said = BounceEvent(sha256="0" * 64, at=NOW, kind=kind, subscriber_id=gone.id if forgotten else None)
    assert consequences(tx, said, NOW) == []
    assert tx.subscribers.get(other.id).state is ACTIVE


@pytest.mark.parametrize("state", sorted(set(SubscriberState) - {ACTIVE, SubscriberState.PAUSED}))
def test_a_dead_address_of_who_gets_no_letters_changes_nothing(tx: Transaction, state: SubscriberState) -> None:
    reader = add_reader(tx, "alice", state=state)
    assert came(tx, BounceKind.DEAD, reader, NOW + HOUR) == []
    assert tx.subscribers.get(reader.id).state is state


def test_a_dead_address_of_a_reader_in_a_pause_is_struck_off(tx: Transaction) -> None:
    reader = add_reader(tx, "alice")
    tx.subscribers.pause(reader.id, None, NOW, reason="asked for it")
    assert came(tx, BounceKind.DEAD, reader, NOW + HOUR) == [BOUNCED]


@pytest.mark.parametrize("kind", sorted(set(BounceKind) - set(WEIGHT) - {BounceKind.COMPLAINT, BounceKind.UNSUBSCRIBE}))
def test_what_is_no_fault_of_the_address_never_adds_up(tx: Transaction, kind: BounceKind) -> None:
    reader = add_reader(tx, "alice")
    assert [came(tx, kind, reader, NOW + HOUR, issue=number) for number in range(20)] == [[]] * 20
    assert tx.subscribers.get(reader.id).state is ACTIVE


@pytest.mark.parametrize("kind", [BounceKind.DEAD, BounceKind.DOUBTFUL])
@pytest.mark.parametrize("change", ["state", "address"])
def test_what_came_of_letters_before_a_fresh_start_counts_neither_then_nor_later(
    tx: Transaction, kind: BounceKind, change: str
) -> None:
    reader = add_reader(tx, "alice")
    assert came(tx, BounceKind.DOUBTFUL, reader, NOW + HOUR, issue=1) == []
    afresh = NOW + 3 * HOUR
    if change == "state":
        tx.subscribers.pause(reader.id, afresh, afresh, reason="asked for it")
        assert tx.subscribers.wake(afresh) == 1
    else:
        tx.subscribers.set_email(reader.id, "amelia@customs.example", afresh)
    late = BounceEvent(sha256="late", at=NOW + 2 * HOUR, kind=kind, subscriber_id=reader.id, issue_id=2)
    tx.bounces.add(late)
    assert consequences(tx, late, afresh + HOUR) == [], "read after it, of a letter before it"
    assert came(tx, BounceKind.DOUBTFUL, reader, afresh + 2 * HOUR, issue=3) == []
    assert came(tx, BounceKind.DOUBTFUL, reader, afresh + 3 * HOUR, issue=4) == [BOUNCED]


def test_a_new_frequency_or_language_is_no_fresh_start(tx: Transaction) -> None:
    reader = add_reader(tx, "alice")
    assert came(tx, BounceKind.DOUBTFUL, reader, NOW + HOUR, issue=1) == []
    tx.subscribers.set_frequency(reader.id, Frequency.MONTHLY, NOW + 2 * HOUR)
    assert came(tx, BounceKind.DOUBTFUL, reader, NOW + 3 * HOUR, issue=2) == [BOUNCED]


@pytest.mark.parametrize("frequency", Frequency)
@pytest.mark.parametrize("over", [False, True])
def test_a_doubt_counts_as_long_as_the_readers_letters_are_rare(
    tx: Transaction, frequency: Frequency, over: bool
) -> None:
    reader = add_reader(tx, "alice", frequency=frequency)
    assert came(tx, BounceKind.DOUBTFUL, reader, NOW + HOUR, issue=1) == []
    again = NOW + HOUR + COUNTS_FOR[frequency] + timedelta(seconds=over)
    assert came(tx, BounceKind.DOUBTFUL, reader, again, issue=2) == ([] if over else [BOUNCED])


def test_a_dead_address_is_dead_however_late_its_bounce_is_read(tx: Transaction) -> None:
    reader = add_reader(tx, "alice")
    said = BounceEvent(sha256="late", at=NOW + HOUR, kind=BounceKind.DEAD, subscriber_id=reader.id)
    tx.bounces.add(said)
    assert consequences(tx, said, NOW + timedelta(days=300)) == [BOUNCED]


def test_the_history_names_the_letter_and_what_was_said_of_it(tx: Transaction) -> None:
    tx.articles.add([new(1)])
    issue, _ = add_issue(tx, 1, upto_seq=1)
    alice, bob, charlie, dora = (add_reader(tx, name) for name in ("alice", "bob", "charlie", "dora"))
    take_note(tx, refused("1/1", BounceKind.DEAD, "550 5.1.1 gone", NOW, reader=alice.id, issue=issue.id), NOW)
    came(tx, BounceKind.DEAD, bob, NOW, issue=issue.id)
    came(tx, BounceKind.DEAD, charlie, NOW, issue=issue.id + 1)
    came(tx, BounceKind.DEAD, dora, NOW)
    assert [history(tx, reader)[-1] for reader in (alice, bob, charlie, dora)] == [
        f"active -> bounced: {said} (score 5 of 5)"
        for said in (
            "letter of weekly-1 was refused: dead 5.1.1",
            "letter of weekly-1 came back: dead",
            "a letter came back: dead",  # of an issue that is gone
            "a letter came back: dead",
        )
    ]


def test_of_a_letter_that_is_refused_again_the_last_answer_is_kept_as_the_relay_gave_it(tx: Transaction) -> None:
    reader = add_reader(tx, "alice")
    for hours, reply in enumerate(("450 4.2.2 full", "552 5.2.2 full for good", "550 no")):
        refusal = refused("1/1", BounceKind.SOFT, reply, NOW + hours * HOUR, reader=reader.id, issue=1)
        take_note(tx, refusal, NOW + hours * HOUR)
        (kept,) = tx.bounces.latest(9)
        assert (kept.at, kept.detail, kept.subscriber_id) == (NOW + hours * HOUR, reply, reader.id)
        assert kept.status == ("4.2.2", "5.2.2", "")[hours]
        assert kept.is_refusal
