"""`publisher demo`: the whole path on the ten initiatives, in a scratch folder. Floor: above `app`."""

from __future__ import annotations

import asyncio
import re
import shutil
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default as modern
from pathlib import Path

from publisher.app import App, build
from publisher.config import load
from publisher.errors import SiteError, UsageError
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
    """A row of what the demo made: what it is, how many, and where."""

    what: str
    count: int
    place: str


@dataclass(frozen=True, slots=True)
class Demo:
    """What was made in which places, and the few files that show it best: what it is -> its path."""

    made: tuple[Made, ...]
    to_open: tuple[tuple[str, str], ...]


def run_demo(folder: Path) -> Demo:
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
        _add_readers(app)
        _, report = asyncio.run(publish(app.parts, Order(forced=tuple(Frequency))))
    finally:
        app.close()
    data = folder / "data"
    site, outbox = data / "site", data / "outbox"
    letters = _readable(outbox, folder / "letters")
    made = (
        Made("articles", report.ingest.count(ImportOutcome.NEW), str(data / "articles")),
        Made(
            "topic feeds",
            sum(path.startswith("feeds/") and path.endswith(".atom") for path in report.site.written),
            str(site / "feeds"),
        ),
        Made("documents of the site", len(report.site.written), str(site)),
        Made("readers", len(READERS), str(data / "publisher.db")),
        Made("issues", sum(bool(issue.name) for issue in report.issues), str(site / "issues")),
        Made("letters accepted", report.delivery.states.get(DeliveryState.ACCEPTED, 0), str(outbox)),
    )
    opened = (
        ("the site", str(site / "index.html")),
        ("the feed of everything", str(site / "feeds" / "all.atom")),
        *(("a letter, as its reader sees it", str(letter)) for letter in letters[:1]),
    )
    return Demo(made, opened)


def _add_readers(app: App) -> None:
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


def _readable(outbox: Path, folder: Path) -> list[Path]:
    """The HTML of each letter in a file of its own, so that a browser shows what a mail program would."""
    folder.mkdir()
    made = []
    for letter in sorted(outbox.glob("*.eml")):
        message = message_from_bytes(letter.read_bytes(), policy=modern)
        body = message.get_body(("html",))
        if body is not None:
            target = folder / f"{message['To'].addresses[0].username}.html"
            target.write_text(body.get_content(), encoding="utf-8")
            made.append(target)
    return made


def _clear(folder: Path) -> None:
    try:
        if folder.exists() and any(folder.iterdir()):
            if not (folder / _MARK).exists():
                raise UsageError(f"{folder} holds something that no demo made; choose another --folder")
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _MARK).write_text(
            "made by `publisher demo`, which empties this folder before it starts\n", encoding="utf-8"
        )
    except OSError as error:
        problem = error.strerror or error
        raise SiteError(f"{error.filename or folder}: {problem}; choose a --folder you may write to") from error
