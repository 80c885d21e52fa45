"""Several relays and limits: who carries which letter, what waits for what, and what a restart remembers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flows.house import START, WEEKLY, House, name_of, relay_thread
from wire.servers import DROP, Relay

from publisher.flows import fleet
from publisher.flows.deliver import letters_due
from publisher.flows.dkim import key_places, make_key
from publisher.flows.domains import Domains
from publisher.flows.reports import DeliverReport
from publisher.flows.run import publish
from publisher.mail.circuit import DOMAIN_DEFERS, DOMAIN_REFUSES, RELAY
from publisher.model import DeliveryState, IssueState, RunState
from publisher.store import Kind

ACCEPTED, DEFERRED, PLANNED = DeliveryState.ACCEPTED, DeliveryState.DEFERRED, DeliveryState.PLANNED
HOUR = timedelta(hours=1, seconds=40)
"""An hour, and the slot in which its letters went out."""
DAY = timedelta(days=1, minutes=15)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Knock again at once at a relay that does not answer."""
    monkeypatch.setattr(fleet, "KNOCKS_S", (0.0,))
    monkeypatch.setattr(fleet, "PAUSES_S", (0.0, 0.0))


@pytest.fixture(scope="module")
def _two_relays() -> Iterator[tuple[Relay, Relay]]:
    with relay_thread() as main, relay_thread() as spare:
        yield main, spare


@pytest.fixture
def relays(_two_relays: tuple[Relay, Relay]) -> tuple[Relay, Relay]:
    for relay in _two_relays:
        for remembered in (relay.mail, relay.rcpt, relay.content, relay.taken):
            remembered.clear()
        relay.greeting = lambda number: None
    return _two_relays


@pytest.fixture
def house(tmp_path: Path, sqlite_url: str) -> Iterator[House]:
    house = House(tmp_path, sqlite_url)
    yield house
    house.app.close()


def settings_of(relay: Relay, name: str, **more: object) -> dict[str, Any]:
    where = {"name": name, "host": relay.endpoint.host, "port": relay.endpoint.port, "security": "none"}
    return {**where, "connections": 2, **more}


def use(house: House, relays: tuple[Relay, Relay], main: dict[str, Any], spare: dict[str, Any], **more: Any) -> None:
    house.rebuild(relay=[settings_of(relays[0], "main", **main), settings_of(relays[1], "spare", **spare)], **more)


def readers(house: House, count: int, *, domain: str = "readers.example", first: str = "reader") -> None:
    for number in range(count):
        house.reader(f"{first}{number:02}", domain=domain)


def all_of(*relays: Relay) -> Counter[str]:
    return Counter(name for relay in relays for name in map(name_of, relay.taken))


def states(house: House) -> dict[DeliveryState, int]:
    (issue,) = house.issues()
    house.check_sums()
    with house.app.store.read() as tx:
        return {state: count for state, count in tx.deliveries.sum(issue.id).states.items() if count}


def ahead(report: DeliverReport) -> Any:
    assert report.outlook is not None
    return report.outlook


# --- several relays ---------------------------------------------------------------------------------------------------


def test_weights_divide_the_letters(house: House, relays: tuple[Relay, Relay]) -> None:
    use(house, relays, {"weight": 3}, {"weight": 1})
    house.article("Waste")
    readers(house, 60)
    report = house.publish()[1].delivery
    assert dict(report.states) == {ACCEPTED: 60}
    assert [len(relay.taken) for relay in relays] == [45, 15]
    assert dict(report.relays) == {"main": 45, "spare": 15}
    assert set(all_of(*relays).values()) == {1}
    assert house.issues()[0].state is IssueState.FINISHED


def test_the_letters_of_a_relay_that_goes_out_come_over_the_other_and_cost_no_attempt(
    house: House, relays: tuple[Relay, Relay]
) -> None:
    main, spare = relays
    use(house, relays, {"weight": 3}, {"weight": 1})
    house.article("Waste")
    readers(house, 40)
    left = iter(range(9))
    main.rcpt["*"] = lambda: "250 ok" if next(left, None) is not None else "554 5.7.1 Client host rejected"
    report = house.publish()[1].delivery
    assert dict(report.states) == {ACCEPTED: 40}
    assert report.problem == ""
    assert all_of(main, spare) == Counter({f"reader{number:02}": 1 for number in range(40)})
    assert len(main.taken) <= 9
    assert {row.attempts for row in house.deliveries(house.issues()[0]).values()} == {1}
    (out, _) = ahead(report).relays
    assert out.name == "main" and "Client host rejected" in out.reason
    assert out.open_until == house.clock() + RELAY.first


