"""The gate's rules for JSON Feed, each broken once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from feed_samples import FIXED, NOW, feed_of, filed

from publisher.feeds import jsonfeed
from publisher.feeds.check_json import check_json
from publisher.feeds.entry_rules import MAX_BYTES

FEED = feed_of(filed("a", 9), filed("b", source_url="https://www.wcoomd.org/"))
A, B = (entry.entry_id for entry in FEED.entries)
Change = Callable[[dict[str, Any]], object]


def found(content: bytes) -> list[tuple[str, str]]:
    problems = check_json(content, self_url=FEED.json_url, now=NOW)
    return [(problem.rule.removeprefix("JSON Feed 1.1, "), problem.entry_id) for problem in problems]


def changed(change: Change) -> bytes:
    feed = json.loads(jsonfeed.render(FEED))
    change(feed)
    return json.dumps(feed).encode()


def set_(**values: object) -> Change:
    return lambda feed: feed.update(values)


def first(**values: object) -> Change:
    return lambda feed: feed["items"][0].update(values)


def without(*names: str) -> Change:
    return lambda feed: [feed["items"][0].pop(name, None) for name in names]


def test_what_we_write_as_json_keeps_every_rule() -> None:
    assert found(jsonfeed.render(FEED)) == []
    assert check_json(jsonfeed.render(feed_of(*FIXED)), now=NOW) == []
    assert check_json(jsonfeed.render(feed_of())) == []


BROKEN: dict[str, tuple[Change, list[tuple[str, str]]]] = {
    "another version": (set_(version="https://jsonfeed.org/version/1"), [("version", "")]),
    "no title": (set_(title=" "), [("title", "")]),
    "no items": (lambda feed: feed.pop("items"), [("items", "")]),
    "items that are none": (set_(items=["x"]), [("items", "")]),
    "no address of its own": (lambda feed: feed.pop("feed_url"), [("feed_url", "")]),
    "another's address": (set_(feed_url="https://customs.example/feeds/all.json"), [("feed_url", "")]),
    "a relative home page": (set_(home_page_url="/"), [("home_page_url", "")]),
    "a next page that is the same": (set_(next_url=FEED.json_url), [("next_url", "")]),
    "a description in a list": (set_(description=["x"]), [("description", "")]),
    "a member of no specification": (set_(subtitle="x"), [("extensions", "")]),
    "an extension with a dot": (set_(**{"_wco.int": {}}), [("extensions", "")]),
    "an author who is nobody": (set_(authors=[{}]), [("authors", "")]),
    "a hub without type": (set_(hubs=[{"url": "https://hub.example/"}]), [("hubs", "")]),
    "an item without id": (without("id"), [("id", "without id")]),
    "an id that is a number": (first(id=7), [("id", "7")]),
    "one id twice": (first(id=B), [("id", B)]),
    "no content": (without("content_html", "content_text"), [("content_html", A)]),
    "HTML that acts": (first(content_html='<p onclick="x()">x</p>'), [("content_html", A)]),
    "HTML with a relative picture": (first(content_html='<img src="/x.png">'), [("content_html", A)]),
    "a relative address": (first(url="articles/a/"), [("url", A)]),
    "a source that is no address": (first(external_url="WCO"), [("external_url", A)]),
    "a date without zone": (first(date_published="2026-03-01T07:00:00"), [("date_published", A)]),
    "a date before feeds": (first(date_published="1952-03-01T07:00:00Z"), [("date_published", A)]),
    "a date to come": (first(date_modified="2040-03-01T07:00:00Z"), [("date_modified", A)]),
    "oldest first": (first(date_modified="2026-02-01T07:00:00Z"), [("newest first", B)]),
    "an empty tag": (first(tags=[""]), [("tags", A)]),
    "a tag that is a number": (first(tags=[1]), [("tags", A)]),
    "an attachment without type": (first(attachments=[{"url": "https://a.example/x"}]), [("attachments", A)]),
    "an extension with a dot in an item": (first(**{"_a.b": 1}), [("extensions", A)]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_of_json_feed_is_found_with_the_item_that_breaks_it(name: str) -> None:
    change, expected = BROKEN[name]
    assert found(changed(change)) == expected


ALLOWED: dict[str, Change] = {
    "an extension": set_(_wco={"any": "thing"}),
    "hubs": set_(hubs=[{"type": "WebSub", "url": "https://hub.example/"}]),
    "the next page": set_(next_url="https://customs.example/feeds/environment-2.json"),
    "plain text": first(content_html=None, content_text="x < y"),
    "an attachment": first(attachments=[{"url": "https://a.example/x.mp3", "mime_type": "audio/mpeg"}]),
    "an item without title and dates": without("title", "date_published", "date_modified"),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_json_feed_allows_is_no_problem(name: str) -> None:
    content = changed(ALLOWED[name])
    assert found(content.replace(b'"content_html": null, ', b"")) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b'{"x": NaN}', b"\xff{}", b"[" * 100_000])
def test_what_is_no_json_object_is_one_problem(content: bytes) -> None:
    assert len(check_json(content)) == 1


def test_a_number_of_thousands_of_digits_is_told_in_our_words() -> None:
    (problem,) = check_json(b'{"n": -' + b"9" * 10_000 + b"}")
    assert problem.text == "not JSON in UTF-8: a number of 10,001 digits, which few programs can read"


def test_json_over_the_limit_is_refused_unread() -> None:
    (problem,) = check_json(b"[" * (MAX_BYTES + 1))
    assert problem.rule == "document size"
