"""Opens PostgreSQL by psycopg 3, and says its errors in our words. Floor: store.

Loaded for a site that has such a server, for most have none.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import conninfo
from sqlalchemy import event, exc

from publisher.errors import StoreBusy, StoreError, StoreOutdated

# SQLSTATE codes (PostgreSQL, appendix A): waited too long, deadlock, serialisation
_BUSY = {"55P03", "40P01", "40001"}
_CANCELLED = "57014"
_UNDEFINED_TABLE = "42P01"
_READ_ONLY = "25006"
_NO_PRIVILEGE = "42501"
_NOT_SUPPORTED = "0A000"
_NOTHING_LEFT = "53"
_REFUSES = re.compile(
    r"FATAL: .*(authentication failed|does not exist|pg_hba\.conf|not permitted to log in|permission denied)"
    r"|no password supplied"
)
_FULL = re.compile(r"FATAL: .*(too many (clients|connections)|connection slots are reserved)")
_PATIENCE = {
    "connect_timeout": 10,  # seconds, as the next two
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}
"""How long a machine that does not answer is waited for, in libpq's words: else it is minutes for a new connection, and
two hours for one that there is. Those that store.url has itself come first."""
_ENCODINGS = {"UTF8", "SQL_ASCII"}
"""Those in which every character can be kept; SQL_ASCII is none at all, the bytes stay as they come."""


def open_engine(url: sa.URL, wait_s: float) -> sa.Engine:
    """An engine whose transactions wait for others `wait_s` seconds at most. Opens no connection yet. Raises
    StoreError when libpq cannot read the URL."""
    url = url.set(drivername="postgresql+psycopg")  # whatever default driver the library has for the bare name
    patience = {name: value for name, value in _PATIENCE.items() if name not in url.query}
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
        if encoding not in _ENCODINGS:
            connection.close()
            raise StoreError(
                f"the database keeps texts in {encoding}, which lacks most characters; make the database with "
                "ENCODING 'UTF8' (pg_dump and psql move what is in this one)"
            )
        connection.execute(f"SET lock_timeout = '{int(wait_s * 1000)}ms'")
        connection.commit()

    return engine


def translation(error: exc.DBAPIError, wait_s: float) -> StoreError | None:
    """Ours for this error, None if it is a bug; see `engine.translated`."""
    state = getattr(error.orig, "sqlstate", None)
    if state in _BUSY:
        return StoreBusy(f"the database is locked by another transaction for more than {wait_s:g} s; try again")
    if state == _CANCELLED:
        return StoreBusy(
            "the database server stopped a statement that took too long (statement_timeout) or that its operator "
            "cancelled; try again, or give this user more time"
        )
    if state == _UNDEFINED_TABLE:
        return StoreOutdated.not_set_up()
    if state == _READ_ONLY or (state == _NOT_SUPPORTED and _of_a_setting(error.orig)):
        return StoreError("the database is read-only; is store.url a standby? name the server that takes writes")
    if state == _NO_PRIVILEGE:
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
    if _REFUSES.search(said):
        return StoreError("the database server refuses this user, password or database name; check store.url")
    if (state or "").startswith(_NOTHING_LEFT) or _FULL.search(said):
        return StoreError("the database server has no disk, memory or connection left; see its log")
    return StoreError(
        "the database server cannot be reached, or lets us not in; check that it runs and store.url names it, and see "
        "its log"
    )


def _of_a_setting(cause: Any) -> bool:
    """Whether it is a setting that the server does not support now. A standby says so of a transaction that may write,
    in the server's language: where its source says it is the same everywhere."""
    return bool(cause.diag.source_file == "guc.c")
