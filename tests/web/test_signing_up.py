"""The sign-up form and the links of its letter, in the web server: the same answer to all, and nothing by accident."""

from __future__ import annotations

import email
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import policy
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lxml import html
from starlette.testclient import TestClient

from publisher.app import App, build
from publisher.config import load
from publisher.model import Frequency, SubscriberState
from publisher.web.server import make_asgi

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
ALICE, ANN = "alice@customs.example", "ann@broker.example"  # Alice is a reader
HERE = {"Sec-Fetch-Site": "same-origin"}


class Clock:
    now = NOW

    def __call__(self):  # type: ignore[no-untyped-def]
        return self.now

    def pass_(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(published_site: Path, tmp_path: Path, clock: Clock) -> Iterator[App]:
    shutil.copytree(published_site, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "data" / "outbox")
    app = build(load(tmp_path / "config.toml", {}), clock=clock)
    yield app
    app.close()


@pytest.fixture
def client(app: App) -> TestClient:
    """Without its background: letters go when a test sends them."""
    return TestClient(make_asgi(app), base_url="http://127.0.0.1:8000", follow_redirects=False)


def filled_in(client: TestClient, path: str, **more: object) -> dict[str, object]:
    """The fields of the page's sign-up form, as a browser would send them."""
    document = html.document_fromstring(client.get(path).content)
    (form,) = [form for form in document.forms if "email" in form.fields]
    assert urlsplit(str(form.action)).path.endswith("subscribe")
    fields: dict[str, object] = {}
    for name, value in form.form_values():
        fields[name] = [*fields.get(name, []), value]  # type: ignore[misc]
    return {**fields, **more}


def sign_up(client: TestClient, address: str = ANN, **more: object) -> object:
    return client.post("/subscribe", data={"email": address, "frequency": "weekly", **more}, headers=HERE)


def letter(app: App, address: str = ANN) -> str:
    import asyncio

    asyncio.run(app.mail_room.work_off())
    for path in app.post.outbox_path.glob("*.eml"):
        message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
        if message["To"] == address:
            return str(message.get_body(("plain",)).get_content())  # type: ignore[attr-defined]
    raise AssertionError("no letter")


def paths(text: str) -> list[str]:
    return [urlsplit(url).path for url in re.findall(r"http\S+", text)]


def confirm_path(app: App, address: str = ANN) -> str:
    return next(path for path in paths(letter(app, address)) if path.startswith("/confirm/"))


def state(app: App, address: str = ANN) -> SubscriberState | None:
    with app.store.read() as tx:
        reader = tx.subscribers.find(address)
    return reader.state if reader else None


def asked(app: App) -> int:
    with app.store.read() as tx:
        return len(tx.sign_ups.asked(100))


def dump(app: App) -> list[str]:
    with app.store._engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        return list(raw.iterdump())


@pytest.mark.parametrize(
    ("path", "topics"),
    [
        ("/", None),
        ("/topics/environment/", ["environment"]),
        ("/subscribe", None),
        ("/subscribe?topics=environment,region-mena,nope", ["environment", "region-mena"]),
        ("/feeds/build?topic=environment&topic=region-mena", ["environment", "region-mena"]),
    ],
)
def test_each_form_leads_to_a_reader_of_its_topics(
    client: TestClient, app: App, clock: Clock, path: str, topics: list[str] | None
) -> None:
    response = client.get(path)
    if response.is_redirect:
        path = response.headers["location"]
    data = filled_in(client, path, email=ANN)
    clock.pass_(seconds=3)
    assert client.post("/subscribe", data=data, headers=HERE).status_code == 202
    page = client.get(confirm_path(app))
    clock.pass_(seconds=1)
    (form,) = html.document_fromstring(page.content).forms
    shown = dict(form.form_values())
    done = client.post(confirm_path(app), data={**shown, "answer": "yes"}, headers=HERE)
    assert done.status_code == 200
    assert "You get the digest" in done.text
    with app.store.read() as tx:
        reader = tx.subscribers.find(ANN)
    assert reader is not None
    assert (reader.state, reader.frequency) == (SubscriberState.ACTIVE, Frequency.WEEKLY)
    assert list(reader.topics) == (topics or ["all"])


def test_a_link_to_the_form_may_name_a_topic_as_it_was_called_before(
    client: TestClient, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(app.settings), "renamed_topics", {"green": "environment"})
    assert filled_in(client, "/subscribe?topics=green")["topics"] == ["environment"]


def test_the_answer_is_the_same_for_everybody(client: TestClient, app: App) -> None:
    def normal(response: object) -> tuple[int, str, list[tuple[str, str]]]:
        text = re.sub(r'name="address" value="[a-z2-7]{26}"', "", response.text)  # type: ignore[attr-defined]
        headers = [(name, value) for name, value in response.headers.items() if name != "date"]  # type: ignore[attr-defined]
        return response.status_code, text, headers  # type: ignore[attr-defined]

    first = normal(sign_up(client))
    assert first[0] == 202
    assert normal(sign_up(client, ALICE)) == first, "a reader"
    assert normal(sign_up(client)) == first, "had its letter"
    assert normal(sign_up(client, "robot@x.example", website="http://spam.example")) == first, "fell into the trap"
    assert asked(app) == 2
    assert "alice" not in first[1]


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_a_form_that_no_page_of_ours_sent_is_shown_once_more(
    client: TestClient, app: App, clock: Clock, headers: dict[str, str]
) -> None:
    data = {"email": ANN, "frequency": "daily", "topics": "environment"}
    response = client.post("/subscribe", data=data, headers=headers)
    assert response.status_code == 422
    assert asked(app) == 0
    (form,) = html.document_fromstring(response.content).forms
    fields = dict(form.form_values())
    assert fields.items() >= data.items()
    clock.pass_(seconds=1)
    again = client.post("/subscribe", data=fields, headers=HERE)
    assert again.status_code == 422, "faster than people are"
    clock.pass_(seconds=1)
    assert client.post("/subscribe", data=fields, headers=HERE).status_code == 202
    assert asked(app) == 1


def test_when_many_sign_up_a_published_form_is_shown_once_more(client: TestClient, app: App) -> None:
    from publisher.flows.sign_up import Wish, request_sign_ups
    from publisher.model import SignUpMethod

    crowd = [Wish(email=f"n{n}@x{n}.example", frequency=Frequency.DAILY, method=SignUpMethod.FORM) for n in range(101)]
    request_sign_ups(app.sign_up, crowd)
    assert sign_up(client).status_code == 422  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"email": "nobody"}, "not an e-mail address"),
        ({"email": "postmaster@x.example"}, "use your own address"),
        ({"frequency": "hourly"}, "how often"),
        ({"topics": "nope"}, "choose topics"),
        ({"language": "xx"}, "choose a language"),
    ],
)
def test_what_cannot_be_is_explained_and_the_form_keeps_the_rest(
    client: TestClient, app: App, data: dict[str, str], said: str
) -> None:
    response = sign_up(client, **data) if "email" not in data else sign_up(client, data["email"])
    assert response.status_code == 422  # type: ignore[attr-defined]
    page = html.document_fromstring(response.content)  # type: ignore[attr-defined]
    assert said in page.xpath("string(//p[@role='alert'])")
    assert page.xpath("//input[@type='email']/@value") == [data.get("email", ANN)]
    assert asked(app) == 0


