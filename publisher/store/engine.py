"""Opens SQLite and PostgreSQL the same way and translates their errors. Floor: store.

This is the one place where a database error becomes ours. A broken rule of the schema (IntegrityError) or wrong SQL
(ProgrammingError) is a bug and stays what it is; rights that are missing come as the latter, and are none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy import exc

from publisher.errors import StoreBusy, StoreError
from publisher.store import engine_sqlite
from publisher.store.engine_sqlite import BEGIN

LOCK_WAIT_S: float = 5
"""How long a transaction waits for another one, in seconds, before it is StoreBusy."""


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
        return engine_sqlite.open_engine(parsed, LOCK_WAIT_S)
    from publisher.store import engine_postgresql  # noqa: PLC0415  (late: most sites have no server, and no driver to load)

    return engine_postgresql.open_engine(parsed, LOCK_WAIT_S)


def writer(engine: sa.Engine) -> sa.Engine:
    """The same pool; transactions take the write lock at once, so that none has to give up half-way."""
    return engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})


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
        ours = engine_sqlite.translation(error, LOCK_WAIT_S)
        if ours is None:
            raise
        raise ours from error


def _translation(error: exc.DBAPIError) -> StoreError | None:
    if isinstance(error.orig, sqlite3.Error):
        return engine_sqlite.translation(error.orig, LOCK_WAIT_S)
    from publisher.store import engine_postgresql  # noqa: PLC0415  (as above)

    return engine_postgresql.translation(error, LOCK_WAIT_S)
