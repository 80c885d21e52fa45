"""Issues that wait for the editor: nothing goes out before they say so, and what they saw is what goes out."""

from __future__ import annotations

import asyncio
import re
import socket
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from flows.house import House, relay_settings, slugs_in
from starlette.testclient import TestClient
from wire.servers import Relay

from publisher.errors import UsageError
from publisher.flows.approval import approve, refuse, waiting
from publisher.flows.preview import send_test
from publisher.flows.run import Order
from publisher.flows.subscribe import unsubscribe
from publisher.model import Frequency, Issue, IssueState, Subscriber
from publisher.tokens import APPROVAL, UNSUBSCRIBE
from publisher.web.server import make_asgi

MONDAY = datetime(2026, 3, 9, 7, tzinfo=UTC)
OFF = {"enabled": False}
DIGEST = {"daily": OFF, "monthly": OFF, "approval": True, "editor": "Desk <desk@customs.example>"}


@pytest.fixture
def editor(posting: House) -> House:
    """Only the weekly digest is on, it wants approval, its last slot is dealt with; Alice reads on environment."""
    posting.rebuild(digest=DIGEST)
    posting.publish(Order())
    posting.article("Waste")
    posting.alice = posting.reader("alice")  # type: ignore[attr-defined]
    posting.clock.now = MONDAY
    return posting


def states(house: House) -> list[tuple[str, str]]:
    return [(issue.name, issue.state) for issue in house.issues() if issue.number]


def last(house: House) -> Issue:
    return house.issues()[-1]


def to(relay: Relay, who: str) -> list[bytes]:
    return [taken.content for taken in relay.taken if taken.recipient.startswith(who)]


def page_of(house: House, name: str) -> Path:
    return house.site / "issues" / name / "index.html"


def test_a_scheduled_issue_waits_and_the_editor_is_asked_once(editor: House, relay: Relay) -> None:
    _, report = editor.publish(Order())
    assert [issue.waiting for issue in report.issues] == [True]
    editor.clock.forward(hours=1)
    editor.publish(Order())
    assert states(editor) == [("weekly-1", "waiting")]
    assert to(relay, "alice") == [] and not page_of(editor, "weekly-1").exists()
    (letter,) = to(relay, "desk")
    message = message_from_bytes(letter, policy=policy.default)
    assert message["Subject"].startswith("weekly-1 waits for you: ")
    assert message["Auto-Submitted"] == "auto-generated"
    assert "* Waste" in message.get_content() and "https://news.example/approve/" in message.get_content()
    (issue,) = waiting(editor.app.store)
    assert (issue.name, issue.letters, issue.articles) == ("weekly-1", 1, ("Waste",))
    assert issue.asked == MONDAY


def test_where_a_relay_is_gone_the_editor_is_asked_over_the_next(editor: House, relay: Relay) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens
        settings = relay_settings(relay)
        gone = {**settings, "name": "gone", "port": closed.getsockname()[1]}
        editor.rebuild(digest=DIGEST, smtp={}, relay=[gone, {**settings, "name": "spare"}])
        editor.publish(Order())
        asyncio.run(
            send_test(editor.app.parts, Frequency.WEEKLY, "tester@customs.example", email="alice@readers.example")
        )
    assert len(to(relay, "tester")) == 1
    assert len(to(relay, "desk")) == 1


def test_an_approved_issue_is_sent_as_it_was_with_its_page_and_todays_date(editor: House, relay: Relay) -> None:
    editor.publish(Order())
    editor.article("Plastics")
    editor.publish(Order())
    editor.clock.forward(days=1)
    approve(editor.app.store, "weekly-1", editor.clock())
    editor.deliver()
    (letter,) = to(relay, "alice")
    assert slugs_in(letter) == ("waste",)
    assert message_from_bytes(letter, policy=policy.default)["Date"].datetime == editor.clock()
    assert page_of(editor, "weekly-1").exists(), "the letter links to it"
    assert states(editor) == [("weekly-1", "finished")]
    with pytest.raises(UsageError, match="it is finished"):
        approve(editor.app.store, "weekly-1", editor.clock())


def test_what_is_refused_goes_to_nobody_and_its_articles_come_with_the_next_one(editor: House, relay: Relay) -> None:
    editor.publish(Order())
    refuse(editor.app.store, "weekly-1", editor.clock())
    editor.deliver()
    editor.publish(Order())
    assert to(relay, "alice") == [] and not page_of(editor, "weekly-1").exists()
    editor.check_sums()
    editor.clock.forward(days=7)
    editor.publish(Order())
    approve(editor.app.store, "weekly-2", editor.clock())
    editor.deliver()
    assert [slugs_in(letter) for letter in to(relay, "alice")] == [("waste",)]
    assert states(editor) == [("weekly-1", "refused"), ("weekly-2", "finished")]


