"""The limit of requests: far from anybody who reads, close to who hammers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from publisher.app import App
from publisher.web.limits import ADDRESSES, FULL, NOT_MODIFIED, Limits, limited_as
from publisher.web.server import make_asgi


@dataclass
class Ticking:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def scope(host: str = "203.0.113.5") -> dict[str, Any]:
    return {"client": (host, 40000)}


def test_a_burst_is_served_then_so_many_a_second() -> None:
    time = Ticking()
    limits = Limits(3, 0.5, time)
    for _ in range(3):
        assert limits.refusal(scope()) is None
        limits.charge(scope(), FULL)
    refused = limits.refusal(scope())
    assert refused is not None
    assert (refused.status, dict(refused.headers)[b"retry-after"]) == (429, b"2")
    assert limits.refusal(scope("203.0.113.6")) is None
    time.now += 1.9
    assert limits.refusal(scope()) is not None
    time.now += 0.2
    assert limits.refusal(scope()) is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from([FULL, NOT_MODIFIED])), max_size=60), st.integers(1, 8))
def test_who_waits_as_long_as_told_is_served_and_nobody_gets_more_than_the_rate(
    requests: list[tuple[float, float]], burst: int
) -> None:
    time = Ticking()
    limits = Limits(burst, 2.0, time)
    start, served = time.now, 0.0
    for pause, cost in requests:
        time.now += pause
        refused = limits.refusal(scope())
        if refused is not None:
            time.now += int(dict(refused.headers)[b"retry-after"])
            assert limits.refusal(scope()) is None
        limits.charge(scope(), cost)
        served += cost
    assert served <= burst + (time.now - start) * 2.0 + 1e-6


def test_what_is_remembered_is_bounded() -> None:
    limits = Limits(2, 1.0, Ticking())
    for number in range(ADDRESSES + 500):
        limits.charge(scope(f"198.51.{number // 256}.{number % 256}"), FULL)
    assert len(limits._buckets) == ADDRESSES


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("127.0.0.1", None),
        ("::1", None),
        ("::ffff:127.0.0.1", None),
        ("testclient", "testclient"),
    ],
)
def test_a_household_counts_as_one_and_the_machine_itself_not_at_all(host: str, name: str | None) -> None:
    assert limited_as(host) == name


def test_a_limit_of_nothing_is_no_limit() -> None:
    limits = Limits(0, 1.0, Ticking())
    for _ in range(1000):
        assert limits.refusal(scope()) is None
        limits.charge(scope(), FULL)
    assert Limits(1, 1.0, Ticking()).refusal({"client": None}) is None  # a Unix socket


def test_taking_in_all_feeds_and_reading_on_is_never_refused(client: TestClient) -> None:
    """NetNewsWire asks two or three times while it subscribes (#4531), and OPML brings all feeds at once."""
    addresses = re.findall(r'xmlUrl="http://127\.0\.0\.1:8000([^"]+)"', client.get("/feeds.opml").text)
    assert len(addresses) >= 17
    for address in addresses:
        for _ in range(3):
            assert client.get(address).status_code == 200
    for page in ["/", "/topics/environment/", "/assets/style.css", "/assets/icon.svg"] * 8:
        assert client.get(page).status_code == 200


def test_unchanged_answers_cost_next_to_nothing_and_who_hammers_is_told_to_wait(app: App) -> None:
    with TestClient(make_asgi(app)) as client:
        etag = client.get("/feeds/all.atom").headers["etag"]
        for _ in range(400):
            assert client.get("/feeds/all.atom", headers={"If-None-Match": etag}).status_code == 304
        statuses = [client.get("/feeds/all.atom").status_code for _ in range(300)]
        assert 50 <= statuses.index(429) <= 110
        refused = client.get("/no/such/page")
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert client.head("/feeds/all.atom").headers["retry-after"]
        assert client.get("/healthz").status_code == 200  # not a document: never limited
