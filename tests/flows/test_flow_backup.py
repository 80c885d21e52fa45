"""Backup and restore: one moment of the database, whole or refused, onto either database, and no letter twice."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
import stat
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from flows.house import FEEDS_ONLY, WEEKLY, House, name_of, relay_settings
from wire.servers import Relay

from publisher.errors import BackupError, Conflict, NotFound, StoreOutdated
from publisher.flows import issue_desk
from publisher.flows.backup import back_up, last_backup, put_config_back, restore
from publisher.flows.backup_file import BackupFile
from publisher.flows.housekeeping import keep_house
from publisher.flows.job_state import JobState
from publisher.flows.process import this_process
from publisher.flows.run import Order, publish
from publisher.flows.subscribe import unsubscribe
from publisher.model import DeliveryState, Frequency, IssueState, RunState, RunTrigger
from publisher.store import SCHEMA, Store

READERS = ("alice", "bob", "charlie", "dora", "emil")


def backed_up(house: House, name: str = "copy.jsonl.gz") -> BackupFile:
    return BackupFile(back_up(house.app.store, house.app.settings, house.clock(), path=house.root / name).path)


@pytest.fixture
def other_url(request: pytest.FixtureRequest, store_url: str, tmp_path: Path) -> str:
    """A database of the other kind than `store_url`."""
    if store_url.startswith("sqlite"):
        found: str = request.getfixturevalue("postgresql_url")
        return found
    return f"sqlite:///{tmp_path}/new/publisher.db"


def test_what_is_restored_is_what_was_there_on_the_other_database_too(
    posting_anywhere: House, other_url: str, tmp_path: Path
) -> None:
    house = posting_anywhere
    house.article("Waste")
    gone = house.reader("gone")
    for name in READERS:
        house.reader(name)
    last = house.reader("last")
    house.publish()
    with house.app.store.write() as tx:
        tx.subscribers.remove(last.id, house.clock())
    unsubscribe(house.app.store, gone.id, now=house.clock(), reason="by the link in a letter")
    before = house.dump()
    backup = backed_up(house)
    assert backup.head.made == house.clock()
    assert stat.S_IMODE((tmp_path / "copy.jsonl.gz").stat().st_mode) == 0o600

    other = Store(other_url)
    done = restore(other, house.app.settings, backup, house.clock(), overwrite=True)
    assert (done.in_doubt, done.paused) == (0, ())
    other.close()
    moved = House(tmp_path, other_url)
    facts = dict(moved.dump())
    assert {row for row in facts.pop("meta") if row[0] != "timetable"} == {*before.pop("meta")}
    assert facts == before
    assert moved.reader("new").id == last.id + 1  # links in letters name the number: it is given once
    moved.app.close()


def test_a_half_sent_issue_goes_on_after_a_restore_and_nobody_gets_it_twice(
    house: House, relay: Relay, tmp_path: Path
) -> None:
    house.rebuild(smtp=relay_settings(relay, connections=1, on_uncertain="hold"))
    house.article("Waste")
    for name in READERS:
        house.reader(name)
    stop = asyncio.Event()

    def while_the_third_is_handed_over() -> str:
        backed_up(house)
        stop.set()
        return "250 2.0.0 taken"

    relay.content["charlie@readers.example"] = while_the_third_is_handed_over
    asyncio.run(publish(house.app.parts, WEEKLY, stop=stop))
    sent = Counter(map(name_of, relay.taken))
    assert "charlie" in sent and 3 <= len(sent) < len(READERS)

    again = House(tmp_path / "again", f"sqlite:///{tmp_path}/again.db", house.values)
    backup = BackupFile(house.root / "copy.jsonl.gz")
    with pytest.raises(Conflict, match="--overwrite"):
        restore(again.app.store, again.app.settings, backup, house.clock())
    done = restore(again.app.store, again.app.settings, backup, house.clock(), overwrite=True)
    assert done.in_doubt >= 1 and done.paused == ("weekly-1",)
    again.deliver()
    assert Counter(map(name_of, relay.taken)) == sent  # paused: it may have gone on after the backup

    with again.app.store.read() as tx:
        assert tx.runs.list(9)[-1].state is RunState.INTERRUPTED
    issue_desk.resume(again.app.store, "weekly-1", resend=True)
    again.deliver()
    doubtful = {row.subscriber_id for row in again.deliveries(again.issues()[0]).values() if row.state == "uncertain"}
    assert len(doubtful) == done.in_doubt
    assert set(Counter(map(name_of, relay.taken)).values()) == {1}
    assert {*map(name_of, relay.taken)} | {READERS[number - 1] for number in doubtful} == {*READERS}
    again.check_sums()
    again.app.close()


def test_a_damaged_or_foreign_file_is_refused_before_anything_is_changed(house: House, tmp_path: Path) -> None:
    house.article("Waste")
    house.publish(FEEDS_ONLY)
    backed_up(house)
    path = tmp_path / "copy.jsonl.gz"
    whole = path.read_bytes()
    text = gzip.decompress(whole)

    def refused(content: bytes) -> str:
        path.write_bytes(content)
        with pytest.raises(BackupError) as caught:
            BackupFile(path)
        return str(caught.value)

    assert "cut short" in refused(whole[: len(whole) // 2])
    assert "damaged" in refused(gzip.compress(text.replace(b"Waste", b"Taste")))
    without_a_row = b"\n".join(line for line in text.split(b"\n") if b"Waste" not in line)
    assert "damaged" in refused(gzip.compress(without_a_row))
    assert "no whole backup" in refused(gzip.compress(text[: text.rindex(b'{"end"')]))
    assert "newer version" in refused(gzip.compress(text.replace(b'"format":1', b'"format":2')))
    newer = text.replace(f'"schema":"{SCHEMA}"'.encode(), b'"schema":"9999"')
    assert "newer version" in refused(gzip.compress(newer))  # before its config.toml, which we may not understand
    assert "no backup" in refused(b"PK\x03\x04 something else")
    path.unlink()
    with pytest.raises(BackupError, match="No such file"):
        BackupFile(path)


def test_a_backup_of_a_newer_database_is_refused_and_one_that_fails_changes_nothing(house: House) -> None:
    house.article("Waste")
    house.publish(FEEDS_ONLY)
    backup = backed_up(house)
    before = house.dump()
    with (
        pytest.raises(StoreOutdated, match="newer version"),
        house.app.store.replaced(backup.tables(), revision="9999"),
    ):
        pytest.fail("it was restored")
    with (
        pytest.raises(RuntimeError),
        house.app.store.replaced(backup.tables(), revision=backup.head.schema),
    ):
        raise RuntimeError
    assert house.dump() == before


def test_nothing_is_restored_under_a_timetable_that_runs(house: House) -> None:
    backup = backed_up(house)
    JobState(house.app.store, house.clock).declare({})
    with pytest.raises(Conflict, match="stop it first"):
        restore(house.app.store, house.app.settings, backup, house.clock(), overwrite=True)


def test_nothing_is_restored_under_a_run_that_is_under_way_and_under_one_that_died_it_is(house: House) -> None:
    backup = backed_up(house)
    with house.app.store.write() as tx:
        begun = {"now": house.clock(), "is_alive": lambda _: True, "host": socket.gethostname()}
        run = tx.runs.begin(RunTrigger.COMMAND, pid=os.getpid(), process=this_process(), **begun)
    house.clock.forward(hours=1)  # the system sees its process, however long it says nothing
    with pytest.raises(Conflict, match=f"run {run.id} is under way"):
        restore(house.app.store, house.app.settings, backup, house.clock(), overwrite=True)
    with house.app.store.write() as tx:
        tx.runs.finish(run.id, RunState.DONE, report={}, now=house.clock())
        elsewhere = {**begun, "host": "another", "now": house.clock()}
        tx.runs.begin(RunTrigger.COMMAND, pid=1, process="", **elsewhere)
    with pytest.raises(Conflict, match="on another"):
        restore(house.app.store, house.app.settings, backup, house.clock(), overwrite=True)
    house.clock.forward(hours=1)
    restore(house.app.store, house.app.settings, backup, house.clock(), overwrite=True)


def test_keys_and_templates_come_back_and_others_are_never_lost(house: House, tmp_path: Path) -> None:
    templates = tmp_path / "templates" / "site"
    templates.mkdir(parents=True)
    (templates / "foot.html").write_text("ours")
    (tmp_path / "config.toml").write_text("[site]\n")
    secret = tmp_path / "secret.key"
    assert house.app.signer and secret.exists()
    backup = backed_up(house)
    assert [(file.kind, file.name) for file in backup.files] == [
        ("key", "store.secret_file"),
        ("config", "config.toml"),
        ("template", "site/foot.html"),
    ]
    key = secret.read_bytes()
    secret.write_text("ab" * 32)
    (templates / "foot.html").unlink()
    house.app.close()
    (tmp_path / "store" / "publisher.db").unlink()
    with pytest.raises(Conflict, match="another key"):
        restore(house.app.store, house.app.settings, backup, house.clock())
    done = restore(house.app.store, house.app.settings, backup, house.clock(), overwrite=True)
    assert (secret.read_bytes(), (templates / "foot.html").read_text()) == (key, "ours")
    assert (tmp_path / "secret.key.before-restore").read_text() == "ab" * 32
    assert set(done.files) == {secret, templates / "foot.html"}

    assert put_config_back(backup, tmp_path / "elsewhere" / "config.toml")
    house.rebuild(backup={"keys": False, "config": False})
    assert backed_up(house).files == []


def test_a_site_made_anew_after_a_restore_has_no_page_of_what_came_after_the_backup(house: House) -> None:
    house.article("Waste")
    house.reader("alice")
    house.publish(WEEKLY)
    files = {*house.site_files()}
    backup = backed_up(house)
    house.clock.forward(hours=1)
    late = house.article("Late")
    house.publish(WEEKLY)
    later = {*house.site_files()} - files
    assert {"articles/late/index.html", "issues/weekly-2/index.html"} <= later
    own = house.site / "articles" / "own.txt"
    own.write_text("the operator's")
    late.unlink()
    restore(house.app.store, house.app.settings, backup, house.clock(), overwrite=True)
    anew = Order(digests=False, rebuild=True)
    foretold = house.plan(anew).site.removed
    assert {"articles/late/index.html", "issues/weekly-2/index.html"} <= {*foretold} <= later
    assert house.publish(anew)[1].site.removed == foretold
    assert own.exists()
    own.unlink()
    assert {*house.site_files()} == files


def test_a_digest_that_went_out_after_the_backup_is_named_and_can_be_kept_from_going_again(
    house: House, relay: Relay
) -> None:
    house.rebuild(smtp=relay_settings(relay))
    house.article("Waste")
    house.reader("alice")
    house.publish(FEEDS_ONLY)
    backup = backed_up(house)
    house.clock.forward(days=7)
    house.article("Late")
    house.publish()
    assert [*map(name_of, relay.taken)] == ["alice"]
    done = restore(house.app.store, house.app.settings, backup, house.clock(), overwrite=True)
    assert backup.head.made < dict(done.due)[Frequency.WEEKLY] <= house.clock()

    house.rebuild(smtp={"host": ""})  # as the manual has it: PUBLISHER_SMTP_HOST= publisher publish
    house.publish()
    house.rebuild(smtp=relay_settings(relay))
    house.publish()
    assert [*map(name_of, relay.taken)] == ["alice"]
    assert restore(house.app.store, house.app.settings, backup, backup.head.made, overwrite=True).due == ()


def test_the_folder_keeps_the_newest_and_says_when_the_last_one_was(house: House) -> None:
    house.rebuild(backup={"path": "copies", "keep": 2})
    (house.root / "copies").mkdir()
    (house.root / "copies" / "notes.txt").write_text("mine")
    for _ in range(4):
        house.clock.forward(days=1)
        made = back_up(house.app.store, house.app.settings, house.clock())
    assert len(made.removed) == 1 and made.path.exists()
    assert len(list((house.root / "copies").iterdir())) == 3
    with house.app.store.read() as tx:
        assert last_backup(tx) == house.clock()


def test_a_folder_that_cannot_be_written_is_named(house: House) -> None:
    house.rebuild(backup={"path": "articles/Waste.md/below"})
    house.article("Waste")
    with pytest.raises(BackupError, match=r"Waste\.md.*\[backup\] path"):
        back_up(house.app.store, house.app.settings, house.clock())


def test_texts_of_old_letters_and_old_lines_of_the_log_are_forgotten(house: House) -> None:
    house.article("Waste")
    house.reader("alice")
    house.publish()
    with house.app.store.write() as tx:
        tx.audit.add("ann", "article withdrawn", "waste", house.clock())
        edition = tx.issues.editions(house.issues()[0].id)[0].id
    house.clock.forward(days=89)
    keep_house(house.app.parts)
    with house.app.store.read() as tx:
        assert tx.issues.rendering(edition).subject
    house.clock.now += timedelta(days=700)
    assert "1 texts of old letters" in keep_house(house.app.parts)
    with house.app.store.read() as tx:
        assert tx.audit.list() == []
        with pytest.raises(NotFound):
            tx.issues.rendering(edition)
    with pytest.raises(Conflict, match="keep_letters_days"):
        issue_desk.retry(house.app.store, "weekly-1", now=house.clock())
    assert house.issues()[0].state is IssueState.FINISHED
    assert house.deliveries(house.issues()[0])[1].state is DeliveryState.ACCEPTED
