from __future__ import annotations

import re
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError
from store_samples import DAY, MINUTE, NOW, add_issue, add_reader, new
from store_samples import claim as take

from publisher.errors import NotFound
from publisher.model import DeliveryState, Edition, Issue, IssueState, Section, Subscriber, SubscriberState
from publisher.store import Job, Key, Outcome, Store, Transaction

D = DeliveryState
TABLE = re.compile("(SCAN|SEARCH) (deliveries|newer|other|covered|row)(?! USING .*issue_id=|.*subscriber_id=)")
"""A step of SQLite's plan that looks through all deliveries."""
LATER = NOW + 10 * MINUTE


def planned(store: Store, *names: str) -> tuple[Issue, Edition, list[Subscriber]]:
    """Issue weekly-1 with a letter planned for each name; it covers filings up to 5."""
    with store.write() as tx:
        tx.articles.add([new(1), new(2)])
        issue, edition = add_issue(tx, 1, upto_seq=5)
        readers = [add_reader(tx, name) for name in names]
        tx.deliveries.plan(issue.id, [(reader.id, edition.id, D.PLANNED, "") for reader in readers], NOW)
    return issue, edition, readers


def claim(tx: Transaction, limit: int = 9, *, uncertain: bool = True, now: datetime = NOW) -> list[Job]:
    return take(tx, now, limit, uncertain=uncertain, until=LATER)


def outcome(job: Job, state: DeliveryState, **more: object) -> Outcome:
    return Outcome(job.key, state, **more)  # type: ignore[arg-type]


def states(tx: Transaction, issue: Issue) -> list[DeliveryState]:
    assert tx.deliveries.sum(issue.id).balances
    return [delivery.state for delivery in tx.deliveries.of_issue(issue.id)]


def test_an_accepted_letter_moves_its_readers_watermark_and_no_other(store: Store) -> None:
    issue, _, (alice, bob, charlie) = planned(store, "alice", "bob", "charlie")
    with store.write() as tx:
        jobs = claim(tx)
        assert [(job.email.partition("@")[0], job.attempts) for job in jobs] == [
            ("alice", 1),
            ("bob", 1),
            ("charlie", 1),
        ]
        assert states(tx, issue) == [D.HANDING_OVER] * 3
        outcomes = [
            outcome(jobs[0], D.ACCEPTED, reply="250 2.0.0 taken"),
            outcome(jobs[1], D.REJECTED, reply="550 5.1.1 unknown", reason="no such mailbox"),
            outcome(jobs[2], D.DEFERRED, reply="450 4.2.0 later", next_attempt=LATER),
        ]
        assert tx.deliveries.record(outcomes, NOW + MINUTE) == 3
        assert states(tx, issue) == [D.ACCEPTED, D.REJECTED, D.DEFERRED]
        assert [tx.subscribers.get(reader.id).watermark for reader in (alice, bob, charlie)] == [5, 0, 0]
        (rejected,) = tx.deliveries.of_issue(issue.id, D.REJECTED)
        assert (rejected.reply, rejected.reason, rejected.attempts) == ("550 5.1.1 unknown", "no such mailbox", 1)
        assert rejected.changed == NOW + MINUTE
        assert tx.deliveries.next_due(include_uncertain=False) == LATER
        assert (tx.deliveries.pending(issue.id), tx.deliveries.pending()) == (1, 1)


def test_a_watermark_never_moves_back(store: Store) -> None:
    _, _, (alice,) = planned(store, "alice")
    with store.write() as tx:
        (job,) = claim(tx)
        tx.subscribers.raise_watermark(alice.id, 9)
        tx.deliveries.record([outcome(job, D.ACCEPTED)], NOW)
        assert tx.subscribers.get(alice.id).watermark == 9