def test_a_scanner_that_opens_every_link_or_sends_every_form_changes_nothing(
    client: TestClient, app: App, clock: Clock
) -> None:
    sign_up(client)
    sign_up(client, ALICE)
    links = [path for address in (ANN, ALICE) for path in paths(letter(app, address))]
    assert len([path for path in links if "/confirm/" in path or "/not-me/" in path]) == 2
    before = dump(app)
    for path in links:
        for method in ("GET", "HEAD", "OPTIONS"):
            for _ in range(3):
                client.request(method, path)
        for form in html.document_fromstring(client.get(path).content).forms:
            if "/confirm/" in path or "/not-me/" in path:  # a script's form.submit() presses no button
                clock.pass_(minutes=2)
                client.post(path, data=dict(form.form_values()), headers=HERE)
                client.post(
                    path,
                    data={**dict(form.form_values()), "answer": "yes"},
                    headers={"Origin": "null"} | {"Sec-Fetch-Site": "cross-site"},
                )
    clock.pass_(minutes=1)
    assert dump(app) == before


def test_the_button_needs_its_page_and_a_moment(client: TestClient, app: App, clock: Clock) -> None:
    sign_up(client)
    path = confirm_path(app)
    (form,) = html.document_fromstring(client.get(path).content).forms
    pressed = {**dict(form.form_values()), "answer": "yes"}
    for data in ({"answer": "yes"}, pressed, {**pressed, "shown": app.signer.stamp("form", clock.now)}):
        assert client.post(path, data=data, headers=HERE).status_code == 422
        assert state(app) is SubscriberState.PENDING
    clock.pass_(seconds=1)
    # over plain http to another machine browsers send no Sec-Fetch-Site, and Origin "null" from such a page
    assert client.post(path, data=pressed, headers={"Origin": "null"}).status_code == 200
    assert state(app) is SubscriberState.ACTIVE
    assert "Already confirmed" in client.get(path).text
    assert "Already confirmed" in client.post(path, data=pressed, headers=HERE).text


