"""The gate's rules for OPML, each broken once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from feed_samples import ASIA, ENVIRONMENT, NOW, SITE

from publisher.feeds import opml
from publisher.feeds.check_opml import check_opml

GOOD = opml.render([ASIA, ENVIRONMENT], SITE, datetime(2026, 3, 1, tzinfo=UTC)).decode()
CREATED = "<dateCreated>Thu, 01 Jan 2026 00:00:00 +0000</dateCreated>"
TITLE = "<title>Customs initiatives</title>"
GROUP = '<outline text="Regions">'
XML_URL = 'xmlUrl="https://customs.example/feeds/environment.atom" '

BROKEN = {
    "a cut list": ([("</opml>", "")], [("XML 1.0", "")]),
    "another document": ([("<opml ", "<rss "), ("</opml>", "</rss>")], [("opml", "")]),
    "no head": ([("<head>", "<foot>"), ("</head>", "</foot>")], [("opml", "")]),
    "another version": ([('version="2.0"', 'version="1.0"')], [("opml", "")]),
    "no title": ([(TITLE, "<title> </title>")], [("title", "")]),
    "two titles": ([(TITLE, TITLE * 2)], [("head", "")]),
    "an element OPML does not know": ([(TITLE, TITLE + "<wrong/>")], [("head", "")]),
    "the wrong weekday": ([("Thu, 01 Jan", "Fri, 01 Jan")], [("dateCreated", "")]),
    "a date of another kind": ([(CREATED, "<dateCreated>2026-01-01</dateCreated>")], [("dateCreated", "")]),
    "a date to come": ([("Sun, 01 Mar 2026", "01 Mar 2040")], [("dateModified", "")]),
    "a group without text": ([(GROUP, '<outline text="">')], [("outline", "without text")]),
    "a feed without type": ([('type="rss" text="Environment"', 'text="Environment"')], [("outline", "Environment")]),
    "a feed of a type of its own": ([('type="rss" text="Env', 'type="atom" text="Env')], [("outline", "Environment")]),
    "a feed without address": ([(XML_URL, "")], [("xmlUrl", "Environment")]),
    "a feed without title": ([('title="Environment" ', "")], [("title", "Environment")]),
    "a feed without page": ([(' htmlUrl="https://customs.example/"', "")], [("htmlUrl", "Customs initiatives")]),
    "a relative address": ([(XML_URL, 'xmlUrl="feeds/x.atom" ')], [("xmlUrl", "Environment")]),
    "one feed twice": ([("feeds/environment", "feeds/all")], [("xmlUrl", "")]),
    "an empty group": ([("<body>", '<body><outline text="Nothing"/>')], [("outline", "Nothing")]),
}


def changed(*changes: tuple[str, str]) -> bytes:
    text = GOOD
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text.encode()


def found(content: bytes) -> list[tuple[str, str]]:
    problems = check_opml(content, now=NOW)
    return [(problem.rule.removeprefix("OPML 2.0, "), problem.entry_id) for problem in problems]


def test_the_list_we_write_keeps_every_rule() -> None:
    assert found(GOOD.encode()) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_of_opml_is_found_with_the_outline_that_breaks_it(name: str) -> None:
    changes, expected = BROKEN[name]
    assert found(changed(*changes)) == expected


def test_the_docs_element_that_opml_knows_is_no_problem() -> None:
    assert found(changed((TITLE, TITLE + "<docs>http://opml.org/spec2.opml</docs>"))) == []


def test_a_list_without_any_feed_is_told() -> None:
    content = b'<opml version="2.0"><head><title>x</title></head><body/></opml>'
    assert found(content) == [("body", "")]
