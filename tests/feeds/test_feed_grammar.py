from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from feed_samples import FIXED, NOW, feed_of, filed

from publisher.feeds import atom
from publisher.feeds.entry_rules import MAX_BYTES
from publisher.feeds.grammar import check_atom

FEED = feed_of(filed("a", 9), filed("b", source_url="https://www.wcoomd.org/"))
GOOD = atom.render(FEED).decode()
A, B = (entry.entry_id for entry in FEED.entries)
TITLE_A = "<title>Title a</title>"
UPDATED_A = "<updated>2026-03-01T16:00:00Z</updated>\n    <content"
LINK_A = '<link href="https://customs.example/articles/article-a/" rel="alternate" type="text/html" hreflang="en"/>'
SELF = '<link href="https://customs.example/feeds/environment.atom" rel="self" type="application/atom+xml"/>'
AUTHOR = "<author>\n    <name>Customs desk</name>\n  </author>"
CONTENT_A = '<content type="html">&lt;p&gt;Text a.&lt;/p&gt;</content>'
SUMMARY_A = '<summary type="text">Text a.</summary>'
XHTML = '<div xmlns="http://www.w3.org/1999/xhtml"><p class="x">a <b>b</b></p></div>'


def broken(*changes: tuple[str, str]) -> bytes:
    text = GOOD
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text.encode()


def found(content: bytes) -> list[tuple[str, str]]:
    return [(problem.rule, problem.entry_id) for problem in check_atom(content, self_url=FEED.atom_url, now=NOW)]


def test_what_we_write_keeps_every_rule() -> None:
    assert found(GOOD.encode()) == []
    assert check_atom(atom.render(feed_of(*FIXED))) == []
    assert check_atom(atom.render(feed_of())) == []


