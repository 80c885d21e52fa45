"""Opens SQLite, and says its errors in our words. Floor: store."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from publisher.errors import StoreBusy, StoreError, StoreOutdated

BEGIN = "publisher_begin"
"""The option of a connection that says how its transactions begin."""

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


def open_engine(url: sa.URL, wait_s: float) -> sa.Engine:
    """An engine whose transactions wait for others `wait_s` seconds at most; makes the folder. Opens no connection yet.
    Raises StoreError when the folder cannot be made."""
    if url.database:
        folder = Path(url.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the database's folder {folder} cannot be made: {error.strerror}") from error
    engine = sa.create_engine(url, connect_args={"timeout": wait_s})

    @event.listens_for(engine, "do_connect")
    def _make(_dialect: sa.Dialect, _record: object, arguments: list[Any], _options: object) -> None:
        """A new file is for its owner only: it has the addresses of readers. SQLite gives its log the same rights."""
        if url.database:
            with suppress(OSError):  # it is there, or SQLite says why it cannot be
                os.close(os.open(arguments[0], os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver shall never begin or commit on its own
        for pragma in (
            f"busy_timeout = {int(wait_s * 1000)}",  # milliseconds
            "journal_mode = WAL",  # readers never wait for the writer
            "synchronous = FULL",  # what is committed survives a power cut: letters depend on it
            "foreign_keys = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # the driver's own cursor: it costs a third, and some begin a thousand transactions a second
        connection.connection.cursor().execute(connection.get_execution_options().get(BEGIN, "BEGIN"))

    return engine


def translation(cause: sqlite3.Error, wait_s: float) -> StoreError | None:
    """Ours for this error, None if it is a bug; see `engine.translated`."""
    code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest tells details of the same kind
    if code in _BUSY:
        return StoreBusy(f"the database is locked by another process for more than {wait_s:g} s; try again")
    if code in _SQLITE_ADVICE:
        return StoreError(_SQLITE_ADVICE[code])
    if str(cause).startswith("no such table"):
        return StoreOutdated.not_set_up()
    return None
