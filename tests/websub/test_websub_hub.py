"""The built-in hub with real subscribers: asked, verified, pushed, left; by hand, round by round."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import threading
from datetime import timedelta

import pytest
from hub_house import ENVIRON, House, MakeHouse
from hub_subscriber import Received, Reply, Subscriber, confirms, subscriber

from publisher.errors import HubError
from publisher.flows import push as push_flow
from publisher.flows.hub_topics import HubTopics
from publisher.store import HubRequest
from publisher.websub.request import parse_wish

TOPIC = "http://127.0.0.1:8000/feeds/environment.atom"
SECRET = "s3cr3t ünd länger"


def take(house: House, target: Subscriber, **changes: str) -> None:
    fields = {"hub.mode": "subscribe", "hub.callback": target.url, "hub.topic": TOPIC}
    fields |= {f"hub.{name}": value for name, value in changes.items()}
    wish = parse_wish(fields, lease_days=10, allow_private=True)
    asyncio.run(house.app.hub.take(wish))


def verify(house: House) -> None:
    asyncio.run(house.app.hub.verify_due())


def push(house: House) -> None:
    asyncio.run(house.app.hub.push_due())


def subscribe(house: House, target: Subscriber, **changes: str) -> None:
    take(house, target, **changes)
    verify(house)
    assert subscriptions(house) >= 1


def subscriptions(house: House) -> int:
    with house.app.store.read() as tx:
        return tx.hub.count()


def waiting(house: House) -> int:
    with house.app.store.read() as tx:
        return tx.hub.waiting()


def test_a_subscriber_that_confirms_is_sent_each_change_signed_and_byte_for_byte(house: House) -> None:
    with subscriber() as alice:
        subscribe(house, alice, secret=SECRET)
        [question] = alice.asked
        assert question.query["reader"] == "1"
        assert (question.query["hub.mode"], question.query["hub.topic"]) == ("subscribe", TOPIC)
        assert question.query["hub.lease_seconds"] == str(10 * 24 * 3600)
        assert len(question.query["hub.challenge"]) >= 40
        push(house)
        assert alice.pushed == []  # nothing changed since it asked
        house.write_article()
        push(house)
        push(house)
    [sent] = alice.pushed
    assert sent.body == house.feed()
    assert b"Waste shipments plastic" in sent.body
    assert sent.headers["content-type"] == "application/atom+xml; charset=utf-8"
    assert sent.headers["link"] == f'<http://127.0.0.1:8000/websub>; rel="hub", <{TOPIC}>; rel="self"'
    expected = hmac.new(SECRET.encode(), sent.body, hashlib.sha256).hexdigest()
    assert sent.headers["x-hub-signature"] == f"sha256={expected}"


def test_a_reader_of_the_old_protocol_without_a_secret_is_served_as_well(house: House) -> None:
    with subscriber() as freshrss:
        subscribe(house, freshrss, verify="sync", verify_token="")
        house.write_article()
        push(house)
    [sent] = freshrss.pushed
    assert "x-hub-signature" not in sent.headers
    assert sent.body == house.feed()


@pytest.mark.parametrize(
    ("extension", "media_type"), [("rss", "application/rss+xml"), ("json", "application/feed+json")]
)
def test_each_format_is_pushed_with_its_media_type(house: House, extension: str, media_type: str) -> None:
    with subscriber() as alice:
        subscribe(house, alice, topic=TOPIC.replace("atom", extension))
        house.write_article()
        push(house)
    assert alice.pushed[0].headers["content-type"] == f"{media_type}; charset=utf-8"
    assert alice.pushed[0].body == house.feed(f"feeds/environment.{extension}")


@pytest.mark.parametrize("name", ["digital-customs+environment", "region-asia-pacific/environment"])
def test_a_feed_that_no_file_holds_is_pushed_when_one_of_its_topics_changes(house: House, name: str) -> None:
    with subscriber() as alice, subscriber() as bob:
        subscribe(house, alice, topic=f"http://127.0.0.1:8000/feeds/{name}.atom")
        subscribe(house, bob, topic="http://127.0.0.1:8000/feeds/digital-customs.atom")
        text = (
            "---\ntitle: Waste and data\ntopics: [environment, region-asia-pacific]\n---\n\nOfficers stopped waste.\n"
        )
        house.folder.joinpath("data/articles/both.md").write_text(text)
        house.publish()
        push(house)
        push(house)
    [sent] = alice.pushed
    assert b"Waste and data" in sent.body
    assert f"/feeds/{name}.atom" in sent.headers["link"]
    assert bob.pushed == []


@pytest.mark.parametrize(
    "behaviour",
    [
        lambda _: (200, b"something else"),
        lambda request: (404, request.query.get("hub.challenge", "").encode()),
        lambda request: (200, request.query.get("hub.challenge", "").encode() + b"\n"),
        lambda request: (500, b""),
        lambda request: (302, b"/callback?hub.challenge=" + request.query.get("hub.challenge", "").encode()),
    ],
)
def test_who_does_not_say_the_challenge_back_is_not_subscribed_and_not_asked_again(
    house: House, behaviour: object
) -> None:
    with subscriber(behaviour) as mallory:  # type: ignore[arg-type]
        take(house, mallory)
        verify(house)
        house.clock.passes(hours=1)
        verify(house)
        house.write_article()
        push(house)
    assert len(mallory.received) == 1
    assert (subscriptions(house), waiting(house)) == (0, 0)


def test_a_challenge_is_never_the_same(house: House) -> None:
    with subscriber() as alice:
        for _ in range(5):
            subscribe(house, alice)
    assert len({request.query["hub.challenge"] for request in alice.asked}) == 5


def test_leaving_is_verified_too(house: House) -> None:
    with subscriber() as alice:
        subscribe(house, alice)
        alice.behaviour = lambda _: (404, b"")  # somebody else asked for it
        take(house, alice, mode="unsubscribe")
        verify(house)
        assert subscriptions(house) == 1
        alice.behaviour = confirms
        take(house, alice, mode="unsubscribe")
        verify(house)
        assert subscriptions(house) == 0
        assert alice.asked[-1].query["hub.mode"] == "unsubscribe"
        assert "hub.lease_seconds" not in alice.asked[-1].query
        house.write_article()
        push(house)
    assert alice.pushed == []


def test_leaving_what_nobody_is_subscribed_to_asks_nobody(house: House) -> None:
    with subscriber() as alice:
        take(house, alice, mode="unsubscribe")
        verify(house)
    assert alice.received == []


def test_a_lease_ends_unless_it_is_renewed(house: House) -> None:
    with subscriber() as alice, subscriber() as bob:
        for target in (alice, bob):
            subscribe(house, target, lease_seconds="86400")
        house.clock.passes(hours=20)
        subscribe(house, bob, lease_seconds="86400")
        house.clock.passes(hours=5)
        house.write_article()
        push(house)
        assert (len(alice.pushed), len(bob.pushed)) == (0, 1)
        assert subscriptions(house) == 1


def test_a_renewal_brings_the_new_secret_and_one_that_is_not_confirmed_brings_nothing(house: House) -> None:
    with subscriber() as alice:
        subscribe(house, alice, secret="old")
        subscribe(house, alice, secret="new")
        alice.behaviour = lambda request: (404 if request.method == "GET" else 200, b"")
        take(house, alice, secret="of an attacker")
        verify(house)
        house.write_article()
        push(house)
    [sent] = alice.pushed
    assert sent.headers["x-hub-signature"] == "sha256=" + hmac.new(b"new", sent.body, "sha256").hexdigest()
    assert subscriptions(house) == 1


def test_410_ends_a_subscription(house: House) -> None:
    with subscriber() as alice:
        subscribe(house, alice)
        alice.behaviour = lambda _: (410, b"")
        house.write_article()
        push(house)
        assert len(alice.pushed) == 1
    assert subscriptions(house) == 0


def test_a_push_that_failed_is_made_again_later_with_the_newest_bytes_and_once_only(house: House) -> None:
    with subscriber() as alice:
        subscribe(house, alice)
        alice.behaviour = lambda _: (503, b"")
        house.write_article("one")
        push(house)
        push(house)
        assert len(alice.pushed) == 1  # not before its time
        house.write_article("two")
        push(house)
        assert len(alice.pushed) == 1  # nor for a newer version
        alice.behaviour = confirms
        house.clock.passes(minutes=5)
        push(house)
        push(house)
        assert len(alice.pushed) == 2
        assert alice.pushed[1].body == house.feed()
    with house.app.store.read() as tx:
        assert tx.hub.sent_versions() == {("feeds/environment.atom", hashlib.sha256(house.feed()).hexdigest())}


def test_who_never_takes_a_push_is_given_up(house: House) -> None:
    with subscriber(lambda request: confirms(request) if request.method == "GET" else (500, b"")) as alice:
        subscribe(house, alice)
        house.write_article()
        for _ in range(30):
            push(house)
            house.clock.passes(hours=4)
    assert len(alice.pushed) == 20
    assert subscriptions(house) == 0


def test_a_version_that_is_published_while_another_is_being_sent_is_sent_after_it(house: House) -> None:
    with subscriber() as alice:
        subscribe(house, alice)
        house.write_article("one")

        def slow(_: Received) -> Reply:
            if len(alice.pushed) == 1:
                worker = threading.Thread(target=house.write_article, args=["two"])
                worker.start()
                worker.join()
            return 200, b""

        alice.behaviour = slow
        for _ in range(3):
            push(house)
        assert len(alice.pushed) == 2
        assert alice.pushed[1].body == house.feed()


def test_a_feed_that_comes_back_to_what_a_subscriber_has_is_not_sent(house: House) -> None:
    with subscriber() as alice:
        subscribe(house, alice)
        path, sha256 = "feeds/environment.atom", hashlib.sha256(house.feed()).hexdigest()
        with house.app.store.write() as tx:
            tx.hub.schedule(path, "f" * 64, house.clock())
        push(house)
        with house.app.store.read() as tx:
            assert tx.hub.due_pushes(house.clock(), [path], 10) == []
            assert tx.hub.sent_versions() == {(path, sha256)}
    assert alice.pushed == []


def test_a_file_that_is_not_the_published_document_is_not_pushed(house: House) -> None:
    with subscriber() as alice:
        subscribe(house, alice)
        house.write_article()
        whole = house.feed()
        (house.app.folder.root / "feeds/environment.atom").write_bytes(b"<half")
        push(house)
        assert alice.pushed == []
        (house.app.folder.root / "feeds/environment.atom").write_bytes(whole)
        push(house)
        assert alice.pushed[0].body == whole


def test_what_a_killed_server_left_behind_is_done_by_the_next_one(house: House) -> None:
    with subscriber() as alice:
        take(house, alice)
        with house.app.store.write() as tx:  # taken up, and then the power went
            [request] = tx.hub.due_requests(house.clock(), 10)
            until = house.clock() + push_flow.VERIFY_AGAIN
            assert tx.hub.claim_request(request, until)
            assert not tx.hub.claim_request(request, until)
        verify(house)
        assert alice.asked == []
        house.clock.passes(minutes=2)
        verify(house)
        assert subscriptions(house) == 1
        house.write_article()
        push(house)
        assert len(alice.pushed) == 1


def test_a_slow_subscriber_keeps_up_nobody_else(house: House) -> None:
    over = threading.Event()

    def hangs(request: Received) -> Reply:
        if request.method == "POST":
            over.wait(15)
        return confirms(request)

    with subscriber(hangs) as slow, subscriber() as alice:
        subscribe(house, slow)
        subscribe(house, alice)
        house.write_article()

        def released(request: Received) -> Reply:
            over.set()  # alice was served although the other one still hangs
            return confirms(request)

        alice.behaviour = released
        # both are on one host: another name makes them two
        with house.app.store.write() as tx:
            tx.hub._connection.exec_driver_sql("UPDATE hub_subscriptions SET host = 'slow.example' WHERE id = 1")
        push(house)
        assert over.is_set()
        assert len(alice.pushed) == 1


def crowd(house: House, target: Subscriber, count: int, host: str) -> list[HubRequest]:
    """`count` requests of one server, all of them due; test servers are on one host, and get another name each."""
    with house.app.store.write() as tx:
        for number in range(count):
            tx.hub.ask(
                mode="subscribe",
                callback=f"{target.url}&number={number}",
                host=host,
                topic="feeds/environment.atom",
                lease_s=86400,
                secret=None,
                sha256="0",
                now=house.clock(),
            )
        return [request for request in tx.hub.due_requests(house.clock(), 1000) if request.host == host]


def test_a_slow_server_with_hundreds_of_requests_delays_nobody_elses_verification(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_flow, "HOST_SHARE_S", 0.0)  # one exchange takes all of its share
    with subscriber() as slow, subscriber() as alice:
        crowd(house, slow, 250, "slow.example")
        crowd(house, alice, 1, "alice.example")
        verify(house)
        assert (len(slow.asked), len(alice.asked)) == (1, 1)
    assert (subscriptions(house), waiting(house)) == (2, 249)


def test_a_slow_server_with_hundreds_of_subscriptions_delays_nobody_elses_push(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_flow, "HOST_SHARE_S", 0.0)  # one exchange takes all of its share
    with subscriber() as slow, subscriber() as alice:
        requests = crowd(house, slow, 250, "slow.example") + crowd(house, alice, 1, "alice.example")
        with house.app.store.write() as tx:
            for request in requests:
                assert tx.hub.answered(request)
                tx.hub.subscribe(request, house.clock() + timedelta(days=1))
        push(house)
        assert (len(slow.pushed), len(alice.pushed)) == (1, 1)


@pytest.mark.parametrize(
    "topic",
    [
        "https://elsewhere.example/feeds/all.atom",
        "http://127.0.0.1:8000/feeds/no-such-topic.atom",
        "http://127.0.0.1:8000/feeds/environment.html",
        "http://127.0.0.1:8000/feeds/../feeds/environment.atom",
        "http://127.0.0.1:8000/feeds/%65nvironment.atom",
        "http://127.0.0.1:8000/feeds/environment.atom?x=1",
        "http://127.0.0.1:8000/feeds/environment+digital-customs.atom",
        "http://127.0.0.1:8000/feeds/private/AAAAAAAAAAAAAAAAAAAAAAAAAAAA.atom",
        "http://127.0.0.1:8000/feeds/environment/archive-1.atom",
        "http://127.0.0.1:8000/index.html",
        "http://127.0.0.1:8000/",
        "http://127.0.0.1:8000/feeds/.atom",
    ],
)
def test_only_the_feeds_of_the_site_by_their_own_address_are_topics(house: House, topic: str) -> None:
    with subscriber() as alice, pytest.raises(HubError, match="rel=self") as refusal:
        take(house, alice, topic=topic)
    assert refusal.value.status == 404


def test_one_server_cannot_take_all_subscriptions(house: House) -> None:
    with subscriber() as alice, pytest.raises(HubError, match="as many subscriptions") as refusal:
        for number in range(102):
            with house.app.store.write() as tx:
                tx.hub.ask(
                    mode="subscribe",
                    callback=f"http://127.0.0.1/{number}",
                    host="127.0.0.1",
                    topic="feeds/all.atom",
                    lease_s=1000,
                    secret=None,
                    sha256="0",
                    now=house.clock(),
                )
                [request] = tx.hub.due_requests(house.clock(), 10)
                assert tx.hub.answered(request)
                if tx.hub.count() < 100:
                    tx.hub.subscribe(request, house.clock() + push_flow.REQUEST_LIFE)
        take(house, alice)
    assert refusal.value.status == 503
    assert subscriptions(house) == 100


def test_requests_do_not_pile_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_flow, "MAX_WAITING", 2)
    with subscriber() as a, subscriber() as b, subscriber() as c:
        take(house, a)
        take(house, b)
        with pytest.raises(HubError, match="too many requests"):
            take(house, c)
        verify(house)
        take(house, c)
        assert waiting(house) == 1


def test_one_server_cannot_take_all_the_room_of_requests_that_wait(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_flow, "HOST_SHARE_S", 0.0)  # one exchange takes all of its share
    with subscriber() as slow, subscriber() as alice:
        crowd(house, alice, push_flow.HOST_WAITING, "elsewhere.example")
        take(house, alice)  # many wait, but none of its server
        crowd(house, slow, push_flow.HOST_WAITING - 1, "127.0.0.1")
        with pytest.raises(HubError, match="too many requests") as refusal:
            take(house, slow)
        assert refusal.value.status == 503
        verify(house)
        take(house, slow)


def test_a_hub_that_may_no_longer_call_private_networks_does_not(make_house: MakeHouse) -> None:
    house = make_house(**{**ENVIRON, "PUBLISHER_WEBSUB_ALLOW_PRIVATE": "false"})
    with subscriber() as alice:
        take(house, alice)  # parsed by the rules of an intranet
        verify(house)
    assert alice.received == []
    assert (subscriptions(house), waiting(house)) == (0, 0)


def test_no_more_feeds_are_made_for_subscribers_than_the_hub_can_bear(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_flow, "MAX_MADE", 1)
    base = "http://127.0.0.1:8000/feeds/"
    with subscriber() as alice, subscriber() as bob:
        take(house, alice, topic=f"{base}digital-customs+environment.atom")
        with pytest.raises(HubError, match="as many subscriptions"):
            take(house, alice, topic=f"{base}environment+partnerships.atom")
        take(house, bob, topic=f"{base}digital-customs+environment.atom")
        take(house, bob, topic=f"{base}environment.atom")
        verify(house)
    assert subscriptions(house) == 3


def test_a_request_for_a_feed_that_no_file_holds_makes_none_before_it_is_confirmed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setattr(HubTopics, "_render", lambda self, path, now: made.append(path))
    with subscriber(lambda _: (404, b"")) as mallory:
        take(house, mallory, topic="http://127.0.0.1:8000/feeds/digital-customs+environment.atom")
        verify(house)
    assert made == []


def test_more_than_one_batch_is_sent_without_a_pause(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_flow, "BATCH", 2)
    with subscriber() as a, subscriber() as b, subscriber() as c:
        for target in (a, b, c):
            subscribe(house, target)
        house.write_article()
        assert asyncio.run(house.app.hub.push_due())
        assert not asyncio.run(house.app.hub.push_due())
        assert [len(target.pushed) for target in (a, b, c)] == [1, 1, 1]
