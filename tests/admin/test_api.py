"""The API: tokens and scopes, runs, articles, readers and issues; the shapes of the command line's `--json`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from admin.conftest import begin_elsewhere
from flows.house import Time
from starlette.testclient import TestClient

from publisher.app import App
from publisher.cli import run as command
from publisher.flows.api_tokens import add_token, allows, checked_token, revoke_token
from publisher.flows.run import Order, publish
from publisher.model import Frequency, IssueState, Scope
from publisher.web.server import make_asgi

PATIENCE_S = 60


def token(app: App, *scopes: str, name: str = "robot", **more: Any) -> str:
    return add_token(app.store, name, scopes or tuple(Scope), now=app.clock(), by="test", **more)[1]


@pytest.fixture
def robot(visitor: TestClient, app: App) -> TestClient:
    """A program whose token may do everything."""
    visitor.headers["authorization"] = f"Bearer {token(app)}"
    return visitor


@pytest.fixture
def published(app: App) -> None:
    asyncio.run(publish(app.parts, Order(forced=(Frequency.WEEKLY,))))


@pytest.fixture
def shown(app: App, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """What a command of the same site prints with --json."""
    monkeypatch.chdir(app.settings.root)

    def call(*arguments: str) -> Any:
        capsys.readouterr()
        assert command([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return call


def problem(answer: Any) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    told: dict[str, Any] = answer.json()
    assert told["status"] == answer.status_code
    assert {"type", "title", "detail"} <= told.keys()
    return told


# --- tokens -----------------------------------------------------------------------------------------------------------

OPERATIONS = [
    ("GET", "runs", Scope.RUNS_READ),
    ("POST", "runs", Scope.RUNS_WRITE),
    ("GET", "articles", Scope.ARTICLES_READ),
    ("POST", "articles", Scope.ARTICLES_WRITE),
    ("GET", "topics", Scope.ARTICLES_READ),
    ("GET", "subscribers", Scope.SUBSCRIBERS_READ),
    ("POST", "subscribers", Scope.SUBSCRIBERS_WRITE),
    ("DELETE", "subscribers/1", Scope.SUBSCRIBERS_WRITE),
    ("GET", "issues", Scope.ISSUES_READ),
    ("POST", "issues/weekly-1/retry", Scope.ISSUES_WRITE),
]


def test_an_operation_asks_for_a_token_and_for_its_scope(visitor: TestClient, app: App) -> None:
    for method, path, scope in OPERATIONS:
        check_access(visitor, app, method, path, scope)


def check_access(visitor: TestClient, app: App, method: str, path: str, scope: Scope) -> None:
    without = visitor.request(method, f"/api/v1/{path}", json={})
    assert problem(without)["status"] == 401
    assert without.headers["www-authenticate"] == "Bearer"
    others = [one for one in Scope if not allows([one], scope)]
    header = {"authorization": f"Bearer {token(app, *others, name=f'{method} {path}')}"}
    denied = visitor.request(method, f"/api/v1/{path}", json={}, headers=header)
    assert problem(denied)["status"] == 403
    assert str(scope) in denied.json()["detail"]


def test_who_may_write_may_read_and_nothing_more(app: App) -> None:
    assert allows([Scope.RUNS_WRITE], Scope.RUNS_READ)
    assert not allows([Scope.RUNS_READ], Scope.RUNS_WRITE)
    assert not allows([Scope.RUNS_WRITE], Scope.ARTICLES_READ)
    assert not allows([Scope.SUBSCRIBERS_WRITE], Scope.SUBSCRIBERS_VOUCH)


def test_a_token_that_is_wrong_revoked_or_expired_opens_nothing(visitor: TestClient, app: App, clock: Time) -> None:
    good = token(app)
    short = token(app, name="short", expires=clock() + timedelta(hours=1))
    gone = token(app, name="gone")
    revoke_token(app.store, "gone", now=clock(), by="test")
    clock.forward(hours=1)
    wrong = [
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        good.replace("pub_1", "pub_2"),
        good + "x",
        "x",
        "é",
        short,
        gone,
    ]
    for text in wrong:
        answer = visitor.get("/api/v1/runs", headers={"authorization": f"Bearer {text}".encode()})
        assert problem(answer)["status"] == 401, text
    assert visitor.get("/api/v1/runs", headers={"authorization": f"Bearer {good}"}).status_code == 200


def test_many_wrong_tokens_have_to_wait_and_the_right_one_has_not(visitor: TestClient, app: App) -> None:
    good = token(app)
    statuses = [visitor.get("/api/v1/runs", headers={"authorization": "Bearer x"}).status_code for _ in range(30)]
    assert set(statuses) == {401, 429}
    assert visitor.get("/api/v1/runs", headers={"authorization": f"Bearer {good}"}).status_code == 200


def test_the_store_keeps_no_token_that_could_be_used(app: App) -> None:
    text = token(app)
    assert checked_token(app.store, text, now=app.clock()).name == "robot"
    content = Path(app.settings.path(Path("data/publisher.db"))).read_bytes()
    assert text.rpartition("_")[2].encode() not in content


# --- runs -------------------------------------------------------------------------------------------------------------


def finished(robot: TestClient, location: str) -> dict[str, Any]:
    path = location.removeprefix("http://127.0.0.1:8000")
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        run: dict[str, Any] = robot.get(path).json()
        if run["state"] != "running":
            return run
        time.sleep(0.05)
    raise AssertionError("the run did not end")


def test_a_run_is_started_followed_and_done(robot: TestClient, app: App) -> None:
    planned = robot.post("/api/v1/runs/plan", json={"digest": ["weekly"]}).json()
    assert planned["dry_run"]
    assert robot.get("/api/v1/runs").json() == []
    started = robot.post("/api/v1/runs", json={"digest": ["weekly"]})
    assert started.status_code == 202
    run = finished(robot, started.headers["location"])
    assert (run["state"], run["trigger"]) == ("done", "api")
    assert run["report"]["ingest"] == planned["ingest"]
    assert run["report"]["issues"] == planned["issues"]
    assert run["report"]["delivery"]["states"] == {"accepted": 1}


def test_the_same_idempotency_key_is_the_same_run(robot: TestClient) -> None:
    header = {"idempotency-key": "nightly-2026-03-02"}
    first = robot.post("/api/v1/runs", json={"no_digest": True}, headers=header)
    again = robot.post("/api/v1/runs", json={"no_digest": True}, headers=header)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    finished(robot, first.headers["location"])
    assert robot.post("/api/v1/runs", json={"no_digest": True}, headers=header).json()["state"] == "done"
    assert problem(robot.post("/api/v1/runs", json={}, headers=header))["status"] == 409
    assert len(robot.get("/api/v1/runs").json()) == 1


def test_a_run_under_way_keeps_another_from_starting_and_says_how_far_it_is(robot: TestClient, app: App) -> None:
    begin_elsewhere(app)
    assert problem(robot.post("/api/v1/runs", json={}))["status"] == 409
    run = robot.get("/api/v1/runs/1").json()
    assert (run["state"], run["step"], run["done"], run["total"]) == ("running", "sending letters", 3, 9)


# --- articles, readers, issues ----------------------------------------------------------------------------------------


def test_an_article_is_written_corrected_withdrawn_and_brought_back(robot: TestClient, app: App) -> None:
    new = {
        "title": "Ports & <b>waste</b>",
        "body": "Plastic **waste** <script>alert(1)</script>",
        "topics": ["environment"],
    }
    created = robot.post("/api/v1/articles", json=new)
    assert created.status_code == 201
    article = created.json()
    assert "script" not in article["body"]
    assert {filing["topic"] for filing in article["filings"]} == {"environment", "all"}
    assert created.headers["location"].endswith(article["key"])
    assert problem(robot.post("/api/v1/articles", json=new))["status"] == 409
    path = f"/api/v1/articles/{article['key']}"
    mended = robot.patch(path, json={"summary": "Better.", "note": "It was worse.", "topics": ["partnerships"]}).json()
    assert (mended["summary"], mended["correction"]) == ("Better.", "It was worse.")
    assert {filing["topic"] for filing in mended["filings"]} == {"partnerships", "all"}
    blank = robot.post(f"{path}/withdraw", json={"reason": " "})
    assert blank.status_code == 422 and "say why the article is withdrawn" in blank.text
    assert robot.post(f"{path}/withdraw", json={"reason": "Wrong."}).json()["withdrawal"] == "Wrong."
    assert problem(robot.patch(path, json={"summary": "x"}))["status"] == 409
    assert robot.post(f"{path}/restore").json()["withdrawn"] is None
    with app.store.read() as tx:
        actions = [line.action for line in tx.audit.list()]
    assert actions[:4] == ["article restored", "article withdrawn", "article corrected", "article added"]


BAD_ARTICLES: list[Any] = [
    {"title": "x"},
    {"title": "x", "body": "y", "topics": ["nothing"]},
    {"title": "x", "body": "y", "date": "tomorrow"},
    {"title": "x", "body": "y", "source": "javascript:alert(1)"},
    {"title": "x\0", "body": "y"},
    {"title": "x" * 301, "body": "y"},
    {"title": "x", "body": "y", "headline": "z"},
    [],
]


def test_what_cannot_be_an_article_is_422_and_says_why(robot: TestClient) -> None:
    for body in BAD_ARTICLES:
        told = problem(robot.post("/api/v1/articles", json=body))
        assert told["status"] == 422
        assert len(told["detail"]) > 10


def test_half_a_surrogate_pair_is_refused_wherever_it_stands(robot: TestClient) -> None:
    for body in ('{"title": "\\ud800", "body": "x"}', '{"title": "x", "body": "\\ud800"}', '{"\\ud800": 1}'):
        answer = robot.post("/api/v1/articles", content=body, headers={"content-type": "application/json"})
        assert problem(answer)["status"] == 422


def test_a_body_that_is_too_large_or_no_json_is_refused(robot: TestClient) -> None:
    large = robot.post("/api/v1/articles", json={"title": "x", "body": "y" * 1_100_000})
    assert problem(large)["status"] == 413

    def dripping() -> Iterator[bytes]:
        yield from (b"x" * 100_000 for _ in range(12))

    chunked = robot.post("/api/v1/articles", content=dripping(), headers={"content-type": "application/json"})
    assert problem(chunked)["status"] == 413
    for content in ("", "{", "[1"):
        answer = robot.post("/api/v1/articles", content=content, headers={"content-type": "application/json"})
        assert problem(answer)["status"] == 422
    number = '{"title": "x", "body": "y", "n": ' + "9" * 10_000 + "}"
    answer = robot.post("/api/v1/articles", content=number, headers={"content-type": "application/json"})
    assert problem(answer)["status"] == 400 and "sys." not in answer.text
    assert problem(robot.put("/api/v1/articles", json={}))["status"] == 405
    for path in ("v2", "v1/articles/a%0Ab", "v1/runs/0", "v1/issues/%00"):
        assert problem(robot.get(f"/api/{path}"))["status"] in {404, 422}, path


def test_readers_topics_may_have_the_names_from_before_they_were_renamed(
    robot: TestClient, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(app.settings), "renamed_topics", {"green": "environment"})
    new = {"email": "bob@customs.example", "topics": ["green"]}
    assert robot.post("/api/v1/subscribers", json=new).status_code == 202
    added = robot.post("/api/v1/subscribers", json={**new, "email": "carl@customs.example", "vouched": True}).json()
    assert added["topics"] == ["environment"]
    changed = robot.patch(f"/api/v1/subscribers/{added['id']}", json={"topics": ["green", "partnerships"]}).json()
    assert changed["topics"] == ["environment", "partnerships"]
    assert robot.get("/api/v1/articles?topic=green").json() == robot.get("/api/v1/articles?topic=environment").json()


def test_readers_are_added_changed_and_erased(robot: TestClient, visitor: TestClient, app: App) -> None:
    new = {"email": "bob@customs.example", "topics": ["environment"], "frequency": "daily", "vouched": True}
    added = robot.post("/api/v1/subscribers", json=new)
    assert added.status_code == 201
    number = added.json()["id"]
    assert added.json()["state"] == "active"
    assert problem(robot.post("/api/v1/subscribers", json=new))["status"] == 409
    path = f"/api/v1/subscribers/{number}"
    paused = robot.patch(path, json={"state": "paused", "topics": ["all"]}).json()
    assert (paused["state"], paused["topics"]) == ("paused", ["all"])
    assert robot.patch(path, json={"state": "unsubscribed"}).json()["state"] == "unsubscribed"
    assert problem(robot.patch(path, json={"state": "active"}))["status"] == 409
    assert problem(robot.patch(path, json={"state": "bounced"}))["status"] == 422
    assert robot.get(f"{path}/data").json()["subscriber"]["email"] == "bob@customs.example"
    assert robot.get("/api/v1/subscribers", params={"email": "Bob@customs.example"}).json()[0]["id"] == number
    assert robot.delete(path).status_code == 204
    assert problem(robot.get(path))["status"] == 404
    assert problem(robot.delete(path))["status"] == 404
    with app.store.read() as tx:
        assert "@" not in repr(tx.audit.list())


@pytest.mark.parametrize(
    "field", [{"topics": ["nothing"]}, {"email": "no address"}, {"language": "x y"}, {"topics": []}]
)
def test_what_cannot_be_a_reader_is_refused_without_repeating_the_address(robot: TestClient, field: Any) -> None:
    answer = robot.post("/api/v1/subscribers", json={"email": "eve@customs.example", **field})
    assert problem(answer)["status"] in {404, 422}
    assert "eve@" not in answer.text


def test_without_vouching_a_letter_asks_and_the_answer_is_the_same_for_all(robot: TestClient, app: App) -> None:
    answers = [
        robot.post("/api/v1/subscribers", json={"email": email})
        for email in ("alice@customs.example", "new@customs.example")
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(202, '{"status":"asked"}')}
    with app.store.read() as tx:
        known = tx.subscribers.find("new@customs.example")
    assert known is None or known.state == "pending"


def test_what_one_network_asks_for_is_limited_at_the_api_too(app: App) -> None:
    with TestClient(make_asgi(app), base_url="http://127.0.0.1:8000", client=("203.0.113.7", 50000)) as robot:
        robot.headers["Authorization"] = f"Bearer {token(app, Scope.SUBSCRIBERS_WRITE)}"
        asked = [
            robot.post("/api/v1/subscribers", json={"email": f"reader{n}@customs.example"}).status_code
            for n in range(app.settings.signup.per_network + 1)
        ]
    assert asked == [202] * app.settings.signup.per_network + [429]


def test_vouching_needs_a_scope_of_its_own(visitor: TestClient, app: App) -> None:
    header = {"authorization": f"Bearer {token(app, Scope.SUBSCRIBERS_WRITE)}"}
    new = {"email": "bob@customs.example", "vouched": True}
    assert problem(visitor.post("/api/v1/subscribers", json=new, headers=header))["status"] == 403


def test_an_issue_is_paused_resumed_cancelled_and_sent_to_the_remainder(
    robot: TestClient, app: App, published: None
) -> None:
    assert problem(robot.post("/api/v1/issues/weekly-1/pause"))["status"] == 409
    assert robot.post("/api/v1/issues/weekly-1/retry").json() == {
        "issue": "weekly-1",
        "planned": 0,
        "state": "finished",
        "reason": "none was rejected, given up or left uncertain",
    }
    assert problem(robot.post("/api/v1/issues/weekly-1/approve"))["status"] == 409
    assert problem(robot.get("/api/v1/issues/weekly-9"))["status"] == 404
    with app.store.write() as tx:
        tx.issues.set_state(tx.issues.by_name("weekly-1").id, IssueState.SENDING, now=app.clock())
    for act, body in (("pause", {"waiting": 0}), ("resume", {"waiting": 0}), ("cancel", {"not_sent": 0})):
        assert robot.post(f"/api/v1/issues/weekly-1/{act}").json() == {"issue": "weekly-1", **body}
    assert problem(robot.post("/api/v1/issues/weekly-1/retry"))["status"] == 409, "cancelled is for good"


def test_answers_have_the_shapes_of_the_command_line(
    robot: TestClient, app: App, published: None, shown: Callable[..., Any]
) -> None:
    def got(path: str) -> Any:
        return robot.get(f"/api/v1/{path}").json()

    assert got("runs") == shown("runs", "list")
    assert got("runs/1") == shown("runs", "show", "1")
    assert got("articles") == shown("articles", "list")
    key = got("articles")[0]["key"]
    assert got(f"articles/{key}") == shown("articles", "show", key)
    assert got("topics") == shown("topics", "list")
    assert got("issues") == shown("issues", "list")
    assert got("issues/weekly-1") == shown("issues", "show", "weekly-1")
    assert got("subscribers") == shown("subscribers", "list")
    assert got("subscribers/1") == shown("subscribers", "show", "alice@customs.example")


def test_a_list_goes_on_where_its_link_leads(robot: TestClient, published: None) -> None:
    seen = []
    path: str | None = "/api/v1/articles?limit=3"
    while path:
        answer = robot.get(path)
        seen += [article["key"] for article in answer.json()]
        link = answer.headers.get("link")
        path = link[1:].partition(">")[0].removeprefix("http://127.0.0.1:8000") if link else None
    assert len(seen) == len(set(seen)) == 10


def test_the_documentation_is_a_page_of_our_own(visitor: TestClient) -> None:
    page = visitor.get("/api/docs")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "https://cdn" not in page.text
    for path in visitor.get("/api/openapi.json").json()["paths"]:
        assert f"/api{path}</code>" in page.text
    assert visitor.get("/api/").headers["location"] == "/api/docs"
    assert visitor.get("/api/openapi.json").json()["servers"] == [{"url": "/api"}]


def test_below_a_path_the_api_and_its_links_are_found(app: App) -> None:
    site = app.settings.site.model_copy(update={"base_url": "http://127.0.0.1:8000/news/"})
    object.__setattr__(app, "settings", app.settings.model_copy(update={"site": site}))
    header = {"authorization": f"Bearer {token(app)}"}
    with TestClient(make_asgi(app), base_url="http://127.0.0.1:8000", follow_redirects=False) as client:
        for prefix in ("/news", ""):
            assert client.get(f"{prefix}/api/v1/topics", headers=header).status_code == 200
            assert client.get(f"{prefix}/admin/sign-in").status_code == 200
            assert client.get(f"{prefix}/api/openapi.json").json()["servers"] == [{"url": "/news/api"}]
        assert client.get("/news/admin").headers["location"] == "/news/admin/"
        assert 'action="/news/admin/sign-in"' in client.get("/news/admin/sign-in").text
