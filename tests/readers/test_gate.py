"""When a confirmation letter may go: one a day and three in thirty days to an address, whoever asks, and no flood."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.errors import UsageError
from publisher.readers.form import Filled, how_filled
from publisher.readers.gate import (
    ADDRESS_LIMITS,
    DAY,
    HOUR,
    LONGEST_WAIT,
    Limit,
    Ruling,
    Scope,
    Tally,
    judge,
    network_of,
)
from publisher.readers.policy import AddressPolicy, read_domains

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
LIMITS = {
    Scope.OVERALL: (Limit(50, HOUR),),
    Scope.DOMAIN: (Limit(20, HOUR),),
    Scope.NETWORK: (Limit(10, HOUR),),
    Scope.ADDRESS: ADDRESS_LIMITS,
}


@given(st.lists(st.integers(0, 60 * 60 * 24 * 20), min_size=1, max_size=120))
def test_whenever_they_ask_no_address_gets_more_than_a_letter_a_day_and_three_in_thirty_days(gaps: list[int]) -> None:
    tally, now, sent = Tally(), NOW, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        judgement = judge({Scope.ADDRESS: tally}, LIMITS, now, blocked=False)
        tally = judgement.changed.get(Scope.ADDRESS, tally)
        if judgement.granted:
            sent.append(now)
        else:
            again = judge({Scope.ADDRESS: tally}, LIMITS, now + judgement.wait, blocked=False)
            assert again.granted, "the wait it names is the wait there is"
    for at, moment in enumerate(sent):
        assert sum(moment <= other < moment + DAY for other in sent[at:]) == 1
        assert sum(moment <= other < moment + 30 * DAY for other in sent[at:]) <= 3


def test_a_network_that_goes_on_beyond_its_limit_waits_twice_as_long_each_time() -> None:
    tallies = {Scope.NETWORK: Tally(tuple(NOW for _ in range(10))), Scope.ADDRESS: Tally()}
    waits = []
    for _ in range(14):
        judgement = judge(tallies, LIMITS, NOW, blocked=False)
        assert judgement.ruling is Ruling.NETWORK
        tallies |= judgement.changed
        waits.append(judgement.wait)
    assert waits[0] == HOUR, "the limit itself"
    assert waits[5:8] == [timedelta(minutes=160), timedelta(minutes=320), timedelta(minutes=640)]
    assert waits[-1] == LONGEST_WAIT
    before = judge(tallies, LIMITS, NOW + LONGEST_WAIT - timedelta(seconds=1), blocked=False)
    assert before.ruling is Ruling.NETWORK, "its hour is over long since, the wait that it brought on itself is not"
    later = judge(tallies, LIMITS, NOW + LONGEST_WAIT, blocked=False)
    assert later.granted
    assert later.changed[Scope.NETWORK].refused == 0


def test_letters_of_longer_ago_than_any_limit_are_forgotten() -> None:
    tally, now = Tally(), NOW
    for _ in range(40):
        now += timedelta(days=11)
        tally = judge({Scope.ADDRESS: tally}, LIMITS, now, blocked=False).changed[Scope.ADDRESS]
    assert tally.granted == (now - timedelta(days=22), now - timedelta(days=11), now)


def test_who_hits_the_limit_of_all_leaves_no_trace_that_would_keep_others_waiting() -> None:
    full = {Scope.OVERALL: Tally(tuple(NOW for _ in range(50))), Scope.ADDRESS: Tally()}
    refused = judge(full, LIMITS, NOW, blocked=False)
    assert (refused.ruling, refused.wait, refused.changed) == (Ruling.OVERALL, HOUR, {})


def test_never_write_to_me_wins_over_everything_about_the_address() -> None:
    assert judge({Scope.ADDRESS: Tally()}, LIMITS, NOW, blocked=True).ruling is Ruling.BLOCKED


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2ff::1", "2001:db8:1:200::/56"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("testclient", ""),
    ],
)
def test_a_client_counts_as_its_network(host: str, network: str) -> None:
    assert network_of(host) == network


@pytest.mark.parametrize(
    ("email", "said"),
    [
        ("ann@throw-away.example", "domain"),
        ("ann@mx.Throw-Away.example", "domain"),
        ("Postmaster+x@customs.example", "service"),
        ("digest@publisher.example", "our own"),
    ],
)
def test_some_addresses_may_not_sign_up_by_themselves(email: str, said: str) -> None:
    policy = AddressPolicy.of([".throw-away.example", ""], roles=True, own=["digest@publisher.example"])
    with pytest.raises(UsageError, match=said) as caught:
        policy.check(email)
    assert "@" not in str(caught.value)
    policy.check("ann@not-throw-away.example")
    assert policy == AddressPolicy.of([" Throw-Away.Example "], roles=True, own=["Digest@publisher.example"])
    AddressPolicy.of([], roles=False, own=[]).check("postmaster@customs.example")


def test_domains_of_a_file_are_read_in_either_of_their_spellings_and_what_is_none_is_told_by_its_line() -> None:
    text = "# ours\nThrow-Away.example  # since May\n\n.m\u00fcll.example\n\u0440\u0444\n*.mailbox.example\n"
    text += "m\u00fcll.test\n"
    domains = read_domains(text)
    assert domains == ["throw-away.example", "xn--mll-hoa.example", "xn--p1ai", "mailbox.example", "xn--mll-hoa.test"]
    policy = AddressPolicy.of(domains, roles=True, own=[])
    for email in ("ann@m\u00fcll.example", "ann@xn--mll-hoa.example", "ann@post.\u0440\u0444"):
        with pytest.raises(UsageError, match="domain"):
            policy.check(email)
    for wrong in ("no m\u00fcll", "a.example, b.example", "a b.example", "a@b.example"):
        with pytest.raises(UsageError, match=f"line 2: '{wrong}' is no domain"):
            read_domains(f"a.example\n{wrong}\n")


def test_a_form_tells_how_long_it_was_filled_in() -> None:
    fastest = timedelta(seconds=2)
    assert how_filled(NOW, NOW, fastest) is Filled.TOO_FAST
    assert how_filled(NOW, NOW + timedelta(seconds=1), fastest) is Filled.TOO_FAST
    assert how_filled(NOW, NOW + timedelta(seconds=2), fastest) is Filled.WELL
    assert how_filled(NOW, NOW + timedelta(days=1), fastest) is Filled.WELL
    assert how_filled(NOW, NOW + timedelta(days=1, seconds=1), fastest) is Filled.TOO_OLD
    assert how_filled(NOW + HOUR, NOW, fastest) is Filled.TOO_OLD, "a stamp of the future is no stamp of ours"
