"""`status`, `publish` and the admin page say what waits, for which relay or domain, and until when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flows.house import relay_thread
from starlette.testclient import TestClient
from wire.servers import Relay

from publisher.app import build
from publisher.clock import system_clock
from publisher.config import load
from publisher.flows.operators import set_password
from publisher.model import IssueState
from publisher.store import Store
from publisher.web.server import make_asgi

BLOCKS = """
[[relay]]
name = "main"
host = "{host}"
port = {port}
security = "none"
letters_per_hour = 2

[[relay]]
name = "next-year"
host = "{host}"
port = {port}
security = "none"
warm_up_from = 2999-01-01
warm_up = [50]
"""


@pytest.fixture
def relay() -> Iterator[Relay]:
    with relay_thread() as relay:
        yield relay


@pytest.fixture
def site(new_site: Path, publisher: Callable[..., Any], relay: Relay) -> Path:
    """Two of five letters are out, and the hour's limit is used up."""
    with (new_site / "config.toml").open("a") as config:
        config.write(BLOCKS.format(host=relay.endpoint.host, port=relay.endpoint.port))
    for number in range(5):
        assert publisher("subscribers", "add", f"reader{number}@customs.example").code == 0
    assert publisher("publish", "--digest", "weekly").code == 0
    assert len(relay.taken) == 2
    return new_site


def test_status_tells_each_relay_with_its_limits_and_when_all_is_out(site: Path, publisher: Any) -> None:
    ahead = publisher("status", "--json").json["outlook"]
    assert ahead["waiting"] == 3
    main, later = ahead["relays"]
    assert (main["name"], main["limits"]) == ("main", [{"letters": 2, "seconds": 3600, "used": 2, "kept": 0}])
    assert later["begins"] == "2999-01-01T00:00:00Z"
    assert ahead["goes_on"] == main["goes_on"] < ahead["done_by"]
    shown = publisher("status").out
    assert "3 waiting, the next in " in shown and "not all before" in shown and "through 2 relays" in shown
    rows = {row[0].split(" ")[0]: row for row in publisher("status").rows}
    assert rows["main"][3] == "2 of 2" and rows["main"][5].endswith("at its limit")
    assert rows["next-year"][5].endswith("its warm-up has not begun")


def test_letters_that_wait_for_approval_are_told_apart(site: Path, publisher: Any) -> None:
    store = Store(f"sqlite:///{site}/data/publisher.db")
    with store.write() as tx:
        tx.issues.set_state(tx.issues.by_name("weekly-1").id, IssueState.WAITING, now=system_clock())
    store.close()
    ahead = publisher("status", "--json").json["outlook"]
    assert (ahead["waiting"], ahead["approval"], ahead["goes_on"]) == (0, 3, None)
    assert "0 waiting; 3 wait for approval; through" in publisher("status").out
    shown = publisher("deliver").out
    assert "nothing to send" in shown and "still to be sent" not in shown
    assert "3 letters wait for it; `publisher issues approve`" in shown


def test_the_first_admin_page_has_the_same_facts(site: Path) -> None:
    app = build(load(site / "config.toml", {}))
    set_password(app.store, "admin", "correct horse battery staple", now=app.clock())
    with TestClient(make_asgi(app), base_url="http://127.0.0.1:8000") as client:
        client.post("/admin/sign-in", data={"name": "admin", "password": "correct horse battery staple"})
        page = " ".join(client.get("/admin/").text.split())
    app.close()
    assert "2 of 2" in page and "at its limit" in page and "its warm-up has not begun" in page
    assert "not all before" in page
