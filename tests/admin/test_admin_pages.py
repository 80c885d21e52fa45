"""Articles, readers, issues, tokens and the preview: what an operator changes is changed, and stands in the log."""

from __future__ import annotations

import asyncio
import email
from collections.abc import Mapping
from email import policy
from typing import Any

import pytest
from admin.conftest import csrf_of
from lxml import html
from starlette.testclient import TestClient

from publisher.app import App
from publisher.flows.run import Order, publish
from publisher.flows.subscribe import find_subscriber
from publisher.model import Frequency, IssueState, SubscriberState
from publisher.tokens import PREFERENCES

WASTE = {
    "title": "Waste in ports",
    "body": "Plastic *waste*.",
    "form": "markdown",
    "by": "hand",
    "topics": "environment",
}


@pytest.fixture
def published(app: App) -> None:
    asyncio.run(publish(app.parts, Order(forced=(Frequency.WEEKLY,))))


def send(operator: TestClient, path: str, data: Mapping[str, Any]) -> Any:
    return operator.post(f"/admin/{path}", data={"csrf": csrf_of(operator), **data})


def log(app: App) -> list[tuple[str, str, str]]:
    with app.store.read() as tx:
        return [(line.who, line.action, line.subject) for line in tx.audit.list()]


def form_of(operator: TestClient, path: str, having: str) -> dict[str, Any]:
    """The values of the page's form that has a field `having`, as a browser would send them."""
    page = html.document_fromstring(operator.get(f"/admin/{path}").content)
    (form,) = page.xpath(f"//form[.//*[@name='{having}']][not(@role)]")
    sent: dict[str, Any] = {}
    for name, value in form.form_values():
        sent.setdefault(name, []).append(value)
    return sent


# --- articles ---------------------------------------------------------------------------------------------------------


def test_an_article_is_written_found_corrected_withdrawn_and_brought_back(operator: TestClient, app: App) -> None:
    written = send(operator, "articles/new", WASTE)
    assert written.status_code == 303
    key = written.headers["location"].partition("articles/")[2].partition("?")[0]
    assert "Waste in ports" in operator.get("/admin/articles?search=waste+ports&topic=environment").text
    assert "No article is like that" in operator.get("/admin/articles?search=elephants").text
    sent = form_of(operator, f"articles/{key}/edit", "note")
    mended = operator.post(
        f"/admin/articles/{key}/edit",
        data={**sent, "summary": "Better.", "note": "It was worse.", "topics": "partnerships"},
    )
    assert mended.status_code == 303
    with app.store.read() as tx:
        article = tx.articles.get(key)
        topics = {filing.topic for filing in tx.filings.of(key)}
    assert (article.summary, article.correction, article.explicit_topics) == (
        "Better.",
        "It was worse.",
        ("partnerships",),
    )
    assert topics == {"partnerships", "all"}
    assert article.body == "<p>Plastic <em>waste</em>.</p>"
    blank = send(operator, f"articles/{key}/withdraw", {"reason": " "})
    assert blank.status_code == 422 and "say why the article is withdrawn" in blank.text.lower()
    assert send(operator, f"articles/{key}/withdraw", {"reason": "Wrong."}).status_code == 303
    assert "Wrong." in operator.get(f"/admin/articles/{key}").text
    assert "Waste in ports" in operator.get("/admin/articles?state=withdrawn").text
    assert "Waste in ports" not in operator.get("/admin/articles").text
    assert send(operator, f"articles/{key}/restore", {}).status_code == 303
    assert "Waste in ports" in operator.get("/admin/articles").text
    assert [action for _, action, subject in log(app) if subject == key] == [
        "article restored",
        "article withdrawn",
        "article corrected",
        "article added",
    ]


def test_a_form_sent_as_it_is_shown_changes_nothing(operator: TestClient, app: App, published: None) -> None:
    with app.store.read() as tx:
        articles = [filed.article for filed in tx.articles.list(limit=3)]
    for article in articles:
        sent = form_of(operator, f"articles/{article.key}/edit", "note")
        answer = operator.post(f"/admin/articles/{article.key}/edit", data={**sent, "note": "Nothing."})
        assert answer.headers["location"].endswith("done=unchanged")
        with app.store.read() as tx:
            assert tx.articles.get(article.key) == article