@pytest.mark.parametrize("answer", [DROP, "554 5.3.2 no service here", "421 4.3.2 later"])
def test_a_relay_that_lets_nobody_in_is_left_out(house: House, relays: tuple[Relay, Relay], answer: str) -> None:
    main, spare = relays
    use(house, relays, {}, {})
    house.article("Waste")
    readers(house, 12)
    main.greeting = lambda number: answer
    run, report = house.publish()
    assert run.state is RunState.DONE
    assert dict(report.delivery.states) == {ACCEPTED: 12}
    assert len(spare.taken) == 12


def test_when_all_relays_are_out_the_run_ends_and_says_why_of_each(house: House, relays: tuple[Relay, Relay]) -> None:
    use(house, relays, {}, {})
    house.article("Waste")
    readers(house, 12)
    for relay in relays:
        relay.greeting = lambda number: DROP
    told: list[str] = []
    run, report = asyncio.run(publish(house.app.parts, WEEKLY, tell=told.append))
    assert sum("no relay can be used; trying all again" in text for text in told) == 2
    assert run.state is RunState.FAILED
    lines = report.delivery.problem.splitlines()
    assert [str(relay.endpoint) in line for relay, line in zip(relays, lines, strict=True)] == [True, True]
    assert states(house) == {PLANNED: 12}
    assert {row.attempts for row in house.deliveries(house.issues()[0]).values()} == {0}
    for relay in relays:
        relay.greeting = lambda number: None
    assert dict(house.deliver().states) == {ACCEPTED: 12}, "who asks for it tries them at once"
    assert all(relay.open_until is None for relay in ahead(house.deliver()).relays)


def test_a_breaker_is_remembered_lets_one_letter_try_and_closes_with_it(
    house: House, relays: tuple[Relay, Relay]
) -> None:
    main, _ = relays
    use(house, relays, {"weight": 100}, {"weight": 1})
    house.article("Waste")
    readers(house, 8)
    main.mail["*"] = "550 5.7.1 we know no such sender"
    house.publish()
    seen = main.connections
    house.rebuild()  # another process
    house.article("Plastics")
    house.clock.forward(seconds=30)
    house.publish()
    assert main.connections == seen, "nobody asks it before its time"
    house.clock.forward(seconds=31)
    house.article("Trade")
    report = house.publish()[1].delivery
    assert dict(report.states) == {ACCEPTED: 8}
    assert main.connections == seen + 1, "one letter tried"
    assert ahead(report).relays[0].open_until == house.clock() + 2 * RELAY.first
    main.mail.clear()
    house.clock.forward(minutes=3)
    house.article("Ports")
    report = house.publish()[1].delivery
    assert dict(report.states) == {ACCEPTED: 8}
    assert len(main.taken) >= 1
    house.article("Rules")
    house.clock.forward(minutes=1)
    report = house.publish()[1].delivery
    assert report.relays["main"] > report.relays.get("spare", 0), "it works again, and gets its share"
    assert ahead(report).relays[0].open_until is None
    with house.app.store.read() as tx:
        assert tx.circuits.all(Kind.RELAY) == {}