def test_only_a_letter_in_the_claimers_hands_can_be_recorded(store: Store) -> None:
    issue, _, (alice, _bob) = planned(store, "alice", "bob")
    with store.write() as tx:
        (job,) = claim(tx, 1)
        assert tx.deliveries.record([outcome(job, D.ACCEPTED), outcome(job, D.ACCEPTED)], NOW) == 1
        assert tx.deliveries.record([outcome(job, D.REJECTED)], NOW) == 0
        never_claimed = Outcome(Key(issue.id, job.subscriber_id + 1), D.ACCEPTED)
        assert tx.deliveries.record([never_claimed], NOW) == 0
        assert states(tx, issue) == [D.ACCEPTED, D.PLANNED]
        assert tx.subscribers.get(alice.id + 1).watermark == 0
        (job,) = claim(tx, 1)
        for state in (D.PLANNED, D.HANDING_OVER):
            with pytest.raises(ValueError, match="no outcome"):
                tx.deliveries.record([outcome(job, state)], NOW)


def test_a_deferred_letter_is_claimed_when_its_time_has_come(store: Store) -> None:
    planned(store, "alice")
    with store.write() as tx:
        tx.deliveries.record([outcome(claim(tx)[0], D.DEFERRED, next_attempt=LATER)], NOW)
        assert claim(tx, now=LATER - timedelta(seconds=1)) == []
        assert [job.attempts for job in claim(tx, now=LATER)] == [2]


def test_uncertain_letters_come_first_and_only_if_they_are_to_be_sent_again(store: Store) -> None:
    planned(store, "alice", "bob", "charlie")
    with store.write() as tx:
        _, bob = claim(tx, 2)[0], tx.deliveries.recover(NOW, NOW, force=True)
        assert bob == 2
        assert [job.subscriber_id for job in claim(tx, 9, uncertain=False)] == [3]
        tx.deliveries.recover(NOW, NOW, force=True)
        assert (tx.deliveries.pending(), tx.deliveries.pending(include_uncertain=True)) == (0, 3)
    with store.write() as tx:
        assert [job.subscriber_id for job in claim(tx, 2)] == [1, 2]


def test_a_claim_that_ran_out_becomes_uncertain_and_one_that_holds_does_not(store: Store) -> None:
    issue, _, _ = planned(store, "alice")
    with store.write() as tx:
        claim(tx)
        assert tx.deliveries.recover(LATER - timedelta(seconds=1), LATER) == 0
        assert tx.deliveries.recover(LATER, LATER) == 1
        assert states(tx, issue) == [D.UNCERTAIN]


def test_a_released_letter_is_what_it_was(store: Store) -> None:
    issue, _, _ = planned(store, "alice", "bob", "charlie")
    with store.write() as tx:
        first, second = claim(tx, 2)
        tx.deliveries.record(
            [outcome(first, D.DEFERRED, next_attempt=NOW), outcome(second, D.UNCERTAIN, next_attempt=NOW)], NOW
        )
        before = tx.deliveries.of_issue(issue.id)
        jobs = claim(tx, now=NOW)
        assert [job.subscriber_id for job in jobs] == [2, 1, 3]
        assert tx.deliveries.release(jobs, NOW + MINUTE) == 3
        assert {found.changed for found in tx.deliveries.of_issue(issue.id)} == {NOW + MINUTE}
        assert [(found.state, found.attempts, found.next_attempt) for found in tx.deliveries.of_issue(issue.id)] == [
            (found.state, found.attempts, found.next_attempt) for found in before
        ]
        assert tx.deliveries.release(jobs, NOW) == 0


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (SubscriberState.UNSUBSCRIBED, "left"),
        (SubscriberState.PAUSED, "paused"),
        (SubscriberState.BOUNCED, "bounced"),
        (None, "left"),
    ],
)
def test_a_reader_who_left_meanwhile_gets_no_letter(store: Store, state: SubscriberState | None, reason: str) -> None:
    issue, _, (alice, bob) = planned(store, "alice", "bob")
    with store.write() as tx:
        if state is None:
            tx.subscribers.remove(alice.id, NOW)
        else:
            tx.subscribers.set_state(alice.id, state, NOW, reason="test")
        assert [job.subscriber_id for job in claim(tx, 1)] == [bob.id]
        assert states(tx, issue) == [D.SUPPRESSED, D.HANDING_OVER]
        assert tx.deliveries.of_subscriber(alice.id)[0].reason == reason


