"""A reader's own feed over HTTP: its life, and that nobody learns anything from it."""

from __future__ import annotations

from urllib.parse import urlsplit

import feedparser
import pytest
from lxml import html
from starlette.testclient import TestClient

from publisher.app import App
from publisher.flows.private_feed import feed_token
from publisher.flows.subscribe import find_subscriber
from publisher.model import Subscriber, SubscriberState
from publisher.tokens import PREFERENCES, UNSUBSCRIBE


def reader(app: App) -> Subscriber:
    with app.store.read() as tx:
        return find_subscriber(tx, "alice@customs.example")


def own_feed(app: App, kind: str = "atom") -> str:
    with app.store.read() as tx:
        return f"/feeds/private/{feed_token(tx, app.signer, reader(app).id)}.{kind}"


def settings_page(app: App) -> str:
    return f"/preferences/{app.signer.token(PREFERENCES, reader(app).id)}"


def shown(content: bytes) -> list[str]:
    return [urlsplit(text).path for text in html.document_fromstring(content).xpath("//textarea/text()")]


def test_it_has_the_articles_of_the_readers_topics(client: TestClient, app: App) -> None:
    own = feedparser.parse(client.get(own_feed(app)).content)
    union = feedparser.parse(client.get("/feeds/environment+partnerships.atom").content)
    assert [entry.id for entry in own.entries] == [entry.id for entry in union.entries]
    assert own.feed.title == "Your topics at Customs initiatives"
    assert own.feed.link == "http://127.0.0.1:8000/"


@pytest.mark.parametrize("kind", ["atom", "rss", "json"])
def test_nobody_else_may_keep_list_or_read_it_and_it_names_nobody(client: TestClient, app: App, kind: str) -> None:
    answer = client.get(own_feed(app, kind))
    assert answer.status_code == 200
    assert answer.headers["x-robots-tag"] == "noindex"
    assert answer.headers["cache-control"].startswith("private, max-age=")
    assert "access-control-allow-origin" not in answer.headers
    assert "link" not in answer.headers
    assert b"alice" not in answer.content
    again = client.get(own_feed(app, kind), headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert again.headers["x-robots-tag"] == "noindex"


def test_its_id_tells_nothing_and_stays_when_the_address_changes(client: TestClient, app: App) -> None:
    before = own_feed(app)
    first = feedparser.parse(client.get(before).content).feed.id
    client.post(settings_page(app), data={"feed": "new"})
    assert feedparser.parse(client.get(own_feed(app)).content).feed.id == first
    assert before.split("/")[-1].removesuffix(".atom") not in first


def test_it_follows_the_topics_at_once(client: TestClient, app: App) -> None:
    client.get(own_feed(app))
    client.post(settings_page(app), data={"topics": "region-mena", "frequency": "weekly"})
    own = feedparser.parse(client.get(own_feed(app)).content)
    assert {entry.id for entry in own.entries} == {
        entry.id for entry in feedparser.parse(client.get("/feeds/region-mena.atom").content).entries
    }
    client.post(settings_page(app), data={"topics": "all", "frequency": "weekly"})
    assert len(feedparser.parse(client.get(own_feed(app)).content).entries) == 10


def test_a_new_address_ends_the_old_one(client: TestClient, app: App) -> None:
    old = own_feed(app)
    assert client.get(old).status_code == 200
    page = client.get(settings_page(app))
    assert shown(page.content) == [old]
    renewed = client.post(settings_page(app), data={"feed": "new"})
    assert renewed.status_code == 200
    (new,) = shown(renewed.content)
    assert new != old
    assert [client.get(path).status_code for path in (old, new)] == [404, 200]
    assert reader(app).state is SubscriberState.ACTIVE


def test_it_goes_on_when_the_letters_stop(client: TestClient, app: App) -> None:
    path = own_feed(app)
    receipt = client.post(f"/unsubscribe/{app.signer.token(UNSUBSCRIBE, reader(app).id)}")
    assert shown(receipt.content) == [path]
    assert client.get(path).status_code == 200
    ended = client.get(settings_page(app))
    assert (ended.status_code, shown(ended.content)) == (410, [path])
    renewed = client.post(settings_page(app), data={"feed": "new"})
    assert renewed.status_code == 200
    assert shown(renewed.content) == [own_feed(app)] != [path]
    assert client.get(path).status_code == 404


def test_it_ends_when_the_reader_is_forgotten(client: TestClient, app: App) -> None:
    path, leave = own_feed(app), f"/unsubscribe/{app.signer.token(UNSUBSCRIBE, reader(app).id)}"
    assert client.get(path).status_code == 200
    with app.store.write() as tx:
        tx.subscribers.remove(reader(app).id, app.clock())
    assert client.get(path).status_code == 404
    assert shown(client.post(leave).content) == []


def test_a_reader_who_has_not_confirmed_has_none(client: TestClient, app: App) -> None:
    path = own_feed(app)
    with app.store.write() as tx:
        tx.subscribers.set_state(reader(app).id, SubscriberState.PENDING, app.clock(), reason="test")
    assert client.get(path).status_code == 404
    assert shown(client.get(settings_page(app)).content) == []


def test_made_up_former_and_foreign_tokens_get_one_and_the_same_answer(client: TestClient, app: App) -> None:
    former = own_feed(app)
    client.post(settings_page(app), data={"feed": "new"})
    other_purpose = f"/feeds/private/{app.signer.token(PREFERENCES, reader(app).id)}.atom"
    nobody = f"/feeds/private/{app.signer.token('private feed 0', 999_999)}.atom"
    tokens = [former, other_purpose, nobody, "/feeds/private/" + "A" * 28 + ".atom", "/feeds/private/%C3%A9.atom"]
    answers = [client.get(path) for path in tokens]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert "noindex" in answers[0].headers["x-robots-tag"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_the_settings_makes_no_new_address(client: TestClient, app: App, method: str) -> None:
    path = own_feed(app)
    client.request(method, settings_page(app) + "?feed=new")
    assert own_feed(app) == path


def test_the_reader_finds_in_the_records_when_the_address_changed(client: TestClient, app: App) -> None:
    client.post(settings_page(app), data={"feed": "new"})
    with app.store.read() as tx:
        events = [(event.event, event.detail) for event in tx.subscribers.events(reader(app).id)]
    assert events[-1] == ("feed", "new address")