ENTRY, HEAD = "RFC 4287, 4.1.2", "RFC 4287, 4.1.1"
BROKEN = {
    "an entry without id": ([(f"<id>{A}</id>", "")], [(ENTRY, "without id")]),
    "an entry with two titles": ([(TITLE_A, TITLE_A * 2)], [(ENTRY, A)]),
    "an entry without title": ([(TITLE_A, "")], [(ENTRY, A)]),
    "an entry without updated": ([(UPDATED_A, "<content")], [(ENTRY, A)]),
    "two contents": ([(CONTENT_A, CONTENT_A * 2)], [(ENTRY, A)]),
    "two summaries": ([(SUMMARY_A, SUMMARY_A * 2)], [(ENTRY, A)]),
    "a feed without title": ([("<title>Customs initiatives: Environment</title>", "")], [(HEAD, "")]),
    "a feed with two ids": ([("<generator>", "<id>urn:x:y</id><generator>")], [(HEAD, "")]),
    "an element Atom does not know": ([("<generator>", "<wrong/><generator>")], [(HEAD, "")]),
    "metadata after the entries": ([("</feed>", "<icon>https://a.example/</icon></feed>")], [(HEAD, "")]),
    "text between elements": ([("<generator>", "stray <generator>")], [(HEAD, "")]),
    "a date without zone": ([(UPDATED_A, UPDATED_A.replace("Z<", "<"))], [(ENTRY, A)]),
    "a date with a blank": ([(UPDATED_A, UPDATED_A.replace("T", " "))], [(ENTRY, A)]),
    "a date that no calendar has": ([(UPDATED_A, UPDATED_A.replace("-03-01", "-02-30"))], [(ENTRY, A)]),
    "an id that is no IRI": ([(f"<id>{A}</id>", "<id>just words</id>")], [(ENTRY, "just words")]),
    "a link without href": ([(LINK_A, '<link rel="alternate"/>')], [(ENTRY, A)]),
    "a link with an empty rel": ([(LINK_A, LINK_A.replace('"alternate"', '""'))], [(ENTRY, A)]),
    "a link type that is none": ([(LINK_A, LINK_A.replace("text/html", "html"))], [(ENTRY, A)]),
    "a category without term": ([('<category term="environment"', "<category")], [(ENTRY, A)]),
    "a person without name": ([(AUTHOR, "<author><uri>https://a.example/</uri></author>")], [(HEAD, "")]),
    "a person with a bad address": ([(AUTHOR, AUTHOR.replace("</name>", "</name><email>me</email>"))], [(HEAD, "")]),
    "a text type Atom does not know": ([(SUMMARY_A, SUMMARY_A.replace('"text"', '"CDATA"'))], [(ENTRY, A)]),
    "a content type that is none": ([(CONTENT_A, CONTENT_A.replace('"html"', '"CDATA"'))], [(ENTRY, A)]),
    "markup in escaped content": ([(CONTENT_A, '<content type="html"><p>x</p></content>')], [(ENTRY, A)]),
    "content both here and elsewhere": (
        [(CONTENT_A, '<content type="text/plain" src="https://a.example/">x</content>')],
        [(ENTRY, A)],
    ),
    "a language that is none": ([('xml:lang="en"', 'xml:lang="e n"')], [(HEAD, "")]),
    "an attribute Atom does not know": ([("<generator>", '<generator wrong="1">')], [(HEAD, "")]),
    "two alternate links of one kind": ([(LINK_A, LINK_A * 2)], [(ENTRY, A)]),
    "two alternate links, one by default": (
        [(LINK_A, '<link href="https://a.example/1"/><link rel="alternate" href="https://a.example/2"/>')],
        [(ENTRY, A)],
    ),
    "no self link": ([(SELF, "")], [(HEAD, "")]),
    "another's self link": ([(SELF, SELF.replace("environment", "other"))], [(HEAD, "")]),
    "one id twice": ([(A, B)], [("RFC 4287, 4.2.6", B)]),
    "no author anywhere": ([(AUTHOR, "")], [(ENTRY, A), (ENTRY, B)]),
    "neither content nor alternate link": ([(CONTENT_A, ""), (LINK_A, "")], [(ENTRY, A)]),
    "neither content nor summary": ([(CONTENT_A, ""), (SUMMARY_A, "")], [("RFC 4287, 4.1.1.1", A)]),
    "content elsewhere without summary": (
        [(CONTENT_A, '<content type="text/html" src="https://a.example/"/>'), (SUMMARY_A, "")],
        [(ENTRY, A)],
    ),
    "base64 content without summary": (
        [(CONTENT_A, '<content type="image/png">AAAA</content>'), (SUMMARY_A, "")],
        [(ENTRY, A)],
    ),
    "a date before feeds": ([("<published>2026", "<published>1952")], [("RFC 4287, 3.3", A)]),
    "a date to come": ([("<published>2026", "<published>2040")], [("RFC 4287, 3.3", A)]),
    "oldest first": ([(UPDATED_A, UPDATED_A.replace("2026", "2020"))], [("newest first", B)]),
    "another document": ([("<feed ", "<rss "), ("</feed>", "</rss>")], [(HEAD, "")]),
    "a cut document": ([("</feed>", "")], [("XML 1.0", "")]),
    "a forbidden character": ([("Title a", "Title &#11;")], [("XML 1.0", "")]),
    "HTML that acts by itself": ([("&lt;p&gt;Text a", "&lt;p onclick=x()&gt;Text a")], [("RFC 4287, 8.1", A)]),
    "HTML with a relative address": ([("&lt;p&gt;Text a", "&lt;img src=/a.png&gt;Text a")], [("RFC 4287, 8.1", A)]),
    "a DOCTYPE": ([("<feed", "<!DOCTYPE feed><feed")], [("RFC 4287, 2", "")]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_found_with_the_entry_that_breaks_it(name: str) -> None:
    changes, expected = BROKEN[name]
    assert found(broken(*changes)) == expected


ALLOWED = {
    "foreign elements": [("<generator>", '<x:a xmlns:x="urn:x:y" b="1">t<x:c/></x:a><generator>')],
    "foreign attributes": [("<generator>", '<generator xmlns:x="urn:x:y" x:a="1">')],
    "tombstones": [("<generator>", '<t:d xmlns:t="urn:t" ref="tag:a,2020:b" when="2026-01-01T00:00:00Z"/><generator>')],
    "comments and instructions": [("<generator>", "<!-- c --><?p i?><generator>")],
    "xhtml": [(SUMMARY_A, f'<summary type="xhtml">{XHTML}</summary>')],
    "xhtml content": [(CONTENT_A, f'<content type="xhtml">{XHTML}</content>')],
    "XML content": [(CONTENT_A, '<content type="image/svg+xml"><svg xmlns="urn:s" a="1"><g/></svg></content>')],
    "no content": [(CONTENT_A, "")],
    "alternate links of two languages": [(LINK_A, LINK_A + LINK_A.replace('hreflang="en"', 'hreflang="fr"'))],
    "a source with some of its data": [(CONTENT_A, CONTENT_A + "<source><id>urn:a:b</id></source>")],
    "authors by entry": [(AUTHOR, ""), (CONTENT_A, CONTENT_A + AUTHOR)],
    "parts of a second and a far zone": [(UPDATED_A, UPDATED_A.replace("00Z", "00.25+05:30"))],
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_the_rfc_allows_is_no_problem(name: str) -> None:
    content = broken(*ALLOWED[name])
    if name == "authors by entry":
        content = re.sub(rb"(Text b\.&lt;/p&gt;</content>)", rb"\1" + AUTHOR.encode(), content)
    assert found(content) == []


def test_an_external_entity_is_not_read() -> None:
    content = broken(
        ("<feed", '<!DOCTYPE feed [<!ENTITY secret SYSTEM "file:///etc/hostname">]><feed'), ("Title a", "&secret;")
    )
    assert [problem.rule for problem in check_atom(content)] == ["RFC 4287, 2"]


def test_a_document_over_the_limit_is_refused_unread() -> None:
    (problem,) = check_atom(b"<" * (MAX_BYTES + 1))
    assert str(problem) == "5,000,001 bytes are more than 5,000,000 (document size)"


def test_a_problem_reads_as_one_line() -> None:
    (problem,) = check_atom(broken((TITLE_A, "")))
    assert str(problem) == f"entry {A}: 0 elements title instead of one (RFC 4287, 4.1.2)"


def test_an_entry_may_be_dated_a_day_ahead_but_not_two() -> None:
    dated = FEED.entries[0].updated
    assert check_atom(GOOD.encode(), now=dated.replace(day=1, hour=0)) == []
    problems = check_atom(GOOD.encode(), now=datetime(2026, 2, 27, tzinfo=UTC))
    assert {problem.entry_id for problem in problems} == {"", A, B}
