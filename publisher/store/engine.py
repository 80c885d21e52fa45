"""Opens SQLite and PostgreSQL the same way and translates their errors. Floor: store.

This is the one place where a database error becomes ours. A broken rule of the schema (IntegrityError) or wrong SQL
(ProgrammingError) is a bug and stays what it is; rights that are missing come as the latter, and are none.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import conninfo
from sqlalchemy import event, exc

from publisher.errors import StoreBusy, StoreError, StoreOutdated

LOCK_WAIT_S: float = 5
"""How long a transaction waits for another one, in seconds, before it is StoreBusy."""

_BEGIN = "publisher_begin"
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLITE_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and try again",
    sqlite3.SQLITE_READONLY: "the database file is read-only; give this user the right to write it and its folder",
    sqlite3.SQLITE_PERM: "no permission for the database file; check its owner and rights",
    sqlite3.SQLITE_CANTOPEN: "the database file cannot be opened; check that store.url names a file in a folder "
    "that this user may write",
    sqlite3.SQLITE_NOTADB: "the file that store.url names is not a SQLite database; name another one",
    sqlite3.SQLITE_CORRUPT: "the database file is damaged; stop the program and restore the last backup",
    sqlite3.SQLITE_IOERR: "the disk reported an error or is full; check it and try again",
}
# SQLSTATE codes (PostgreSQL, appendix A): waited too long, deadlock, serialisation
_PG_BUSY = {"55P03", "40P01", "40001"}
_PG_CANCELLED = "57014"
_PG_UNDEFINED_TABLE = "42P01"
_PG_READ_ONLY = "25006"
_PG_NO_PRIVILEGE = "42501"
_PG_NOT_SUPPORTED = "0A000"
_PG_NOTHING_LEFT = "53"
_PG_REFUSES = re.compile(
    r"FATAL: .*(authentication failed|does not exist|pg_hba\.conf|not permitted to log in|permission denied)"
    r"|no password supplied"
)
_PG_FULL = re.compile(r"FATAL: .*(too many (clients|connections)|connection slots are reserved)")
_PG_PATIENCE = {
    "connect_timeout": 10,  # seconds, as the next two
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}
"""How long a machine that does not answer is waited for, in libpq's words: else it is minutes for a new connection, and
two hours for one that there is. Those that store.url has itself come first."""
_PG_ENCODINGS = {"UTF8", "SQL_ASCII"}
"""Those in which every character can be kept; SQL_ASCII is none at all, the bytes stay as they come."""


def open_engine(url: str) -> sa.Engine:
    """An engine for `url` (``sqlite:////absolute/path`` or ``postgresql://...``); makes SQLite's folder.

    Opens no connection yet. Raises StoreError when the URL cannot be read or the folder cannot be made.
    """
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError as error:
        raise StoreError(
            "store.url cannot be read; use sqlite:///path or postgresql://user@host/name"
        ) from error.with_traceback(None)
    except ValueError:
        raise StoreError(
            "store.url cannot be read: its port is no number; in a user or password write %40 for @, %3A for : and "
            "%2F for /"
        ) from None  # it quotes what it took for the port, which may be a part of the password
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed)
    # psycopg 3, whatever default driver the library has for the bare name
    return _open_postgresql(parsed.set(drivername="postgresql+psycopg"))


def _open_sqlite(url: sa.URL) -> sa.Engine:
    if url.database:
        folder = Path(url.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the database's folder {folder} cannot be made: {error.strerror}") from error
    engine = sa.create_engine(url, connect_args={"timeout": LOCK_WAIT_S})

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver shall never begin or commit on its own
        for pragma in (
            f"busy_timeout = {int(LOCK_WAIT_S * 1000)}",  # milliseconds
            "journal_mode = WAL",  # readers never wait for the writer
            "synchronous = FULL",  # what is committed survives a power cut: letters depend on it
            "foreign_keys = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # the driver's own cursor: it costs a third, and some begin a thousand transactions a second
        connection.connection.cursor().execute(connection.get_execution_options().get(_BEGIN, "BEGIN"))

    return engine


def _open_postgresql(url: sa.URL) -> sa.Engine:
    patience = {name: value for name, value in _PG_PATIENCE.items() if name not in url.query}
    try:
        engine = sa.create_engine(url, pool_pre_ping=True, connect_args={"client_encoding": "UTF8", **patience})
        _, given = engine.dialect.create_connect_args(url)
        given.pop("context", None)  # SQLAlchemy's own; all others are for libpq
        conninfo.make_conninfo(**given)  # else the first connection would tell, as wrong SQL does
        conninfo.timeout_from_conninfo(dict(given))
    except (exc.ArgumentError, psycopg.ProgrammingError) as error:
        raise StoreError(f"store.url cannot be read: {str(error).strip()}") from error

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding not in _PG_ENCODINGS:
            connection.close()
            raise StoreError(
                f"the database keeps texts in {encoding}, which lacks most characters; make the database with "
                "ENCODING 'UTF8' (pg_dump and psql move what is in this one)"
            )
        connection.execute(f"SET lock_timeout = '{int(LOCK_WAIT_S * 1000)}ms'")
        connection.commit()

    return engine


def writer(engine: sa.Engine) -> sa.Engine:
    """The same pool; transactions take the write lock at once, so that none has to give up half-way."""
    return engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})


def reader(engine: sa.Engine) -> sa.Engine:
    """The same pool; a transaction sees one moment of the database from its first statement to its last."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


@contextmanager
def translated() -> Iterator[None]:
    """Database errors of the block become StoreBusy, StoreOutdated or StoreError; texts carry no SQL and no data."""
    try:
        yield
    except exc.TimeoutError as error:
        raise StoreBusy("every database connection of this process is in use; try again") from error
    except exc.DBAPIError as error:
        ours = _translation(error)
        if ours is None:
            raise
        raise ours from error.orig
    except sqlite3.Error as error:  # from the pragmas of a new connection
        ours = _of_sqlite(error)
        if ours is None:
            raise
        raise ours from error


def _translation(error: exc.DBAPIError) -> StoreError | None:
    cause = error.orig
    return _of_sqlite(cause) if isinstance(cause, sqlite3.Error) else _of_postgresql(error)


def _of_sqlite(cause: sqlite3.Error) -> StoreError | None:
    code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest tells details of the same kind
    if code in _BUSY:
        return StoreBusy(f"the database is locked by another process for more than {LOCK_WAIT_S:g} s; try again")
    if code in _SQLITE_ADVICE:
        return StoreError(_SQLITE_ADVICE[code])
    if str(cause).startswith("no such table"):
        return _no_table()
    return None


def _of_postgresql(error: exc.DBAPIError) -> StoreError | None:
    state = getattr(error.orig, "sqlstate", None)
    if state in _PG_BUSY:
        return StoreBusy(f"the database is locked by another transaction for more than {LOCK_WAIT_S:g} s; try again")
    if state == _PG_CANCELLED:
        return StoreBusy(
            "the database server stopped a statement that took too long (statement_timeout) or that its operator "
            "cancelled; try again, or give this user more time"
        )
    if state == _PG_UNDEFINED_TABLE:
        return _no_table()
    if state == _PG_READ_ONLY or (state == _PG_NOT_SUPPORTED and _of_a_setting(error.orig)):
        return StoreError("the database is read-only; is store.url a standby? name the server that takes writes")
    if state == _PG_NO_PRIVILEGE:
        return StoreError(
            "the database server does not let this user make or use tables there; make the user of store.url the owner "
            "of the database, or grant it the rights"
        )
    if isinstance(error, exc.OperationalError | exc.InterfaceError):
        return _of_no_server(state, str(error.orig))
    return None


def _of_no_server(state: str | None, said: str) -> StoreError:
    """`said`: what libpq tells of a connection that was refused, for which there is no SQLSTATE. It is in the server's
    language: where that is not English, it is the last of these."""
    if _PG_REFUSES.search(said):
        return StoreError("the database server refuses this user, password or database name; check store.url")
    if (state or "").startswith(_PG_NOTHING_LEFT) or _PG_FULL.search(said):
        return StoreError("the database server has no disk, memory or connection left; see its log")
    return StoreError(
        "the database server cannot be reached, or lets us not in; check that it runs and store.url names it, and see "
        "its log"
    )


def _of_a_setting(cause: Any) -> bool:
    """Whether it is a setting that the server does not support now. A standby says so of a transaction that may write,
    in the server's language: where its source says it is the same everywhere."""
    return bool(cause.diag.source_file == "guc.c")


def _no_table() -> StoreOutdated:
    return StoreOutdated("the database has not been set up for this program; run `publisher db upgrade`")