def test_a_relay_that_hangs_does_not_hold_up_the_other(
    house: House, relays: tuple[Relay, Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "STALL_S", 0.3)
    main, spare = relays
    use(house, relays, {"connections": 1}, {"connections": 1})
    house.article("Waste")
    readers(house, 30)
    enough = 20

    async def slowly() -> str:
        while len(spare.taken) < enough:  # noqa: ASYNC110  (another thread's list)
            await asyncio.sleep(0.01)
        return "250 ok"

    main.content["*"] = slowly
    report = house.publish()[1].delivery
    assert dict(report.states) == {ACCEPTED: 30}
    assert len(spare.taken) >= enough


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_limit_of_an_hour_holds_over_restarts_and_says_when_the_rest_goes_out(
    house: House, relays: tuple[Relay, Relay]
) -> None:
    main, _ = relays
    house.rebuild(relay=[settings_of(main, "main", letters_per_hour=10)])
    house.article("Waste")
    readers(house, 25)
    run, report = house.publish()
    assert run.state is RunState.DONE, "to wait is no failure"
    assert dict(report.delivery.states) == {ACCEPTED: 10}
    coming = ahead(report.delivery)
    assert coming.waiting == 15
    assert [(limit.letters, limit.seconds, limit.used) for limit in coming.relays[0].limits] == [(10, 3600, 10)]
    assert timedelta(hours=1) <= coming.goes_on - START <= HOUR
    assert timedelta(hours=2) - HOUR / 100 <= coming.done_by - START <= 2 * HOUR
    house.rebuild()
    assert not house.deliver().states, "another process has no other limit"
    assert len(main.taken) == 10
    for sent in (20, 25):
        house.clock.now += HOUR
        house.deliver()
        assert len(main.taken) == sent
    assert set(all_of(main).values()) == {1}
    assert house.issues()[0].state is IssueState.FINISHED


def test_a_letter_that_did_not_go_out_counts_against_no_limit(house: House, relays: tuple[Relay, Relay]) -> None:
    main, _ = relays
    house.rebuild(
        relay=[settings_of(main, "main", letters_per_hour=10)],
        domain=[{"domain": "readers.example", "letters_per_hour": 10}],
    )
    house.article("Waste")
    readers(house, 10)
    main.greeting = lambda number: DROP
    for _ in range(3):
        assert house.deliver().problem or house.publish()[1].delivery.problem
    main.greeting = lambda number: None
    assert dict(house.deliver().states) == {ACCEPTED: 10}


def test_what_one_relay_may_not_carry_the_other_does(house: House, relays: tuple[Relay, Relay]) -> None:
    use(house, relays, {"letters_per_hour": 5}, {})
    house.article("Waste")
    readers(house, 30)
    assert dict(house.publish()[1].delivery.states) == {ACCEPTED: 30}
    assert [len(relay.taken) for relay in relays] == [5, 25]


def test_a_new_relay_warms_up_day_by_day(house: House, relays: tuple[Relay, Relay]) -> None:
    main, _ = relays
    plan = {"warm_up_from": (START + timedelta(days=1)).date(), "warm_up": [2, 4, 8]}
    house.rebuild(relay=[settings_of(main, "main", **plan)])
    house.article("Waste")
    readers(house, 20)
    report = house.publish()[1].delivery
    assert not report.states, "its first day is tomorrow"
    assert ahead(report).relays[0].begins == START.replace(hour=0) + timedelta(days=1)
    for sent in (2, 6, 14, 20):
        house.clock.now += DAY
        house.deliver()
        assert len(main.taken) == sent
    assert set(all_of(main).values()) == {1}


def test_a_limit_of_a_second_is_waited_for(house: House, relays: tuple[Relay, Relay]) -> None:
    from publisher.app import build
    from publisher.clock import system_clock

    main, _ = relays
    house.rebuild(relay=[settings_of(main, "main", letters_per_second=20)])
    house.clock.now = system_clock()
    house.article("Waste")
    readers(house, 45)
    house.app.close()
    house.app = build(house.app.settings, clock=system_clock, mint_key=lambda: next(house.keys))
    begun = system_clock()
    assert dict(house.publish()[1].delivery.states) == {ACCEPTED: 45}
    assert system_clock() - begun >= timedelta(seconds=1), "45 letters at 20 a second take two seconds and more"
    assert set(all_of(main).values()) == {1}


# --- domains ----------------------------------------------------------------------------------------------------------


def test_a_capped_domain_waits_while_others_flow(house: House, relays: tuple[Relay, Relay]) -> None:
    main, _ = relays
    house.rebuild(relay=[settings_of(main, "main")], domain=[{"domain": "slow.example", "letters_per_hour": 3}])
    house.article("Waste")
    readers(house, 10, domain="slow.example", first="slow")
    readers(house, 30)
    report = house.publish()[1].delivery
    assert dict(report.states) == {ACCEPTED: 33}
    assert sum(name.startswith("slow") for name in all_of(main)) == 3
    coming = ahead(report)
    assert [(domain.name, domain.letters) for domain in coming.domains] == [("slow.example", 7)]
    assert timedelta(hours=1) <= coming.goes_on - START <= HOUR
    assert timedelta(hours=3) <= coming.done_by - START <= timedelta(hours=3, minutes=2), "three, three, and the last"
    house.clock.now += HOUR
    house.deliver()
    assert len(main.taken) == 36


def test_the_limit_of_any_domain_is_told_of_each_that_letters_wait_for(
    house: House, relays: tuple[Relay, Relay]
) -> None:
    main, _ = relays
    caps = [{"domain": "*", "letters_per_hour": 3}, {"domain": "wide.example", "letters_per_hour": 100}]
    house.rebuild(relay=[settings_of(main, "main")], domain=caps)
    house.article("News")
    for domain, count in (("many.example", 5), ("more.example", 4), ("few.example", 3), ("wide.example", 9)):
        readers(house, count, domain=domain, first=domain[:4])
    _, report = house.publish()
    coming = ahead(report.delivery)
    assert [(domain.name, domain.letters) for domain in coming.domains] == [("many.example", 2), ("more.example", 1)]
    assert coming.domains[0].limits[0].used == 3
    assert coming.goes_on == min(domain.open_until for domain in coming.domains) > house.clock() + timedelta(minutes=59)
    assert letters_due(house.app.store, house.app.parts.post, house.clock()) == 0, "no run for nothing"
    house.clock.forward(seconds=HOUR.total_seconds())
    assert letters_due(house.app.store, house.app.parts.post, house.clock()) == 3
    house.deliver()
    assert len(main.taken) == 21


def test_no_more_letters_are_on_the_way_to_a_domain_than_its_cap_says(
    house: House, relays: tuple[Relay, Relay]
) -> None:
    main, _ = relays
    house.rebuild(
        relay=[settings_of(main, "main", connections=6)],
        domain=[{"domain": "*", "connections": 2}, {"domain": "wide.example", "connections": 100}],
    )
    house.article("Waste")
    readers(house, 20, domain="narrow.example")
    readers(house, 20, domain="wide.example", first="wide")
    now: Counter[str] = Counter()
    most: Counter[str] = Counter()

    def answering(domain: str) -> Any:
        async def answer() -> str:
            now[domain] += 1
            most[domain] = max(most[domain], now[domain])
            await asyncio.sleep(0.005)
            now[domain] -= 1
            return "250 ok"

        return answer

    for number in range(20):
        main.content[f"reader{number:02}@narrow.example"] = answering("narrow")
        main.content[f"wide{number:02}@wide.example"] = answering("wide")
    assert dict(house.publish()[1].delivery.states) == {ACCEPTED: 40}
    assert most["narrow"] <= 2 < most["wide"]


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("before", [0, 20], ids=["from the first letter on", "in the middle of a good run"])
def test_a_domain_that_refuses_by_policy_is_left_alone_and_no_other(
    house: House, relays: tuple[Relay, Relay], before: int, signed: bool
) -> None:
    main, _ = relays
    smtp = {k: v for k, v in settings_of(main, "").items() if k != "name"}
    house.rebuild(smtp=smtp, **({"dkim": {"selector": "s1"}} if signed else {}))
    if signed:
        make_key(key_places(house.app.settings)[0])
        house.rebuild()
    house.article("Waste")
    readers(house, before, first="early")
    readers(house, 30, domain="strict.example", first="strict")
    readers(house, 30)
    for number in range(30):
        main.rcpt[f"strict{number:02}@strict.example"] = "550 5.7.1 we do not like you"
    run, report = house.publish()
    assert run.state is RunState.DONE
    found = dict(report.delivery.states)
    assert found[ACCEPTED] == before + 30
    tried = found[DeliveryState.REJECTED]
    assert DOMAIN_REFUSES.failures <= tried <= DOMAIN_REFUSES.failures + 3 * 2, "and what was on its way"
    (domain,) = ahead(report.delivery).domains
    assert (domain.name, domain.letters) == ("strict.example", 30 - tried)
    assert domain.open_until == house.clock() + DOMAIN_REFUSES.first
    main.rcpt.clear()
    house.clock.forward(minutes=50)
    assert not house.deliver().states
    house.clock.forward(minutes=10)
    assert dict(house.deliver().states) == {ACCEPTED: 30 - tried}
    assert not ahead(house.deliver()).domains


def test_a_domain_that_defers_too_often_waits_and_one_letter_tries_it(
    house: House, relays: tuple[Relay, Relay]
) -> None:
    main, _ = relays
    house.rebuild(relay=[settings_of(main, "main", connections=1)])
    house.article("Waste")
    readers(house, 30, domain="busy.example", first="busy")
    readers(house, 5)
    for number in range(30):
        main.rcpt[f"busy{number:02}@busy.example"] = "451 4.4.1 no answer from there"
    report = house.publish()[1].delivery
    assert report.states[ACCEPTED] == 5
    assert DOMAIN_DEFERS.failures <= report.states[DEFERRED] <= DOMAIN_DEFERS.failures + 3
    deferred = report.states[DEFERRED]
    house.rebuild()
    house.clock.now += DOMAIN_DEFERS.first
    report = house.deliver()
    assert dict(report.states) == {DEFERRED: 1}, "one letter tries"
    assert ahead(report).domains[0].open_until == house.clock() + 2 * DOMAIN_DEFERS.first
    main.rcpt.clear()
    house.clock.forward(hours=3)
    assert dict(house.deliver().states) == {ACCEPTED: 30}
    assert deferred < 30
    assert house.issues()[0].state is IssueState.FINISHED


def test_many_letters_of_a_capped_domain_leave_but_a_mark_in_memory(
    house: House, relays: tuple[Relay, Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Domains] = []
    made = Domains.__init__

    def remember(self: Domains, *arguments: Any, **options: Any) -> None:
        seen.append(self)
        made(self, *arguments, **options)

    monkeypatch.setattr(Domains, "__init__", remember)
    main, _ = relays
    house.rebuild(relay=[settings_of(main, "main")], domain=[{"domain": "slow.example", "letters_per_day": 2}])
    house.article("Waste")
    readers(house, 60, domain="slow.example", first="slow")
    assert dict(house.publish()[1].delivery.states) == {ACCEPTED: 2}
    assert {domain: len(marks) for domain, marks in seen[-1]._marks.items()} == {"slow.example": 1}
