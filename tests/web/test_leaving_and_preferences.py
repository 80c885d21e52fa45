"""What the links of a letter do: GET changes nothing, POST does, and nobody is told who is there."""

from __future__ import annotations

import email
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from lxml import html
from starlette.testclient import TestClient

from publisher.app import App
from publisher.errors import NotFound
from publisher.flows.preferences import UNDO_WITHIN
from publisher.flows.settings_link import ask_for_settings
from publisher.flows.subscribe import find_subscriber
from publisher.model import Frequency, Subscriber, SubscriberState
from publisher.tokens import PREFERENCES, UNSUBSCRIBE

NOW = datetime(2026, 3, 2, 7, tzinfo=UTC)  # the clock of `app`


def letter(app: App, among: Iterable[Path] = ()) -> EmailMessage:
    path = next(iter(among or app.post.outbox_path.glob("*.eml")))
    message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def reader(app: App) -> Subscriber:
    with app.store.read() as tx:
        return find_subscriber(tx, "alice@customs.example")


def one_click_path(app: App, among: Iterable[Path] = ()) -> str:
    return urlsplit(str(letter(app, among)["List-Unsubscribe"])[1:-1]).path


def settings_path(app: App) -> str:
    return f"/preferences/{app.signer.token(PREFERENCES, reader(app).id)}"


def test_the_letters_link_leads_to_a_page_that_offers_to_leave_or_to_stay_with_fewer_letters(
    client: TestClient, app: App
) -> None:
    page = client.get(one_click_path(app))
    assert page.status_code == 200
    leave, fewer, _ = html.document_fromstring(page.content).forms
    assert (leave.method, leave.fields.keys()) == ("POST", [])
    assert fewer.xpath(".//button/@value") == ["monthly"]
    assert "alice" not in page.text


def test_who_takes_fewer_letters_stays_and_is_told_what_comes_next(client: TestClient, app: App) -> None:
    for _ in range(2):
        answer = client.post(one_click_path(app), data={"instead": "monthly"})
        assert answer.status_code == 200
    assert "1 April 2026, 07:00 UTC" in answer.text
    assert (reader(app).state, reader(app).frequency) == (SubscriberState.ACTIVE, Frequency.MONTHLY)


def test_the_link_to_leave_which_mail_providers_hold_opens_no_settings(client: TestClient, app: App) -> None:
    answers = [client.get(one_click_path(app)), *(
        client.post(one_click_path(app), data=data)
        for data in ({"instead": "monthly"}, {"settings": "mail"}, {}, {"undo": "yes"}, {"settings": "mail"})
    )]  # fmt: skip
    own = app.signer.token(PREFERENCES, reader(app).id)
    assert [own in answer.text for answer in answers] == [False] * 6
    assert own not in str(letter(app).items())


def test_the_link_to_the_settings_is_sent_to_the_reader_alone_and_once_a_day(client: TestClient, app: App) -> None:
    known = set(app.post.outbox_path.glob("*.eml"))
    first, again = (client.post(one_click_path(app, known), data={"settings": "mail"}) for _ in range(2))
    assert (first.status_code, first.content) == (again.status_code, again.content) == (202, first.content)
    end = time.monotonic() + 60
    while not (new := set(app.post.outbox_path.glob("*.eml")) - known) and time.monotonic() < end:
        time.sleep(0.02)
    (path,) = new
    message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
    assert (message["To"], message["Subject"]) == (
        "alice@customs.example",
        "Your settings: digest of Customs initiatives",
    )
    assert [settings_path(app) in part.get_content().replace("=\n", "") for part in message.iter_parts()] == [True] * 2
    with app.store.read() as tx:
        assert sum(tx.service_letters.counts().values()) == 1
    assert reader(app).state is SubscriberState.ACTIVE


def test_the_letter_with_the_link_is_in_the_readers_language_and_goes_out_soon_or_never(app: App) -> None:
    alice = reader(app)
    with app.store.write() as tx:
        tx.subscribers.set_language(alice.id, "fr", NOW)
    for _ in range(2):
        ask_for_settings(app.sign_up, alice.id, host="192.0.2.1")
    within = app.sign_up.terms.confirm_within
    with app.store.read() as tx:
        (planned,) = tx.service_letters.due(NOW, 9)
        assert (planned.email, planned.language) == ("alice@customs.example", "fr")
        assert tx.service_letters.due(NOW + within - timedelta(seconds=1), 9) == [planned]
        assert tx.service_letters.due(NOW + within, 9) == [], "a relay that is back after days has no use for it"


def test_who_is_gone_is_sent_no_link_to_settings(app: App) -> None:
    number = reader(app).id
    with app.store.write() as tx:
        tx.subscribers.remove(number, NOW)
    with pytest.raises(NotFound):
        ask_for_settings(app.sign_up, number, host="192.0.2.1")
    with app.store.read() as tx:
        assert tx.service_letters.due(NOW, 9) == []


def test_who_has_left_is_sent_no_link_to_settings(client: TestClient, app: App) -> None:
    client.post(one_click_path(app))
    assert client.post(one_click_path(app), data={"settings": "mail"}).status_code == 410
    with app.store.read() as tx:
        assert tx.service_letters.counts() == {}


