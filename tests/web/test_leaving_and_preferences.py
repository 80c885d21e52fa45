"""What the links of a letter do: GET changes nothing, POST does, and nobody is told who is there."""

from __future__ import annotations

import email
from email import policy
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest
from lxml import html
from starlette.testclient import TestClient

from publisher.app import App
from publisher.flows.subscribe import find_subscriber
from publisher.model import Frequency, Subscriber, SubscriberState
from publisher.tokens import PREFERENCES, UNSUBSCRIBE


def letter(app: App) -> EmailMessage:
    path = next(app.post.outbox_path.glob("*.eml"))
    message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def reader(app: App) -> Subscriber:
    with app.store.read() as tx:
        return find_subscriber(tx, "alice@customs.example")


def one_click_path(app: App) -> str:
    return urlsplit(str(letter(app)["List-Unsubscribe"])[1:-1]).path


def test_the_letters_link_leads_to_a_page_with_one_button(client: TestClient, app: App) -> None:
    page = client.get(one_click_path(app))
    assert page.status_code == 200
    assert page.text.count("<form") == 1
    assert "alice" not in page.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_scanner_that_opens_every_link_changes_nothing(client: TestClient, app: App, method: str) -> None:
    for _ in range(3):
        client.request(method, one_click_path(app))
        client.request(method, f"/preferences/{app.signer.token(PREFERENCES, reader(app).id)}")
    assert reader(app).state is SubscriberState.ACTIVE


@pytest.mark.parametrize("form", ["urlencoded", "multipart"])
def test_the_one_click_post_of_a_mail_provider_ends_the_letters(client: TestClient, app: App, form: str) -> None:
    path = one_click_path(app)
    body = {"List-Unsubscribe": "One-Click"}
    for _ in range(2):  # RFC 8058: repeated requests must do no harm
        sent = {"data": body} if form == "urlencoded" else {"files": {name: (None, it) for name, it in body.items()}}
        answer = client.post(path, **sent)
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert "location" not in answer.headers
    assert reader(app).state is SubscriberState.UNSUBSCRIBED


def test_a_forged_token_gets_the_same_receipt_and_changes_nothing(client: TestClient, app: App) -> None:
    genuine = client.post(f"/unsubscribe/{app.signer.token(UNSUBSCRIBE, 999_999)}")
    forged = client.post("/unsubscribe/" + "A" * 28)
    assert (genuine.status_code, genuine.content) == (forged.status_code, forged.content)
    assert reader(app).state is SubscriberState.ACTIVE


def test_a_preference_token_cannot_be_used_for_leaving(client: TestClient, app: App) -> None:
    client.post(f"/unsubscribe/{app.signer.token(PREFERENCES, reader(app).id)}")
    assert reader(app).state is SubscriberState.ACTIVE


def test_a_reader_changes_topics_and_frequency_and_pauses_on_their_page(client: TestClient, app: App) -> None:
    path = f"/preferences/{app.signer.token(PREFERENCES, reader(app).id)}"
    page = client.get(path)
    assert page.status_code == 200
    assert "alice" not in page.text
    answer = client.post(path, data={"topics": ["region-mena", "all"], "frequency": "daily", "paused": "yes"})
    assert answer.status_code == 200
    changed = reader(app)
    assert changed.topics == ("region-mena", "all")
    assert (changed.frequency, changed.state) == (Frequency.DAILY, SubscriberState.PAUSED)
    client.post(path, data={"topics": "environment", "frequency": "daily"})
    assert reader(app).state is SubscriberState.ACTIVE


@pytest.mark.parametrize("topics", [["environment", "partnerships"], ["all"]])
def test_the_form_can_be_sent_as_it_is_shown(client: TestClient, app: App, topics: list[str]) -> None:
    path = f"/preferences/{app.signer.token(PREFERENCES, reader(app).id)}"
    client.post(path, data={"topics": topics, "frequency": "monthly"})
    before = reader(app)
    assert list(before.topics) == topics
    form = html.document_fromstring(client.get(path).content).forms[0]
    assert form.xpath(".//input[@name='frequency']/@value") == ["daily", "weekly", "monthly"]
    sent: dict[str, list[str]] = {}
    for name, value in form.form_values():
        sent.setdefault(name, []).append(value)
    assert client.post(path, data=sent).status_code == 200
    assert reader(app) == before


@pytest.mark.parametrize("data", [{"frequency": "weekly"}, {"topics": "environment", "frequency": "hourly"}])
def test_an_impossible_choice_is_explained_and_changes_nothing(
    client: TestClient, app: App, data: dict[str, str]
) -> None:
    before = reader(app)
    answer = client.post(f"/preferences/{app.signer.token(PREFERENCES, before.id)}", data=data)
    assert answer.status_code == 422
    assert "Please choose" in answer.text
    assert reader(app) == before


def test_pages_with_a_token_are_kept_and_followed_by_nobody(client: TestClient, app: App) -> None:
    for path in (one_click_path(app), f"/preferences/{app.signer.token(PREFERENCES, reader(app).id)}"):
        headers = client.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert "noindex" in headers["x-robots-tag"]
        assert "default-src 'none'" in headers["content-security-policy"]


def test_who_has_left_has_no_preferences_any_more(client: TestClient, app: App) -> None:
    client.post(one_click_path(app))
    path = f"/preferences/{app.signer.token(PREFERENCES, reader(app).id)}"
    assert client.get(path).status_code == 410
    assert client.post(path, data={"topics": "environment", "frequency": "daily"}).status_code == 410
    assert reader(app).state is SubscriberState.UNSUBSCRIBED
