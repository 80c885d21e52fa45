"""Minds changed while letters go out: an issue paused or cancelled, readers who leave. What was not begun is not sent.

A claim and a change of mind are transactions of one database, so no clock is needed to say who was first: a letter
whose row still waits after the change was committed is never begun. On PostgreSQL a claim may be under way at that
very moment, one for each connection at the most.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
from crash.sendings import compose_for, email_of, recording_relay
from flows.house import House
from starlette.testclient import TestClient
from wire.hostile import Fault, HostileRelay

from publisher.errors import StoreBusy
from publisher.flows import sending
from publisher.flows.deliver import DOUBT
from publisher.model import DeliveryState, IssueState, SubscriberState
from publisher.smtp.endpoint import Endpoint
from publisher.smtp.postman import deliver_all
from publisher.store import HeldStore, Transaction
from publisher.tokens import UNSUBSCRIBE
from publisher.web.server import make_asgi

CONNECTIONS = 4
D = DeliveryState


@dataclass
class Going:
    """An issue that is being sent by a thread."""

    house: House
    relay: HostileRelay
    failures: list[BaseException] = field(default_factory=list)

    @property
    def issue_id(self) -> int:
        return self.house.issues()[0].id

    def rows(self) -> dict[str, DeliveryState]:
        return {email_of(number): row.state for number, row in self.house.deliveries(self.house.issues()[0]).items()}

    def state_of(self, number: int) -> DeliveryState:
        """Of the letter to this reader."""
        with self.house.app.store.read() as tx:
            return tx.deliveries.of_subscriber(number)[0].state

    @contextmanager
    def under_way(self, after: int = 20) -> Iterator[None]:
        """The block runs when so many letters are out; at its end the sending is waited for."""

        def send() -> None:
            try:
                self.house.deliver()
            except BaseException as error:
                self.failures.append(error)

        thread = threading.Thread(target=send)
        thread.start()
        try:
            while len(self.relay.taken) < after and thread.is_alive():
                time.sleep(0.001)
            yield
        finally:
            thread.join(240)
        assert not thread.is_alive() and not self.failures, self.failures

    def check_begun(self, waiting: set[str]) -> None:
        """None of those who still waited after the change of mind was written to."""
        race = 0 if self.house.store_url.startswith("sqlite") else CONNECTIONS
        assert len(waiting & self.relay.seen.keys()) <= race

    def check_sent(self) -> None:
        """The ledger says what the relay saw."""
        self.house.check_sums()
        accepted = [name for name, state in self.rows().items() if state is D.ACCEPTED]
        assert sorted(accepted) == sorted(self.relay.taken)


@contextmanager
def going(root: Path, store_url: str, readers: int) -> Iterator[Going]:
    with recording_relay() as relay:
        smtp = {"host": "127.0.0.1", "port": relay.endpoint.port, "security": "none", "connections": CONNECTIONS}
        house = House(root, store_url, {"smtp": smtp})
        compose_for(house, readers)
        try:
            yield Going(house, relay)
        finally:
            house.app.close()


def waiting_in(rows: dict[str, DeliveryState]) -> set[str]:
    return {name for name, state in rows.items() if state is D.PLANNED}


def test_an_issue_paused_while_it_is_sent_stands_still_and_goes_on_when_resumed(tmp_path: Path, store_url: str) -> None:
    with going(tmp_path, store_url, 400) as sending:
        store = sending.house.app.store
        with sending.under_way():
            with store.write() as tx:
                assert tx.deliveries.pause(sending.issue_id)
            waiting = waiting_in(sending.rows())
        assert waiting, "it was paused in the middle"
        sending.check_begun(waiting)
        sending.check_sent()
        assert set(sending.rows().values()) == {D.ACCEPTED, D.PLANNED}
        assert not sending.house.deliver().states
        with store.write() as tx:
            assert tx.deliveries.resume(sending.issue_id)
        sending.house.deliver()
        sending.check_sent()
        assert set(sending.rows().values()) == {D.ACCEPTED}
        assert sending.house.issues()[0].state is IssueState.FINISHED


def test_an_issue_cancelled_while_it_is_sent_is_at_its_end(tmp_path: Path, store_url: str) -> None:
    with going(tmp_path, store_url, 400) as sending:
        store = sending.house.app.store
        with sending.under_way():
            with store.write() as tx:
                assert tx.deliveries.cancel(sending.issue_id, sending.house.clock())
            suppressed = {name for name, state in sending.rows().items() if state is D.SUPPRESSED}
        assert suppressed, "it was cancelled in the middle"
        sending.check_begun(suppressed)
        sending.check_sent()
        assert set(sending.rows().values()) == {D.ACCEPTED, D.SUPPRESSED}
        assert sending.house.issues()[0].state is IssueState.CANCELLED
        assert not sending.house.deliver().states


def leave_in_the_middle(sending: Going, leavers: range) -> None:
    """One-click requests, as mail providers send them, while the letters go out."""
    app = sending.house.app
    client = TestClient(make_asgi(app), base_url="https://news.example", follow_redirects=False)
    in_time: set[str] = set()
    left_at: dict[str, float] = {}
    with sending.under_way():
        for number in leavers:
            path = app.links.unsubscribe(app.signer.token(UNSUBSCRIBE, number)).removeprefix("https://news.example")
            answer = client.post(path, data={"List-Unsubscribe": "One-Click"})
            assert (answer.status_code, answer.headers.get("location")) == (200, None)
            left_at[email_of(number)] = time.monotonic()
            if sending.state_of(number) is D.PLANNED:
                in_time.add(email_of(number))
    assert in_time, "some left before their letter"
    came_at = sending.relay.came_at
    late = {name: came_at[name] - at for name, at in left_at.items() if came_at.get(name, 0) > at + 1}
    assert not late, "no letter is begun a second after its reader had left"
    sending.check_begun(in_time)
    sending.check_sent()
    rows = sending.rows()
    assert set(rows.values()) == {D.ACCEPTED, D.SUPPRESSED}
    left = {email_of(number) for number in leavers}
    assert {name for name, state in rows.items() if state is D.SUPPRESSED} <= left, "nobody else is left out"
    with app.store.read() as tx:
        assert {tx.subscribers.get(number).state for number in leavers} == {SubscriberState.UNSUBSCRIBED}
    assert sending.house.issues()[0].state is IssueState.FINISHED
    sending.house.clock.forward(days=7)
    sending.house.article("Plastics")
    before = len(sending.relay.taken)
    sending.house.publish()
    assert not left & set(sending.relay.taken[before:]), "and nobody who left gets the next one"


def test_readers_leave_while_the_issue_is_sent(tmp_path: Path, store_url: str) -> None:
    with going(tmp_path, store_url, 400) as sending:
        leave_in_the_middle(sending, range(395, 195, -8))


@pytest.mark.slow
def test_1000_readers_leave_while_10000_letters_go_out(tmp_path: Path, store_url: str) -> None:
    with going(tmp_path, store_url, 10_000) as sending:
        leave_in_the_middle(sending, range(9_999, 0, -10))


def lose_replies(sending: Going, readers: int, how: str) -> None:
    """Every twentieth letter is taken, and its answer lost."""
    doubtful = [email_of(number) for number in range(10, readers + 1, 20)]
    sending.relay.faults = [Fault("content", how, name, times=1) for name in doubtful]
    sending.house.deliver()
    rows = sending.rows()
    assert sorted(name for name, state in rows.items() if state is D.UNCERTAIN) == doubtful
    assert Counter(rows.values()) == {D.ACCEPTED: readers - len(doubtful), D.UNCERTAIN: len(doubtful)}
    sending.house.check_sums()
    sending.house.clock.now += DOUBT
    sending.house.deliver()
    copies = Counter(sending.relay.taken)
    assert copies == {name: 2 if name in doubtful else 1 for name in rows}, "two where the answer was lost, else one"
    assert all(len(set(contents)) == 1 for contents in sending.relay.seen.values())
    assert sending.house.issues()[0].state is IssueState.FINISHED


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause after a lost connection, and one second for a relay's final answer, not ten minutes."""
    monkeypatch.setattr(sending, "deliver_all", partial(deliver_all, pauses_s=(0.0,)))
    made = Endpoint.from_settings
    impatient = classmethod(lambda _, relay, **options: replace(made(relay, **options), final_timeout_s=1))
    monkeypatch.setattr(Endpoint, "from_settings", impatient)


