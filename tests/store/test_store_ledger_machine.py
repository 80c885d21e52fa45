"""Whatever happens to letters in whatever order: the sums balance, and watermarks follow acceptance alone."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from store_samples import MINUTE, NOW, add_issue, add_reader, claim, new

from publisher.model import DeliveryState, SubscriberState
from publisher.store import Job, Key, Outcome, Store

D = DeliveryState
READERS = 5
FINAL = st.sampled_from([D.ACCEPTED, D.REJECTED, D.DEFERRED, D.UNCERTAIN, D.EXPIRED])


class Ledger(RuleBasedStateMachine):
    store: Store

    @initialize()
    def begin(self) -> None:
        self.now: datetime = NOW
        self.jobs: dict[tuple[int, int], Job] = {}
        self.selected: dict[int, int] = {}
        self.upto: dict[int, int] = {}
        self.block = self.store.write()
        self.tx = self.block.__enter__()
        self.tx.articles.add([new(1)])
        self.readers = [add_reader(self.tx, f"reader{n}").id for n in range(READERS)]
        self.watermarks = dict.fromkeys(self.readers, 0)

    def teardown(self) -> None:
        with pytest.raises(KeyboardInterrupt):  # undo it for the next example
            self.block.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
            raise KeyboardInterrupt

    @precondition(lambda self: len(self.selected) < 4)
    @rule(chosen=st.sets(st.integers(0, READERS - 1)), suppressed=st.sets(st.integers(0, READERS - 1)))
    def compose(self, chosen: set[int], suppressed: set[int]) -> None:
        number = len(self.selected) + 1
        issue, edition = add_issue(self.tx, number, upto_seq=number * 10, composed=self.now)
        rows = [
            (self.readers[n], None, D.SUPPRESSED, "nothing new")
            if n in suppressed
            else (self.readers[n], edition.id, D.PLANNED, "")
            for n in sorted(chosen)
        ]
        assert self.tx.deliveries.plan(issue.id, rows, self.now) == len(rows)
        self.tx.deliveries.supersede(issue.id, self.now)
        self.selected[issue.id] = len(rows)
        self.upto[issue.id] = issue.upto_seq
        for reader in (n for n in chosen - suppressed):
            owed = [
                delivery
                for delivery in self.tx.deliveries.of_subscriber(self.readers[reader])
                if delivery.state in {D.PLANNED, D.DEFERRED}
            ]
            assert len(owed) == 1

    @rule(limit=st.integers(0, 4), uncertain=st.booleans())
    def claim(self, limit: int, uncertain: bool) -> None:
        until = self.now + 5 * MINUTE
        jobs = claim(self.tx, self.now, limit, uncertain=uncertain, until=until)
        assert len(jobs) <= limit
        for job in jobs:
            assert (job.issue_id, job.subscriber_id) not in self.jobs
            assert self.watermarks[job.subscriber_id] < self.upto[job.issue_id]
            later = [d for d in self.tx.deliveries.of_subscriber(job.subscriber_id) if d.issue_id > job.issue_id]
            assert not {D.PLANNED, D.DEFERRED, D.HANDING_OVER, D.UNCERTAIN} & {d.state for d in later}
            self.jobs[job.issue_id, job.subscriber_id] = job

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), state=FINAL)
    def record(self, data: st.DataObject, state: DeliveryState) -> None:
        issue_id, reader = data.draw(st.sampled_from(sorted(self.jobs)))
        held = self.held(issue_id, reader)
        again = self.now + 3 * MINUTE if state is D.DEFERRED else None
        outcome = Outcome(Key(issue_id, reader), state, next_attempt=again)
        assert self.tx.deliveries.record([outcome], self.now) == held
        del self.jobs[issue_id, reader]
        if held and state is D.ACCEPTED:
            self.watermarks[reader] = max(self.watermarks[reader], self.upto[issue_id])

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.jobs)))
        held = self.held(*name)
        assert self.tx.deliveries.release([self.jobs.pop(name)], self.now) == held

    @rule(force=st.booleans())
    def recover(self, force: bool) -> None:
        self.tx.deliveries.recover(self.now, self.now, force=force)
        self.jobs = {name: job for name, job in self.jobs.items() if self.held(*name)}

    @rule(minutes=st.integers(1, 6))
    def wait(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    @rule()
    def expire(self) -> None:
        self.tx.deliveries.expire(self.now - 10 * MINUTE, self.now)

    @precondition(lambda self: self.selected)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        issue_id = data.draw(st.sampled_from(sorted(self.selected)))
        self.tx.deliveries.retry(issue_id, self.now)
        for delivery in self.tx.deliveries.of_issue(issue_id, D.PLANNED):
            assert self.watermarks[delivery.subscriber_id] < self.upto[issue_id]

    @precondition(lambda self: self.selected)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        issue_id = data.draw(st.sampled_from(sorted(self.selected)))
        if self.tx.deliveries.cancel(issue_id, self.now) is not None:
            assert not {D.PLANNED, D.DEFERRED} & {d.state for d in self.tx.deliveries.of_issue(issue_id)}

    @rule(uncertain=st.booleans())
    def finish(self, uncertain: bool) -> None:
        self.tx.deliveries.finish_issues(self.now, include_uncertain=uncertain)
        for issue_id, found in self.tx.deliveries.sums().items():
            assert (self.tx.issues.finished(issue_id) is None) >= bool(found.pending), "of what is over nothing waits"

    @rule(reader=st.integers(0, READERS - 1), state=st.sampled_from(SubscriberState))
    def change(self, reader: int, state: SubscriberState) -> None:
        self.tx.subscribers.set_state(self.readers[reader], state, self.now, reason="test")

    @invariant()
    def every_sum_balances(self) -> None:
        sums = self.tx.deliveries.sums()
        assert {issue_id: found.selected for issue_id, found in sums.items()} == self.selected
        assert all(found.balances for found in sums.values())
        assert sum(found.pending for found in sums.values()) == self.tx.deliveries.pending()

    @invariant()
    def watermarks_follow_acceptance(self) -> None:
        assert {reader.id: reader.watermark for reader in self.tx.subscribers.list()} == self.watermarks

    @invariant()
    def what_is_handed_over_is_in_somebodys_hands(self) -> None:
        held = {
            (issue_id, delivery.subscriber_id)
            for issue_id in self.selected
            for delivery in self.tx.deliveries.of_issue(issue_id, D.HANDING_OVER)
        }
        assert held == set(self.jobs)

    def held(self, issue_id: int, reader: int) -> bool:
        found = self.tx.deliveries.of_issue(issue_id, D.HANDING_OVER)
        return reader in {delivery.subscriber_id for delivery in found}


def test_sums_balance_and_watermarks_follow_acceptance_whatever_happens(store: Store) -> None:
    machine = type("LedgerOfStore", (Ledger,), {"store": store})
    run_state_machine_as_test(machine, settings=settings(max_examples=25, stateful_step_count=25, deadline=None))
