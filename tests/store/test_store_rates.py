"""Limits and circuits in the database: for all processes, and after a restart."""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyrate_limiter import Limiter, RateItem

from publisher.mail.circuit import CLOSED, Circuit
from publisher.mail.rates import HOUR, SECOND, limits
from publisher.store import Grant, Kind, Store
from publisher.store.rate_bucket import StoreBucket
from publisher.store.schema import rate_slots

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)


def test_a_limit_gives_what_it_has_and_then_says_how_long_to_wait(store: Store) -> None:
    hourly = limits(0, 100, 0)
    with store.write() as tx:
        assert tx.rates.take("relay/main", hourly, 60, NOON_MS) == Grant(60, 0)
        assert tx.rates.take("relay/main", hourly, 60, NOON_MS) == Grant(40, 0)
        nothing, wait = tx.rates.take("relay/main", hourly, 60, NOON_MS)
        assert nothing == 0 and HOUR <= wait <= HOUR + HOUR // 100 + 1
        assert tx.rates.take("relay/main", hourly, 60, NOON_MS + wait) == Grant(60, 0)
        assert tx.rates.take("relay/other", hourly, 60, NOON_MS) == Grant(60, 0)


def test_letters_that_did_not_go_out_are_given_back(store: Store) -> None:
    both = limits(50, 100, 0)
    with store.write() as tx:
        assert tx.rates.take("relay/main", both, 50, NOON_MS).letters == 50
        tx.rates.give_back("relay/main", both, 30, NOON_MS)
        assert tx.rates.take("relay/main", both, 50, NOON_MS).letters == 30
        assert {
            interval: sum(n for _, n in used) for interval, used in tx.rates.used("relay/main", NOON_MS).items()
        } == {
            SECOND: 50,
            HOUR: 50,
        }


@given(
    most=st.tuples(st.integers(1, 20), st.integers(1, 60)),
    asks=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 12)), min_size=1, max_size=40),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_stretch_of_time_ever_has_more_letters_than_its_limit(sqlite_store: Store, most, asks) -> None:
    wanted = limits(most[0], most[1], 0)
    now = NOON_MS
    sent: deque[tuple[int, int]] = deque()
    with sqlite_store.trial() as trial, trial.write() as tx:
        for pause, count in asks:
            now += pause
            granted, wait = tx.rates.take("relay/main", wanted, count, now)
            assert (granted > 0) == (wait == 0)
            sent.append((now, granted))
            for one in wanted:
                assert sum(letters for at, letters in sent if at > now - one.interval) <= one.letters


def test_the_table_stays_small_whatever_the_limit(sqlite_store: Store) -> None:
    fast = limits(10_000, 0, 0)
    with sqlite_store.write() as tx:
        for step in range(1_000):
            tx.rates.take("relay/main", fast, 100, NOON_MS + step * 10)
    with sqlite_store._engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(rate_slots)).scalar_one() <= 102


def test_the_bucket_serves_the_library_s_own_limiter(sqlite_store: Store) -> None:
    with sqlite_store._writer.begin() as connection:
        bucket = StoreBucket(connection, "relay/main", limits(0, 3, 0))
        assert [bucket.put(RateItem("x", NOON_MS)) for _ in range(4)] == [True, True, True, False]
        assert bucket.count() == 3 and bucket.waiting(RateItem("x", NOON_MS)) >= HOUR
        assert bucket.peek(2) is not None and bucket.peek(3) is None
        bucket.flush()
        assert bucket.count() == 0
        with Limiter(bucket) as limiter:
            assert [limiter.try_acquire("x", blocking=False) for _ in range(4)] == [True, True, True, False]


_TAKER = """
import sys
from publisher.mail.rates import limits
from publisher.store import Store
store, taken = Store(sys.argv[1]), 0
for _ in range(60):
    with store.write() as tx:
        taken += tx.rates.take("relay/main", limits(0, 100, 0), 1, {now}).letters
print(taken)
"""


def test_a_limit_holds_over_two_processes(store_url: str) -> None:
    program = _TAKER.replace("{now}", str(NOON_MS))
    takers = [
        subprocess.Popen([sys.executable, "-c", program, store_url], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert sum(int(taker.communicate(timeout=60)[0]) for taker in takers) == 100


def test_circuits_are_remembered_until_they_close(store: Store) -> None:
    known = Circuit(failures=3, openings=1, until=NOON + timedelta(minutes=5), reason="no answer")
    with store.write() as tx:
        tx.circuits.keep(Kind.RELAY, "main", known, NOON)
        tx.circuits.keep(Kind.DOMAIN, "mail.example", Circuit(failures=1, reason="later"), NOON)
    with store.write() as tx:
        assert tx.circuits.all(Kind.RELAY) == {"main": known}
        tx.circuits.keep(Kind.RELAY, "main", CLOSED, NOON)
        assert tx.circuits.all(Kind.RELAY) == {}
        assert tx.circuits.forget(NOON) == 0
        assert tx.circuits.forget(NOON + timedelta(seconds=1)) == 1
        assert tx.circuits.all(Kind.DOMAIN) == {}


def test_what_is_still_open_is_not_forgotten(sqlite_store: Store) -> None:
    with sqlite_store.write() as tx:
        tx.circuits.keep(Kind.RELAY, "main", Circuit(5, 1, NOON + timedelta(hours=1), "no answer"), NOON)
        assert tx.circuits.forget(NOON + timedelta(minutes=30)) == 0
        assert tx.circuits.forget(NOON + timedelta(hours=2)) == 1
