from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from store_samples import NOW, add_issue, filing, new

from publisher.errors import StoreBusy, StoreError, StoreOutdated
from publisher.store import INSTALLED_AT, Store, engine
from publisher.store.schema import HEAD, metadata


def test_a_new_sqlite_store_makes_its_folder_and_is_set_up_once(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/deep/down/publisher.db")
    assert store.is_new()
    store.upgrade(NOW)
    assert not store.is_new()
    store.check()
    store.upgrade(NOW.replace(year=2030))
    with store.read() as tx:
        assert tx.meta.get(INSTALLED_AT) == NOW.isoformat()


def test_a_new_sqlite_store_is_for_its_owner_only(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/publisher.db")
    store.upgrade(NOW)
    with store.write() as tx:
        tx.meta.set("who", "reads it")
        files = sorted(tmp_path.iterdir())
        assert [path.name for path in files] == ["publisher.db", "publisher.db-shm", "publisher.db-wal"]
        assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_head_is_the_newest_migration() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    from publisher.store.migrations import FOLDER

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_the_migrations_add_up_to_the_schema(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with store._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        existing = set(sa.inspect(connection).get_table_names())
    assert existing == {*metadata.tables, "alembic_version"}


def test_postgresql_has_the_partial_indexes_too_and_room_beside_rows_that_change_often(postgresql_url: str) -> None:
    store = Store(postgresql_url)
    partial = {
        index.name
        for table in metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    }
    with store._engine.connect() as connection:
        indexes = "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexdef LIKE '% WHERE %'"
        assert partial == set(connection.scalars(sa.text(indexes)))
        room = "SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL AND relkind = 'r'"
        room += " AND relnamespace = current_schema()::regnamespace"
        found = {row.relname: row.reloptions for row in connection.execute(sa.text(room))}
    assert found == {"deliveries": ["fillfactor=70"], "subscribers": ["fillfactor=80"]}


def test_sqlite_tables_are_the_same_whether_migrated_or_created(sqlite_store: Store) -> None:
    def indexes(engine: sa.Engine) -> list[tuple[str, str]]:
        with engine.connect() as connection:
            query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
            return [(name, " ".join(sql.split())) for name, sql in connection.execute(sa.text(query))]

    created = sa.create_engine("sqlite://")
    metadata.create_all(created)
    assert indexes(sqlite_store._engine) == indexes(created)  # compare_metadata does not look at their WHERE


@pytest.mark.parametrize(("revision", "advice"), [("0000", "publisher db upgrade"), ("9999", "newer version")])
def test_another_schema_than_ours_is_refused_with_advice(store: Store, revision: str, advice: str) -> None:
    store.check()
    change = sa.text("UPDATE alembic_version SET version_num = :revision")
    with store._engine.begin() as connection:
        connection.execute(change, {"revision": revision})
    try:
        with pytest.raises(StoreOutdated, match=advice):
            store.check()
    finally:
        with store._engine.begin() as connection:
            connection.execute(change, {"revision": HEAD})


def test_a_database_without_tables_is_outdated_until_it_is_upgraded(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/publisher.db")
    with pytest.raises(StoreOutdated, match="publisher db upgrade"):
        store.check()
    with pytest.raises(StoreOutdated, match="publisher db upgrade"), store.read() as tx:
        tx.articles.count()


def test_a_database_that_lacks_a_table_is_not_called_up_to_date(sqlite_store: Store) -> None:
    """The first migration was edited before there was a release: one of that time has its number, not its tables."""
    with sqlite_store._engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE source_files"))
    with pytest.raises(StoreOutdated, match="tables are missing"):
        sqlite_store.upgrade(NOW)


def test_opening_and_checking_takes_no_alembic(sqlite_url: str) -> None:
    program = f"""
import sys
from publisher.store import Store
Store({sqlite_url!r}).check()
print("alembic" in sys.modules)
"""
    alembic = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    assert alembic == "False"


def test_sqlite_runs_with_the_settings_that_keep_letters_safe(sqlite_store: Store) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    with sqlite_store._engine.connect() as connection:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in wanted}
    assert found == wanted


def test_a_block_that_raises_changes_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.write() as tx:
        tx.articles.add([new(1)])
        tx.filings.add([filing(1)])
        raise RuntimeError
    with store.read() as tx:
        assert (tx.articles.count(), tx.filings.last_seq()) == (0, 0)


def test_a_reader_sees_one_moment_while_others_write(store: Store) -> None:
    with store.read() as tx:
        assert tx.articles.count() == 0
        with store.write() as other:
            other.articles.add([new(1)])
        assert tx.articles.count() == 0
    with store.read() as tx:
        assert tx.articles.count() == 1


def test_a_locked_sqlite_is_busy_and_says_so_without_sql(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "LOCK_WAIT_S", 0.05)
    store = Store(sqlite_url)
    blocker = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with store.read() as tx:
        assert tx.articles.count() == 0  # readers do not wait for the writer
    with pytest.raises(StoreBusy, match="locked by another process") as caught, store.write() as tx:
        tx.meta.set("name", "value")
    assert "BEGIN" not in str(caught.value)
    assert isinstance(caught.value, TimeoutError)
    blocker.execute("ROLLBACK")
    blocker.close()
    with store.write() as tx:
        tx.meta.set("name", "value")


def test_a_file_that_is_no_database_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "publisher.db"
    path.write_text("Dear reader, this is a letter and not a database. " * 50)
    with pytest.raises(StoreError, match="not a SQLite database"):
        Store(f"sqlite:///{path}").check()


def test_a_folder_in_the_place_of_the_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "publisher.db").mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(f"sqlite:///{tmp_path}/publisher.db").check()


def test_a_file_where_the_folder_should_be_is_explained(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        Store(f"sqlite:///{tmp_path}/data/publisher.db")


def test_an_address_that_cannot_be_read_is_explained() -> None:
    with pytest.raises(StoreError, match=r"store\.url"):
        Store("not an address")


def test_a_broken_rule_of_the_schema_stays_a_bug(store: Store) -> None:
    with pytest.raises(IntegrityError), store.write() as tx:
        tx.articles.add([new(1)])
        add_issue(tx, 1, upto_seq=5)
        add_issue(tx, 1, upto_seq=5)


def test_a_time_without_a_zone_stays_a_bug(store: Store) -> None:
    with pytest.raises((ValueError, sa.exc.StatementError), match="without a zone"), store.write() as tx:
        tx.articles.add([new(1, published=datetime(2026, 1, 1))])  # noqa: DTZ001


def test_a_process_killed_in_mid_transaction_leaves_a_whole_database(store_url: str, tmp_path: Path) -> None:
    started = tmp_path / "started"
    program = f"""
import pathlib, sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from store_samples import filing, new
from publisher.store import Store
store = Store({store_url!r})
with store.write() as tx:
    tx.articles.add([new(n) for n in range(1, 500)])
    tx.filings.add([filing(n) for n in range(1, 500)])
with store.write() as tx:
    tx.articles.add([new(n) for n in range(500, 1000)])
    tx.filings.add([filing(n) for n in range(500, 1000)])
    pathlib.Path({str(started)!r}).touch()
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", program])
    deadline = time.monotonic() + 30
    while not started.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert started.exists()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    store = Store(store_url)
    store.check()
    with store.read() as tx:
        assert (tx.articles.count(), tx.filings.last_seq(), tx.articles.last_stamp()) == (499, 499, 499)
    with store.write() as tx:
        tx.articles.add([new(500)])
        assert tx.filings.add([filing(500)])[0].seq == 500
    if store_url.startswith("sqlite"):
        with store._engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    store.close()
