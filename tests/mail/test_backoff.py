from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.mail.backoff import CEILING, DOUBTS, next_attempt, resend_at

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
FIRST = timedelta(minutes=15)


def wait(attempts: int, spread: float = 0.5, **options) -> timedelta:
    return next_attempt(attempts, NOW, FIRST, spread=spread, **options) - NOW


def test_the_wait_doubles_up_to_the_ceiling():
    assert [wait(n) for n in range(1, 8)] == [
        timedelta(minutes=15),
        timedelta(minutes=30),
        timedelta(hours=1),
        timedelta(hours=2),
        CEILING,
        CEILING,
        CEILING,
    ]


def test_chance_spreads_letters_by_a_fifth_to_either_side():
    assert wait(1, 0.0) == timedelta(minutes=12)
    assert timedelta(minutes=17, seconds=59) <= wait(1, 0.999) <= timedelta(minutes=18)


def test_a_greylisted_letter_waits_five_minutes_at_least():
    assert next_attempt(1, NOW, timedelta(minutes=1), spread=0, greylisted=True) == NOW + timedelta(minutes=5)
    assert wait(1, greylisted=True) == FIRST


def test_who_is_not_greylisted_need_not_wait_five_minutes():
    assert next_attempt(1, NOW, timedelta(minutes=1), spread=0.5) == NOW + timedelta(minutes=1)


def test_a_first_wait_above_the_ceiling_is_kept():
    day = timedelta(days=1)
    assert [next_attempt(n, NOW, day, spread=0.5) - NOW for n in (1, 2, 9)] == [day, day, day]


@given(st.integers(1, 10**9), st.floats(0, 1, exclude_max=True), st.integers(1, 1440))
def test_any_number_of_attempts_gives_a_bounded_wait_in_whole_seconds(attempts, spread, minutes):
    first = timedelta(minutes=minutes)
    moment = next_attempt(attempts, NOW, first, spread=spread)
    assert 0.8 * first <= moment - NOW <= 1.2 * max(first, CEILING) + timedelta(seconds=1)
    assert moment.microsecond == 0


@pytest.mark.parametrize(("attempts", "spread"), [(0, 0.5), (1, 1.0), (1, -0.1)])
def test_impossible_arguments_are_refused(attempts, spread):
    with pytest.raises(ValueError, match="must be"):
        wait(attempts, spread)


# --- a letter whose reply was lost -------------------------------------------------------------------------------


def test_a_letter_in_doubt_waits_ten_minutes_then_twice_as_long_and_four_hours_at_most():
    waits = [resend_at(attempts, NOW, doubted=False) for attempts in range(1, 7)]
    minutes = [(moment - NOW) / timedelta(minutes=1) for moment in waits if moment is not None]
    assert minutes == [10, 20, 40, 80, 160, 240]


@given(st.integers(1, 10**9))
def test_a_letter_that_was_not_in_doubt_before_is_sent_again_whatever_else_was_tried(attempts):
    moment = resend_at(attempts, NOW, doubted=False)
    assert moment is not None and NOW < moment <= NOW + CEILING


def test_a_letter_in_doubt_twice_running_is_given_up_only_when_it_was_tried_often():
    assert [resend_at(n, NOW, doubted=True) is None for n in range(DOUBTS - 1, DOUBTS + 2)] == [False, True, True]
