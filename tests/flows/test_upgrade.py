"""A database of the first release goes on where it stopped, on today's program."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from flows.house import FEEDS_ONLY, START, House, Time, relay_settings, relay_thread, slugs_in
from flows.writing import write_config
from wire.servers import Relay

from publisher.cli import run as command
from publisher.errors import StoreOutdated
from publisher.flows import run_record
from publisher.model import DeliveryState as D
from publisher.model import IssueState, RunState, SubscriberState
from publisher.store import SCHEMA, Store

FIRST_RELEASE = Path(__file__).parents[1] / "store/first_release"
STOPPED = START + timedelta(days=7)
"""When the process of the second issue died."""
KEY = "00112233" * 8
ARTICLES = {"Waste", "Old", "Numbers", "Plastics", "Lists"}  # Old was withdrawn, Numbers corrected
NEWER = {"plastics", "numbers", "lists"}  # what the second issue brings; Numbers was in the first one under data
ACCEPTED, REFUSED = {"alice"}, {"charlie"}
TO_COME = {"bob", "dora", "erin", "frank", "grace", "heidi"}  # deferred, in doubt, in a dead one's hands, planned


@pytest.fixture(autouse=True)
def _short_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old run is of a process that nobody can look for, so its heart is watched."""
    monkeypatch.setattr(run_record, "WATCH_S", 0.1)


@pytest.fixture
def relay() -> Iterator[Relay]:
    with relay_thread() as relay:
        yield relay


