"""The gate's rules for RSS, each broken once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from feed_samples import FIXED, NOW, feed_of, filed

from publisher.feeds import rss
from publisher.feeds.check_rss import check_rss
from publisher.feeds.entry_rules import MAX_BYTES

FEED = feed_of(filed("a", 9), filed("b", source_url="https://www.wcoomd.org/"))
GOOD = rss.render(FEED, ttl_minutes=30).decode()
A, B = (entry.entry_id for entry in FEED.entries)
GUID_A = f'<guid isPermaLink="false">{A}</guid>'
PUBDATE_A = "<pubDate>Sun, 01 Mar 2026 16:00:00 +0000</pubDate>"
UPDATED_A = "<atom:updated>2026-03-01T16:00:00Z</atom:updated>"
CREATOR_A = "<dc:creator>Customs desk</dc:creator>"
TITLE_A = "<title>Title a</title>"
DESCRIPTION_A = "<description>Text a.</description>"
LINK_A = "<link>https://customs.example/articles/article-a/</link>"
HOME = "<link>https://customs.example/topics/environment/</link>"
SELF = '<atom:link href="https://customs.example/feeds/environment.rss" rel="self" type="application/rss+xml"/>'
TITLE = "<title>Customs initiatives: Environment</title>"
ENCLOSURE = '<enclosure url="https://a.example/x.mp3" length="12" type="audio/mpeg"/>'
IMAGE = f"<image><url>https://a.example/x.png</url>{TITLE}{HOME}</image>"
LANGUAGE = "<language>en</language>"


def broken(*changes: tuple[str, str]) -> bytes:
    text = GOOD
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text.encode()


def found(content: bytes) -> list[tuple[str, str]]:
    return [(problem.rule, problem.entry_id) for problem in check_rss(content, self_url=FEED.rss_url, now=NOW)]


def test_what_we_write_as_rss_keeps_every_rule() -> None:
    assert found(GOOD.encode()) == []
    assert check_rss(rss.render(feed_of(*FIXED)), now=NOW) == []
    assert check_rss(rss.render(feed_of())) == []


BROKEN = {
    "a cut document": ([("</rss>", "")], [("XML 1.0", "")]),
    "a forbidden character": ([("Title a", "Title &#11;")], [("XML 1.0", "")]),
    "a DOCTYPE": ([("<rss", "<!DOCTYPE rss><rss")], [("RSS 2.0", "")]),
    "another version": ([('version="2.0"', 'version="0.91"')], [("RSS 2.0, rss", "")]),
    "another document": ([("<rss ", "<feed "), ("</rss>", "</feed>")], [("RSS 2.0, rss", "")]),
    "no channel title": ([(TITLE, "")], [("RSS 2.0, channel", "")]),
    "no channel link": ([(HOME, "")], [("RSS 2.0, channel", "")]),
    "an empty description": ([("Waste, wildlife &#x26; green customs", "")], None),
    "two channel titles": ([(TITLE, TITLE * 2)], [("RSS 2.0, title", "")]),
    "a relative channel link": ([(HOME, "<link>/topics/</link>")], [("RSS 2.0, link", "")]),
    "an element RSS does not know": ([(LANGUAGE, LANGUAGE + "<wrong/>")], [("RSS 2.0, channel", "")]),
    "a language that is none": ([(LANGUAGE, "<language>e n</language>")], [("RSS 2.0, language", "")]),
    "a ttl in words": ([("<ttl>30", "<ttl>soon")], [("RSS 2.0, ttl", "")]),
    "an editor without address": (
        [(LANGUAGE, LANGUAGE + "<managingEditor>Alice</managingEditor>")],
        [("RSS 2.0, managingEditor", "")],
    ),
    "no self link": ([(SELF, "")], [("RSS profile, atom:link", "")]),
    "two self links": ([(SELF, SELF * 2)], [("RSS profile, atom:link", "")]),
    "another's self link": ([(SELF, SELF.replace("environment", "other"))], [("RSS profile, atom:link", "")]),
    "a self link of another type": ([(SELF, SELF.replace("/rss", "/atom"))], [("RSS profile, atom:link", "")]),
    "an item without guid": ([(GUID_A, "")], [("RSS 2.0, guid", "without id")]),
    "an empty guid": ([(A, "")], [("RSS 2.0, guid", "without id")]),
    "a guid that says it is an address": ([(' isPermaLink="false"', "")], [("RSS 2.0, guid", A)]),
    "one guid twice": ([(A, B)], [("RSS 2.0, guid", B)]),
    "neither title nor description": ([(TITLE_A, ""), (DESCRIPTION_A, "")], None),
    "a relative link": ([(LINK_A, "<link>articles/</link>")], [("RSS 2.0, link", A)]),
    "the wrong weekday": ([("<pubDate>Sun", "<pubDate>Mon")], [("RSS 2.0, pubDate", A)]),
    "a year of two digits": ([(PUBDATE_A, PUBDATE_A.replace("2026", "26"))], [("RSS 2.0, pubDate", A)]),
    "a day that no calendar has": (
        [(PUBDATE_A, "<pubDate>30 Feb 2026 16:00:00 +0000</pubDate>")],
        [("RSS 2.0, pubDate", A)],
    ),
    "a moment in the year 10000": (
        [(PUBDATE_A, "<pubDate>Fri, 31 Dec 9999 23:59:59 -1200</pubDate>")],
        [("RSS 2.0, pubDate", A)],
    ),
    "a date before feeds": ([(PUBDATE_A, "<pubDate>06 Mar 1952 16:00:00 GMT</pubDate>")], [("RSS 2.0, item", A)]),
    "a date to come": ([(PUBDATE_A, "<pubDate>01 Mar 2040 16:00 GMT</pubDate>")], [("RSS 2.0, item", A)]),
    "a channel date to come": ([("+0000</lastBuildDate>", "-9900</lastBuildDate>")], None),
    "a correction without zone": ([(UPDATED_A, UPDATED_A.replace("Z<", "<"))], [("RFC 4287, 3.3", A)]),
    "a correction to come": ([(UPDATED_A, UPDATED_A.replace("2026", "2040"))], [("RSS 2.0, item", A)]),
    "oldest first": ([(UPDATED_A, UPDATED_A.replace("2026", "2020"))], [("newest first", B)]),
    "an author without address": ([(CREATOR_A, "<author>Alice</author>")], [("RSS 2.0, author", A)]),
    "author and creator": (
        [(CREATOR_A, CREATOR_A + "<author>alice@customs.example (Alice)</author>")],
        [("RSS profile, dc:creator", A)],
    ),
    "content before description": (
        [(DESCRIPTION_A, ""), (GUID_A, DESCRIPTION_A + GUID_A)],
        [("RSS profile, content:encoded", A)],
    ),
    "content without description": ([(DESCRIPTION_A, "")], [("RSS profile, content:encoded", A)]),
    "two enclosures": ([(GUID_A, GUID_A + ENCLOSURE * 2)], [("RSS 2.0, enclosure", A)]),
    "an enclosure without length": (
        [(GUID_A, GUID_A + ENCLOSURE.replace('length="12" ', ""))],
        [("RSS 2.0, enclosure", A)],
    ),
    "an image in a format of the web": (
        [(LANGUAGE, LANGUAGE + IMAGE.replace(".png", ".webp"))],
        [("RSS profile, image", "")],
    ),
    "an image of another title": (
        [(LANGUAGE, LANGUAGE + IMAGE.replace("Environment", "Logo"))],
        [("RSS profile, image", "")],
    ),
    "a script in a description": (
        [(DESCRIPTION_A, "<description>&lt;script&gt;x()&lt;/script&gt;</description>")],
        [("RSS profile, HTML", A)],
    ),
}
OTHERWISE = {
    "an empty description": [("RSS 2.0, channel", "")],
    "neither title nor description": [("RSS 2.0, item", A), ("RSS profile, content:encoded", A)],
    "a channel date to come": [("RSS 2.0, lastBuildDate", "")],
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_of_rss_is_found_with_the_item_that_breaks_it(name: str) -> None:
    changes, expected = BROKEN[name]
    assert found(broken(*changes)) == (expected if expected is not None else OTHERWISE[name])


ALLOWED = {
    "foreign elements": [(LANGUAGE, LANGUAGE + '<x:a xmlns:x="urn:x:y">t</x:a>')],
    "an author with an address": [(CREATOR_A, "<author>alice@customs.example (Alice)</author>")],
    "an enclosure": [(GUID_A, GUID_A + ENCLOSURE)],
    "an image": [(LANGUAGE, LANGUAGE + IMAGE)],
    "a date without weekday and seconds": [(PUBDATE_A, "<pubDate>1 Mar 2026 16:00 GMT</pubDate>")],
    "many categories": [(GUID_A, GUID_A + "<category>x</category><category>y</category>")],
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_rss_allows_is_no_problem(name: str) -> None:
    assert found(broken(*ALLOWED[name])) == []


def test_rss_over_the_limit_is_refused_unread() -> None:
    (problem,) = check_rss(b"<" * (MAX_BYTES + 1))
    assert problem.rule == "document size"


def test_a_problem_of_rss_tells_no_address() -> None:
    problems = check_rss(broken((CREATOR_A, "<author>Alice alice@customs.example</author>")))
    assert problems and "alice@" not in " ".join(map(str, problems))


@pytest.mark.parametrize("address", ["a@" + "." * 1_000_000 + " ", "a@" + "a." * 500_000 + "("], ids=["dots", "names"])
def test_an_address_of_any_length_is_read_in_one_pass(address: str) -> None:
    problems = found(broken((CREATOR_A, f"<author>{address}</author>")))  # from each dot anew it would take hours
    assert problems == [("RSS 2.0, author", A)]


def test_an_item_known_as_good_is_judged_again_where_it_says_something_else_or_its_date_lies_ahead() -> None:
    assert found(GOOD.encode()) == found(GOOD.encode()) == []
    assert found(broken((PUBDATE_A, "<pubDate>yesterday</pubDate>"))) == [("RSS 2.0, pubDate", A)]
    early = check_rss(GOOD.encode(), now=NOW - timedelta(days=20))
    assert {(problem.rule, problem.entry_id) for problem in early} >= {("RSS 2.0, item", A), ("RSS 2.0, item", B)}
    assert found(GOOD.encode()) == []
