"""Service letters and the relays: fail-over, breakers, and limits of which a part is theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flows.house import WEEKLY, House, relay_thread
from wire.servers import DROP, Relay

from publisher.errors import RelayUnavailable
from publisher.flows import fleet, mail_room
from publisher.flows.sign_up import Wish, request_sign_up
from publisher.mail.circuit import RELAY
from publisher.model import DeliveryState, Frequency, SignUpMethod
from publisher.store import Kind

ACCEPTED, DEFERRED, REJECTED = DeliveryState.ACCEPTED, DeliveryState.DEFERRED, DeliveryState.REJECTED
HOUR = timedelta(hours=1, seconds=40)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "KNOCKS_S", (0.0,))
    monkeypatch.setattr(mail_room, "PAUSES_S", (0.0,))


@pytest.fixture(scope="module")
def _both() -> Iterator[tuple[Relay, Relay]]:
    with relay_thread() as main, relay_thread() as spare:
        yield main, spare


@pytest.fixture
def relays(_both: tuple[Relay, Relay]) -> tuple[Relay, Relay]:
    for relay in _both:
        for remembered in (relay.mail, relay.rcpt, relay.content, relay.taken):
            remembered.clear()
        relay.greeting = lambda number: None
    return _both


@pytest.fixture
def house(tmp_path: Path, store_url: str) -> Iterator[House]:
    house = House(tmp_path, store_url)
    yield house
    house.app.close()


def use(house: House, relays: tuple[Relay, Relay], main: dict[str, Any], spare: dict[str, Any]) -> None:
    blocks = [
        {"name": name, "host": relay.endpoint.host, "port": relay.endpoint.port, "security": "none", **more}
        for name, relay, more in (("main", relays[0], main), ("spare", relays[1], spare))
    ]
    house.rebuild(relay=blocks)


def ask(house: House, *names: str) -> None:
    for name in names:
        wish = Wish(
            email=f"{name}@asking.example",
            frequency=Frequency.WEEKLY,
            method=SignUpMethod.FORM,
            host=f"192.0.2.{len(name)}",
        )
        request_sign_up(house.app.sign_up, wish)


def post(house: House, *, patient: bool = False) -> dict[DeliveryState, int]:
    return dict(asyncio.run(house.app.mail_room.work_off(patient=patient)))


def breakers(house: House) -> dict[str, bool]:
    with house.app.store.read() as tx:
        return {name: one.is_open(house.clock()) for name, one in tx.circuits.all(Kind.RELAY).items()}


@pytest.mark.parametrize("fault", ["greeting", "sender", "login"])
def test_a_relay_that_is_out_leaves_service_letters_to_the_next_one(
    house: House, relays: tuple[Relay, Relay], fault: str
) -> None:
    main, spare = relays
    use(house, relays, {}, {})
    ask(house, "ann", "benedict")
    if fault == "greeting":
        main.greeting = lambda number: DROP
    elif fault == "sender":
        main.mail["*"] = "550 5.7.1 we know no such sender"
    else:
        main.rcpt["*"] = "530 5.7.0 authentication required"
    assert post(house) == {ACCEPTED: 2}
    assert sorted(spare.recipients) == ["ann@asking.example", "benedict@asking.example"]
    assert breakers(house) == {"main": True}
    seen = main.connections
    ask(house, "christopher")
    assert post(house, patient=True) == {ACCEPTED: 1}
    assert main.connections == seen, "nobody asks it before its time"
    main.greeting = lambda number: None
    main.mail.clear()
    main.rcpt.clear()
    house.clock.forward(seconds=RELAY.first.total_seconds() + 1)
    ask(house, "dr-christopher")
    assert post(house, patient=True) == {ACCEPTED: 1}
    assert main.recipients == ["dr-christopher@asking.example"]
    assert breakers(house) == {}, "it works again"


def test_when_all_relays_are_out_the_letters_wait_and_a_person_may_try_at_once(
    house: House, relays: tuple[Relay, Relay]
) -> None:
    use(house, relays, {}, {})
    ask(house, "ann")
    for relay in relays:
        relay.greeting = lambda number: DROP
    with pytest.raises(RelayUnavailable) as caught:
        post(house)
    assert [str(relay.endpoint) in str(caught.value) for relay in relays] == [True, True]
    assert breakers(house) == {"main": True, "spare": True}
    seen = [relay.connections for relay in relays]
    assert post(house, patient=True) == {}
    assert [relay.connections for relay in relays] == seen
    relays[0].greeting = lambda number: None
    assert post(house) == {ACCEPTED: 1}
    assert breakers(house) == {"spare": True}


def test_a_digest_leaves_a_part_of_the_limits_to_service_letters(house: House, relays: tuple[Relay, Relay]) -> None:
    main, _ = relays
    use(house, relays, {"letters_per_hour": 50}, {"warm_up_from": "2999-01-01", "warm_up": (50,)})
    house.article("Waste")
    for number in range(60):
        house.reader(f"reader{number:02}")
    report = house.publish(WEEKLY)[1].delivery
    assert dict(report.states) == {ACCEPTED: 49}
    assert report.outlook is not None
    (limit,) = report.outlook.relays[0].limits
    assert (limit.used, limit.kept, limit.is_reached) == (49, 1, True)
    assert report.outlook.relays[0].held == "at its limit"
    ask(house, "ann", "benedict")
    assert post(house) == {ACCEPTED: 1}
    assert main.recipients[-1].endswith("@asking.example")
    assert post(house) == {}, "the whole limit holds for them too"
    assert dict(house.deliver().states) == {}
    house.clock.now += HOUR
    report = house.deliver()
    assert (dict(report.service), dict(report.states)) == ({ACCEPTED: 1}, {ACCEPTED: 11}), (
        "who waits for it comes first"
    )
    assert main.recipients[50].endswith("@asking.example")


def test_service_letters_count_against_a_relays_limits(house: House, relays: tuple[Relay, Relay]) -> None:
    main, spare = relays
    use(house, relays, {"letters_per_hour": 3}, {"letters_per_day": 2})
    ask(house, *("a" * count for count in range(1, 8)))
    assert post(house) == {ACCEPTED: 5}
    assert (len(main.taken), len(spare.taken)) == (3, 2)
    house.article("Waste")
    house.reader("reader")
    assert dict(house.publish(WEEKLY)[1].delivery.states) == {}
    house.clock.now += HOUR
    report = house.deliver()
    assert (dict(report.service), dict(report.states)) == ({ACCEPTED: 2}, {ACCEPTED: 1})


def test_replies_about_a_reader_are_final_or_put_off_as_with_digests_and_blame_no_relay(
    house: House, relays: tuple[Relay, Relay]
) -> None:
    main, spare = relays
    use(house, relays, {}, {})
    ask(house, "ann", "benedict")
    main.rcpt["ann@asking.example"] = "550 5.1.1 nobody here"
    main.rcpt["benedict@asking.example"] = "450 4.7.1 greylisted, come again"
    assert post(house) == {REJECTED: 1, DEFERRED: 1}
    assert breakers(house) == {} and spare.taken == []
    main.rcpt.clear()
    house.clock.forward(minutes=4)
    assert post(house) == {}, "greylisting wants five minutes"
    house.clock.forward(minutes=20)
    assert post(house) == {ACCEPTED: 1}