@pytest.fixture(params=["sqlite", "postgresql"])
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database as the first release left it."""
    dump = (FIRST_RELEASE / f"{request.param}.sql").read_text(encoding="utf-8")
    if request.param == "sqlite":
        connection = sqlite3.connect(tmp_path / "old.db")
        connection.executescript(dump)
        connection.close()
        yield f"sqlite:///{tmp_path}/old.db"
        return
    url = sa.make_url(request.getfixturevalue("postgresql_server")).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    name = "of_the_first_release"
    with admin.connect() as server:
        server.execute(sa.text(f"CREATE DATABASE {name}"))
        own = url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(own) as fresh:
            fresh.execute(dump.encode())
        yield own
        server.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def root(tmp_path: Path, old_url: str, relay: Relay) -> Path:
    """The folder of that installation: its settings, its key, and the files of its articles."""
    root = tmp_path / "news"
    (root / "articles").mkdir(parents=True)
    write_config(root, old_url, relay_settings(relay))
    (root / "secret.key").write_text(KEY + "\n")
    (root / "secret.key").chmod(0o600)
    return root


def articles_as_they_were(house: House) -> None:
    house.article("Waste", "News on environment.")
    house.article("Old", "News on environment, soon withdrawn.")
    house.article("Numbers", "News on data, and on environment too.", correction="There is more.")
    house.article("Plastics", "More news on environment.")
    house.article("Lists", "More news on data.")


def test_nothing_is_touched_before_it_is_asked_for(
    root: Path, old_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["status", "--config", str(root / "config.toml")]) == 1
    said = capsys.readouterr().err
    assert "publisher db upgrade" in said and "copy" in said
    with pytest.raises(StoreOutdated):
        Store(old_url).check()


def test_the_command_says_what_it_did_and_does_it_once(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = ["--config", str(root / "config.toml")]
    assert command(["db", "upgrade", *config]) == 0
    said = capsys.readouterr().out.splitlines()
    revisions = [f"{number:04}" for number in range(2, int(SCHEMA) + 1)]
    assert [line.split()[0] for line in said[:-1]] == revisions
    assert all(len(line.split()) > 2 for line in said[:-1])
    assert "up to date" in said[-1] and "copy" in said[-1]
    assert command(["db", "upgrade", "--json", *config]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_the_half_sent_issue_goes_to_the_rest_and_nothing_comes_twice(root: Path, old_url: str, relay: Relay) -> None:
    store = Store(old_url)
    assert len(store.upgrade(STOPPED)) == int(SCHEMA) - 1
    store.close()
    values = {"smtp": relay_settings(relay)}
    house = House(root, old_url, values, Time(STOPPED + timedelta(minutes=1)))
    articles_as_they_were(house)
    house.keys = iter(())  # a new article would have no key to get

    house.publish(FEEDS_ONLY)
    house.clock.forward(minutes=30)  # what was deferred or in doubt is due
    house.deliver()

    letters = Counter(taken.recipient.partition("@")[0] for taken in relay.taken)
    assert letters == Counter(TO_COME)
    for taken in relay.taken:
        assert "old" not in slugs_in(taken.content) and set(slugs_in(taken.content)) <= NEWER
        assert b"/unsubscribe/" in taken.content
    first, second = house.issues()
    assert (first.state, second.state) == (IssueState.FINISHED, IssueState.FINISHED)
    house.check_sums()
    with house.app.store.read() as tx:
        kept = {
            tx.articles.get(key).title for key in {line.article_key for line in tx.filings.window(after=0, upto=10**6)}
        }
        runs = [run.state for run in tx.runs.list()]
        readers = {reader.email.partition("@")[0]: reader for reader in tx.subscribers.list()}
    assert kept == ARTICLES - {"Old"}
    assert runs == [RunState.DONE, RunState.DONE, RunState.INTERRUPTED, RunState.DONE, RunState.DONE]
    assert readers.keys() == ACCEPTED | REFUSED | TO_COME | {"ivan", "judy"}
    assert readers["ivan"].state is SubscriberState.UNSUBSCRIBED
    for name in ("all", "environment", "data"):
        assert (house.site / f"feeds/{name}.atom").stat().st_size > 500
    ids = {f"tag:publisher.example,2026:article/key{number:013}" for number in (1, 3, 4, 5)}
    atom = (house.site / "feeds/all.atom").read_text()
    assert all(f"<id>{entry_id}</id>" in atom for entry_id in ids), "an entry's id is for ever"

    house.clock.forward(days=7)
    relay.taken.clear()
    house.article("Ships", "News on environment and data.")
    house.keys = iter(["key0000000000009"])
    house.app.close()
    house.rebuild()
    house.publish()
    third = {taken.recipient.partition("@")[0]: set(slugs_in(taken.content)) for taken in relay.taken}
    assert third.keys() == ACCEPTED | REFUSED | TO_COME
    for name in ACCEPTED | TO_COME:
        assert third[name] == {"ships"}, name
    assert third["charlie"] == {"ships", "plastics", "numbers"}, "the letter that was refused came with the next one"
    house.app.close()


def test_a_cancelled_issue_with_letters_in_hand_comes_to_its_end(root: Path, old_url: str, relay: Relay) -> None:
    engine = sa.create_engine(old_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:  # as it was possible then
        connection.execute(sa.text("UPDATE issues SET state = 'cancelled', finished = composed WHERE id = 2"))
        connection.execute(sa.text("UPDATE deliveries SET next_attempt = NULL WHERE state = 'deferred'"))
    engine.dispose()
    store = Store(old_url)
    store.upgrade(STOPPED)
    with store.read() as tx:
        assert tx.issues.finished(2) is None
        before = Counter(one.state for one in tx.deliveries.of_issue(2))
    store.close()
    house = House(root, old_url, {"smtp": relay_settings(relay)}, Time(STOPPED + timedelta(hours=1)))
    articles_as_they_were(house)
    house.deliver()
    assert relay.taken == []
    house.check_sums()
    with house.app.store.read() as tx:
        assert tx.issues.finished(2) == house.clock()
        after = Counter(one.state for one in tx.deliveries.of_issue(2))
    assert after[D.SUPPRESSED] == before[D.SUPPRESSED] + before[D.PLANNED] + before[D.DEFERRED] > 1
    assert after[D.UNCERTAIN] == before[D.UNCERTAIN] + before[D.HANDING_OVER] > 1