def test_an_uncertain_letter_of_a_reader_who_left_stays_uncertain(store: Store) -> None:
    issue, _, (alice,) = planned(store, "alice")
    with store.write() as tx:
        tx.deliveries.record([outcome(claim(tx)[0], D.UNCERTAIN)], NOW)
        tx.subscribers.remove(alice.id, NOW)
        assert claim(tx) == []
        assert states(tx, issue) == [D.UNCERTAIN]


def test_what_changed_between_looking_up_and_handing_over_counts(store: Store) -> None:
    issue, _, (alice, bob, *_) = planned(store, "alice", "bob", "charlie", "dora")
    with store.write() as tx:
        jobs = tx.deliveries.upcoming(D.PLANNED, NOW, 9)
        assert [job.fit for job in jobs] == [True] * 4
        tx.subscribers.set_state(alice.id, SubscriberState.UNSUBSCRIBED, NOW, reason="asked")
        later, edition = add_issue(tx, 2, upto_seq=9)
        tx.deliveries.plan(later.id, [(bob.id, edition.id, D.PLANNED, "")], NOW)
        assert tx.deliveries.hand_over(jobs[2:3], NOW, LATER) == {jobs[2].key}
        assert tx.deliveries.hand_over(jobs, NOW, LATER) == {jobs[3].key}, "charlie's is in somebody's hands"
        assert states(tx, issue) == [D.SUPPRESSED, D.EXPIRED, D.HANDING_OVER, D.HANDING_OVER]


def test_of_a_paused_issue_nothing_is_handed_over_until_it_is_resumed(store: Store) -> None:
    issue, _, _ = planned(store, "alice", "bob")
    with store.write() as tx:
        jobs = tx.deliveries.upcoming(D.PLANNED, NOW, 9)
        assert tx.deliveries.pause(issue.id) and not tx.deliveries.pause(issue.id)
        assert tx.deliveries.hand_over(jobs, NOW, LATER) == set()
        assert claim(tx) == [] and tx.deliveries.due(NOW, include_uncertain=True) == 0
        assert states(tx, issue) == [D.PLANNED] * 2
        assert tx.deliveries.finish_issues(NOW, include_uncertain=True) == 0
        assert tx.deliveries.resume(issue.id) and not tx.deliveries.resume(issue.id)
        assert len(claim(tx)) == 2


def test_a_cancelled_issue_is_at_its_end_and_a_letter_in_hand_goes_its_way(store: Store) -> None:
    issue, _, _ = planned(store, "accepted", "deferred", "waiting")
    with store.write() as tx:
        accepted, deferred = claim(tx, 2)
        assert tx.deliveries.cancel(issue.id, NOW) == 1
        assert tx.deliveries.cancel(issue.id, NOW) is None
        assert (tx.issues.get(issue.id).state, tx.issues.finished(issue.id)) == (IssueState.CANCELLED, None)
        tx.deliveries.record([outcome(accepted, D.ACCEPTED), outcome(deferred, D.DEFERRED, next_attempt=NOW)], NOW)
        assert claim(tx) == []
        tx.deliveries.finish_issues(LATER, include_uncertain=True)
        assert tx.issues.finished(issue.id) == LATER, "when nothing was in hand any more"
        assert states(tx, issue) == [D.ACCEPTED, D.SUPPRESSED, D.SUPPRESSED]


def test_a_letter_in_hand_of_a_cancelled_issue_is_in_doubt_when_its_process_is_gone(store: Store) -> None:
    issue, _, _ = planned(store, "in hand", "waiting")
    with store.write() as tx:
        claim(tx, 1)
        tx.deliveries.cancel(issue.id, NOW)
        tx.deliveries.finish_issues(NOW, include_uncertain=True)
        assert tx.deliveries.recover(NOW, NOW, force=True) == 1
        tx.deliveries.finish_issues(LATER, include_uncertain=True)
        assert states(tx, issue) == [D.UNCERTAIN, D.SUPPRESSED]
        assert tx.issues.finished(issue.id) == LATER
        assert tx.deliveries.retry(issue.id, NOW) is None, "cancelled is for good"
        assert (states(tx, issue), tx.issues.get(issue.id).state) == ([D.UNCERTAIN, D.SUPPRESSED], IssueState.CANCELLED)


