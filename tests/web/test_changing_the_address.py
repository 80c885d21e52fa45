"""A reader's digest moves to another address by a letter to it, and by nothing else."""

from __future__ import annotations

import email
import re
import time
from datetime import timedelta
from email import policy
from pathlib import Path

import pytest
from lxml import html
from starlette.testclient import TestClient

from publisher.app import App
from publisher.flows.subscribe import find_subscriber
from publisher.model import SubscriberState
from publisher.tokens import CHANGE_ADDRESS, PREFERENCES

NEW = "alice@new.example"


@pytest.fixture
def page(app: App) -> str:
    with app.store.read() as tx:
        return f"/preferences/{app.signer.token(PREFERENCES, find_subscriber(tx, 'alice@customs.example').id)}"


@pytest.fixture
def old_letters(app: App) -> frozenset[Path]:
    return frozenset(app.post.outbox_path.glob("*.eml"))


def letters(app: App, old: frozenset[Path], count: int = 1) -> dict[str, str]:
    """The text of each new letter, by whom it went to: `count` of them, sent by the server beside its answers."""
    end = time.monotonic() + 30
    while len(new := set(app.post.outbox_path.glob("*.eml")) - old) < count and time.monotonic() < end:
        time.sleep(0.02)
    found = {}
    for path in new:
        message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
        body = message.get_body(("plain",))  # type: ignore[attr-defined]
        found[str(message["To"])] = body.get_content()
    assert len(found) == count
    return found


def link(text: str) -> str:
    found = re.search(r"/address/\S+", text)
    assert found
    return found[0]


def address(app: App, number: int = 1) -> str:
    with app.store.read() as tx:
        return tx.subscribers.get(number).email


def test_the_digest_moves_when_the_link_in_the_letter_is_confirmed(
    client: TestClient, app: App, page: str, old_letters: frozenset[Path]
) -> None:
    answer = client.post(page + "/address", data={"email": " Alice@NEW.example "})
    assert "A letter is on its way to the new address" in answer.text
    ((to, text),) = letters(app, old_letters).items()
    assert to == "Alice@new.example"
    assert "alice@customs.example" not in text
    path = link(text)
    for method in ("GET", "HEAD", "OPTIONS", "GET"):
        client.request(method, path)
    assert address(app) == "alice@customs.example"
    assert len(html.document_fromstring(client.get(path).content).forms) == 1
    assert client.post(path).status_code == 200
    assert address(app) == "Alice@new.example"
    assert set(letters(app, old_letters, 2)) == {"Alice@new.example", "alice@customs.example"}
    assert client.post(path).status_code == 410
    assert client.get(page).status_code == 200
    with app.store.read() as tx:
        assert tx.subscribers.events(1)[-1].event == "address"
        assert "example" not in str(tx.subscribers.events(1))


def test_a_link_that_is_too_old_forged_or_replaced_moves_nothing(
    client: TestClient, app: App, page: str, old_letters: frozenset[Path]
) -> None:
    client.post(page + "/address", data={"email": "alice@first.example"})
    first = link(letters(app, old_letters)["alice@first.example"])
    client.post(page + "/address", data={"email": NEW})
    second = link(letters(app, old_letters, 2)[NEW])
    assert client.post(first).status_code == 410
    assert client.post("/address/" + "A" * 28).status_code == 404
    assert client.post(f"/address/{app.signer.token(PREFERENCES, 2)}").status_code == 404
    now = app.clock()
    object.__setattr__(app, "clock", lambda: now + timedelta(hours=49))
    app.__dict__.pop("sign_up", None)  # it keeps the clock that it was made with
    assert client.get(second).status_code == 410
    assert "too old" in client.post(second).text
    assert address(app) == "alice@customs.example"


@pytest.mark.parametrize("wrong", ["", "nobody", "alice@customs.example", "ALICE@customs.example", "abuse@new.example"])
def test_an_address_that_cannot_be_used_is_explained(client: TestClient, app: App, page: str, wrong: str) -> None:
    answer = client.post(page + "/address", data={"email": wrong})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    with app.store.read() as tx:
        assert tx.address_changes.of(1) is None


def test_the_answer_is_the_same_for_an_address_that_is_subscribed_and_only_its_owner_learns_of_it(
    client: TestClient, app: App, page: str, old_letters: frozenset[Path]
) -> None:
    from publisher.flows.subscribe import add_subscriber
    from publisher.model import Frequency

    terms = {"topics": ["all"], "frequency": Frequency.DAILY, "language": "en", "topic_order": app.topic_order}
    add_subscriber(app.store, "bob@customs.example", now=app.clock(), **terms)  # type: ignore[arg-type]
    known = client.post(page + "/address", data={"email": "bob@customs.example"})
    unknown = client.post(page + "/address", data={"email": NEW})
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert "already" in letters(app, old_letters, 2)["bob@customs.example"]
    number = app.signer.token(CHANGE_ADDRESS, 1)
    assert client.post(f"/address/{number}").status_code == 410  # replaced by the wish for the other address


def test_one_address_gets_one_letter_a_day_however_often_it_is_asked_for(
    client: TestClient, app: App, page: str, old_letters: frozenset[Path]
) -> None:
    answers = {client.post(page + "/address", data={"email": NEW}).content for _ in range(5)}
    assert len(answers) == 1
    assert len(letters(app, old_letters)) == 1
    with app.store.read() as tx:
        assert tx.service_letters.due(app.clock(), 10) == []


def test_a_wish_that_nobody_confirmed_stands_in_nobodys_way(
    client: TestClient, app: App, page: str, old_letters: frozenset[Path]
) -> None:
    client.post(page + "/address", data={"email": NEW})
    with app.store.write() as tx:
        tx.subscribers.set_state(1, SubscriberState.UNSUBSCRIBED, app.clock(), reason="left")
    assert client.post(link(letters(app, old_letters)[NEW])).status_code == 410
    assert client.post(page + "/address", data={"email": "x@new.example"}).status_code == 410
    assert address(app) == "alice@customs.example"