def test_the_rules_file_an_article_again_when_they_are_asked_to(operator: TestClient, app: App) -> None:
    written = send(operator, "articles/new", {**WASTE, "topics": "partnerships"})
    key = written.headers["location"].partition("articles/")[2].partition("?")[0]
    sent = form_of(operator, f"articles/{key}/edit", "note")
    operator.post(f"/admin/articles/{key}/edit", data={**sent, "by": "rules", "minor": "yes"})
    with app.store.read() as tx:
        assert tx.articles.get(key).explicit_topics is None
        assert "environment" in {filing.topic for filing in tx.filings.of(key)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": ""}, "title"),
        ({"body": ""}, "no text"),
        ({"date": "tomorrow"}, "is no date"),
        ({"source": "javascript:alert(1)"}, "is no web address"),
        ({"topics": "nothing"}, "no topic"),
    ],
)
def test_what_cannot_be_an_article_is_told_and_the_form_keeps_what_was_written(
    operator: TestClient, change: dict[str, str], words: str
) -> None:
    answer = send(operator, "articles/new", {**WASTE, "summary": "Written in vain?", **change})
    assert answer.status_code == 422
    assert words in answer.text
    assert "Written in vain?" in answer.text


def test_a_correction_without_a_word_about_it_is_asked_for_one(operator: TestClient, published: None, app: App) -> None:
    with app.store.read() as tx:
        key = tx.articles.list(limit=1)[0].article.key
    sent = form_of(operator, f"articles/{key}/edit", "note")
    assert operator.post(f"/admin/articles/{key}/edit", data={**sent, "title": "Another"}).status_code == 422


# --- readers ----------------------------------------------------------------------------------------------------------


def test_a_reader_is_found_changed_exported_and_erased(operator: TestClient, app: App, published: None) -> None:
    found = send(operator, "readers", {"search": "ALICE@"})
    assert "alice@customs.example" in found.text
    assert "Nobody has that" in send(operator, "readers", {"search": "b%b"}).text
    assert (
        "alice@customs.example" in operator.get("/admin/readers?state=active&frequency=weekly&topic=environment").text
    )
    assert "alice@customs.example" not in operator.get("/admin/readers?state=bounced").text
    page = operator.get("/admin/readers/1")
    assert "weekly-1" in page.text
    sent = form_of(operator, "readers/1", "language")
    operator.post("/admin/readers/1", data={**sent, "frequency": "daily", "state": "paused", "topics": ["all"]})
    with app.store.read() as tx:
        reader = tx.subscribers.get(1)
    assert (reader.frequency, reader.state, reader.topics) == (Frequency.DAILY, SubscriberState.PAUSED, ("all",))
    data = operator.get("/admin/readers/1/data")
    assert data.json()["subscriber"]["email"] == "alice@customs.example"
    assert "attachment" in data.headers["content-disposition"]
    assert send(operator, "readers/1/erase", {}).status_code == 422
    assert send(operator, "readers/1/erase", {"sure": "yes"}).status_code == 303
    assert operator.get("/admin/readers/1").status_code == 404
    assert "customs.example" not in repr(log(app))


def test_a_reader_is_added_by_letter_or_at_once_when_vouched_for(operator: TestClient, app: App) -> None:
    asked = send(operator, "readers/add", {"email": "bob@customs.example", "frequency": "daily"})
    assert asked.headers["location"].endswith("done=asked")
    at_once = {"email": "carol@customs.example", "vouched": "yes", "topics": ["environment"], "frequency": "monthly"}
    assert send(operator, "readers/add", at_once).headers["location"].endswith("done=vouched")
    with app.store.read() as tx:
        carol = find_subscriber(tx, "carol@customs.example")
    assert (carol.state, carol.topics) == (SubscriberState.ACTIVE, ("environment",))
    for problem in (at_once, {"email": "nobody"}, {"email": "bob@customs.example"}):
        answer = send(operator, "readers/add", problem)
        assert answer.status_code == 422, problem
        assert "bob@" not in answer.text.partition("<table>")[0]


def test_a_readers_form_that_chooses_no_topic_is_explained(operator: TestClient) -> None:
    sent = form_of(operator, "readers/1", "language")
    del sent["topics"]
    answer = operator.post("/admin/readers/1", data=sent)
    assert answer.status_code == 422
    assert "at least one topic" in answer.text


# --- issues, preview, tokens ------------------------------------------------------------------------------------------