def test_a_letter_in_doubt_of_a_cancelled_issue_is_not_sent_again(store: Store) -> None:
    issue, _, _ = planned(store, "in doubt", "waiting")
    with store.write() as tx:
        (letter,) = claim(tx, 1)
        tx.deliveries.record([outcome(letter, D.UNCERTAIN, next_attempt=NOW)], NOW)
        assert tx.deliveries.cancel(issue.id, NOW) == 2
        assert states(tx, issue) == [D.UNCERTAIN, D.SUPPRESSED]
        (doubtful,) = tx.deliveries.of_issue(issue.id, state=D.UNCERTAIN)
        assert doubtful.next_attempt is None and "cancelled" in doubtful.reason
        assert tx.issues.finished(issue.id) == NOW


def test_a_cancelled_issue_of_which_nothing_is_in_hand_is_finished_at_once(store: Store) -> None:
    issue, _, _ = planned(store, "waiting")
    with store.write() as tx:
        assert tx.deliveries.cancel(issue.id, NOW) == 1
        assert tx.issues.finished(issue.id) == NOW


def test_a_deferred_letter_has_its_time(store: Store) -> None:
    planned(store, "alice")
    with store.write() as tx:
        (job,) = claim(tx)
        with pytest.raises(ValueError, match="next attempt"):
            tx.deliveries.record([outcome(job, D.DEFERRED)], NOW)


def test_nothing_looks_through_the_letters_of_issues_that_are_over(sqlite_store: Store) -> None:
    issue, _, _ = planned(sqlite_store, "alice", "bob", "charlie")
    said: list[str] = []
    with sqlite_store.write() as tx:
        driver: Any = tx.deliveries._connection.connection.dbapi_connection
        driver.set_trace_callback(said.append)
        jobs = claim(tx, 2)
        tx.deliveries.record([outcome(jobs[0], D.ACCEPTED)], NOW)
        tx.deliveries.recover(NOW, NOW)
        tx.deliveries.release(jobs[1:], NOW)
        tx.deliveries.upcoming(D.DEFERRED, NOW, 9, domain="customs.example")
        tx.deliveries.supersede(issue.id, NOW)
        tx.deliveries.advance_idle(issue.id)
        for uncertain in (False, True):
            tx.deliveries.due(NOW, include_uncertain=uncertain)
            tx.deliveries.waiting(include_uncertain=uncertain)
            tx.deliveries.next_due(include_uncertain=uncertain)
            tx.deliveries.pending(include_uncertain=uncertain)
            tx.deliveries.next_attempt(issue.id, include_uncertain=uncertain)
            tx.deliveries.finish_issues(NOW, include_uncertain=uncertain)
        tx.deliveries.waiting_at("customs.example")
        tx.deliveries.waiting_by_domain()
        tx.deliveries.full(NOW)
        tx.deliveries.expire(NOW, NOW)
        tx.deliveries.hold(NOW, NOW)
        tx.deliveries.cancel(issue.id, NOW)
        tx.deliveries.retry(issue.id, NOW)
        driver.set_trace_callback(None)
        ledger = [sql for sql in said if "deliveries" in sql and sql.lstrip()[:6] in {"SELECT", "UPDATE"}]
        assert len(ledger) > 20
        for sql in ledger:
            plan = [row[-1] for row in driver.execute(f"EXPLAIN QUERY PLAN {sql}")]
            assert not [step for step in plan if TABLE.match(step)], sql


