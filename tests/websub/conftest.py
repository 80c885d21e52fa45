"""A published site that is a hub itself, on a clock that tests move."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from publisher.app import App, build
from publisher.config import load
from publisher.flows.new_site import make_site
from publisher.flows.reports import RunReport
from publisher.flows.run import Order, publish

ENVIRON = {
    "PUBLISHER_WEBSUB_BUILTIN": "true",
    "PUBLISHER_WEBSUB_ALLOW_PRIVATE": "true",
    "PUBLISHER_WEBSUB_MAX_SUBSCRIPTIONS": "200",
}


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 7, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **time: int) -> None:
        self.now += timedelta(**time)


@dataclass
class House:
    """The site's app, its folder and its clock."""

    app: App
    folder: Path
    clock: Clock

    def publish(self) -> RunReport:
        self.clock.passes(seconds=1)
        return asyncio.run(publish(self.app.parts, Order(digests=False)))[1]

    def write_article(self, name: str = "plastic") -> RunReport:
        """Publish an article on waste, and with it the feeds environment and all."""
        text = f"---\ntitle: Waste shipments {name}\ntopics: [environment]\n---\n\nOfficers stopped waste: {name}.\n"
        self.folder.joinpath("data/articles", f"{name}.md").write_text(text)
        return self.publish()

    def feed(self, path: str = "feeds/environment.atom") -> bytes:
        return (self.app.folder.root / path).read_bytes()


MakeHouse = Callable[..., House]


def open_house(folder: Path, environ: dict[str, str]) -> House:
    clock = Clock()
    return House(build(load(folder / "config.toml", environ), clock=clock), folder, clock)


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
