"""Publish now: the plan first, then the run, one at a time, followed on its page."""

from __future__ import annotations

import re
import time

from admin.conftest import begin_elsewhere, csrf_of
from lxml import html
from starlette.testclient import TestClient

from publisher.app import App
from publisher.flows.plan import make_plan
from publisher.flows.records import as_json
from publisher.flows.run import Order
from publisher.model import Frequency, RunState, RunTrigger

PATIENCE_S = 60
WEEKLY = {"what": "chosen", "digest": "weekly"}


def ended(operator: TestClient, path: str) -> str:
    """The page of a run when it has ended."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if operator.get(f"{path}/progress").json()["state"] != "running":
            return operator.get(path).text
        time.sleep(0.05)
    raise AssertionError("the run did not end")


def test_the_plan_is_the_dry_run_and_changes_nothing(operator: TestClient, app: App) -> None:
    expected = as_json(make_plan(app.parts, Order(forced=(Frequency.WEEKLY,))).report)
    page = operator.post("/admin/publish", data={"csrf": csrf_of(operator), **WEEKLY})
    assert page.status_code == 200
    assert "Nothing has been changed" in page.text
    assert f"{expected['ingest']['new']} new" in page.text
    assert f"{expected['site']['written_count']} documents would change" in page.text
    assert "weekly-1" in page.text
    with app.store.read() as tx:
        assert (tx.articles.count(), tx.runs.list(), tx.issues.list()) == (0, [], [])


def test_the_plans_button_publishes_just_that(operator: TestClient, app: App) -> None:
    planned = operator.post("/admin/publish", data={"csrf": csrf_of(operator), **WEEKLY})
    form = html.document_fromstring(planned.content).xpath("//form[.//input[@name='act']]")[0]
    started = operator.post("/admin/publish", data=dict(form.form_values()))
    assert started.status_code == 303
    page = ended(operator, started.headers["location"])
    assert "1 accepted" in page
    with app.store.read() as tx:
        (run,) = tx.runs.list()
        assert (run.trigger, run.state) == (RunTrigger.ADMIN, RunState.DONE)
        assert tx.issues.by_name("weekly-1").frequency is Frequency.WEEKLY
        assert ("admin", "run started", "run 1", "weekly") in {
            (line.who, line.action, line.subject, line.detail) for line in tx.audit.list()
        }


def test_a_run_under_way_is_shown_and_no_second_one_starts(operator: TestClient, app: App) -> None:
    run = begin_elsewhere(app)
    answer = operator.post("/admin/publish", data={"csrf": csrf_of(operator), "act": "publish"})
    assert answer.status_code == 303
    page = operator.get(answer.headers["location"])
    assert "no second one was started" in page.text
    assert f"/admin/runs/{run.id}/progress" in page.text
    assert "3 of 9" in page.text
    assert f"run {run.id}</a>" in operator.get("/admin/publish").text
    with app.store.read() as tx:
        assert len(tx.runs.list()) == 1


def test_without_a_script_the_page_of_a_run_renews_itself_until_it_has_ended(operator: TestClient, app: App) -> None:
    run = begin_elsewhere(app)
    page = operator.get(f"/admin/runs/{run.id}").text
    assert re.search(r'<noscript><meta http-equiv="refresh" content="\d+"></noscript>', page)
    with app.store.write() as tx:
        tx.runs.finish(run.id, RunState.INTERRUPTED, report={}, now=app.clock())
    over = operator.get(f"/admin/runs/{run.id}").text
    assert "refresh" not in over
    assert "interrupted" in over


def test_what_failed_is_told(operator: TestClient, app: App) -> None:
    run = begin_elsewhere(app)
    with app.store.write() as tx:
        tx.runs.finish(run.id, RunState.FAILED, report={"problem": "the <disk> is full"}, now=app.clock())
    page = operator.get(f"/admin/runs/{run.id}").text
    assert "the &lt;disk&gt; is full" in page


def test_a_choice_that_makes_no_sense_is_explained(operator: TestClient) -> None:
    for data in ({"what": "chosen"}, {"what": "chosen", "digest": "hourly"}):
        answer = operator.post("/admin/publish", data={"csrf": csrf_of(operator), **data})
        assert answer.status_code == 422


def test_a_run_that_is_not_there_is_not_found(operator: TestClient) -> None:
    for number in ("7", "99999999999999999999", "9" * 5000):
        assert operator.get(f"/admin/runs/{number}").status_code == 404
        assert operator.get(f"/admin/runs/{number}/progress").status_code == 404
    assert operator.get("/admin/nothing").status_code == 404


def test_the_overview_shows_what_happened(operator: TestClient, app: App) -> None:
    empty = operator.get("/admin/")
    assert empty.status_code == 200
    assert "No issue has been sent yet" in empty.text
    started = operator.post("/admin/publish", data={"csrf": csrf_of(operator), "act": "publish", **WEEKLY})
    ended(operator, started.headers["location"])
    page = html.document_fromstring(operator.get("/admin/").content)
    (issue,) = page.xpath("//tr[th[normalize-space()='weekly-1']]")
    table = issue.xpath("./ancestor::table")[0]
    headings = table.xpath("./thead//th/text()")
    cells = zip(headings, issue.xpath("./*"), strict=True)
    numbers = {word: cell.text for word, cell in cells if cell.get("class") == "n"}
    assert numbers == {"Selected": "1", "Accepted": "1"}, "no column without a letter in it"
    assert all(chart.get("aria-label") for chart in page.xpath("//*[local-name()='svg'][@role='img']"))
    assert not page.xpath("//@style")
    assert not page.xpath("//script[not(@src)]")