LOST = pytest.mark.parametrize("how", ["close", "late"], ids=["hangs up", "answers too late"])


@LOST
@pytest.mark.usefixtures("_impatient")
def test_exactly_the_letters_whose_answers_were_lost_come_twice(tmp_path: Path, store_url: str, how: str) -> None:
    with going(tmp_path, store_url, 100) as sending:
        sending.relay.late_s = 1.5
        lose_replies(sending, 100, how)


@pytest.mark.slow
@pytest.mark.usefixtures("_impatient")
def test_exactly_the_letters_whose_answers_were_lost_come_twice_of_10000(tmp_path: Path, store_url: str) -> None:
    with going(tmp_path, store_url, 10_000) as sending:
        lose_replies(sending, 10_000, "close")


def test_a_letter_that_is_ours_goes_out_though_the_store_is_busy_when_another_is_denied(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is claimed stays claimed: to write down who left meanwhile is a transaction of its own, which may have to
    wait for others."""

    @contextmanager
    def busy(_: HeldStore) -> Iterator[Transaction]:
        raise StoreBusy("somebody else writes")
        yield

    with going(tmp_path, sqlite_url, 400) as sending:
        monkeypatch.setattr(HeldStore, "write", busy)
        leave_in_the_middle(sending, range(395, 195, -8))
