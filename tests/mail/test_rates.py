"""Limits that bind, plans that grow, and when letters under them can be out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrate_limiter import Rate
from pyrate_limiter.utils import validate_rate_list

from publisher.mail.rates import DAY, HOUR, SECOND, Allowed, completion, free_at, limits, warm_up_letters

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
    assert plain(Allowed(per_hour=100).on(date(2026, 3, 9)) or []) == [(100, HOUR)]


def test_one_letter_in_fifty_of_an_hour_and_a_day_and_of_each_day_of_a_plan_is_kept_for_service_letters() -> None:
    allowed = Allowed(per_second=50, per_hour=100, per_day=2_000, warm_up_from=NOON.date(), warm_up=(49, 50))
    left = allowed.for_digests
    assert (left.per_hour, left.per_day, left.warm_up) == (98, 1_960, (49, 49))
    assert (left.per_second, left.begins) == (50, NOON.replace(hour=0))


@pytest.mark.parametrize(
    ("letters", "allowed", "used", "wait"),
    [
        (100, Allowed(per_hour=100), {}, timedelta(seconds=1)),
        (101, Allowed(per_hour=100), {}, timedelta(hours=1)),
        (250, Allowed(per_hour=100), {}, timedelta(hours=2)),
        (50, Allowed(per_hour=100), {HOUR: [(NOON_MS - HOUR // 4, 100)]}, timedelta(minutes=45)),
        (36_000, Allowed(per_second=10), {}, timedelta(hours=1)),
        (101, Allowed(per_day=100), {}, timedelta(days=1)),
        (1, Allowed(per_hour=1), {HOUR: [(NOON_MS - HOUR // 2, 1)]}, timedelta(minutes=30)),
        (301, Allowed(per_hour=100, per_day=1_000), {}, timedelta(hours=3)),
        (150, Allowed(warm_up_from=NOON.date(), warm_up=(50, 100)), {}, timedelta(hours=12)),
        (151, Allowed(warm_up_from=NOON.date(), warm_up=(50, 100)), {}, timedelta(hours=36)),
    ],
)
def test_the_time_of_completion_follows_from_limits_and_what_went_out(letters, allowed, used, wait) -> None:
    done = completion(letters, [(allowed, used)], NOON)
    assert done is not None
    assert abs(done - NOON - wait) <= timedelta(seconds=2)


BEGUN = NOON.date()
LIMITED = Allowed(per_day=300, warm_up_from=BEGUN, warm_up=(50, 100))


@pytest.mark.parametrize(
    ("letters", "allowed", "used", "hours"),
    [
        (30, Allowed(warm_up_from=BEGUN, warm_up=(50, 100)), [(NOON_MS - HOUR, 20)], 0),
        (31, Allowed(warm_up_from=BEGUN, warm_up=(50, 100)), [(NOON_MS - HOUR, 20)], 12),
        (50, Allowed(warm_up_from=BEGUN, warm_up=(50, 100)), [(NOON_MS - DAY - HOUR, 50)], 0),
        (1, Allowed(warm_up_from=BEGUN, warm_up=(10, 100)), [(NOON_MS - HOUR, 20)], 12),
        (100, Allowed(warm_up_from=BEGUN, warm_up=(10, 100)), [(NOON_MS - HOUR, 20)], 12),
        (101, Allowed(warm_up_from=BEGUN, warm_up=(10, 100)), [(NOON_MS - HOUR, 20)], 36),
        (6, Allowed(warm_up_from=BEGUN - timedelta(days=2), warm_up=(5, 5, 5, 5)), [], 12),
        (1, Allowed(warm_up_from=BEGUN + timedelta(days=2), warm_up=(5, 5)), [], 36),
        (10**6, Allowed(warm_up_from=BEGUN, warm_up=(50, 100)), [], 36),
        (300, Allowed(per_day=300, warm_up_from=BEGUN - timedelta(days=9), warm_up=(50, 100)), [], 0),
        (301, Allowed(per_day=300, warm_up_from=BEGUN - timedelta(days=9), warm_up=(50, 100)), [], 24),
        (10**6, Allowed(warm_up_from=BEGUN - timedelta(days=9), warm_up=(50, 100)), [], 0),
        (450, LIMITED, [], 36),
        (451, LIMITED, [], 60),
        (1_051, LIMITED, [], 108),
        (300, Allowed(per_day=300, warm_up_from=BEGUN, warm_up=(50, 500)), [], 12),
        (350, Allowed(per_day=300, warm_up_from=BEGUN, warm_up=(50, 500)), [], 24),
        (351, Allowed(per_day=300, warm_up_from=BEGUN, warm_up=(50, 500)), [], 36),
    ],
)
def test_while_a_plan_lasts_its_days_say_when_letters_are_out_and_then_the_limit_of_a_day(
    letters, allowed, used, hours
) -> None:
    done = completion(letters, [(allowed, {DAY: used})], NOON)
    assert done is not None
    assert abs(done - NOON - timedelta(hours=hours)) <= timedelta(seconds=2)


def test_two_relays_are_done_in_half_the_time_and_one_without_limits_at_once() -> None:
    hourly = (Allowed(per_hour=100), {})
    assert completion(400, [hourly, hourly], NOON) == completion(200, [hourly], NOON)
    assert completion(400, [hourly, (Allowed(), {})], NOON) is None
    assert completion(0, [hourly], NOON) is None


def test_what_takes_more_than_ten_years_has_no_time_of_completion() -> None:
    daily = [(Allowed(per_day=1), {})]
    assert completion(1_000, daily, NOON) is not None
    assert completion(10**12, daily, NOON) is None


sent_before = st.lists(st.tuples(st.integers(0, HOUR - 1), st.integers(1, 9)), max_size=12)


@given(sent_before, st.integers(1, 40))
def test_the_next_letter_is_free_as_soon_as_the_limit_has_room_for_it_and_not_before(ages, most) -> None:
    used = sorted((NOON_MS - age, letters) for age, letters in ages)
    moment = free_at(Allowed(per_hour=most), {HOUR: used}, NOON)
    free = NOON_MS if moment is None else round(moment.timestamp() * 1000)

    def has_room(at: int) -> bool:
        return sum(letters for sent, letters in used if at - HOUR <= sent) < most

    assert has_room(free)
    assert moment is None or (free > NOON_MS and not has_room(free - 1))


def test_of_several_limits_the_one_that_frees_the_way_last_says_when() -> None:
    used = {HOUR: [(NOON_MS - HOUR // 2, 10)], DAY: [(NOON_MS - HOUR // 2, 10)]}
    hour, day = (free_at(Allowed(**{f"per_{span}": 10}), used, NOON) for span in ("hour", "day"))
    assert hour is not None and day is not None and hour < day
    assert free_at(Allowed(per_hour=10, per_day=12), used, NOON) == hour
    assert free_at(Allowed(per_hour=9, per_day=10), used, NOON) == day
    assert free_at(Allowed(warm_up_from=NOON.date() + timedelta(days=1), warm_up=(5,)), used, NOON) is None
