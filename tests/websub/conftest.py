"""Published sites for the tests of the hub."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_house import ENVIRON, House, MakeHouse, open_house

from publisher.flows.new_site import make_site


@pytest.fixture(scope="session")
def published_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site that has been published once; tests get copies of it."""
    folder = tmp_path_factory.mktemp("hub")
    make_site(folder, with_articles=True, with_templates=False)
    house = open_house(folder, ENVIRON)
    house.publish()
    house.app.close()
    return folder


@pytest.fixture
def house(published_folder: Path, tmp_path: Path) -> Iterator[House]:
    """The site with its hub, published."""
    folder = tmp_path / "site"
    shutil.copytree(published_folder, folder)
    house = open_house(folder, ENVIRON)
    yield house
    house.app.close()


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[MakeHouse]:
    """A site with other settings, published."""
    made: list[House] = []

    def make(**environ: str) -> House:
        make_site(tmp_path, with_articles=True, with_templates=False)
        house = open_house(tmp_path, environ)
        made.append(house)
        house.publish()
        return house

    yield make
    for house in made:
        house.app.close()
