"""Hubs of others are told of each change, in this run or a later one, and fail none."""

from __future__ import annotations

import asyncio
import socket
import time
from datetime import timedelta

import pytest
from hub_house import House, MakeHouse
from hub_subscriber import subscriber

from publisher.flows import pings as ping_flow
from publisher.hubs import HubClient
from publisher.model import RunState

FEEDS = [
    f"http://127.0.0.1:8000/feeds/{slug}.{kind}" for slug in ("all", "environment") for kind in ("atom", "json", "rss")
]


def told(received: list[object]) -> list[str]:
    return sorted(request.form["hub.url"] for request in received)  # type: ignore[attr-defined]


def test_each_feed_is_announced_once_and_then_only_those_that_change(make_house: MakeHouse) -> None:
    with subscriber(lambda _: (204, b"")) as hub:
        house = make_house(PUBLISHER_WEBSUB_HUBS=hub.url)
        assert len(hub.pushed) == 3 * len(house.app.press.feeds)
        hub.received.clear()
        assert house.publish().pings.accepted == 0
        report = house.write_article().pings
        assert (report.accepted, report.waiting, report.problems) == (6, 0, ())
        assert told(hub.pushed) == FEEDS


def test_a_hub_that_is_down_is_told_later_and_fails_no_run(make_house: MakeHouse) -> None:
    with subscriber(lambda _: (204, b"")) as hub:
        house = make_house(PUBLISHER_WEBSUB_HUBS=hub.url)
        hub.received.clear()
        hub.behaviour = lambda _: (503, b"")
        report = house.write_article().pings
        assert (report.accepted, report.waiting) == (0, 6)
        [problem] = report.problems
        assert problem == "hub 127.0.0.1: answered 503; 6 of 6 changed feeds wait for a later run"
        assert house.publish().pings.waiting == 6
        assert len(hub.pushed) == 6  # not before its time
        hub.behaviour = lambda _: (202, b"")
        house.clock.passes(minutes=1)
        assert house.publish().pings.accepted == 6
        assert told(hub.pushed) == sorted(FEEDS * 2)
    with house.app.store.read() as tx:
        assert {run.state for run in tx.runs.list(10)} == {RunState.DONE}


def test_a_hub_that_cannot_be_reached_is_tried_once_in_a_run_for_all_its_feeds(make_house: MakeHouse) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    house = make_house(PUBLISHER_WEBSUB_HUBS=f"http://127.0.0.1:{port}/")
    with house.app.store.read() as tx:
        assert tx.hub.pings_waiting() == 3 * len(house.app.press.feeds)
    house.clock.passes(minutes=1)
    report = house.publish().pings
    assert [problem.split(";")[0] for problem in report.problems] == ["hub 127.0.0.1: no connection"]
    house.clock.passes(days=1, hours=4)
    report = house.publish().pings
    assert "given up after a day" in report.problems[0]
    assert report.waiting == 0
    assert house.write_article().pings.waiting == 6  # the next change is news again


def test_a_hub_that_hangs_holds_a_run_up_for_a_bounded_time(
    make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ping_flow, "PATIENCE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        start = time.monotonic()
        house = make_house(PUBLISHER_WEBSUB_HUBS=f"http://127.0.0.1:{deaf.getsockname()[1]}/")
        assert time.monotonic() - start < 20
        with house.app.store.read() as tx:
            assert tx.hub.pings_waiting() == 3 * len(house.app.press.feeds)


def test_one_hub_that_fails_keeps_no_other_from_being_told(make_house: MakeHouse) -> None:
    with subscriber(lambda _: (500, b"")) as bad, subscriber(lambda _: (200, b"")) as good:
        house = make_house(PUBLISHER_WEBSUB_HUBS=f"{bad.url} {good.url}")
        assert len(good.pushed) == 3 * len(house.app.press.feeds)
        report = house.write_article().pings
        assert (report.accepted, report.waiting) == (6, 3 * len(house.app.press.feeds))


def test_what_a_killed_run_did_not_tell_is_told_by_the_next_one(make_house: MakeHouse) -> None:
    with subscriber(lambda _: (204, b"")) as hub:
        house = make_house(PUBLISHER_WEBSUB_HUBS=hub.url)
        hub.received.clear()
        path = "feeds/environment.atom"
        with house.app.store.write() as tx:  # published, and then the power went
            tx.hub._connection.exec_driver_sql(f"UPDATE hub_pings SET sha256 = 'old' WHERE topic = '{path}'")
        assert house.publish().pings.accepted == 1
        assert told(hub.pushed) == [f"http://127.0.0.1:8000/{path}"]


def test_a_hub_that_is_no_longer_configured_is_forgotten(make_house: MakeHouse) -> None:
    with subscriber(lambda _: (500, b"")) as hub:
        house = make_house(PUBLISHER_WEBSUB_HUBS=hub.url)
        with house.app.store.write() as tx:
            tx.hub.want_pings([], {}, house.clock())
            assert tx.hub.pings_waiting() == 0


def test_two_runs_do_not_tell_the_same_thing_at_once(make_house: MakeHouse) -> None:
    with subscriber(lambda _: (204, b"")) as hub:
        house: House = make_house()
        with house.app.store.write() as tx:
            tx.hub.want_pings([hub.url], {"feeds/all.atom": "a"}, house.clock())
            [ping] = tx.hub.due_pings(house.clock())
            assert tx.hub.claim_ping(ping, house.clock() + timedelta(minutes=1))
            assert not tx.hub.claim_ping(ping, house.clock() + timedelta(minutes=1))


def test_without_hubs_nobody_is_told(house: House) -> None:
    report = asyncio.run(
        ping_flow.tell_hubs(house.app.store, HubClient(agent="test"), house.app.press, clock=house.clock)
    )
    assert (report.accepted, report.waiting, report.problems) == (0, 0, ())
