"""A site with an operator, behind the ASGI application; and visitors with and without a session."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flows.house import Time
from starlette.testclient import TestClient

from publisher.app import App, build
from publisher.config import load
from publisher.flows.new_site import make_site
from publisher.flows.operators import set_password
from publisher.flows.subscribe import add_subscriber
from publisher.model import Frequency
from publisher.web.server import make_asgi

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
BASE = "http://127.0.0.1:8000"


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with the ten articles (not published yet), a reader and the operator `admin`; tests get copies of it."""
    folder = tmp_path_factory.mktemp("admin") / "site"
    make_site(folder, with_articles=True, with_templates=False)
    app = build(load(folder / "config.toml", {}), clock=lambda: NOW)
    add_subscriber(
        app.store,
        "alice@customs.example",
        topics=["environment", "partnerships"],
        frequency=Frequency.WEEKLY,
        language="en",
        topic_order=app.topic_order,
        now=NOW,
    )
    set_password(app.store, "admin", PASSWORD, now=NOW)
    app.close()
    return folder


@pytest.fixture
def clock() -> Time:
    return Time(NOW)


@pytest.fixture
def app(furnished: Path, tmp_path: Path, clock: Time) -> Iterator[App]:
    shutil.copytree(furnished, tmp_path / "site")
    app = build(load(tmp_path / "site" / "config.toml", {}), clock=clock)
    yield app
    app.close()


@pytest.fixture
def visitor(app: App) -> Iterator[TestClient]:
    """Nobody in particular."""
    with TestClient(make_asgi(app), base_url=BASE, follow_redirects=False) as client:
        yield client


@pytest.fixture
def operator(visitor: TestClient) -> TestClient:
    """The same, signed in as `admin`."""
    answer = visitor.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD})
    assert answer.status_code == 303
    return visitor


Send = Callable[..., object]


def csrf_of(client: TestClient) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get("/admin/").text)
    assert found
    return found[1]
