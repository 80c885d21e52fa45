"""When a relay or a domain is left alone, and whose turn it is."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from publisher.mail.circuit import CLOSED, RELAY, Patience, after_failure
from publisher.mail.turns import Turns

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_it_opens_after_failures_in_a_row_and_each_time_for_longer() -> None:
    circuit = CLOSED
    for number in range(1, RELAY.failures + 1):
        assert not circuit.is_open(NOON)
        circuit = after_failure(circuit, NOON, "no answer", RELAY)
        assert circuit.failures == number
    assert circuit.is_open(NOON) and circuit.until == NOON + RELAY.first
    later = NOON + RELAY.first
    assert circuit.is_half_open(later) and not circuit.is_open(later)
    again = after_failure(circuit, later, "no answer", RELAY)
    assert again.until == later + 2 * RELAY.first, "one letter that fails opens it again"


def test_what_no_letter_can_mend_opens_it_at_once() -> None:
    circuit = after_failure(CLOSED, NOON, "wrong password", RELAY, final=True)
    assert circuit.is_open(NOON) and circuit.reason == "wrong password"


def test_what_one_letter_opened_at_once_one_letter_opens_again() -> None:
    circuit = after_failure(CLOSED, NOON, "wrong password", RELAY, final=True)
    later = NOON + RELAY.first
    again = after_failure(circuit, later, "no answer", RELAY)
    assert again.failures < RELAY.failures and again.until == later + 2 * RELAY.first


def test_only_what_was_open_and_had_its_time_is_half_open() -> None:
    assert not CLOSED.is_open(NOON) and not CLOSED.is_half_open(NOON)
    opened = after_failure(CLOSED, NOON, "no answer", RELAY, final=True)
    assert not opened.is_half_open(NOON)


def test_what_is_tried_before_its_time_and_fails_waits_as_long_as_it_would_have_and_no_longer() -> None:
    circuit, now = CLOSED, NOON
    for wait in (RELAY.first, 2 * RELAY.first, 4 * RELAY.first):
        circuit = after_failure(circuit, now, "no answer", RELAY, final=True)
        assert circuit.until == now + wait
        early = circuit.early(now)
        assert early.is_half_open(now) and not early.is_open(now)
        assert after_failure(early, now, "no answer", RELAY).until == now + wait
        now += wait
    assert CLOSED.early(NOON).openings == 0, "and what never opened has no wait to repeat"


@given(st.integers(1, 60))
def test_the_wait_never_passes_the_longest(openings: int) -> None:
    patience = Patience(1, timedelta(minutes=1), timedelta(minutes=30))
    circuit, now = CLOSED, NOON
    for _ in range(openings):
        circuit = after_failure(circuit, now, "", patience)
        assert circuit.until is not None and patience.first <= circuit.until - now <= patience.longest
        now = circuit.until


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_turns_follow_the_weights_exactly_in_each_round(weights: list[int]) -> None:
    turns = Turns(dict(enumerate(weights)))
    for _ in range(2):
        given_ = Counter(turns.next(range(len(weights))) for _ in range(sum(weights)))
        assert given_ == Counter(dict(enumerate(weights)))


def test_turns_are_mixed_and_who_was_away_does_not_catch_up() -> None:
    turns = Turns({"a": 3, "b": 1})
    assert "".join(turns.next({"a", "b"}) for _ in range(8)) == "aabaaaba"
    assert "".join(turns.next({"a"}) for _ in range(8)) == "aaaaaaaa"
    assert "".join(turns.next({"a", "b"}) for _ in range(8)) == "aabaaaba"
