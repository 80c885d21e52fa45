"""A site with an operator, behind the ASGI application; and visitors with and without a session."""

from __future__ import annotations

import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn
from argon2 import PasswordHasher
from flows.house import Time
from starlette.testclient import TestClient

from publisher.app import App, build
from publisher.config import load
from publisher.flows import operators
from publisher.flows.new_site import make_site
from publisher.flows.operators import set_password
from publisher.flows.process import this_process
from publisher.flows.subscribe import add_subscriber
from publisher.model import Frequency, Run, RunTrigger
from publisher.web.server import make_asgi

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
BASE = "http://127.0.0.1:8000"


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Argon2id with the least effort; that the real one takes long is what it is for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operators, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


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


def csrf_of(client: TestClient) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get("/admin/").text)
    assert found
    return found[1]


@contextmanager
def served(app: App) -> Iterator[str]:
    """A real server in a thread of its own; gives its address, without a slash at the end."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(make_asgi(app), log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    host, port = listener.getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


def begin_elsewhere(app: App) -> Run:
    """A run of another process, as far as the server knows: this one, outside of it."""
    with app.store.write() as tx:
        run = tx.runs.begin(
            RunTrigger.COMMAND,
            host=socket.gethostname(),
            pid=os.getpid(),
            process=this_process(),
            now=app.clock(),
            is_alive=lambda _: True,
        )
        tx.runs.beat(run.id, app.clock(), step="sending letters", done=3, total=9)
    return run
