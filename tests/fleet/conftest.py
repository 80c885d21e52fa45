from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flows.house import House


@pytest.fixture
def house(tmp_path: Path, sqlite_url: str) -> Iterator[House]:
    """An installation on SQLite."""
    house = House(tmp_path, sqlite_url)
    yield house
    house.app.close()