def test_a_new_issue_takes_over_what_older_ones_still_owe_its_readers(store: Store) -> None:
    first, edition, readers = planned(store, "alice", "bob", "charlie", "dora")
    with store.write() as tx:
        jobs = claim(tx, 2)
        tx.deliveries.record([outcome(jobs[0], D.DEFERRED, next_attempt=LATER)], NOW)  # bob stays in our hands
        second, edition = add_issue(tx, 2, upto_seq=9)
        rows = [(reader.id, edition.id, D.PLANNED, "") for reader in readers[:3]]
        tx.deliveries.plan(second.id, [*rows, (readers[3].id, None, D.SUPPRESSED, "nothing new")], NOW)
        assert tx.deliveries.supersede(second.id, NOW) == 2
        assert states(tx, first) == [D.EXPIRED, D.HANDING_OVER, D.EXPIRED, D.PLANNED]
        assert tx.deliveries.of_subscriber(readers[0].id)[1].reason == "taken over by weekly-2"
        assert tx.deliveries.of_subscriber(readers[0].id)[1].next_attempt is None
        assert states(tx, second) == [D.PLANNED] * 3 + [D.SUPPRESSED]
        assert tx.deliveries.supersede(second.id, NOW) == 0


@pytest.mark.parametrize("back", ["deferred", "released"])
def test_a_letter_that_was_in_our_hands_when_a_later_issue_took_it_over_is_not_sent_too(
    store: Store, back: str
) -> None:
    first, _, (alice,) = planned(store, "alice")
    with store.write() as tx:
        (job,) = claim(tx)
        second, edition = add_issue(tx, 2, upto_seq=9)
        tx.deliveries.plan(second.id, [(alice.id, edition.id, D.PLANNED, "")], NOW)
        tx.deliveries.supersede(second.id, NOW)
        if back == "deferred":
            tx.deliveries.record([outcome(job, D.DEFERRED, next_attempt=NOW)], NOW)
        else:
            tx.deliveries.release([job], NOW)
        assert [job.issue_id for job in claim(tx)] == [second.id]
        assert states(tx, first) == [D.EXPIRED]


def test_a_letter_whose_articles_arrived_with_a_later_one_is_not_sent_again(store: Store) -> None:
    first, _, (alice,) = planned(store, "alice")
    with store.write() as tx:
        tx.deliveries.record([outcome(claim(tx)[0], D.UNCERTAIN)], NOW)
        second, edition = add_issue(tx, 2, upto_seq=9)
        tx.deliveries.plan(second.id, [(alice.id, edition.id, D.PLANNED, "")], NOW)
        (job,) = claim(tx)
        assert job.issue_id == second.id
        tx.deliveries.record([outcome(job, D.ACCEPTED)], NOW)
        assert claim(tx) == []
        assert states(tx, first) == [D.UNCERTAIN]


def test_what_is_deferred_too_long_is_given_up(store: Store) -> None:
    issue, _, _ = planned(store, "alice", "bob")
    with store.write() as tx:
        tx.deliveries.record([outcome(claim(tx, 1)[0], D.DEFERRED, next_attempt=LATER)], NOW)
        assert tx.deliveries.expire(NOW, NOW + DAY) == 0
        assert tx.deliveries.expire(NOW + MINUTE, NOW + DAY) == 1
        assert states(tx, issue) == [D.EXPIRED, D.PLANNED]
        assert tx.deliveries.next_due(include_uncertain=True) is None


def test_what_waits_is_counted_by_domain(store: Store) -> None:
    _, _, (first, *_) = planned(store, "alice", "bob", "charlie")
    domain = first.email.partition("@")[2]
    with store.write() as tx:
        tx.deliveries.record([outcome(claim(tx, 1)[0], D.ACCEPTED)], NOW)
        assert tx.deliveries.waiting_by_domain() == {domain: tx.deliveries.waiting_at(domain)} == {domain: 2}


