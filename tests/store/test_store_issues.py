from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy.exc import IntegrityError
from store_samples import DAY, NOW, new

from publisher.errors import NotFound
from publisher.model import Frequency, Issue, IssueState, Section
from publisher.store import Store, Transaction


def create(
    tx: Transaction, number: int | None, slot: datetime | None, frequency: Frequency = Frequency.WEEKLY
) -> Issue:
    state = IssueState.SKIPPED if number is None else IssueState.SENDING
    return tx.issues.create(frequency, number=number, slot=slot, state=state, composed=NOW, upto_seq=5)


def test_issues_are_numbered_by_frequency(store: Store) -> None:
    with store.write() as tx:
        assert (tx.issues.last(Frequency.WEEKLY), tx.issues.next_number(Frequency.WEEKLY)) == (None, 1)
        first = create(tx, 1, NOW)
        create(tx, 1, NOW, Frequency.DAILY)
        second = create(tx, 2, None)
        assert tx.issues.next_number(Frequency.WEEKLY) == 3
        assert tx.issues.last(Frequency.WEEKLY) == tx.issues.by_name("weekly-2") == second
        assert tx.issues.get(first.id) == first
        assert (first.name, first.slot, first.upto_seq) == ("weekly-1", NOW, 5)


def test_a_skipped_slot_is_remembered_without_a_number(store: Store) -> None:
    with store.write() as tx:
        assert tx.issues.last_slot(Frequency.WEEKLY, NOW) is None
        first = create(tx, 1, NOW)
        create(tx, None, NOW + 7 * DAY)
        create(tx, None, NOW + 14 * DAY)
        create(tx, 2, None)
        assert tx.issues.last_slot(Frequency.WEEKLY, NOW + 14 * DAY) == NOW + 14 * DAY
        assert tx.issues.last_slot(Frequency.WEEKLY, NOW + 13 * DAY) == NOW + 7 * DAY, "a clock ran ahead"
        assert tx.issues.next_number(Frequency.WEEKLY) == 3
        assert [issue.number for issue in tx.issues.list()] == [2, None, None, 1]
        assert tx.issues.list(state=IssueState.SENDING, frequency=Frequency.WEEKLY, limit=9)[-1] == first


@pytest.mark.parametrize("repeated", [(1, None), (None, NOW)])
def test_a_number_or_a_slot_used_twice_is_a_bug(store: Store, repeated: tuple[int | None, datetime | None]) -> None:
    with pytest.raises(IntegrityError), store.write() as tx:
        create(tx, 1, NOW)
        create(tx, *repeated)


@pytest.mark.parametrize(
    "name", ["weekly-9", "weekly", "weekly-", "weekly-x", "weekly-²", "hourly-1", "", "weekly-" + "9" * 40]
)
def test_a_name_without_an_issue_is_not_found(store: Store, name: str) -> None:
    with store.write() as tx:
        create(tx, 1, NOW)
        with pytest.raises(NotFound):
            tx.issues.by_name(name)
        with pytest.raises(NotFound):
            tx.issues.get(99)


def test_an_issue_is_finished_and_sent_again(store: Store) -> None:
    with store.write() as tx:
        issue = create(tx, 1, NOW)
        assert tx.issues.finished(issue.id) is None
        tx.issues.set_state(issue.id, IssueState.FINISHED, now=NOW + DAY, reason="done")
        assert tx.issues.finished(issue.id) == NOW + DAY
        assert (tx.issues.get(issue.id).state, tx.issues.get(issue.id).reason) == (IssueState.FINISHED, "done")
        tx.issues.set_state(issue.id, IssueState.SENDING, now=NOW + 2 * DAY)
        assert tx.issues.finished(issue.id) is None
        with pytest.raises(NotFound):
            tx.issues.set_state(99, IssueState.FINISHED, now=NOW)


def test_an_issue_keeps_its_report(store: Store) -> None:
    with store.write() as tx:
        issue = create(tx, 1, NOW)
        assert tx.issues.report(issue.id) == {}
        tx.issues.set_report(issue.id, {"held_back": 3, "why": "früher"})
        assert tx.issues.report(issue.id) == {"held_back": 3, "why": "früher"}


def test_editions_come_back_with_their_sections_in_order(store: Store) -> None:
    sections = (Section("region-mena", ("key000003", "key000001")), Section("environment", ("key000002",)))
    with store.write() as tx:
        tx.articles.add([new(n) for n in (1, 2, 3)])
        issue = create(tx, 1, NOW)
        one = tx.issues.add_edition(issue.id, fingerprint="one", language="en", sections=sections)
        two = tx.issues.add_edition(issue.id, fingerprint="two", language="fr", sections=sections[1:])
        assert (one.sections, one.article_keys) == (sections, ("key000003", "key000001", "key000002"))
        assert tx.issues.editions(issue.id) == [one, two]
        assert tx.issues.edition(two.id) == two
        with pytest.raises(NotFound):
            tx.issues.edition(99)
    with pytest.raises(IntegrityError), store.write() as tx:
        tx.issues.add_edition(issue.id, fingerprint="one", language="en", sections=())
