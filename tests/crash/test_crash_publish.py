"""A publish run that is killed at any moment, again and again, until it is done: nothing lost, nothing twice.

Each run is a real process with SIGKILL for an end; the next one starts at once. The relay is in this process, so that
what it took is known whatever became of the run.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flows.house import House, Time, headers, relay_settings, relay_thread, slugs_in
from flows.writing import write_config
from lxml import etree
from wire.servers import Relay

from publisher.clock import system_clock
from publisher.model import DeliveryState, IssueState
from publisher.store.schema import deliveries

READERS = 60
KILLS = 12
CONNECTIONS = 3
ARTICLES = 8
LIMIT_S = 60


async def slowly() -> str:
    """A relay that takes its time, so that a kill finds letters on their way however fast we are."""
    await asyncio.sleep(0.15)
    return "250 2.0.0 taken"


@pytest.fixture
def relay() -> Iterator[Relay]:
    with relay_thread() as relay:
        relay.content["*"] = slowly
        yield relay


@pytest.fixture
def site(tmp_path: Path, relay: Relay, sqlite_url: str) -> Iterator[House]:
    smtp = relay_settings(relay, connections=CONNECTIONS)
    house = House(tmp_path, sqlite_url, {"smtp": smtp}, Time(system_clock()))
    write_config(tmp_path, sqlite_url, smtp)
    for number in range(READERS):
        house.reader(f"reader{number:02}", *(("environment",), ("environment", "data"), ("all",))[number % 3])
    for number in range(ARTICLES):
        house.article(f"Waste {number}", f"On environment, part {number}.")
    yield house
    house.app.close()


def begin(root: Path, order: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "publisher", *order.split()]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_after(process: subprocess.Popen[str], seconds: float) -> bool:
    """Let it run so long; whether it had to be killed."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def doubts_are_old(site: House) -> None:
    """The time has passed in which a letter in doubt is left alone."""
    engine = sa.create_engine(site.store_url)
    with engine.begin() as connection:
        in_doubt = deliveries.c.state == DeliveryState.UNCERTAIN
        connection.execute(sa.update(deliveries).where(in_doubt).values(next_attempt=deliveries.c.changed))
    engine.dispose()


def check_every_file(folder: Path) -> None:
    """Whatever has a document's name is a whole document."""
    for path in folder.rglob("*"):
        if path.name.startswith("."):
            continue
        if path.suffix in {".atom", ".rss", ".opml"}:
            etree.parse(path)
        elif path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.suffix == ".html":
            assert path.read_bytes().rstrip().endswith(b"</html>"), path


def test_a_run_killed_again_and_again_sends_every_letter_and_hardly_any_twice(site: House, relay: Relay) -> None:
    chance = random.Random(20260302)
    until = time.monotonic() + LIMIT_S
    kills = 0
    while time.monotonic() < until:
        composed = any(issue.number for issue in site.issues())
        process = begin(site.root, "publish --no-digest" if composed else "publish --digest weekly")
        # until the issue is there a kill may come at any time; then a bit later, so that letters move
        if kills < KILLS and kill_after(process, chance.uniform(0.7, 1.6) if composed else chance.uniform(0.5, 1.5)):
            kills += 1
            check_every_file(site.site)
            site.check_sums()
            continue
        out, err = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, (out, err)
        if site.issues()[-1].state is IssueState.FINISHED:
            break
        doubts_are_old(site)
    site.check_sums()
    (issue,) = site.issues()
    assert issue.state is IssueState.FINISHED and issue.number == 1
    rows = site.deliveries(issue)
    assert Counter(row.state for row in rows.values()) == {DeliveryState.ACCEPTED: READERS}
    letters = Counter(relay.recipients)
    assert len(letters) == READERS, "somebody got no letter"
    twice = sum(letters.values()) - READERS
    assert twice <= kills * CONNECTIONS
    assert {slugs_in(taken.content) for taken in relay.taken} == {slugs_in(relay.taken[0].content)}
    assert len(slugs_in(relay.taken[0].content)) == ARTICLES
    bytes_of: dict[str, set[bytes]] = {}
    for taken in relay.taken:
        bytes_of.setdefault(headers(taken.content)["Message-ID"], set()).add(taken.content)
    assert len(bytes_of) == READERS and {len(versions) for versions in bytes_of.values()} == {1}
    check_every_file(site.site)
    assert kills >= KILLS // 2, "the runs were over before they could be killed"