def test_a_retry_plans_what_did_not_arrive_and_is_not_covered_by_a_later_letter(store: Store) -> None:
    names = ("accepted", "rejected", "expired", "uncertain", "covered", "coming", "paused")
    issue, _, readers = planned(store, *names)
    ids = dict(zip(names, (reader.id for reader in readers), strict=True))
    with store.write() as tx:
        ends = {"accepted": D.ACCEPTED, "expired": D.EXPIRED, "uncertain": D.UNCERTAIN}
        jobs = claim(tx)
        tx.deliveries.record(
            [outcome(job, ends.get(name, D.REJECTED)) for name, job in zip(names, jobs, strict=True)], NOW
        )
        tx.issues.set_state(issue.id, IssueState.FINISHED, now=NOW)
        second, later = add_issue(tx, 2, upto_seq=9)
        tx.deliveries.plan(second.id, [(ids[name], later.id, D.PLANNED, "") for name in ("covered", "coming")], NOW)
        (covered,) = claim(tx, 1, uncertain=False)
        tx.deliveries.record([outcome(covered, D.ACCEPTED)], NOW)
        tx.subscribers.set_state(ids["paused"], SubscriberState.PAUSED, NOW, reason="asked")

        assert tx.deliveries.retry(issue.id, NOW) == 3
        again = [delivery.subscriber_id for delivery in tx.deliveries.of_issue(issue.id, D.PLANNED)]
        assert again == [ids[name] for name in ("rejected", "expired", "uncertain")]
        assert tx.issues.get(issue.id).state is IssueState.SENDING
        assert tx.deliveries.sum(issue.id).balances
        assert tx.deliveries.retry(issue.id, NOW) == 0


@pytest.mark.parametrize("held", [IssueState.PAUSED, IssueState.WAITING])
def test_a_retry_sends_nothing_of_an_issue_that_is_held(store: Store, held: IssueState) -> None:
    issue, _, _ = planned(store, "rejected", "waiting")
    with store.write() as tx:
        tx.deliveries.record([outcome(claim(tx, 1)[0], D.REJECTED)], NOW)
        tx.issues.set_state(issue.id, held, now=NOW)
        assert tx.deliveries.retry(issue.id, NOW) == 1
        assert states(tx, issue) == [D.PLANNED] * 2
        assert tx.issues.get(issue.id).state is held
        assert claim(tx) == []


def test_received_counts_what_was_accepted_and_nothing_that_may_be_lost(store: Store) -> None:
    _, _, readers = planned(store, "accepted", "uncertain", "rejected", "claimed", "waiting")
    with store.write() as tx:
        jobs = claim(tx, 4)
        ends = (D.ACCEPTED, D.UNCERTAIN, D.REJECTED)
        tx.deliveries.record([outcome(job, state) for job, state in zip(jobs, ends, strict=False)], NOW)
        ids = [reader.id for reader in readers]
        assert tx.deliveries.received(ids, ["key000001", "key000002"]) == {(ids[0], "key000001")}
        assert tx.deliveries.received(ids[:1], ["key000002"]) == set()
        assert tx.deliveries.received([], []) == set()


def test_an_edition_with_several_articles_was_received_with_each_of_them(store: Store) -> None:
    issue, _, _ = planned(store)
    with store.write() as tx:
        alice = add_reader(tx, "alice")
        both = [Section("environment", ("key000001",)), Section("region-mena", ("key000002",))]
        edition = tx.issues.add_edition(issue.id, fingerprint="both", language="en", sections=both)
        tx.deliveries.plan(issue.id, [(alice.id, edition.id, D.PLANNED, "")], NOW)
        tx.deliveries.record([outcome(claim(tx)[0], D.ACCEPTED)], NOW)
        assert tx.deliveries.received([alice.id], ["key000001", "key000002"]) == {
            (alice.id, "key000001"),
            (alice.id, "key000002"),
        }


def test_the_sum_is_held_against_what_was_selected(store: Store) -> None:
    issue, _, _ = planned(store, "alice", "bob")
    with store.write() as tx:
        assert tx.deliveries.sum(issue.id).selected == 2
        empty, _ = add_issue(tx, 2, upto_seq=5)
        assert set(tx.deliveries.sums()) == {issue.id, empty.id}
        assert tx.deliveries.sums()[empty.id].balances
        with pytest.raises(NotFound):
            tx.deliveries.sum(99)
    with store._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM deliveries WHERE subscriber_id = 1")
    with store.read() as tx:
        assert not tx.deliveries.sum(issue.id).balances  # a row that got lost is seen


