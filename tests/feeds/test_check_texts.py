"""Dates, addresses and HTML in feed documents; which kind a document is; how fast the whole gate is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from feed_samples import ENVIRONMENT, FIXED, NOW, SITE, feed_of, filed
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.feeds import atom, jsonfeed, opml, rss
from publisher.feeds.check import Kind, check, kind_of
from publisher.feeds.check_texts import html_problem, is_web_address, rfc822, rfc3339
from publisher.htmltext import sanitise

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.tuples(st.integers(631152000, 4102444800), ZONES).map(
    lambda pair: datetime.fromtimestamp(pair[0], pair[1])
)


@given(MOMENTS)
@settings(max_examples=100)
def test_every_date_that_the_standard_library_writes_is_read_back(moment: datetime) -> None:
    assert rfc822(format_datetime(moment)) == moment
    assert rfc3339(moment.isoformat()) == moment


@given(MOMENTS, st.integers(1, 6))
@settings(max_examples=50)
def test_a_wrong_weekday_is_never_taken(moment: datetime, days: int) -> None:
    weekday = format_datetime(moment + timedelta(days=days))[:3]
    assert isinstance(rfc822(weekday + format_datetime(moment)[3:]), str)


@pytest.mark.parametrize("zone", ["GMT", "UT", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT"])
def test_the_zones_with_a_name_mean_what_they_always_meant(zone: str) -> None:
    text = f"Sun, 01 Mar 2026 07:00:00 {zone}"
    assert rfc822(text) == parsedate_to_datetime(text).astimezone(UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "Sun, 01 Mar 26 07:00:00 GMT", "Sun, 01 Mar 2026 07:00:00",
                                  "Sun, 01 Mrz 2026 07:00:00 GMT", "Sun, 01 Mar 2026 07:00:00 CET",
                                  "01 Mar 2026 25:00 GMT", "01 Mar 2026 07:00 +9999"])  # fmt: skip
def test_what_is_no_date_of_rfc_822_is_told_with_the_text(text: str) -> None:
    problem = rfc822(text)
    assert isinstance(problem, str)
    assert repr(text) in problem


def test_every_kind_is_known_by_its_name_and_by_its_beginning() -> None:
    feed = feed_of(*FIXED)
    documents = {
        Kind.ATOM: atom.render(feed),
        Kind.RSS: rss.render(feed),
        Kind.JSON: jsonfeed.render(feed),
        Kind.OPML: opml.render([ENVIRONMENT], SITE, NOW),
    }
    for kind, content in documents.items():
        assert kind_of(f"feeds/all.{kind}", b"") is kind
        assert kind_of(f"https://a.example/x.{kind}?y=1.z", b"") is kind
        assert kind_of("download", content) is kind
        assert check(kind, content, now=NOW) == check("unnamed", content, now=NOW) == []
    assert kind_of("page.html", b"<html><feed></html>"[:6]) is None
    assert [problem.rule for problem in check("page.html", b"<html></html>")] == ["kind of document"]


def test_the_self_link_is_compared_in_every_format() -> None:
    feed = feed_of(filed("a"))
    for kind, render, own in (
        (Kind.ATOM, atom.render, feed.atom_url),
        (Kind.RSS, rss.render, feed.rss_url),
        (Kind.JSON, jsonfeed.render, feed.json_url),
    ):
        assert check(kind, render(feed), self_url=own) == []
        (problem,) = check(kind, render(feed), self_url=own + "x")
        assert own in problem.text


@pytest.mark.parametrize(
    "html",
    [
        "<p>x</p><script>x()</script>",
        '<iframe src="https://a.example/"></iframe>',
        '<p onclick="x()">x</p>',
        '<img src="https://a.example/x.png"onerror=x()>',
        "<p>x</p><style>p{}</style>",
        '<a href="javascript:x()">x</a>',
        '<a href="/topics/">x</a>',
        '<a href="#note">x</a>',
        "<img src=x.png>",
        '<img srcset="x.png 1x, https://a.example/y.png 2x">',
        '<img src="data:image/png;base64,AA">',
    ],
)
def test_html_that_acts_or_depends_on_its_page_is_a_problem(html: str) -> None:
    assert html_problem(html)


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<p>5 &lt; 6, &lt;script&gt; and on = off; a href=x in words</p>",
        '<p title="<script>">x</p>',
        '<a href="mailto:desk@customs.example">x</a>',
        '<img src="https://a.example/x.png" srcset="https://a.example/x.png 1x, https://a.example/y.png 2x" alt="x">',
        '<a href="HTTPS://a.example/">x</a>',
    ],
)
def test_html_that_is_good_for_every_reader_is_none(html: str) -> None:
    assert html_problem(html) == ""


@given(st.text(st.sampled_from("<>/\"'= abonsrchefip:;&#x0\n"), max_size=60).map(lambda text: f"<p {text}</p>"))
@settings(max_examples=150)
def test_what_the_cleaner_lets_through_passes_the_gate(html: str) -> None:
    assert html_problem(sanitise(html)) == ""


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("https://customs.example/", True),
        ("http://customs.example:8000/a?b=c#d", True),
        ("https://customs.example/été", True),
        ("/feeds/all.atom", False),
        ("ftp://customs.example/", False),
        ("https://", False),
        ("https://a b/", False),
    ],
)
def test_an_address_is_absolute(address: str, good: bool) -> None:
    assert is_web_address(address) is good
