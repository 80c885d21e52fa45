"""A whole machine for tests: real settings, store, folders and flows; only the clock and the article keys are ours."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from wire.servers import Relay, Taken, relay_server

from publisher.app import App, build
from publisher.config import from_values
from publisher.flows.plan import make_plan
from publisher.flows.reports import DeliverReport, RunReport
from publisher.flows.run import Order, deliver_only, publish
from publisher.flows.subscribe import add_subscriber
from publisher.model import Delivery, Frequency, Issue, Run, Subscriber
from publisher.store.engine import open_engine
from publisher.store.schema import articles, metadata

TOPICS = ("environment", "drugs", "data")
START = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday
WEEKLY = Order(forced=(Frequency.WEEKLY,))
FEEDS_ONLY = Order(digests=False)


class Time:
    """A clock that stands still until it is put forward."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


def topic_rules(**words: tuple[str, ...]) -> dict[str, Any]:
    """Topics whose articles name them, or one of `words`."""
    return {slug: {"label": slug.title(), "words": [slug, *words.get(slug, ())], "threshold": 1} for slug in TOPICS}


@dataclass
class House:
    """One installation below `root`; `app` can be built again, as a process that starts again does."""

    root: Path
    store_url: str
    values: dict[str, Any] = field(default_factory=dict)
    clock: Time = field(default_factory=Time)

    def __post_init__(self) -> None:
        self.keys = (f"key{number:013}" for number in count(1))
        self.articles.mkdir(parents=True, exist_ok=True)
        self.app = self._build()

    @property
    def articles(self) -> Path:
        return self.root / "articles"

    @property
    def site(self) -> Path:
        return self.root / "site"

    @property
    def outbox(self) -> Path:
        return self.root / "outbox"

    def _build(self) -> App:
        site = {"title": "Customs news", "output": "site", "base_url": "https://news.example/"}
        values: dict[str, Any] = {
            "topics": topic_rules(),
            "source": [{"path": "articles"}],
            "outbox": {"path": "outbox"},
            **self.values,
            "site": {**site, **self.values.get("site", {})},
            "store": {"url": self.store_url, "secret_file": "secret.key"},
        }
        settings = from_values(values, {}, root=self.root)
        return build(settings, clock=self.clock, mint_key=lambda: next(self.keys))

    def rebuild(self, **values: Any) -> None:
        """Start again with other settings."""
        self.app.close()
        self.values = {**self.values, **values}
        self.app = self._build()

    def article(self, name: str, text: str = "News on environment.", *, title: str = "", **front: object) -> Path:
        """Write the article file `name`.md; its title is its name unless another is given."""
        lines = [f"{key}: {value}\n" for key, value in {"title": title or name, **front}.items()]
        path = self.articles / f"{name}.md"
        path.write_text(f"---\n{''.join(lines)}---\n{text}\n", encoding="utf-8")
        return path

    def reader(
        self, name: str, *topics: str, frequency: Frequency = Frequency.WEEKLY, domain: str = "readers.example"
    ) -> Subscriber:
        return add_subscriber(
            self.app.store,
            f"{name}@{domain}",
            topics=topics or ("environment",),
            frequency=frequency,
            language="en",
            topic_order=self.app.topic_order,
            now=self.clock(),
        )

    def publish(self, order: Order = WEEKLY) -> tuple[Run, RunReport]:
        return asyncio.run(publish(self.app.parts, order))

    def deliver(self) -> DeliverReport:
        return asyncio.run(deliver_only(self.app.parts))[1]

    def plan(self, order: Order = WEEKLY) -> RunReport:
        return make_plan(self.app.parts, order).report

    def corrupt(self, title: str) -> None:
        """Give a stored article a source that is no web address, which no feed may carry."""
        engine = open_engine(self.store_url)
        with engine.begin() as connection:
            connection.execute(sa.update(articles).where(articles.c.title == title).values(source_url="nowhere"))
        engine.dispose()

    # --- looking --------------------------------------------------------------------------------------------------

    def key_of(self, title: str) -> str:
        with self.app.store.read() as tx:
            return tx.articles.resolve(title).key

    def dump(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every table."""
        engine = open_engine(self.store_url)
        with engine.connect() as connection:
            rows = {
                table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
                for table in metadata.sorted_tables
            }
        engine.dispose()
        return rows

    def issues(self) -> list[Issue]:
        """Skipped ones included, the oldest first."""
        with self.app.store.read() as tx:
            return tx.issues.list(1000)[::-1]

    def deliveries(self, issue: Issue) -> dict[int, Delivery]:
        with self.app.store.read() as tx:
            return {row.subscriber_id: row for row in tx.deliveries.of_issue(issue.id)}

    def subscriber(self, reader: Subscriber) -> Subscriber:
        with self.app.store.read() as tx:
            return tx.subscribers.get(reader.id)

    def check_sums(self) -> None:
        """Each issue's rows add up to what it selected, and none is finished with something pending."""
        with self.app.store.read() as tx:
            for issue in tx.issues.numbered():
                total = tx.deliveries.sum(issue.id)
                assert sum(total.states.values()) == total.selected
                if issue.state == "finished":
                    assert tx.deliveries.pending(issue.id) == 0

    def site_files(self) -> dict[str, tuple[bytes, int]]:
        """Every published file with its bytes and the time it was written, in nanoseconds."""
        return files_below(self.site)


def files_below(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def relay_settings(relay: Relay, **more: object) -> dict[str, Any]:
    endpoint = relay.endpoint
    return {"host": endpoint.host, "port": endpoint.port, "security": "none", "connections": 2, **more}


@contextmanager
def relay_thread() -> Iterator[Relay]:
    """A relay in a thread of its own, so that tests run one flow after the other, and other processes reach it."""
    relay = Relay()
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with relay_server(relay, timeout=30):
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield relay
    finally:
        done.set()
        thread.join(10)


_ARTICLE_LINK = re.compile(r"/articles/([^/\s]+)/")


def slugs_in(letter: bytes) -> tuple[str, ...]:
    """The articles that a letter links to, in the order of its text part, each once."""
    text = message_from_bytes(letter, policy=policy.default).get_body(("plain",))
    assert text is not None
    return tuple(dict.fromkeys(_ARTICLE_LINK.findall(text.get_content())))


def headers(letter: bytes) -> Mapping[str, str]:
    return {name: str(value) for name, value in message_from_bytes(letter, policy=policy.default).items()}


def name_of(taken: Taken) -> str:
    return taken.recipient.partition("@")[0]