def test_a_reader_is_selected_once_in_an_issue_and_never_without_an_edition(store: Store) -> None:
    issue, edition, (alice,) = planned(store, "alice")
    for row in ((alice.id + 1, None, D.PLANNED, ""), (alice.id + 1, edition.id, D.ACCEPTED, "")):
        with pytest.raises(ValueError), store.write() as tx:
            tx.deliveries.plan(issue.id, [row], NOW)
    with pytest.raises(IntegrityError), store.write() as tx:
        tx.deliveries.plan(issue.id, [(alice.id, edition.id, D.PLANNED, "")], NOW)
    with store.read() as tx:
        assert tx.deliveries.sum(issue.id).selected == 1


def test_no_letter_is_claimed_twice_by_workers_at_the_same_time(store: Store) -> None:
    issue, _, _ = planned(store, *(f"reader{n}" for n in range(60)))
    claimed: list[int] = []

    def work() -> None:
        while True:
            with store.write() as tx:
                jobs = claim(tx, 4)
            if not jobs:
                return
            claimed.extend(job.subscriber_id for job in jobs)
            with store.write() as tx:
                assert tx.deliveries.record([outcome(job, D.ACCEPTED) for job in jobs], NOW) == len(jobs)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(claimed) == list(range(1, 61))
    with store.read() as tx:
        assert states(tx, issue) == [D.ACCEPTED] * 60


def test_an_exchange_records_the_last_letters_and_claims_the_next(store: Store) -> None:
    issue, _, (alice, bob, charlie, dora) = planned(store, "alice", "bob", "charlie", "dora")
    with store.held() as held:
        with held.write() as tx:
            jobs = tx.deliveries.upcoming(D.PLANNED, NOW, 9)
            tx.subscribers.set_state(dora.id, SubscriberState.UNSUBSCRIBED, NOW, reason="asked")
        assert held.exchange([], jobs[:2], NOW, LATER) == {job.key for job in jobs[:2]}
        outcomes = [outcome(jobs[0], D.ACCEPTED, reply="250"), outcome(jobs[1], D.REJECTED, reply="550", reason="no")]
        assert held.exchange(outcomes, jobs[1:], NOW, LATER) == {jobs[2].key}, "bob's is done, dora left"
        assert held.exchange([outcome(jobs[2], D.UNCERTAIN, next_attempt=LATER)], [], NOW, LATER) == set()
    with store.read() as tx:
        assert states(tx, issue) == [D.ACCEPTED, D.REJECTED, D.UNCERTAIN, D.PLANNED]
        assert [tx.subscribers.get(reader.id).watermark for reader in (alice, bob, charlie, dora)] == [5, 0, 0, 0]


def test_an_exchange_that_fails_has_changed_nothing(store: Store) -> None:
    issue, _, (alice, _) = planned(store, "alice", "bob")
    with store.held() as held:
        with held.write() as tx:
            jobs = tx.deliveries.upcoming(D.PLANNED, NOW, 9)
        held.exchange([], jobs[:1], NOW, LATER)
        refused: Any = None if store.is_one_file else "a reply\0"
        with pytest.raises(DBAPIError):
            held.exchange([outcome(jobs[0], D.ACCEPTED, reply=refused)], jobs[1:], NOW, LATER)
        with held.write() as tx:
            assert states(tx, issue) == [D.HANDING_OVER, D.PLANNED]
        held.exchange([outcome(jobs[0], D.ACCEPTED)], jobs[1:], NOW, LATER)
        with held.write() as tx:
            assert states(tx, issue) == [D.ACCEPTED, D.HANDING_OVER]
            assert tx.subscribers.get(alice.id).watermark == 5


