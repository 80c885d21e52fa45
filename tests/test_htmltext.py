"""htmltext: whatever comes in, what goes out is safe in XML, HTML and mail, and says the same."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from lxml import html as lxml_html

from publisher import cleantext, htmltext
from publisher.cleantext import clean_line, clean_text, slugify, title_identity
from publisher.htmltext import excerpt, from_text, sanitise, to_text

ANY = st.text(st.characters(codec=None, categories=None), max_size=60)  # lone surrogates included
NASTY = st.sampled_from(
    "\x00\x0b\r\n\x85\ufeff\ufffd\ufffe\U0001ffff\ud800\u202e\u2066e\u0301>\u0338\ufdd0\x9f\t \u00a0\u2028xΩ"
)
UNICODE = st.one_of(ANY, st.lists(NASTY, max_size=20).map("".join))

TAGS = """
p div h1 h2 b i em a ul ol li table tr td th pre blockquote script style svg math iframe img form button select option
noscript template textarea title section figure figcaption span font x-y frameset body html base meta plaintext xmp
object embed input caption colgroup br hr dl dt dd bdi bdo
"""
TAG = st.sampled_from(TAGS.split())
ATTRIBUTE = st.sampled_from(
    [
        "",
        " onclick=alert(1)",
        " onerror='x'",
        " style=color:red",
        " class=c",
        " id=top",
        ' href="javascript:alert(1)"',
        ' href="java\tscript:alert(1)"',
        ' href=" &#106;avascript:alert(1)"',
        ' href="data:text/html,<script>"',
        ' href="https://e.example/?a=1&amp;b=2"',
        ' href="//evil.example"',
        ' href="/relative"',
        ' href="http:foo"',
        ' href="mailto:info@e.example"',
        ' src="data:image/svg+xml,<svg onload=x>"',
        ' src="https://e.example/i.png" alt="<img src=x onerror=y>"',
        ' src="vbscript:x"',
        ' srcdoc="<script>x</script>"',
        ' xlink:href="javascript:x"',
        " start=7 colspan=2 rowspan=x",
        ' start="&#x202e;"',
        " dir=rtl lang=ar",
        ' dir="auto&quot; onclick=&quot;x"',
        ' lang="en us"',
        ' formaction="javascript:x" action=javascript:x',
        ' title="',
        " <",
    ]
)
PIECE = st.one_of(
    st.builds("<{}{}>".format, TAG, ATTRIBUTE),
    st.builds("</{}>".format, TAG),
    st.sampled_from(["<!--", "-->", "<![CDATA[", "]]>", "<?php", "<", ">", "&lt;script&gt;", "&#0;", "&#x202e;", '"']),
    UNICODE,
)
MARKUP = st.lists(PIECE, max_size=25).map("".join)


# --- characters


@settings(deadline=None)
@given(UNICODE)
def test_clean_text_goes_through_xml_and_says_the_same(text: str) -> None:
    clean = clean_text(text)
    element = etree.Element("t")
    element.text = clean
    element.set("a", clean)
    again = etree.fromstring(etree.tostring(element, encoding="utf-8"))
    assert (again.text or "") == clean
    assert again.get("a") == clean


@settings(deadline=None)
@given(UNICODE)
def test_clean_text_has_none_of_the_bad_characters_of_the_w3c_validator(text: str) -> None:
    clean = clean_text(text)
    assert not any(0x7F <= ord(c) <= 0x9F or c in "\ufffd\ufeff\r" for c in clean)
    assert not any(0x202A <= ord(c) <= 0x202E or 0x2066 <= ord(c) <= 0x2069 for c in clean)
    assert not any(ord(c) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(c) <= 0xFDEF for c in clean)
    assert unicodedata.is_normalized("NFC", clean)


@settings(deadline=None)
@given(UNICODE, st.integers(1, 40))
def test_cleaning_twice_changes_nothing(text: str, limit: int) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)
    line = clean_line(text, limit)
    assert clean_line(line, limit) == line
    assert len(line) <= limit
    assert "\n" not in line
    assert title_identity(title_identity(text)) == title_identity(text)


@pytest.mark.parametrize("end", ["\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
def test_every_kind_of_line_end_becomes_a_line_feed(end: str) -> None:
    assert clean_text(f"one{end}two") == "one\ntwo"


def test_a_long_line_is_cut_at_a_word() -> None:
    assert clean_line("  Customs \n and  ports, together ", 19) == "Customs and ports…"
    assert clean_line("Customs and ports", 17) == "Customs and ports"
    assert clean_line("x" * 50, 10) == "x" * 9 + "…"


def test_a_line_without_a_word_s_end_in_its_second_half_is_not_cut_to_its_first_word() -> None:
    assert clean_line("WCO 世界海关组织启动新的环境保护项目，打击非法废物运输", 16) == "WCO 世界海关组织启动新的环…"
    assert clean_line("WCO 世界海关组织启动新的，环境保护项目", 14) == "WCO 世界海关组织启动新…"
    assert clean_line("WCO 世界海关组织启动新的，环境保护项目", 15) == "WCO 世界海关组织启动新的…"
    assert clean_line("See https://example.org/" + "a" * 30, 30) == "See https://example.org/aaaaa…"


@pytest.mark.parametrize(
    "character",
    ["🇧🇪", "👨‍👩‍👧‍👦", "👩🏽‍🚀", "❤️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "क्षि", "e\u0323\u0302\u0332"],
)
def test_no_cut_parts_what_people_see_as_one_character(character: str) -> None:
    character = clean_text(character)
    line = character * 20
    for limit in range(len(character) + 1, len(line)):
        kept = clean_line(line, limit).removesuffix("…")
        assert kept == character * ((limit - 1) // len(character)), limit


def test_a_line_that_is_all_one_character_is_cut_inside_it() -> None:
    assert clean_line("a" + "\u0332" * 50, 10) == "a" + "\u0332" * 8 + "…"


def test_titles_are_the_same_whatever_their_spaces_forms_and_invisible_characters() -> None:
    assert title_identity("  E\u0301cole\u00a0 \u200bofficier\u00ad ") == title_identity("École o\ufb03cier")
    assert title_identity("WHO decides") != title_identity("Who decides")


# --- slugs


@settings(deadline=None)
@given(UNICODE, st.integers(1, 90))
def test_a_slug_is_never_empty_and_always_fit_for_a_url(title: str, limit: int) -> None:
    slug = slugify(title, limit)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)
    assert len(slug) <= max(limit, len("article"))


def test_a_slug_keeps_whole_words_and_transliterates() -> None:
    assert slugify("WCO’s Überprüfung in São Tomé, Łódź & Straße") == "wcos-uberprufung-in-sao-tome-lodz-strasse"
    assert slugify("one two three", 9) == "one-two"
    assert slugify("海关 таможня") == "article"


# --- sanitise

SAFE_URL = re.compile(r"(?i)https?://[^\s]+|mailto:[^\s]+")
SAFE = {"a": {"href", "rel"}, "img": {"src", "alt"}, "ol": {"start"}, "td": {"colspan", "rowspan"}}
SAFE["th"] = SAFE["td"]
LANGUAGE, DIRECTION = re.compile(r"[A-Za-z0-9-]{2,50}"), {"ltr", "rtl", "auto"}


def assert_harmless(markup: str) -> None:
    if not markup.strip():
        return
    for element in lxml_html.fragment_fromstring(markup, create_parent="main").iterdescendants():
        assert element.tag in htmltext._KEPT, element.tag
        assert set(element.keys()) <= SAFE.get(element.tag, set()) | {"dir", "lang"}, element.items()
        assert LANGUAGE.fullmatch(element.get("lang", "en")) and element.get("dir", "ltr").lower() in DIRECTION
        if element.tag == "a":
            assert SAFE_URL.fullmatch(element.get("href", "")), element.items()
            assert element.get("rel") == "noopener noreferrer"
        if element.tag == "img":
            assert element.get("src", "").lower().startswith(("http://", "https://"))
            assert element.get("alt") is not None


@settings(deadline=None, max_examples=300)
@given(MARKUP, st.sampled_from([None, "https://e.example/news/", "javascript:x", "https://[", "mailto:a@b.c"]))
def test_no_markup_however_hostile_or_broken_gets_through(markup: str, base_url: str | None) -> None:
    result = sanitise(markup, base_url)
    assert_harmless(result)
    assert sanitise(result, base_url) == result
    assert sanitise(result) == result
    assert not cleantext._FORBIDDEN.search(result)


@settings(deadline=None)
@given(MARKUP)
def test_every_element_that_is_opened_is_closed_in_order(markup: str) -> None:
    open_elements: list[str] = []
    for end, tag in re.findall(r"<(/?)([a-z0-9]+)[^>]*>", sanitise(markup)):
        if tag in {"br", "hr", "img"}:
            continue
        if end:
            assert open_elements.pop() == tag
        else:
            open_elements.append(tag)
    assert open_elements == []


@settings(deadline=None)
@given(MARKUP)
def test_plain_text_of_any_markup_is_clean_and_without_hidden_code(markup: str) -> None:
    text = to_text(markup)
    assert clean_text(text) == text
    assert text == text.strip("\n")
    assert "\n\n\n" not in to_text("<p>" + markup.replace("<pre", "<p"))


@settings(deadline=None)
@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=40), max_size=5))
def test_paragraphs_of_plain_text_come_back_as_they_were(paragraphs: list[str]) -> None:
    folded = [clean_line(p) for p in paragraphs if clean_line(p)]
    assert to_text(from_text("\n\n".join(paragraphs))) == "\n\n".join(folded)


def test_what_an_article_needs_is_kept() -> None:
    article = (
        "<h2>Head</h2>\n"
        '<p>One <em>two</em> <a href="https://e.example/?a=1&amp;b=2" rel="noopener noreferrer">three</a>'
        "<br>four</p>\n<ul>\n<li>five</li>\n</ul>\n<blockquote>\n<p>six</p>\n</blockquote>\n<figure><img "
        'src="https://e.example/i.png" alt="A port"><figcaption>seven</figcaption></figure>\n<table><tbody><tr>'
        '<td colspan="2">eight</td></tr></tbody></table>'
    )
    assert sanitise(article) == article


def test_languages_and_directions_of_a_text_and_its_parts_are_kept() -> None:
    article = (
        '<h2 dir="rtl" lang="ar">مقدمة</h2>\n<p>Signed in <span dir="rtl" lang="ar">الرياض</span> by '
        '<a href="https://e.example/" rel="noopener noreferrer" dir="auto" lang="pt-BR">all</a></p>'
    )
    assert sanitise(article) == article
    assert sanitise("<p>By <bdi>إيان</bdi> (<bdo dir=rtl>12</bdo>)</p>") == (
        '<p>By <span dir="auto">إيان</span> (<span dir="rtl">12</span>)</p>'
    )
    assert sanitise("<bdi dir=x>1</bdi>") == '<span dir="auto">1</span>'
    assert sanitise("<p><span class=a>One <span lang=fr>deux <span style=x>trois</span></span></span></p>") == (
        '<p>One <span lang="fr">deux trois</span></p>'
    )


def test_relative_addresses_become_absolute_or_go() -> None:
    markup = '<p><a href="../x?y">link</a><img src="i.png" alt="pic"></p>'
    assert sanitise(markup) == "<p>link</p>"
    assert sanitise(markup, "https://e.example/a/b/") == (
        '<p><a href="https://e.example/a/x?y" rel="noopener noreferrer">link</a>'
        '<img src="https://e.example/a/b/i.png" alt="pic"></p>'
    )


def test_words_in_blocks_we_do_not_keep_stay_apart() -> None:
    assert to_text("<section>one</section><article>two</article><main>three</main>") == "one\n\ntwo\n\nthree"


def test_normal_form_never_eats_a_tag() -> None:
    assert sanitise("<p>\u0338x</p>") == "<p>\u0338x</p>"  # ">" and U+0338 would join to one character


@pytest.mark.parametrize("bomb", ["<ul><li>" * 60_000, "<blockquote>" * 60_000, "<div>x" * 100_000, "<" * 300_000])
def test_deep_nesting_takes_no_more_than_a_moment(bomb: str) -> None:
    started = time.monotonic()
    assert_harmless(sanitise(bomb))
    assert time.monotonic() - started < 5


LONG = 1_000_000
"""So long that to begin anew at each character would take hours."""


@pytest.mark.parametrize(
    "markup",
    [
        "<" + "a" * LONG,
        "</" + "a1" * LONG,
        "<p></p><p>a" + " " * LONG + "b</p>",
        "<p></p><pre>a" + "\n" * LONG + "b</pre>",
        "<div>" + "&nbsp; " * (LONG // 7) + "</div>",
    ],
    ids=["a name without end", "an end without end", "blanks", "lines", "an empty block"],
)
def test_what_has_no_end_is_read_in_one_pass(markup: str) -> None:
    assert_harmless(sanitise(markup))


def test_empty_blocks_go_with_the_blanks_around_them() -> None:
    assert sanitise("<p>a</p> \n <p> </p>\n<div>&nbsp;</div>  <p>b</p> c <p></p>") == "<p>a</p>\n<p>b</p> c"


# --- plain text and excerpts


def test_plain_text_reads_like_the_page() -> None:
    markup = (
        "<h1>Head</h1><p>a  b<br>c &amp; d</p><ul><li>one<ul><li>in<li>deeper</ul><li><p>two</p><p>more</p></ul>"
        "<ol start=3><li>x<li>y</ol><table><tr><th>a<th>b<tr><td>1<td><p>2</p></table><pre>  k\n    l</pre>"
        "<script>hidden()</script>"
    )
    assert to_text(markup) == (
        "Head\n\na b\nc & d\n\n- one\n  - in\n  - deeper\n- two\n  more\n\n3. x\n4. y\n\na | b\n1 | 2\n\n  k\n    l"
    )


def test_an_excerpt_ends_with_a_sentence_where_one_is_near() -> None:
    text = "Dr. Ada of the U.S. mission spoke, e.g. on waste. She went on for a long time.\n\nAnd on and on and on."
    assert excerpt(text, 60) == "Dr. Ada of the U.S. mission spoke, e.g. on waste."
    assert excerpt(text, 45) == "Dr. Ada of the U.S. mission spoke, e.g. on…"
    assert excerpt("- one\n- two", 60) == "one two"
    assert excerpt("第一句。第二句还没有完", 6) == "第一句。"


WORDS = st.lists(
    st.sampled_from(["a ", "b. ", "Dr. ", "\n", "- ", "1. ", "   ", "e\u0301", "\u0301", "! ", "”", "。", "X", "…"]),
    max_size=300,
).map("".join)


@settings(deadline=None)
@given(WORDS, st.integers(3, 60), WORDS)
def test_what_stands_far_behind_an_excerpt_changes_nothing_in_it(text: str, limit: int, rest: str) -> None:
    long = text + "more words " * limit
    assert excerpt(long + rest, limit) == excerpt(long + "end", limit)


@settings(deadline=None)
@given(UNICODE, st.integers(3, 60))
def test_an_excerpt_is_one_line_within_its_limit(text: str, limit: int) -> None:
    result = excerpt(text, limit)
    assert len(result) <= limit
    assert "\n" not in result
    assert excerpt(result, limit) == result or re.match(r"(-|\d+\.) ", result)
