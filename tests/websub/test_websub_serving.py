"""The hub over HTTP beside the server: from a POST to the pushed feed, without a hand on it."""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Callable, Iterator

import pytest
from hub_house import ENVIRON, House, MakeHouse
from hub_subscriber import Subscriber, subscriber
from starlette.testclient import TestClient

from publisher.flows import push as push_flow
from publisher.web import hub as web_hub
from publisher.web.server import make_asgi
from publisher.websub import pace

BASE = "http://127.0.0.1:8000"
TOPIC = f"{BASE}/feeds/environment.atom"
PATIENCE_S = 15


@pytest.fixture
def client(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(push_flow, "POLL_S", 0.05)
    with TestClient(make_asgi(house.app), base_url=BASE, follow_redirects=False) as client:
        yield client


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.02)


def form(target: Subscriber, **changes: str) -> dict[str, str]:
    fields = {"hub.mode": "subscribe", "hub.callback": target.url, "hub.topic": TOPIC}
    return fields | {f"hub.{name}": value for name, value in changes.items()}


def hub_of(client: TestClient, path: str) -> str:
    """The hub as a subscriber finds it: in the Link header (WebSub, 4)."""
    found = re.search(r'<([^>]+)>; rel="hub"', client.head(path).headers["link"])
    assert found
    return found[1]


def test_a_reader_discovers_subscribes_and_is_sent_the_next_article(client: TestClient, house: House) -> None:
    with subscriber() as alice:
        hub = hub_of(client, "/feeds/environment.atom")
        answer = client.post(hub, data=form(alice, secret="k", verify="sync"))
        assert answer.status_code == 202
        until(lambda: alice.asked)
        house.write_article()  # a run beside the server, as the command line would do it
        until(lambda: alice.pushed)
        [sent] = alice.pushed
        served = client.get("/feeds/environment.atom")
        assert sent.body == house.feed() == served.content
        assert sent.headers["x-hub-signature"] == "sha256=" + hmac.new(b"k", sent.body, "sha256").hexdigest()
        assert sent.headers["link"] == served.headers["link"]
        assert sent.headers["content-type"] == served.headers["content-type"]
        time.sleep(0.3)
        assert len(alice.pushed) == 1


def test_each_feed_and_nothing_else_names_its_hub_and_one_self_in_its_headers(client: TestClient) -> None:
    for path in (
        *("/feeds/all.atom", "/feeds/environment.rss", "/feeds/region-mena.json"),
        *("/feeds/digital-customs+environment.atom", "/feeds/region-mena/environment.json"),
    ):
        assert client.get(path).headers["link"] == f'<{BASE}/websub>; rel="hub", <{BASE}{path}>; rel="self"'
        assert client.head(path).headers["link"] == client.get(path).headers["link"]
    for path in ("/", "/feeds.opml", "/topics/environment/", "/assets/style.css"):
        assert "link" not in client.get(path).headers


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"mode": "publish"}, 403, "its own site"),
        ({"topic": "https://elsewhere.example/feed"}, 404, "no feed of this site"),
        ({"callback": "ftp://reader.example/"}, 400, "hub.callback"),
        ({"lease_seconds": "long"}, 400, "hub.lease_seconds"),
    ],
)
def test_what_cannot_be_granted_is_answered_with_the_reason_and_asks_nobody(
    client: TestClient, changes: dict[str, str], status: int, reason: str
) -> None:
    with subscriber() as alice:
        answer = client.post("/websub", data=form(alice, **changes))
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")
        assert reason in answer.text
        time.sleep(0.2)
        assert alice.received == []


def test_what_is_no_form_or_too_long_is_refused(client: TestClient) -> None:
    with subscriber() as alice:
        assert client.post("/websub", json=form(alice)).status_code == 415
        assert client.post("/websub", data=form(alice, secret="s" * 20_000)).status_code == 413
        assert client.post("/websub", files={"hub.mode": (None, "subscribe")}).status_code == 415


def test_a_person_who_opens_the_hub_is_told_what_it_is(client: TestClient) -> None:
    answer = client.get("/websub")
    assert answer.status_code == 200
    assert "WebSub hub" in answer.text


def test_a_host_is_not_asked_on_and_on(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "PER_HOST", 3)
    with subscriber() as alice:
        codes = [client.post("/websub", data=form(alice)).status_code for _ in range(5)]
        assert codes == [202, 202, 202, 429, 429]
        refused = client.post("/websub", data=form(alice))
        assert refused.headers["retry-after"] == "60"


def test_without_the_setting_there_is_no_hub(make_house: MakeHouse) -> None:
    house = make_house()
    with TestClient(make_asgi(house.app), base_url=BASE) as client, subscriber() as alice:
        assert client.get("/websub").status_code == 404
        assert client.post("/websub", data=form(alice)).status_code in {404, 405}
        assert "link" not in client.get("/feeds/all.atom").headers
        assert b"hub" not in client.get("/feeds/all.atom").content


def test_only_the_own_hub_is_named_for_feeds_that_no_file_holds(make_house: MakeHouse) -> None:
    house = make_house(**ENVIRON, PUBLISHER_WEBSUB_HUBS="http://hub.example:1/")
    links = web_hub.link_headers(house.app)
    both = f'<http://hub.example:1/>; rel="hub", <{BASE}/websub>; rel="hub", <{TOPIC}>; rel="self"'
    assert links("feeds/environment.atom") == [(b"link", both.encode())]
    union = "feeds/digital-customs+environment.atom"
    assert links(union) == [(b"link", f'<{BASE}/websub>; rel="hub", <{BASE}/{union}>; rel="self"'.encode())]


def test_a_store_that_fails_for_a_moment_does_not_end_the_hub(
    client: TestClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from publisher.errors import StoreBusy

    monkeypatch.setattr(push_flow, "FAILED_POLL_S", 0.05)
    failures = iter([StoreBusy("busy")] * 3)
    real = push_flow.Hub._followed

    def followed(self: push_flow.Hub) -> set[str]:
        for failure in failures:
            raise failure
        return real(self)

    with subscriber() as alice:
        client.post("/websub", data=form(alice))
        until(lambda: alice.asked)
        monkeypatch.setattr(push_flow.Hub, "_followed", followed)
        house.write_article()
        until(lambda: alice.pushed)
