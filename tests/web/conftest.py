"""A published demo site behind the ASGI application, without a timetable."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from publisher.app import App, build
from publisher.config import load
from publisher.flows.new_site import make_site
from publisher.flows.run import Order, publish
from publisher.flows.subscribe import add_subscriber
from publisher.model import Frequency
from publisher.web.server import make_asgi

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def published_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site after its first issue; tests get copies of it."""
    folder = tmp_path_factory.mktemp("published")
    make_site(folder, with_articles=True, with_templates=False)
    app = _app_in(folder)
    add_subscriber(
        app.store,
        "alice@customs.example",
        topics=["environment", "partnerships"],
        frequency=Frequency.WEEKLY,
        language="en",
        topic_order=app.topic_order,
        now=NOW,
    )
    asyncio.run(publish(app.parts, Order(forced=(Frequency.WEEKLY,))))
    app.close()
    return folder


@pytest.fixture
def app(published_site: Path, tmp_path: Path) -> Iterator[App]:
    shutil.copytree(published_site, tmp_path, dirs_exist_ok=True)
    app = _app_in(tmp_path)
    yield app
    app.close()


def _app_in(folder: Path) -> App:
    return build(load(folder / "config.toml", {}), clock=lambda: NOW)


@pytest.fixture
def client(app: App) -> Iterator[TestClient]:
    with TestClient(make_asgi(app), base_url="http://127.0.0.1:8000", follow_redirects=False) as client:
        yield client
