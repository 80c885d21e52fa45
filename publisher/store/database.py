"""The door to the database: `Store` opens it, `Transaction` is one visit. Floor: store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from publisher.errors import StoreOutdated
from publisher.store import dump, migrations
from publisher.store import engine as engines
from publisher.store.address_changes import AddressChanges
from publisher.store.api_tokens import ApiTokens
from publisher.store.archives import Archives
from publisher.store.articles import Articles
from publisher.store.audit import Audit
from publisher.store.bounces import Bounces
from publisher.store.circuits import Circuits
from publisher.store.deliveries import Deliveries
from publisher.store.departures import Departures
from publisher.store.documents import Documents
from publisher.store.feed_versions import FeedVersions
from publisher.store.feeds import Feeds
from publisher.store.filings import Filings
from publisher.store.gate import Gate
from publisher.store.helpers import Helpers
from publisher.store.hub import Hub
from publisher.store.issues import Issues
from publisher.store.jobs import Jobs
from publisher.store.ledger_sql import Job, Key, Outcome
from publisher.store.meta import INSTALLED_AT, Meta
from publisher.store.migrations import Step
from publisher.store.operators import Operators
from publisher.store.overview import Overview
from publisher.store.rates import Rates
from publisher.store.renames import Renames
from publisher.store.run_requests import RunRequests
from publisher.store.runs import Runs
from publisher.store.schema import HEAD, metadata
from publisher.store.service_letters import ServiceLetters
from publisher.store.sign_ups import Consents, SignUps
from publisher.store.source_files import SourceFiles
from publisher.store.subscribers import Subscribers
from publisher.store.timetables import Timetables

_REVISION = sa.table("alembic_version", sa.column("version_num", sa.Text))


@dataclass(frozen=True, slots=True)
class Transaction:
    """All of it happens or nothing; the rooms of the store as attributes. Of no use once its block has ended."""

    articles: Articles
    filings: Filings
    departures: Departures
    feeds: Feeds
    archives: Archives
    renames: Renames
    source_files: SourceFiles
    documents: Documents
    feed_versions: FeedVersions
    subscribers: Subscribers
    address_changes: AddressChanges
    sign_ups: SignUps
    consents: Consents
    gate: Gate
    service_letters: ServiceLetters
    issues: Issues
    deliveries: Deliveries
    bounces: Bounces
    rates: Rates
    circuits: Circuits
    runs: Runs
    run_requests: RunRequests
    helpers: Helpers
    jobs: Jobs
    timetables: Timetables
    hub: Hub
    operators: Operators
    api_tokens: ApiTokens
    audit: Audit
    overview: Overview
    meta: Meta


class Transactions(Protocol):
    """What flows need of a store: the `Store` itself, or a `Trial` that will be undone."""

    def write(self) -> AbstractContextManager[Transaction]: ...

    def read(self) -> AbstractContextManager[Transaction]: ...


class Trial:
    """A store in which everything can be done for trial: it is one transaction, and it is undone at the end."""

    def __init__(self, connection: sa.Connection, transaction: Transaction) -> None:
        self._connection = connection
        self._transaction = transaction

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """As `Store.write`: what the block did is undone at once when it raises."""
        with self._connection.begin_nested():
            yield self._transaction

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        yield self._transaction


class HeldStore:
    """A store for one who writes a thousand times a second: the connection stays, so a transaction costs a third.

    It waits for nobody: while another process writes to SQLite, `write` is StoreBusy at once.
    """

    def __init__(self, connection: sa.Connection, transaction: Transaction) -> None:
        self._connection = connection
        self._transaction = transaction

    @property
    def at_hand(self) -> bool:
        """Whether a transaction takes no way to a server, only the disk: it may then be made in the event loop."""
        return self._connection.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """As `Store.write`, on this connection: by one thread at a time."""
        with engines.translated(), self._connection.begin():
            yield self._transaction

    def exchange(self, outcomes: Sequence[Outcome], jobs: Sequence[Job], now: datetime, until: datetime) -> set[Key]:
        """As `Deliveries.exchange`, by one thread at a time."""
        with engines.translated():
            return self._transaction.deliveries.exchange(outcomes, jobs, now, until)

    def begin_exchange(self, outcomes: Sequence[Outcome], jobs: Sequence[Job], now: datetime, until: datetime) -> int:
        """As `exchange`, of a store that is not at hand: it gives a socket and leaves the server at work, and `answer`
        tells how it went when that can be read. Nothing else is done on this connection meanwhile."""
        with engines.translated():
            return self._transaction.deliveries.begin_exchange(outcomes, jobs, now, until)

    def answer(self) -> set[Key] | None:
        """What the exchange that was begun gives; None as long as the server is at work."""
        with engines.translated():
            return self._transaction.deliveries.exchange_answer()


class Store:
    """A database, SQLite or PostgreSQL. One for the whole process; threads may share it.

    `url` names a file by its absolute path. `topic_order` is the order of the topics in what is returned.
    """

    def __init__(self, url: str, *, topic_order: Sequence[str] = ()) -> None:
        self._engine = engines.open_engine(url)
        self._writer = engines.writer(self._engine)
        self._reader = engines.reader(self._engine)
        self._rank = {slug: place for place, slug in enumerate(topic_order)}

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that may change things: committed at the end of the block, undone when the block raises.

        On SQLite one such block runs at a time over all processes. Raises StoreBusy, StoreOutdated, StoreError.
        """
        with engines.translated(), self._writer.begin() as connection:
            yield self._transaction(connection)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that only looks; it sees one moment of the database throughout. Raises as `write` does."""
        with engines.translated(), self._reader.begin() as connection:
            yield self._transaction(connection, writes=False)

    @contextmanager
    def held(self) -> Iterator[HeldStore]:
        """The store on a connection kept open while the block lasts; raises as `write` does."""
        with engines.translated(), self._writer.connect() as connection:
            connection.detach()  # it is made impatient, and must not go back among the others
            if connection.dialect.name == "sqlite":
                connection.connection.cursor().execute("PRAGMA busy_timeout = 0")
            yield HeldStore(connection, self._transaction(connection))

    @contextmanager
    def trial(self) -> Iterator[Trial]:
        """A store for trial: the block sees what it writes, and at its end nothing of it remains.

        On SQLite it keeps other writers waiting while it lasts.
        """
        with engines.translated(), self._writer.connect() as connection, connection.begin() as undo:
            try:
                yield Trial(connection, self._transaction(connection))
            finally:
                undo.rollback()

    @property
    def is_one_file(self) -> bool:
        """SQLite: whoever works on it has to be on the machine where the file is."""
        return self._engine.dialect.name == "sqlite"

    def is_new(self) -> bool:
        """Whether there is no table yet, so that `upgrade` is all it needs."""
        with engines.translated(), self._reader.begin() as connection:
            return not sa.inspect(connection).get_table_names()

    def check(self) -> None:
        """Raises StoreOutdated unless the schema is the one of this program."""
        with engines.translated(), self._reader.begin() as connection:
            revision = connection.execute(sa.select(_REVISION.c.version_num)).scalar_one_or_none()
        if revision is None or revision < HEAD:
            raise StoreOutdated(
                "the database is of an older version of this program; stop what works on it, keep a copy of it "
                "(docs/operating.md says how), then run `publisher db upgrade`"
            )
        _refuse_newer(revision)

    def damage(self) -> str:
        """What SQLite's own check of the file finds first, "" if nothing. A server looks after its own; raises as
        `write` does where it would take nothing."""
        if not self.is_one_file:
            with self.write() as tx:
                tx.meta.get(INSTALLED_AT)
            return ""
        with engines.translated(), self._reader.begin() as connection:
            found = str(connection.execute(sa.text("PRAGMA quick_check(1)")).scalar_one())
        return "" if found == "ok" else found.splitlines()[0]

    def upgrade(self, now: datetime) -> Sequence[Step]:
        """Create the schema or bring it up to date, all of it or nothing. Safe to repeat. Gives what was done. Raises
        StoreOutdated where the database is of a newer version than ours, or lacks a table of its own version."""
        with engines.translated(), self._writer.begin() as connection:
            if sa.inspect(connection).has_table(_REVISION.name):
                _refuse_newer(connection.execute(sa.select(_REVISION.c.version_num)).scalar_one_or_none())
            done = migrations.upgrade(connection)
            if not metadata.tables.keys() <= {*sa.inspect(connection).get_table_names()}:
                raise StoreOutdated(
                    "tables are missing from the database: it is of a time before the first release, from which no way "
                    "leads here, or somebody removed them; restore a backup, or begin with a new database"
                )
            facts = Meta(connection)
            if facts.get(INSTALLED_AT) is None:
                facts.set(INSTALLED_AT, now.isoformat())
        return done

    @contextmanager
    def dumped(self) -> Iterator[Iterator[tuple[dump.Table, Iterator[list[dump.Value]]]]]:
        """Every table with its rows, as of one moment, while others write on. Raises as `read` does."""
        with engines.translated(), self._reader.begin() as connection:
            yield dump.tables(connection)

    @contextmanager
    def replaced(
        self, dumped: Iterable[tuple[dump.Table, Iterable[Sequence[dump.Value]]]], *, revision: str
    ) -> Iterator[Transaction]:
        """A transaction in which the database has become what was dumped at `revision`, brought up to date; what was
        in it is gone when the block ends, and still there when it raises.

        Raises StoreOutdated for a newer version than ours, and as `write` does.
        """
        if revision > HEAD:
            raise StoreOutdated("the backup is of a newer version of this program; install that version")
        with engines.translated(), self._writer.begin() as connection:
            dump.load(connection, dumped, revision)
            migrations.upgrade(connection)
            yield self._transaction(connection)

    def close(self) -> None:
        """Give all connections back. The store opens new ones if it is used again."""
        self._engine.dispose()

    def _transaction(self, connection: sa.Connection, *, writes: bool = True) -> Transaction:
        return Transaction(
            articles=Articles(connection, self._rank),
            filings=Filings(connection),
            departures=Departures(connection),
            feeds=Feeds(connection),
            archives=Archives(connection),
            renames=Renames(connection),
            source_files=SourceFiles(connection),
            documents=Documents(connection),
            feed_versions=FeedVersions(connection),
            subscribers=Subscribers(connection, self._rank, holds=writes),
            address_changes=AddressChanges(connection),
            sign_ups=SignUps(connection),
            consents=Consents(connection),
            gate=Gate(connection),
            service_letters=ServiceLetters(connection),
            issues=Issues(connection),
            deliveries=Deliveries(connection),
            bounces=Bounces(connection),
            rates=Rates(connection),
            circuits=Circuits(connection),
            runs=Runs(connection),
            run_requests=RunRequests(connection),
            helpers=Helpers(connection),
            jobs=Jobs(connection),
            timetables=Timetables(connection),
            hub=Hub(connection),
            operators=Operators(connection),
            api_tokens=ApiTokens(connection),
            audit=Audit(connection),
            overview=Overview(connection),
            meta=Meta(connection),
        )


def _refuse_newer(revision: str | None) -> None:
    if revision is not None and revision > HEAD:
        raise StoreOutdated("the database is of a newer version of this program; install that version")
