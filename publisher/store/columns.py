"""Column types that are the same on SQLite and PostgreSQL. Floor: store.

What goes in and comes out are the model's values: aware UTC times, enums, tuples of slugs, plain JSON values.
"""

# ruff: noqa: ARG002 - SQLAlchemy hands a dialect to each conversion
from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from publisher.clock import whole_seconds

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

IN_LIST = 5000
"""Values in one IN list or one batch of rows: SQLite allows 32,766 parameters, PostgreSQL 65,535."""

Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""64 bits on both: SQLite's INTEGER is, and only under that name does it number rows by itself."""

Name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Keys, slugs, paths: compared byte by byte, so that a prefix is a range of the index in any locale."""


_SQLITE_TIME: sa.DateTime = sqlite.DATETIME(truncate_microseconds=True)  # type: ignore[no-untyped-call]


class UtcTime(sa.types.TypeDecorator[datetime]):
    """Aware UTC in whole seconds; a naive time is a bug (ValueError). SQLite keeps it as readable text."""

    impl = sa.DateTime(timezone=True).with_variant(_SQLITE_TIME, "sqlite")
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else whole_seconds(value)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Word(sa.types.TypeDecorator[E], Generic[E]):
    """One word of an enum of the model, kept as its text."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, words: type[E]) -> None:
        self.words = words
        super().__init__()

    def process_bind_param(self, value: E | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> E | None:
        return None if value is None else self.words(value)


class Slugs(sa.types.TypeDecorator[tuple[str, ...]]):
    """A tuple of slugs, kept as a JSON array; an empty tuple is not the same as none."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else json.dumps(list(value))

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> tuple[str, ...] | None:
        return None if value is None else tuple(json.loads(value))


class Report(sa.types.TypeDecorator[dict[str, Any]]):
    """What a run or an issue reports: an object of plain JSON values, keys in the order they were given."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> dict[str, Any] | None:
        return None if value is None else json.loads(value)


def storable(text: str) -> bool:
    """Whether both databases can keep `text`: no NUL and no half of a surrogate pair, as a command line may hold."""
    return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text)


def batches(items: Iterable[T], size: int = IN_LIST) -> Iterator[Sequence[T]]:
    """`items` in their order, in lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