def test_an_issue_is_paused_resumed_and_cancelled(operator: TestClient, app: App, published: None) -> None:
    with app.store.write() as tx:
        issue = tx.issues.by_name("weekly-1")
        tx.issues.set_state(issue.id, IssueState.SENDING, now=app.clock())
    for act, state in (("pause", IssueState.PAUSED), ("resume", IssueState.SENDING)):
        assert send(operator, "issues/weekly-1", {"act": act}).status_code == 303
        with app.store.read() as tx:
            assert tx.issues.by_name("weekly-1").state is state
    nothing = send(operator, "issues/weekly-1", {"act": "retry"})
    assert (nothing.status_code, "There is no letter to plan again: none was rejected" in nothing.text) == (422, True)
    assert send(operator, "issues/weekly-1", {"act": "cancel"}).status_code == 422
    assert send(operator, "issues/weekly-1", {"act": "cancel", "sure": "yes"}).status_code == 303
    again = send(operator, "issues/weekly-1", {"act": "pause"})
    assert (again.status_code, "it is cancelled" in again.text) == (422, True)
    again = send(operator, "issues/weekly-1", {"act": "retry"})
    assert (again.status_code, "it is cancelled" in again.text) == (422, True)
    assert send(operator, "issues/weekly-1", {"act": "burn"}).status_code == 422
    assert [action for _, action, _ in log(app)][:3] == ["issue: cancel", "issue: resume", "issue: pause"]


def test_the_next_letter_is_shown_in_a_frame_that_can_do_nothing(
    operator: TestClient, app: App, published: None
) -> None:
    assert "nothing new" in operator.get("/admin/preview?reader=1").text
    assert operator.get("/admin/preview?reader=99").status_code == 404
    send(operator, "articles/new", WASTE)
    page = operator.get("/admin/preview?frequency=weekly&reader=1")
    assert "Waste in ports" in page.text
    letter = operator.get("/admin/preview/letter?frequency=weekly&reader=1")
    assert "Waste in ports" in letter.text
    assert "sandbox" in letter.headers["content-security-policy"]
    assert "script-src" not in letter.headers["content-security-policy"]
    assert "<iframe" in page.text
    assert " sandbox>" in page.text


def test_what_the_preview_shows_is_sent_to_one_address_as_a_test(
    operator: TestClient, app: App, published: None
) -> None:
    send(operator, "articles/new", WASTE)
    before = set(app.post.outbox_path.glob("*.eml"))
    sent = send(operator, "preview?frequency=weekly&reader=1", {"to": "editor@customs.example"})
    assert (sent.status_code, sent.headers["location"].partition("?")[0]) == (303, "/admin/preview")
    (path,) = set(app.post.outbox_path.glob("*.eml")) - before
    letter = email.message_from_bytes(path.read_bytes(), policy=policy.default)
    assert (letter["To"], str(letter["Subject"])[:21]) == ("editor@customs.example", "[test] Waste in ports")
    bodies = [part.get_content() for part in letter.iter_parts()]  # type: ignore[attr-defined]
    assert not [body for body in bodies if app.signer.token(PREFERENCES, 1) in body]
    assert log(app)[0][1:] == ("test letter sent", "weekly digest")
    for address, reader, status in (("nobody", "1", 422), ("editor@customs.example", "99", 404)):
        assert send(operator, f"preview?frequency=weekly&reader={reader}", {"to": address}).status_code == status


def test_a_token_is_made_shown_once_and_revoked(operator: TestClient, app: App) -> None:
    made = send(operator, "tokens", {"name": "robot", "days": "30", "scope": ["runs:read"]})
    text = html.document_fromstring(made.content).xpath("//pre/text()")[0]
    header = {"authorization": f"Bearer {text}"}
    assert operator.get("/api/v1/runs", headers=header).status_code == 200
    assert text not in operator.get("/admin/tokens").text
    assert send(operator, "tokens", {"name": "robot", "scope": ["runs:read"]}).status_code == 422
    assert send(operator, "tokens", {"name": "none"}).status_code == 422
    assert send(operator, "tokens/revoke", {"name": "robot"}).status_code == 303
    assert operator.get("/api/v1/runs", headers=header).status_code == 401


def test_a_page_of_nothing_is_not_found(operator: TestClient) -> None:
    for path in (
        "articles/nothing",
        "readers/99",
        "readers/99999999999999999999",
        "readers/" + "9" * 5000,
        "issues/weekly-9",
        "issues/%00",
        "x",
    ):
        assert operator.get(f"/admin/{path}").status_code == 404, path
