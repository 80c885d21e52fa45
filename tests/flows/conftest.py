from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flows.house import House, relay_settings, relay_thread
from wire.servers import Relay


@pytest.fixture(scope="module")
def _relay_of_module() -> Iterator[Relay]:
    with relay_thread() as relay:
        yield relay


@pytest.fixture
def relay(_relay_of_module: Relay) -> Relay:
    """A relay that takes everything until it is told otherwise."""
    relay = _relay_of_module
    for remembered in (relay.mail, relay.rcpt, relay.content, relay.taken):
        remembered.clear()
    relay.greeting = lambda number: None
    return relay


@pytest.fixture
def house(tmp_path: Path, sqlite_url: str) -> Iterator[House]:
    """An installation on SQLite whose letters go to the local outbox."""
    house = House(tmp_path, sqlite_url)
    yield house
    house.app.close()


@pytest.fixture
def posting(tmp_path: Path, sqlite_url: str, relay: Relay) -> Iterator[House]:
    """An installation on SQLite that sends through `relay`."""
    house = House(tmp_path, sqlite_url, {"smtp": relay_settings(relay)})
    yield house
    house.app.close()


@pytest.fixture
def posting_anywhere(tmp_path: Path, store_url: str, relay: Relay) -> Iterator[House]:
    """The same on both databases."""
    house = House(tmp_path, store_url, {"smtp": relay_settings(relay)})
    yield house
    house.app.close()
