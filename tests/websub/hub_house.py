"""A site that is a hub itself, on a clock that tests move."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from publisher.app import App, build
from publisher.config import load
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