def test_the_code_is_typed_on_the_page_after_the_form(client: TestClient, app: App) -> None:
    page = sign_up(client)
    (form,) = html.document_fromstring(page.content).forms  # type: ignore[attr-defined]
    fields = dict(form.form_values())
    code = re.search(r"\b\d{6}\b", letter(app))
    assert code
    wrong = client.post(form.action, data={**fields, "code": "no"}, headers=HERE)
    nobody = client.post(form.action, data={"address": "x", "code": code[0]}, headers=HERE)
    assert wrong.status_code == nobody.status_code == 422
    assert (
        client.post(form.action, data={**fields, "code": code[0]}, headers={"Sec-Fetch-Site": "cross-site"}).status_code
        == 403
    )
    assert state(app) is SubscriberState.PENDING
    assert "You get the digest" in client.post(form.action, data={**fields, "code": code[0]}, headers=HERE).text
    assert state(app) is SubscriberState.ACTIVE


def test_an_old_link_offers_a_new_letter_with_one_button(client: TestClient, app: App, clock: Clock) -> None:
    sign_up(client)
    path = confirm_path(app)
    clock.pass_(hours=49)
    old = client.get(path)
    assert old.status_code == 410
    (form,) = html.document_fromstring(old.content).forms
    assert "Please look into your mailbox" in client.post(form.action, headers=HERE).text
    assert asked(app) == 1
    clock.pass_(days=30)
    from publisher.flows.housekeeping import keep_house

    keep_house(app.parts)
    gone = client.get(path)
    assert gone.status_code == 410
    assert html.document_fromstring(gone.content).xpath("//a[@class='button']/@href") == ["/subscribe"]


def test_never_write_to_me_again_takes_one_button(client: TestClient, app: App, clock: Clock) -> None:
    sign_up(client)
    path = next(path for path in paths(letter(app)) if path.startswith("/not-me/"))
    (form,) = html.document_fromstring(client.get(path).content).forms
    pressed = {**dict(form.form_values()), "answer": "yes"}
    for data in ({}, {"answer": "yes"}, pressed, {**pressed, "shown": app.signer.stamp("form", clock.now)}):
        assert client.post(path, data=data, headers=HERE).status_code == 422, "no page, or no moment"
    clock.pass_(seconds=1)
    assert client.post(path, data=pressed, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 422
    assert state(app) is SubscriberState.PENDING
    assert client.post(path, data=pressed, headers=HERE).status_code == 200
    assert state(app) is None
    assert client.post(path, data=pressed, headers=HERE).status_code == 200
    assert client.get(path[:-2]).status_code == 404
    assert sign_up(client).status_code == 202  # type: ignore[attr-defined]
    assert asked(app) == 0


def test_pages_with_a_token_are_kept_and_followed_by_nobody(client: TestClient, app: App) -> None:
    sign_up(client)
    for path in paths(letter(app))[:2]:
        headers = client.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert "noindex" in headers["x-robots-tag"]


def test_without_sign_up_there_is_no_form_and_old_links_still_hold(app: App, clock: Clock) -> None:
    with TestClient(make_asgi(app), base_url="http://127.0.0.1:8000") as client:
        sign_up(client)
    path = confirm_path(app)
    values = load(app.settings.root / "config.toml", {"PUBLISHER_SIGNUP_ENABLED": "false"})
    closed = build(values, clock=clock)
    client = TestClient(make_asgi(closed), base_url="http://127.0.0.1:8000")
    assert client.get("/subscribe").status_code == 404
    assert client.get(path).status_code == 200
    assert "Digest" not in closed.web_pages.message("x", "y").decode()
    closed.close()


def test_the_languages_on_offer_are_shown_where_there_are_several(app: App) -> None:
    environ = {"PUBLISHER_SIGNUP_LANGUAGES": "en fr"}
    several = build(load(app.settings.root / "config.toml", environ), clock=app.clock)
    client = TestClient(make_asgi(several), base_url="http://127.0.0.1:8000")
    page = html.document_fromstring(client.get("/subscribe").content)
    assert page.xpath("//input[@name='language']/@value") == ["en", "fr"]
    assert "français" in page.text_content()
    assert sign_up(client, language="fr").status_code == 202  # type: ignore[attr-defined]
    with several.store.read() as tx:
        assert [wanted.language for wanted in tx.sign_ups.asked(10)] == ["fr"]
    several.close()


def test_the_server_sends_the_letter_by_itself(app: App) -> None:
    import time

    with TestClient(make_asgi(app), base_url="http://127.0.0.1:8000") as client:
        sign_up(client)
        until = time.monotonic() + 60
        while not list(app.post.outbox_path.glob("*.eml")) and time.monotonic() < until:
            time.sleep(0.05)
    assert len(list(app.post.outbox_path.glob("*.eml"))) == 1
