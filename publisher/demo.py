"""`publisher demo`: the whole path on the ten initiatives, in a scratch folder. Floor: above `app`."""

from __future__ import annotations

import asyncio
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from publisher.app import build
from publisher.config import load
from publisher.errors import UsageError
from publisher.flows.new_site import make_site
from publisher.flows.run import Order, publish
from publisher.flows.subscribe import add_subscriber
from publisher.model import DeliveryState, Frequency, ImportOutcome

READERS = (
    ("amina@customs.example", ("all",), Frequency.WEEKLY),
    ("bruno@broker.example", ("environment", "region-asia-pacific"), Frequency.DAILY),
    ("chen@port.example", ("supply-chain-ports", "trade-facilitation", "capacity-building"), Frequency.MONTHLY),
)
_MARK = ".publisher-demo"


@dataclass(frozen=True, slots=True)
class Made:
    """A row of what the demo made: what it is, how many, and what to open."""

    what: str
    count: int
    place: str


def run_demo(folder: Path) -> list[Made]:
    """Empty `folder` (only if an earlier demo made it), then articles in, feeds, site and digests out.

    Everything is real: the letters go by SMTP to a server on a loopback port, which keeps them as files.
    """
    _clear(folder)
    make_site(folder, with_articles=True, with_templates=False)
    config = folder / "config.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(re.sub(r"(?m)^offline_links = false ", "offline_links = true  ", text), encoding="utf-8")
    app = build(load(config, {}))
    try:
        for email, topics, frequency in READERS:
            add_subscriber(
                app.store,
                email,
                topics=topics,
                frequency=frequency,
                language=app.settings.site.language,
                topic_order=app.topic_order,
                now=app.clock(),
            )
        _, report = asyncio.run(publish(app.parts, Order(forced=tuple(Frequency))))
    finally:
        app.close()
    site = folder / "data" / "site"
    feeds = [path for path in report.site.written if path.endswith(".atom")]
    letters = sorted((folder / "data" / "outbox").glob("*.eml"))
    return [
        Made("articles", report.ingest.count(ImportOutcome.NEW), str(folder / "data" / "articles")),
        Made("documents of the site", len(report.site.written), str(site / "index.html")),
        Made("topic feeds", len(feeds), str(site / "feeds" / "all.atom")),
        Made("readers", len(READERS), f"publisher subscribers list --config {config}"),
        *(
            Made(f"issue {issue.name}", issue.letters, str(site / "issues" / issue.name / "index.html"))
            for issue in report.issues
        ),
        *(Made("letter", 1, str(letter)) for letter in letters),
        Made(
            "letters accepted", report.delivery.states.get(DeliveryState.ACCEPTED, 0), str(folder / "data" / "outbox")
        ),
    ]


def _clear(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise UsageError(f"{folder} holds something that no demo made; choose another --folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).write_text(
        "made by `publisher demo`, which empties this folder before it starts\n", encoding="utf-8"
    )