def test_looking_up_goes_on_behind_a_letter_and_with_the_next_issue_from_its_first_reader(store: Store) -> None:
    first, edition, readers = planned(store, "alice", "bob")
    with store.write() as tx:
        second, _ = add_issue(tx, 2, upto_seq=9)
        again = [(reader.id, edition.id, D.PLANNED, "") for reader in readers]
        tx.deliveries.plan(second.id, again, NOW)
        alice, bob = (reader.id for reader in readers)
        all_keys = [Key(first.id, alice), Key(first.id, bob), Key(second.id, alice), Key(second.id, bob)]
        for done in range(4):
            found = tx.deliveries.upcoming(D.PLANNED, NOW, 9, after=all_keys[done])
            assert [job.key for job in found] == all_keys[done + 1 :]
        assert [job.key for job in tx.deliveries.upcoming(D.PLANNED, NOW, 3)] == all_keys[:3]


def test_of_one_domain_only_its_readers_are_looked_up_whatever_signs_it_has(store: Store) -> None:
    issue, edition, _ = planned(store, "alice")
    with store.write() as tx:
        others = ("bob@a_b.example", "charlie@axb.example", "dora@x.a_b.example", "emil@A_B.example")
        readers = [
            tx.subscribers.add(
                email,
                frequency=issue.frequency,
                language="en",
                topics=("environment",),
                state=SubscriberState.ACTIVE,
                watermark=0,
                now=NOW,
            )
            for email in others
        ]
        tx.deliveries.plan(issue.id, [(reader.id, edition.id, D.PLANNED, "") for reader in readers], NOW)
        found = tx.deliveries.upcoming(D.PLANNED, NOW, 9, domain="a_b.example")
        assert [job.email for job in found] == ["bob@a_b.example", "emil@A_B.example"]


@pytest.mark.parametrize("state", [D.PLANNED, D.DEFERRED, D.UNCERTAIN])
def test_who_left_or_has_had_the_articles_is_looked_up_as_unfit_unless_a_letter_is_in_doubt(
    store: Store, state: DeliveryState
) -> None:
    _, _, (alice, bob, charlie, dora) = planned(store, "alice", "bob", "charlie", "dora")
    with store.write() as tx:
        if state is not D.PLANNED:
            tx.deliveries.record([outcome(job, state, next_attempt=NOW) for job in claim(tx)], NOW)
        tx.subscribers.set_state(alice.id, SubscriberState.UNSUBSCRIBED, NOW, reason="left")
        tx.subscribers.raise_watermark(bob.id, 5)
        tx.subscribers.raise_watermark(charlie.id, 4)
        tx.subscribers.remove(dora.id, NOW)
        found = [(job.subscriber_id, job.fit) for job in tx.deliveries.upcoming(state, NOW, 9)]
        fit = (charlie.id, True)
        every = [(alice.id, False), (bob.id, False), fit, (dora.id, False)]
        assert found == ([fit] if state is D.UNCERTAIN else every)


def test_letters_that_end_in_every_way_there_is_are_recorded_together(store: Store) -> None:
    ways = sorted(set(D) - {D.PLANNED, D.HANDING_OVER})
    issue, _, _ = planned(store, *(f"reader{number}" for number in range(len(ways))))
    with store.write() as tx:
        outcomes = [outcome(job, way, next_attempt=LATER) for job, way in zip(claim(tx), ways, strict=True)]
        assert tx.deliveries.record(outcomes, NOW) == len(ways)
        assert states(tx, issue) == ways


@pytest.mark.parametrize(("watermark", "state"), [(4, D.HANDING_OVER), (5, D.EXPIRED), (6, D.EXPIRED)])
def test_who_got_just_these_articles_after_looking_up_is_sent_no_letter(
    store: Store, watermark: int, state: DeliveryState
) -> None:
    issue, _, (alice,) = planned(store, "alice")
    with store.write() as tx:
        jobs = tx.deliveries.upcoming(D.PLANNED, NOW, 9)
        tx.subscribers.raise_watermark(alice.id, watermark)
        assert len(tx.deliveries.hand_over(jobs, NOW, LATER)) == (state is D.HANDING_OVER)
        assert states(tx, issue) == [state]