def test_leaving_can_be_taken_back_by_a_button_of_the_receipt_for_a_while(client: TestClient, app: App) -> None:
    receipt = client.post(one_click_path(app))
    form = html.document_fromstring(receipt.content).forms[0]
    assert urlsplit(form.action).path == one_click_path(app)
    assert reader(app).state is SubscriberState.UNSUBSCRIBED
    for _ in range(2):
        assert client.post(one_click_path(app), data=dict(form.form_values())).status_code == 200
        assert reader(app).state is SubscriberState.ACTIVE
    client.post(one_click_path(app))
    object.__setattr__(app, "clock", lambda: NOW + UNDO_WITHIN + timedelta(seconds=1))
    assert client.post(one_click_path(app), data={"undo": "yes"}).status_code == 410
    assert reader(app).state is SubscriberState.UNSUBSCRIBED


def test_who_left_by_the_button_of_their_mail_program_finds_the_receipt_behind_the_link(
    client: TestClient, app: App
) -> None:
    receipt = client.post(one_click_path(app), data={"List-Unsubscribe": "One-Click"})
    for _ in range(2):
        page = client.get(one_click_path(app))
        assert (page.status_code, page.content) == (200, receipt.content)
    assert reader(app).state is SubscriberState.UNSUBSCRIBED
    (undo,) = html.document_fromstring(page.content).forms
    assert client.post(undo.action, data=dict(undo.form_values())).status_code == 200
    assert reader(app).state is SubscriberState.ACTIVE


def test_taking_it_back_brings_nobody_back_whose_address_bounced(client: TestClient, app: App) -> None:
    with app.store.write() as tx:
        tx.subscribers.set_state(reader(app).id, SubscriberState.BOUNCED, NOW, reason="no such mailbox")
    client.post(one_click_path(app))
    assert client.post(one_click_path(app), data={"undo": "yes"}).status_code == 410
    assert reader(app).state is SubscriberState.UNSUBSCRIBED


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


def test_a_pause_ends_on_the_day_the_reader_chose(client: TestClient, app: App) -> None:
    settings = {"topics": "environment", "frequency": "daily"}
    answer = client.post(settings_path(app), data={**settings, "until": "2026-03-20"})  # the box was not ticked
    assert "20 March 2026, 07:00 UTC" in answer.text
    assert reader(app).state is SubscriberState.PAUSED
    assert reader(app).paused_until == datetime(2026, 3, 20, tzinfo=UTC)
    client.post(settings_path(app), data={**settings, "until": "2026-03-20"})  # the tick was taken away
    assert (reader(app).state, reader(app).paused_until) == (SubscriberState.ACTIVE, None)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/New_York"])
@pytest.mark.parametrize("until", ["2026-03-02", "2020-01-01", "2027-06-01", "0001-01-01", "9999-12-31", "soon"])
def test_a_pause_that_cannot_end_is_explained_and_changes_nothing(
    client: TestClient, app: App, until: str, zone: str
) -> None:
    object.__setattr__(app, "settings", app.settings.model_copy(update={"zone": ZoneInfo(zone)}))
    before = reader(app)
    data = {"topics": "partnerships", "frequency": "daily", "paused": "yes", "until": until}
    answer = client.post(settings_path(app), data=data)
    assert answer.status_code == 422
    assert "the end of the pause" in answer.text
    assert reader(app) == before


def test_the_page_says_what_comes_next_and_when(client: TestClient, app: App) -> None:
    assert "9 March 2026, 07:00 UTC" in client.get(settings_path(app)).text
    answer = client.post(settings_path(app), data={"topics": "all", "frequency": "monthly"})
    assert "1 April 2026, 07:00 UTC" in answer.text
    assert "without news no letter is sent" in answer.text


def test_a_reader_takes_their_data_with_them(client: TestClient, app: App) -> None:
    answer = client.get(settings_path(app) + "/data")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["cache-control"] == "no-store"
    data = answer.json()
    assert data["subscriber"]["email"] == "alice@customs.example"
    assert data["subscriber"]["topics"] == ["environment", "partnerships"]
    assert [event["event"] for event in data["events"]] == ["added"]
    assert [(letter["issue"], letter["state"]) for letter in data["deliveries"]] == [("weekly-1", "accepted")]


def test_a_reader_deletes_everything_about_them_and_the_sums_stay_right(client: TestClient, app: App) -> None:
    path = settings_path(app)
    number = reader(app).id
    assert client.get(path + "/delete").status_code == 200
    assert reader(app).email
    for _ in range(2):
        assert client.post(path + "/delete").status_code == 200
    with app.store.read() as tx:
        assert tx.subscribers.find("alice@customs.example") is None
        (issue,) = tx.issues.numbered()
        assert tx.deliveries.sum(issue.id).balances
        assert [one.subscriber_id for one in tx.deliveries.of_issue(issue.id)] == [number]
    for place in ("", "/data", "/delete"):
        assert client.get(path + place).status_code == 410


@pytest.mark.parametrize("place", ["", "/data", "/delete"])
def test_no_token_of_another_purpose_opens_a_reader_s_page(client: TestClient, app: App, place: str) -> None:
    for token in (app.signer.token(UNSUBSCRIBE, reader(app).id), "A" * 28, "short"):
        answer = client.get(f"/preferences/{token}{place}")
        assert answer.status_code == 404
        assert "alice" not in answer.text
