"""What a request asks for: Accept-Encoding and A-IM as clients really write them, and as they might."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.web.negotiation import BROTLI, CODINGS, GZIP, IDENTITY, codings, fields_of, wants_feed_delta, weights


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, [IDENTITY]),
        (b"", [IDENTITY]),
        (b"gzip", [GZIP, IDENTITY]),
        (b"gzip, deflate, br, zstd", [BROTLI, GZIP, IDENTITY]),
        (b"gzip, deflate", [GZIP, IDENTITY]),
        (b"x-gzip", [GZIP, IDENTITY]),
        (b"GZip;Q=1.0", [GZIP, IDENTITY]),
        (b"br;q=0.5, gzip;q=0.8", [GZIP, BROTLI, IDENTITY]),
        (b"gzip;q=0, br", [BROTLI, IDENTITY]),
        (b"*", [BROTLI, GZIP, IDENTITY]),
        (b"*;q=0", []),
        (b"identity;q=0", []),
        (b"identity;q=0, *", [BROTLI, GZIP]),
        (b"gzip, *;q=0", [GZIP]),
        (b"identity, gzip;q=0.5", [IDENTITY, GZIP]),
        (b"deflate", [IDENTITY]),
        (b"gzip;q=high", [IDENTITY]),
        (b" ,, gzip ;  q = 0.7 ,", [GZIP, IDENTITY]),
    ],
)
def test_a_client_gets_the_coding_it_likes_best(value: bytes | None, expected: list[str]) -> None:
    assert list(codings(value)) == expected


NAMES = st.sampled_from(["br", "gzip", "identity", "*", "deflate", "zstd", "BR", "x-gzip"])
WEIGHTS = st.none() | st.integers(0, 1000)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(NAMES, WEIGHTS, max_size=6))
def test_nothing_is_sent_that_the_client_excluded_and_nothing_liked_less_comes_first(
    asked: dict[str, int | None],
) -> None:
    items = [name if weight is None else f"{name};q={weight / 1000:.3f}" for name, weight in asked.items()]
    found = codings(", ".join(items).encode())
    liked = {name.lower(): 1000 if weight is None else weight for name, weight in reversed(asked.items())}

    def liking(coding: str) -> float:
        name = coding or "identity"
        if name == "gzip":
            return max(liked.get("gzip", liked.get("*", 0)), liked.get("x-gzip", 0))
        return liked.get(name, liked.get("*", 0.1 if name == "identity" else 0))

    assert set(found) == {coding for coding in CODINGS if liking(coding) > 0}
    assert [liking(coding) for coding in found] == sorted((liking(coding) for coding in found), reverse=True)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_value_upsets_the_reading_of_it(value: bytes) -> None:
    assert set(codings(value)) <= set(CODINGS)
    assert all(0 <= weight <= 1 for weight in weights(value).values())
    assert wants_feed_delta(value) in {True, False}


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, False),
        (b"feed", True),
        (b"gzip, feed", True),
        (b"Feed;q=0.3", True),
        (b"feed;q=0", False),
        (b"vcdiff, gzip", False),
        (b"feedback", False),
    ],
)
def test_only_who_asks_for_the_manipulation_feed_wants_it(value: bytes | None, wanted: bool) -> None:
    assert wants_feed_delta(value) is wanted


def test_a_field_sent_twice_is_one_list() -> None:
    headers = [(b"if-none-match", b'"a"'), (b"host", b"x"), (b"if-none-match", b'"b"')]
    assert fields_of(headers)[b"if-none-match"] == b'"a", "b"'
