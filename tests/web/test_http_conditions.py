"""Preconditions and ranges, by RFC 9110, sections 13 and 14."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.web.conditions import Unsatisfiable, byte_range, fails, not_modified, seconds, tags

MODIFIED = 1_772_434_800
LAST = formatdate(MODIFIED, usegmt=True).encode()
EARLIER = formatdate(MODIFIED - 1, usegmt=True).encode()
LATER = formatdate(MODIFIED + 1, usegmt=True).encode()
ETAG, PACKED = b'"abc"', b'"abc-gzip-1"'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'"abc"', ETAG),
        (b'W/"abc"', ETAG),
        (b'"other", "abc"', ETAG),
        (b'"other","abc-gzip-1"', PACKED),
        (b'"abc", "abc-gzip-1"', PACKED),  # the one that would be sent
        (b"*", PACKED),
        (b" * ", PACKED),
        (b'"other"', None),
        (b'"ab', None),
        (b"abc", None),
        (b'"a,b", "abc"', ETAG),
        (b"", None),
    ],
)
def test_if_none_match_knows_lists_weak_tags_and_the_star(value: bytes, expected: bytes | None) -> None:
    assert not_modified({b"if-none-match": value}, [PACKED, ETAG], MODIFIED) == expected


@pytest.mark.parametrize(("date", "known"), [(LAST, True), (LATER, True), (EARLIER, False), (b"yesterday", False)])
def test_the_date_counts_where_no_tag_is_sent(date: bytes, known: bool) -> None:
    assert (not_modified({b"if-modified-since": date}, [ETAG], MODIFIED) == ETAG) is known


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("date", [b"Sun Mar  1 07:00:00 2026", b"Sunday, 01-Mar-26 07:00:00 GMT"])
def test_dates_in_old_forms_mean_utc_wherever_the_server_stands(
    date: bytes, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert seconds(date) == datetime(2026, 3, 1, 7, tzinfo=UTC).timestamp()
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_tag_is_heard_before_the_date_and_instead_of_it() -> None:
    fields = {b"if-none-match": b'"old"', b"if-modified-since": LATER}
    assert not_modified(fields, [ETAG], MODIFIED) is None
    fields = {b"if-none-match": ETAG, b"if-modified-since": EARLIER}
    assert not_modified(fields, [ETAG], MODIFIED) == ETAG


@pytest.mark.parametrize(
    ("fields", "failing"),
    [
        ({}, False),
        ({b"if-match": ETAG}, False),
        ({b"if-match": b"*"}, False),
        ({b"if-match": b'"old"'}, True),
        ({b"if-match": b'W/"abc"'}, True),  # strong comparison
        ({b"if-match": ETAG, b"if-unmodified-since": EARLIER}, False),
        ({b"if-unmodified-since": LAST}, False),
        ({b"if-unmodified-since": EARLIER}, True),
        ({b"if-unmodified-since": b"once"}, False),
    ],
)
def test_who_names_another_version_is_told(fields: dict[bytes, bytes], failing: bool) -> None:
    assert fails(fields, ETAG, MODIFIED) is failing


OPAQUE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"'), max_size=12)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(OPAQUE, st.booleans()), max_size=6), st.sampled_from([",", ", ", " ,\t"]))
def test_a_list_of_tags_is_read_back_whatever_stands_in_them(items: list[tuple[str, bool]], comma: str) -> None:
    value = comma.join(f'W/"{opaque}"' if weak else f'"{opaque}"' for opaque, weak in items).encode()
    assert tags(value) == [f'"{opaque}"'.encode() for opaque, _ in items]
    assert tags(value, weak=False) == [f'"{opaque}"'.encode() for opaque, weak in items if not weak]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_value_upsets_the_preconditions(value: bytes) -> None:
    names = (b"if-none-match", b"if-modified-since", b"if-match", b"if-unmodified-since", b"range", b"if-range")
    for name in names:
        not_modified({name: value}, [ETAG], MODIFIED)
        fails({name: value}, ETAG, MODIFIED)
        byte_range({name: value}, ETAG, LAST, 10**9)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"bytes=0-9", range(10)),
        (b"bytes=90-", range(90, 100)),
        (b"bytes=90-1000", range(90, 100)),
        (b"bytes=-5", range(95, 100)),
        (b"bytes=-500", range(100)),
        (b"bytes=0-0", range(1)),
        (b"bytes=9-3", None),
        (b"bytes=-", None),
        (b"bytes=0-1,5-6", None),
        (b"lines=1-2", None),
        (b"bytes=a-b", None),
    ],
)
def test_one_range_is_understood_and_the_rest_ignored(value: bytes, expected: range | None) -> None:
    assert byte_range({b"range": value}, ETAG, LAST, 100) == expected


@pytest.mark.parametrize("end", [b"x", b"1", b"-x"])
def test_a_range_of_nothing_but_blanks_is_read_in_one_pass(end: bytes) -> None:
    blanks = b" " * 10_000_000  # read once for each of them, it would take hours
    assert byte_range({b"range": b"bytes=" + blanks + end}, ETAG, LAST, 100) is None


@pytest.mark.parametrize("value", [b"bytes=100-", b"bytes=200-300", b"bytes=-0"])
def test_a_range_behind_the_end_cannot_be_had(value: bytes) -> None:
    with pytest.raises(Unsatisfiable):
        byte_range({b"range": value}, ETAG, LAST, 100)


@pytest.mark.parametrize(
    ("validator", "partial"), [(ETAG, True), (LAST, True), (b'"old"', False), (EARLIER, False), (b'W/"abc"', False)]
)
def test_a_range_of_an_older_version_is_answered_with_the_whole(validator: bytes, partial: bool) -> None:
    found = byte_range({b"range": b"bytes=0-9", b"if-range": validator}, ETAG, LAST, 100)
    assert (found is not None) is partial
