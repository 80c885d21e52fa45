"""Texts, names and addresses as feeds have them: what is written is read as it was meant, whoever reads it."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from publisher.feeds.texts import (
    has_forbidden,
    name_of,
    plain_in_html,
    said_once,
    text_or_html,
    uri_of,
    without_forbidden,
)

TWICE = re.compile("[\u00c2\u00c3][\u0080-\u00bf]")
"""What the W3C validator takes for UTF-8 that was read as Latin-1."""
TITLES = st.lists(st.sampled_from([*"aé <>&;#/!'\"9", "CafÃ©", "Â\u00a0", "lt", "amp", "copy", "not", "apos"])).map(
    "".join
)


@given(TITLES | st.text(max_size=20))
@example("Ports & people")
@example("a < b")
@example("<b>bold</b>")
@example("AT&T, R&D")
@example("fish &amp chips")
@example("Terms&notes")
@example("&#233; and &apos")
@example("CafÃ©")
def test_a_title_reads_the_same_to_who_heeds_its_type_and_to_who_takes_all_for_html(plain: str) -> None:
    kind, form = text_or_html(plain)
    assert html.unescape(form) == plain
    assert kind == "html" or form == plain
    assert not re.search(r"<[a-zA-Z/!?]", form)
    assert not TWICE.search(form)


@pytest.mark.parametrize("plain", ["Ports & people", "a < b", "AT&T, R&D", "“Yes” 'no'", "Été", ""])
def test_an_ordinary_title_stays_plain_text(plain: str) -> None:
    assert text_or_html(plain) == ("text", plain)


@pytest.mark.parametrize(
    "plain",
    ["<b>bold</b>", "a &lt; b", "fish &amp chips", "&alpha beta", "&apos", "&#x41", "CafÃ©", "Terms&notes", "&foo; it"],
)
def test_a_title_that_looks_like_markup_is_declared_as_html(plain: str) -> None:
    assert text_or_html(plain)[0] == "html"


@given(TITLES | st.text(max_size=20))
def test_plain_text_in_html_is_the_same_text_and_keeps_its_quotes(plain: str) -> None:
    written = plain_in_html(plain)
    assert html.unescape(written) == plain
    assert not TWICE.search(written)
    assert [written.count(quote) for quote in "\"'"] == [plain.count(quote) for quote in "\"'"]


def test_html_without_such_a_pair_stays_as_it_is() -> None:
    for markup in ("<p>Été à Âge, Ã</p>", "<p>plain</p>"):
        assert said_once(markup) == markup
    assert said_once("<p>CafÃ©s, 5Â\u00a0€</p>") == "<p>CafÃ&#169;s, 5Â&#160;€</p>"


def _is_xml(text: str) -> bool:
    try:
        return (etree.fromstring(f"<a>{text}</a>".encode()).text or "") == text
    except (etree.XMLSyntaxError, UnicodeEncodeError):
        return False


@pytest.mark.parametrize(
    "character", [*map(chr, range(32)), "\x7f", "\x85", "\ud800", "\udfff", "\ufffd", "\ufffe", "\uffff", "😀"]
)
def test_what_xml_forbids_is_known_and_taken_out_and_nothing_else(character: str) -> None:
    text = f"a{character}b"
    allowed = _is_xml(text) or character == "\r"  # which a parser reads as a line's end
    assert has_forbidden(text) is not allowed
    assert without_forbidden(text) == (text if allowed else "ab")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Ann  Doe\n", "Ann Doe"),
        ("AT&T < 9", "AT&T < 9"),
        ("Terms&notes", "Terms&notes"),
        ("<b>Ann</b> Doe", "Ann Doe"),
        ("Fish &amp; Chips", "Fish & Chips"),
        ("&lt;Ann&gt; Doe", "Ann> Doe"),
        ("Café", "Café"),
        ("CafÃ© Ltd", "Café Ltd"),
        ("CafÃ© “Ltd”", "CafÃ© “Ltd”"),  # no Latin-1: nobody knows what it was
    ],
)
def test_a_name_has_neither_tags_nor_entities_and_is_read_as_it_was_meant(written: str, name: str) -> None:
    assert name_of(written) == name


@pytest.mark.parametrize(
    ("address", "uri"),
    [
        ("https://news.example/a?b=c&d=%20#e", "https://news.example/a?b=c&d=%20#e"),
        ("https://bücher.example/é t?ü=1", "https://xn--bcher-kva.example/%C3%A9%20t?%C3%BC=1"),
        ("HTTP://[2001:db8::1]:8080/x", "HTTP://[2001:db8::1]:8080/x"),
        ("http://a..b.example/ü", "http://a..b.example/%C3%BC"),
        ("tag:news.example,2026:1", "tag:news.example,2026:1"),
        ("mailto:ann@news.example", "mailto:ann@news.example"),
        ("https://news.example/a\n<b>", "https://news.example/a%0A%3Cb%3E"),
    ],
)
def test_an_address_is_written_in_the_characters_of_a_uri(address: str, uri: str) -> None:
    assert uri_of(address) == uri
    assert uri_of(uri) == uri
