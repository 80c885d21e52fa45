"""Limits that bind, plans that grow, and when letters under them can be out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrate_limiter import Rate
from pyrate_limiter.utils import validate_rate_list

from publisher.mail.rates import DAY, HOUR, SECOND, Allowed, completion, limits, warm_up_letters

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)


def plain(found: list) -> list[tuple[int, int]]:
    return [(one.letters, one.interval) for one in found]


def test_limits_that_can_never_bind_are_left_out() -> None:
    assert plain(limits(10, 1_000, 20_000)) == [(10, SECOND), (1_000, HOUR), (20_000, DAY)]
    assert plain(limits(1, 3_600, 0)) == [(1, SECOND)], "one in a second is not more in an hour"
    assert plain(limits(100, 50, 0)) == [(50, HOUR)], "fifty in an hour are never a hundred in a second"
    assert plain(limits(0, 0, 0)) == []


@given(st.integers(0, 100_000), st.integers(0, 10_000_000), st.integers(0, 100_000_000))
def test_what_binds_is_a_list_that_a_bucket_takes_and_as_strict_as_what_was_asked(second, hour, day) -> None:
    found = limits(second, hour, day)
    assert validate_rate_list([Rate(*one) for one in found]) or not (second or hour or day)
    for most, interval in ((second, SECOND), (hour, HOUR), (day, DAY)):
        if most:  # some rate that binds lets no more through in this interval
            assert any(one.letters * max(1, -(-interval // one.interval)) <= most for one in found)


def test_a_plan_says_the_letters_of_each_day_and_nothing_after_its_end() -> None:
    start = date(2026, 3, 2)
    days = [start + timedelta(days=number) for number in (-1, 0, 1, 2, 3)]
    assert [warm_up_letters(start, (50, 100, 500), day) for day in days] == [0, 50, 100, 500, None]
    assert warm_up_letters(None, (), start) is None


def test_the_plan_and_the_limit_of_a_day_bind_together() -> None:
    allowed = Allowed(per_second=10, per_day=300, warm_up_from=date(2026, 3, 2), warm_up=(50, 500))
    assert allowed.on(date(2026, 3, 1)) is None
    assert plain(allowed.on(date(2026, 3, 2)) or []) == [(10, SECOND), (50, DAY)]
    assert plain(allowed.on(date(2026, 3, 3)) or []) == [(10, SECOND), (300, DAY)]
    assert plain(allowed.on(date(2026, 3, 9)) or []) == [(10, SECOND), (300, DAY)]


@pytest.mark.parametrize(
    ("letters", "allowed", "used", "wait"),
    [
        (100, Allowed(per_hour=100), {}, timedelta(seconds=1)),
        (101, Allowed(per_hour=100), {}, timedelta(hours=1)),
        (250, Allowed(per_hour=100), {}, timedelta(hours=2)),
        (50, Allowed(per_hour=100), {HOUR: [(NOON_MS - HOUR // 4, 100)]}, timedelta(minutes=45)),
        (36_000, Allowed(per_second=10), {}, timedelta(hours=1)),
        (150, Allowed(warm_up_from=NOON.date(), warm_up=(50, 100)), {}, timedelta(hours=12)),
        (151, Allowed(warm_up_from=NOON.date(), warm_up=(50, 100)), {}, timedelta(hours=36)),
    ],
)
def test_the_time_of_completion_follows_from_limits_and_what_went_out(letters, allowed, used, wait) -> None:
    done = completion(letters, [(allowed, used)], NOON)
    assert done is not None
    assert abs(done - NOON - wait) <= timedelta(seconds=2)


def test_two_relays_are_done_in_half_the_time_and_one_without_limits_at_once() -> None:
    hourly = (Allowed(per_hour=100), {})
    assert completion(400, [hourly, hourly], NOON) == completion(200, [hourly], NOON)
    assert completion(400, [hourly, (Allowed(), {})], NOON) is None
    assert completion(0, [hourly], NOON) is None