def test_one_that_nobody_answered_is_taken_over_by_the_next(editor: House, relay: Relay) -> None:
    editor.publish(Order())
    editor.article("Plastics")
    editor.clock.forward(days=7)
    editor.publish(Order())
    assert states(editor) == [("weekly-1", "refused"), ("weekly-2", "waiting")]
    approve(editor.app.store, "weekly-2", editor.clock())
    editor.deliver()
    (letter,) = to(relay, "alice")
    assert set(slugs_in(letter)) == {"waste", "plastics"}
    editor.check_sums()


def test_who_leaves_while_it_waits_gets_nothing(editor: House, relay: Relay) -> None:
    editor.publish(Order())
    reader: Subscriber = editor.alice  # type: ignore[attr-defined]
    unsubscribe(editor.app.store, reader.id, now=editor.clock(), reason="by the link")
    approve(editor.app.store, "weekly-1", editor.clock())
    editor.deliver()
    assert to(relay, "alice") == [] and last(editor).state is IssueState.FINISHED


def test_what_the_operator_orders_does_not_wait(editor: House, relay: Relay) -> None:
    editor.publish(Order(forced=(Frequency.WEEKLY,)))
    assert len(to(relay, "alice")) == 1 and to(relay, "desk") == []


def test_an_editor_who_cannot_be_reached_is_asked_again_and_the_run_says_so(editor: House, relay: Relay) -> None:
    relay.rcpt["*"] = "451 4.3.0 later"
    run, report = editor.publish(Order())
    assert run.state == "failed" and "the editor could not be asked about weekly-1" in report.delivery.problem
    assert "desk@" not in report.delivery.problem
    relay.rcpt.clear()
    assert editor.publish(Order())[0].state == "done"
    assert len(to(relay, "desk")) == 1


class TestTheLink:
    @pytest.fixture
    def link(self, editor: House, relay: Relay) -> str:
        editor.publish(Order())
        found = re.search(r"https://news\.example(/approve/[\w-]+)", to(relay, "desk")[0].decode().replace("=\r\n", ""))
        assert found
        return found[1]

    @pytest.fixture
    def client(self, editor: House) -> TestClient:
        return TestClient(make_asgi(editor.app), base_url="https://news.example", follow_redirects=False)

    def test_looking_changes_nothing_and_shows_what_would_go_out(
        self, editor: House, link: str, client: TestClient
    ) -> None:
        answer = client.get(link)
        assert answer.status_code == 200 and "Send weekly-1?" in answer.text and "Waste" in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        assert "alice@" not in answer.text and "/unsubscribe/" not in answer.text
        assert states(editor) == [("weekly-1", "waiting")]

    @pytest.mark.parametrize(("said", "state"), [("approve", "sending"), ("refuse", "refused")])
    def test_a_button_answers_once(self, editor: House, link: str, client: TestClient, said: str, state: str) -> None:
        assert client.post(link, data={"answer": said}).status_code == 200
        assert states(editor) == [("weekly-1", state)]
        assert client.post(link, data={"answer": "refuse"}).status_code == 410
        assert client.get(link).status_code == 410
        assert states(editor) == [("weekly-1", state)]

    def test_a_post_without_an_answer_asks_again(self, editor: House, link: str, client: TestClient) -> None:
        assert client.post(link).status_code == 200
        assert states(editor) == [("weekly-1", "waiting")]

    def test_another_token_opens_nothing(self, editor: House, link: str, client: TestClient) -> None:
        number = last(editor).id
        for token in (
            editor.app.signer.token(UNSUBSCRIBE, number),
            link[:-1],
            "x" * 28,
        ):
            assert client.post(f"/approve/{token.rpartition('/')[2]}", data={"answer": "approve"}).status_code == 404
        absent = editor.app.signer.token(APPROVAL, number + 1)
        assert client.post(f"/approve/{absent}", data={"answer": "approve"}).status_code == 410
        assert states(editor) == [("weekly-1", "waiting")]


def test_on_both_databases_approval_is_a_turn_of_the_issue(posting_anywhere: House, relay: Relay) -> None:
    house = posting_anywhere
    house.rebuild(digest=DIGEST)
    house.publish(Order())
    house.article("Waste")
    house.reader("alice")
    house.clock.now = MONDAY
    house.publish(Order())
    approve(house.app.store, "weekly-1", house.clock())
    house.publish(Order())
    assert len(to(relay, "alice")) == 1
