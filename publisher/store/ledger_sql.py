"""The statements that run for every letter, in the driver's own way, for each database. Floor: store.

What they have in common; `ledger_sqlite` and `ledger_postgresql` have the statements. Both do the same, and the same
tests hold both to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, Protocol

import sqlalchemy as sa

from publisher.model import PENDING_STATES, DeliveryState, IssueState, SubscriberState
from publisher.store.columns import UtcTime

WORDS = {state: state.value for state in DeliveryState}
"""The states as the database keeps them; an enum's own `value` costs more than a look at this."""

ACCEPTED = WORDS[DeliveryState.ACCEPTED]

ON_THE_WAY = (*sorted(PENDING_STATES), DeliveryState.UNCERTAIN)
"""A letter in one of these reaches its reader, or may have."""


class Key(NamedTuple):
    """What names a delivery, and its place in the order in which letters are looked up."""

    issue_id: int
    subscriber_id: int


class Job(NamedTuple):
    """A letter that is due: it waits in `state`, and `attempts` counts the one to come. `fit` is false where nothing
    may be sent any more: its reader left, or a later letter covered it."""

    key: Key
    edition_id: int | None
    state: DeliveryState
    attempts: int
    email: str
    fit: bool

    @property
    def issue_id(self) -> int:
        return self.key.issue_id

    @property
    def subscriber_id(self) -> int:
        return self.key.subscriber_id

    def __repr__(self) -> str:
        return f"Job({self.key}, {self.state}, attempts={self.attempts})"  # no address


class Outcome(NamedTuple):
    """How a claimed delivery ended, or that it is to be tried again at `next_attempt`. No addresses in `reply`."""

    key: Key
    state: DeliveryState
    reply: str = ""
    reason: str = ""
    next_attempt: datetime | None = None


class LedgerSql(Protocol):
    """Each gives the keys of the rows that changed."""

    def time(self, moment: datetime | None) -> object:
        """`moment` as the driver takes it."""
        ...

    def plan(self, issue_id: int, rows: Sequence[tuple[int, int | None, str, str]], now: object) -> None:
        """A new row of the issue for each: reader, edition, state and reason."""
        ...

    def claim(self, jobs: Sequence[Job], now: object, until: object) -> set[Key]:
        """Each that waits in its job's state: `handing over` if its reader may still get it."""
        ...

    def record(self, outcomes: Sequence[Outcome], now: object) -> set[Key]:
        """Of those that are `handing over`. Whose letter was accepted has everything up to its issue's last filing."""
        ...

    def exchange(self, outcomes: Sequence[Outcome], jobs: Sequence[Job], now: object, until: object) -> set[Key]:
        """`record`, then `claim`, in a transaction of its own and on the shortest way. Only while no other is open on
        this connection. Gives what was claimed."""
        ...


class AtServer(ABC):
    """The exchange with a server that may take its time: begun, and answered on a socket, so that nobody stands by."""

    @abstractmethod
    def begin(self, outcomes: Sequence[Outcome], jobs: Sequence[Job], now: object, until: object) -> int:
        """Begin an `exchange`. Gives the socket on which its answer comes; this connection is of no other use before
        that."""

    @abstractmethod
    def answer(self) -> set[Key] | None:
        """What the exchange that was begun gives; None as long as the server is at work. Raises its errors."""


MAY_GET_IT = f"""
    EXISTS (SELECT 1 FROM issues, subscribers WHERE issues.id = {{issue}} AND issues.state = '{IssueState.SENDING}'
        AND subscribers.id = {{reader}} AND subscribers.state = '{SubscriberState.ACTIVE}'
        AND subscribers.watermark < issues.upto_seq)
    AND NOT EXISTS (SELECT 1 FROM deliveries AS newer WHERE newer.subscriber_id = {{reader}}
        AND newer.issue_id > {{issue}} AND newer.state IN ({", ".join(f"'{state}'" for state in ON_THE_WAY)}))
"""  # noqa: S608  (the words are our own enums)
HELD = f"state = '{DeliveryState.HANDING_OVER}'"
NOW_HELD = f"claimed_from = deliveries.state, {HELD}, attempts = attempts + 1"
NOT_HELD = "claimed_from = NULL, claim_until = NULL"


def ledger_sql(connection: sa.Connection) -> LedgerSql:
    if connection.dialect.name == "sqlite":
        from publisher.store.ledger_sqlite import SqliteSql  # noqa: PLC0415  (it is built on this module)

        return SqliteSql(connection)
    from publisher.store.ledger_postgresql import PostgresqlSql  # noqa: PLC0415  (late: most sites have no server)

    return PostgresqlSql(connection)


@lru_cache(maxsize=8)
def time_converter(dialect: sa.Dialect) -> Callable[[datetime | None], object]:
    convert = UtcTime().dialect_impl(dialect).bind_processor(dialect) or (lambda moment: moment)
    return lru_cache(maxsize=64)(convert)  # a thousand letters a second have the same time


@contextmanager
def driver_errors(connection: sa.Connection) -> Iterator[None]:
    """Errors of the driver become SQLAlchemy's, as everywhere; a connection that is lost is known to be."""
    dialect = connection.dialect
    assert dialect.dbapi is not None
    try:
        yield
    except dialect.dbapi.Error as error:
        if not connection.invalidated and dialect.is_disconnect(error, connection.connection.dbapi_connection, None):
            connection.invalidate(error)  # else its end would be told to the log, as a failure to undo
        raise sa.exc.DBAPIError.instance("", None, error, dialect.dbapi.Error, dialect=dialect) from error
