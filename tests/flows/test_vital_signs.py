"""/healthz and /metrics: what they say of a real house, and to whom."""

from __future__ import annotations

import shutil
import threading
from datetime import timedelta
from typing import Any

import pytest
from flows.house import House
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from publisher.flows.job_state import JobState
from publisher.flows.vital_signs import Signs, signs
from publisher.web import operations
from publisher.web.server import make_asgi

HERE, AWAY = ("127.0.0.1", 5000), ("198.51.100.7", 5000)


def at(house: House, client: tuple[str, int] = HERE) -> TestClient:
    return TestClient(make_asgi(house.app), client=client)


def test_health_is_told_with_the_last_run_and_without_names(house: House) -> None:
    house.article("Waste")
    house.reader("alice")
    house.publish()
    JobState(house.app.store, house.clock).declare({"feeds": "every 30 minutes"})
    house.clock.forward(seconds=40)
    answer = at(house, AWAY).get("/healthz")
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "status": "ok",
        "problems": [],
        "timetable_lag_s": 40,
        "last_run": {"id": 1, "state": "done", "finished": "2026-03-02T09:00:00+00:00"},
    }


def test_a_timetable_that_stands_still_a_full_disk_and_a_run_long_ago_are_no_health(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = JobState(house.app.store, house.clock)
    state.declare({"feeds": "every 30 minutes"})
    state.claim("feeds", house.clock())
    state.ended(["feeds"], "done", "", {})
    house.clock.now += timedelta(hours=2)
    real = shutil.disk_usage(house.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=10))
    answer = at(house).get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["problems"] == ["the timetable stands still", "the last run is long ago", "the disk is full"]


def test_a_database_that_is_gone_is_no_health_and_says_nothing_of_itself(house: House) -> None:
    client = at(house)
    house.app.close()
    (house.root / "store" / "publisher.db").rename(house.root / "elsewhere.db")
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "failing", "problems": ["the database cannot be used"]}


def test_a_database_that_does_not_answer_is_no_health_and_is_looked_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, looks = threading.Event(), []

    def silent(*of: Any) -> Signs:
        looks.append(of)
        answers.wait(60)
        return signs(*of)

    monkeypatch.setattr(operations, "signs", silent)
    monkeypatch.setattr(operations, "HEALTH_S", 0.05)
    with at(house) as client:
        for _ in range(3):
            answer = client.get("/healthz")
            assert answer.status_code == 503
            assert answer.json() == {"status": "failing", "problems": ["the database cannot be used"]}
        assert len(looks) == 1
        answers.set()
        monkeypatch.setattr(operations, "HEALTH_S", 60)
        assert client.get("/healthz").status_code == 200


def test_metrics_say_runs_letters_readers_feeds_and_requests(house: House) -> None:
    house.article("Waste")
    house.reader("alice")
    house.publish()
    JobState(house.app.store, house.clock).declare({})
    house.clock.forward(seconds=7)
    client = at(house)
    assert client.get("/nowhere").status_code == 404
    answer = client.get("/metrics")
    assert answer.status_code == 200 and "alice" not in answer.text
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["publisher_letters", "weekly", "accepted"] == 1
    assert samples["publisher_runs", "done"] == 1
    assert samples["publisher_readers", "active"] == 1
    assert samples["publisher_letters_waiting",] == 0
    assert samples["publisher_feed_age_seconds", "environment"] == samples["publisher_timetable_lag_seconds",] == 7
    assert samples["publisher_http_requests_total", "GET", "404"] == 1
    assert samples["publisher_http_request_seconds_count",] == 1


def test_metrics_are_for_this_machine_or_for_who_has_the_token(house: House) -> None:
    assert at(house, AWAY).get("/metrics").status_code == 403
    house.rebuild(web={"metrics_token": "sesame"})
    assert at(house).get("/metrics").status_code == 403
    assert at(house, AWAY).get("/metrics", headers={"Authorization": "Bearer sesam"}).status_code == 403
    assert at(house, AWAY).get("/metrics", headers={"Authorization": "Bearer sesame"}).status_code == 200
