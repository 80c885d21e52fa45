"""Documents made by further processes: the same as here, whatever becomes of a process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flows.house import FEEDS_ONLY, START, House

from publisher.feeds.value import Feed
from publisher.flows import workshop
from publisher.flows.feed_history import closed_archive
from publisher.flows.maker import Task, make
from publisher.flows.run import Order
from publisher.flows.workshop import Workshop
from publisher.links import archive_path

ARTICLES = 12


@pytest.fixture
def house(tmp_path: Path, sqlite_url: str) -> Iterator[House]:
    """An installation with archives of three entries."""
    house = House(tmp_path, sqlite_url, {"feeds": {"entries": 3}})
    for number in range(ARTICLES):
        house.article(f"News {number}", "Words on <b>waste</b>, environment and drugs.")
    house.publish(FEEDS_ONLY)
    yield house
    house.app.close()


def feeds(house: House) -> dict[str, Feed]:
    app = house.app
    found: dict[str, Feed] = {}
    with app.store.read() as tx:
        for topic in app.press.feeds:
            number = 1
            while feed := closed_archive(tx, topic, number, app.press):
                found[archive_path(topic.slug, number)] = feed
                number += 1
    return found


def tasks(house: House, hands: int) -> list[Iterator[Task]]:
    """A task for each feed, laid out for so many."""
    each = [Task({path: feed}, house.app.links, START) for path, feed in feeds(house).items()]
    return [iter(each[hand::hands]) for hand in range(hands)]


@pytest.fixture
def two_makers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "ENOUGH", 1)
    monkeypatch.setattr(workshop, "_processors", lambda: 2)


def written(house: House) -> dict[str, bytes]:
    return {path: (house.site / path).read_bytes() for path in feeds(house)}


@pytest.mark.usefixtures("two_makers")
def test_makers_give_the_same_documents_as_the_flow_itself(house: House) -> None:
    with Workshop(ARTICLES) as shop:
        assert shop.hands == 2
        made = list(shop.make(tasks(house, shop.hands)))
    assert {document.path: document.content for one in made for document in one.documents} == written(house)
    assert all(document.packed.keys() <= {".gz"} for one in made for document in one.documents)


@pytest.mark.usefixtures("two_makers")
def test_what_a_lost_maker_leaves_is_made_here(house: House) -> None:
    with Workshop(ARTICLES) as shop:
        made = shop.make(tasks(house, shop.hands))
        found = [next(made)]
        for maker in shop._makers:
            os.kill(maker._process.pid, signal.SIGKILL)
        found.extend(made)
    assert {document.path: document.content for one in found for document in one.documents} == written(house)


@pytest.mark.usefixtures("two_makers")
def test_where_no_process_can_be_started_all_is_made_here(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_command: object, **_more: object) -> None:
        raise BlockingIOError("no process left")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with Workshop(ARTICLES) as shop:
        assert shop.hands == 1
        made = list(shop.make(tasks(house, 1)))
    assert {document.path for one in made for document in one.documents} == set(written(house))


def test_few_documents_and_one_processor_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    for processors, documents in ((8, workshop.ENOUGH - 1), (1, workshop.ENOUGH)):
        monkeypatch.setattr(workshop, "_processors", lambda processors=processors: processors)
        with Workshop(documents) as shop:
            assert shop.hands == 1


def test_a_bad_entry_and_a_bad_document_are_told_and_stop_nothing(house: House) -> None:
    good, worse = list(feeds(house).items())[:2]
    path, feed = good
    entry, *others = feed.entries
    broken = replace(feed, entries=(replace(entry, url="nowhere"), *others))
    elsewhere = Task({path: broken, "feeds/other.atom": worse[1]}, house.app.links, START)
    made = make(elsewhere)
    assert [document.path for document in made.documents] == [path]
    dropped, kept_back = made.problems
    assert dropped.startswith(f"{path}: entry {entry.entry_id}: not a web address: 'nowhere'")
    assert kept_back.startswith("feeds/other.atom keeps its last good version: ")


@pytest.mark.usefixtures("two_makers")
def test_a_run_with_makers_writes_what_a_run_without_them_wrote(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    before = written(house)
    shutil.rmtree(house.site)
    started: list[int] = []
    begin = workshop._started
    monkeypatch.setattr(workshop, "_started", lambda wanted: started.append(wanted) or begin(wanted))
    _, report = house.publish(Order(digests=False, rebuild=True))
    assert (started, report.site.problems) == ([2], ())
    assert written(house) == before


def test_a_killed_run_leaves_no_maker_behind(tmp_path: Path) -> None:
    program = """
        from publisher.flows import workshop
        workshop._processors = lambda: 2
        shop = workshop.Workshop(workshop.ENOUGH)
        print(*(maker._process.pid for maker in shop._makers), flush=True)
        input()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    makers = [int(pid) for pid in process.stdout.readline().split()]
    assert len(makers) == 2
    process.kill()
    process.communicate()
    wait_until(lambda: not any(map(is_alive, makers)))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def wait_until(holds: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
