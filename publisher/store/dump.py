"""The whole database as plain values, and back, onto either database. Floor: store.

What is read is one moment of the database, however long it takes and whoever writes meanwhile. What is written carries
the version it was read at: it is loaded into the tables of that version, which are then brought up to date.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from publisher.store import migrations
from publisher.store.columns import UtcTime, batches
from publisher.store.schema import metadata

Value = str | int | float | bool | None
ROWS = 1000
"""Rows read or written at once."""
_REVISIONS = "alembic_version"


@dataclass(frozen=True, slots=True)
class Column:
    """`kind`: time (RFC 3339, UTC), flag (true or false), or plain (as the database keeps it)."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Table:
    """`last`: the highest number that was ever given to a row, None where rows are not numbered."""

    name: str
    columns: Sequence[Column]
    last: int | None


def tables(connection: sa.Connection) -> Iterator[tuple[Table, Iterator[list[Value]]]]:
    """Every table with its rows; a table after those it refers to. Read each table's rows before the next one."""
    for table in metadata.sorted_tables:
        columns = [Column(column.name, _kind(column.type)) for column in table.columns]
        yield Table(table.name, columns, _last(connection, table)), _rows(connection, table, columns)


def load(connection: sa.Connection, dumped: Iterable[tuple[Table, Iterable[Sequence[Value]]]], revision: str) -> None:
    """Make the database what was dumped at `revision`, in the transaction of `connection`; what was in it is gone."""
    known = {*metadata.tables, _REVISIONS}
    found = sa.MetaData()
    found.reflect(connection, only=lambda name, _: name in known, resolve_fks=False)
    found.drop_all(connection)
    migrations.upgrade(connection, revision)
    made = sa.inspect(connection).get_table_names()
    for name in reversed([table.name for table in metadata.sorted_tables if table.name in made]):
        connection.execute(sa.delete(sa.table(name)))  # counters are born with rows
    for table, rows in dumped:
        _fill(connection, table, rows)


def _fill(connection: sa.Connection, table: Table, rows: Iterable[Sequence[Value]]) -> None:
    columns = [sa.column(column.name, _type(column.kind)) for column in table.columns]
    statement = sa.insert(sa.table(table.name, *columns))
    for batch in batches(rows, ROWS):
        connection.execute(statement, [_decoded(table.columns, row) for row in batch])
    if table.last is not None:
        _go_on_after(connection, table.name, table.last)


def _kind(kind: sa.types.TypeEngine[Any]) -> str:
    if isinstance(kind, UtcTime):
        return "time"
    return "flag" if isinstance(kind, sa.Boolean) else "plain"


def _type(kind: str) -> sa.types.TypeEngine[Any]:
    if kind == "time":
        return UtcTime()
    return sa.Boolean() if kind == "flag" else sa.types.NullType()


def _rows(connection: sa.Connection, table: sa.Table, columns: Sequence[Column]) -> Iterator[list[Value]]:
    raw = sa.table(table.name, *[sa.column(column.name, _type(column.kind)) for column in columns])
    query = sa.select(*[raw.c[column.name] for column in columns])
    query = query.order_by(*[raw.c[column.name] for column in table.primary_key])
    for row in connection.execution_options(stream_results=True, yield_per=ROWS).execute(query):
        yield [_encoded(value) for value in row]


def _encoded(value: Any) -> Value:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def _decoded(columns: Sequence[Column], row: Sequence[Value]) -> dict[str, object]:
    return {
        column.name: datetime.fromisoformat(str(value)).astimezone(UTC)
        if column.kind == "time" and value is not None
        else value
        for column, value in zip(columns, row, strict=True)
    }


# --- numbers of rows: one that was given once is never given again, for links in letters name it -------------------


def _last(connection: sa.Connection, table: sa.Table) -> int | None:
    if not table.dialect_options["sqlite"]["autoincrement"]:
        return None
    if connection.dialect.name == "sqlite":
        query = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        return connection.execute(query, {"name": table.name}).scalar() or 0
    sequence = connection.execute(sa.select(sa.func.pg_get_serial_sequence(table.name, "id"))).scalar_one()
    query = sa.text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}")  # noqa: S608  (ours)
    return int(connection.execute(query).scalar_one())


def _go_on_after(connection: sa.Connection, name: str, last: int) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
        connection.execute(sa.text("INSERT INTO sqlite_sequence VALUES (:name, :last)"), {"name": name, "last": last})
    elif last:
        connection.execute(sa.select(sa.func.setval(sa.func.pg_get_serial_sequence(name, "id"), last)))
