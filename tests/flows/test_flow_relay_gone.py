"""A relay that dies in the middle of a sending, stays away for an hour and comes back: the clock is an argument."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from crash.sendings import compose_for, email_of, recording_relay
from flows.house import START, House
from wire.hostile import Fault, HostileRelay

from publisher.flows import deliver as deliver_flow
from publisher.flows import sending
from publisher.flows.deliver import letters_due
from publisher.flows.reports import DeliverReport
from publisher.mail.circuit import RELAY
from publisher.model import DeliveryState, IssueState, SubscriberState
from publisher.smtp.postman import deliver_all

READERS = 300
CONNECTIONS = 4
AWAY = timedelta(hours=1)
DOUBTFUL = email_of(10)
D = DeliveryState


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Knock again at once at a relay that does not answer."""
    monkeypatch.setattr(sending, "deliver_all", partial(deliver_all, pauses_s=(0.0,)))


def dies_in_the_middle(house: House, relay: HostileRelay) -> None:
    """The relay's connections break and its port is closed, after some letters: one is taken and not answered, and one
    is waited for in vain."""
    relay.faults = [Fault("content", "hang", DOUBTFUL, times=1), Fault("data", "hang", email_of(15), times=1)]
    reports: list[DeliverReport] = []
    with recording_relay(relay):
        thread = threading.Thread(target=lambda: reports.append(house.deliver()))
        thread.start()
        while len(relay.taken) < READERS // 10 and thread.is_alive():
            time.sleep(0.0005)
    thread.join(60)
    (report,) = reports
    assert "check smtp.host" in report.problem and report.waiting
    assert READERS // 10 <= len(relay.taken) < READERS


def whenever_it_is_time(house: House) -> list[DeliverReport]:
    """What `publisher serve` does at the moment that was announced: nothing if there is nothing to be won."""
    ahead = deliver_flow.look_ahead(house.app.store, house.app.post, house.clock())
    assert ahead.goes_on is not None
    house.clock.now = max(ahead.goes_on, house.clock() + timedelta(seconds=1))
    return [house.deliver()] if letters_due(house.app.store, house.app.post, house.clock()) else []


def test_a_relay_that_is_gone_for_an_hour_gets_every_letter_when_it_is_back(tmp_path: Path, store_url: str) -> None:
    relay = HostileRelay()
    with recording_relay(relay):
        port = relay.endpoint.port
    house = House(
        tmp_path, store_url,
        {"smtp": {"host": "127.0.0.1", "port": port, "security": "none", "connections": CONNECTIONS}},
    )  # fmt: skip
    compose_for(house, READERS)
    dies_in_the_middle(house, relay)
    (issue,) = house.issues()
    rows = {email_of(number): row for number, row in house.deliveries(issue).items()}
    arrived = set(relay.taken)
    doubtful = {name for name, row in rows.items() if row.state is D.UNCERTAIN}
    assert DOUBTFUL in doubtful and len(doubtful) <= CONNECTIONS
    assert {name for name, row in rows.items() if row.state is D.ACCEPTED} == arrived - doubtful

    tries = 0
    while house.clock() < START + AWAY:
        for report in whenever_it_is_time(house):
            assert "check smtp.host" in report.problem and not report.states
            tries += 1
        assert tries <= 10, "later and later"
    assert tries >= 2, "it is tried again"

    with recording_relay(relay):
        while house.issues()[0].state is not IssueState.FINISHED:
            assert house.clock() < START + AWAY + RELAY.longest + timedelta(minutes=1), "it is found soon"
            whenever_it_is_time(house)
    house.check_sums()
    assert {row.state for row in house.deliveries(issue).values()} == {D.ACCEPTED}
    copies = Counter(relay.taken)
    assert copies.keys() == rows.keys(), "nobody is left out"
    assert {name for name, count in copies.items() if count > 1} <= doubtful & arrived, "and nobody else gets two"
    assert max(copies.values()) == copies[DOUBTFUL] == 2
    assert all(len(set(contents)) == 1 for contents in relay.seen.values())
    with house.app.store.read() as tx:
        assert {one.state for one in tx.subscribers.list(limit=READERS)} == {SubscriberState.ACTIVE}
    waited = {row.attempts for number, row in house.deliveries(issue).items() if email_of(number) not in doubtful}
    assert waited <= {1, 2}, "an hour of knocking costs no reader an attempt"
    house.app.close()
