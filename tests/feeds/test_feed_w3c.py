"""What the W3C feed validator would complain of, in feeds of texts that nobody chose well. Rules in our own words."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace

import pytest
from feed_samples import ENVIRONMENT, NOW, SITE, feed_of, filed
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from publisher.cleantext import clean_line
from publisher.feeds import atom, jsonfeed, rss
from publisher.feeds.check import check
from publisher.feeds.names import ATOM
from publisher.feeds.texts import name_of, uri_of
from publisher.feeds.value import Feed, build_feed
from publisher.model import Topic, TopicGroup
from publisher.sources.fields import Inadmissible, address_of

ENDS_A_TAG = re.compile(r"</\w+>")
LIKE_AN_ENTITY = re.compile(rb"&amp;#?\w")
READ_TWICE = re.compile("[\u00c2\u00c3][\u0080-\u00bf]")
URI = re.compile(r"[a-z]+://(\[[0-9a-f:]+\])?[0-9a-zA-Z;/?:@&=+$.\-_!~*'()%,#]*", re.IGNORECASE)

HOSTILE = (
    "S&P500 <b>desk</b>",
    "&copy and &amp; and &#169;",
    "Caf\u00c3\u00a9 \u00c2\u00a3 5",
    "</title><script>alert(1)</script>",
    "]]> <![CDATA[ x",
    "x < y > z & co",
    "&lt;b&gt;bold&lt;/b&gt;",
    "\u202eturned\u202c \u0085 \ufffd \x07 zero\u200bwidth",
)


def hostile(text: str) -> Feed:
    """A feed that has `text` wherever somebody may have written something."""
    topics = {"environment": replace(ENVIRONMENT, label=text, description=text)}
    site = replace(SITE, title=f"News {text}", description=text, author=text, rights=text)
    item = filed("a", title=text, summary=text, author=text, corrected=NOW, correction=text)
    other = filed("b", 1, withdrawn=NOW, withdrawal=text, title=text)
    return build_feed(topics["environment"], [item, other], topics, site)


def plain_places(root: etree._Element) -> list[str]:
    """Texts that have no type, so that nothing can say they are HTML."""
    names = [element.text or "" for element in root.iter(f"{{{ATOM}}}name", "category", "copyright")]
    return names + [element.get("label", "") for element in root.iter(f"{{{ATOM}}}category")]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_hostile_text_makes_a_warning(text: str) -> None:
    feed = hostile(text)
    assert check("json", jsonfeed.render(feed), now=NOW) == []
    for kind, content in (("atom", atom.render(feed)), ("rss", rss.render(feed))):
        assert check(kind, content, now=NOW) == []
        root = etree.fromstring(content)
        for said in plain_places(root):
            assert not ENDS_A_TAG.search(said)
        for said in root.itertext():
            assert not READ_TWICE.search(said)
            assert not re.search("[\u0080-\u009f\ufffd]", said)
        for line in content.splitlines():
            if line.strip().startswith((b"<name>", b"<category", b"<copyright>")):
                assert not LIKE_AN_ENTITY.search(line)
        for said in root.iter("title"):  # of RSS: no type, but escaped as HTML
            assert not ENDS_A_TAG.search(said.text or "")


def test_what_reads_like_doubly_encoded_text_reads_as_before() -> None:
    text = "Caf\u00c3\u00a9"
    feed = feed_of(filed("a", title=text, body=f"<p>{text}</p>"))
    (entry,) = etree.fromstring(atom.render(feed)).iter(f"{{{ATOM}}}entry")
    for name in ("title", "content"):
        said = entry.find(f"{{{ATOM}}}{name}")
        assert said is not None and said.get("type") == "html"
        assert text in "".join(etree.fromstring(f"<x>{said.text}</x>").itertext())


@pytest.mark.parametrize(
    ("address", "uri"),
    [
        ("https://www.wcoomd.org/a/b.aspx?x=1&y=%20#z", "https://www.wcoomd.org/a/b.aspx?x=1&y=%20#z"),
        ("https://zoll.example/Äpfel?a[]=1|2", "https://zoll.example/%C3%84pfel?a%5B%5D=1%7C2"),
        ('https://bücher.example:8443/"x"', "https://xn--bcher-kva.example:8443/%22x%22"),
        ("http://[::1]:80/a b", "http://[::1]:80/a%20b"),
    ],
)
def test_the_address_of_a_source_becomes_a_uri(address: str, uri: str) -> None:
    assert uri_of(address) == uri
    feed = feed_of(filed("a", source_url=address))
    assert feed.entries[0].source_url == uri
    assert uri.replace("&", "&amp;").encode() in atom.render(feed)


@settings(max_examples=300, deadline=None)
@given(st.from_regex(r"https?://[^\s/?#\\\x00-\x20]\S{0,40}", fullmatch=True))
def test_any_address_a_source_may_give_is_fit_for_a_feed(address: str) -> None:
    with suppress(Inadmissible):
        address_of("source", address)
        assert URI.fullmatch(uri_of(address)), uri_of(address)
    assert uri_of(uri_of(address)) == uri_of(address)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab1 &;#<>/ÂÃ©£\"'"), max_size=30))
def test_any_name_is_plain_and_one_without_markup_stays(text: str) -> None:
    topic = Topic("x", text or "x", "", TopicGroup.THEME)
    feed = build_feed(topic, [filed("a", author=text)], {"environment": topic}, SITE)
    for said in plain_places(etree.fromstring(atom.render(feed))):
        assert not ENDS_A_TAG.search(said)
    if not set(text) & set("&<ÂÃ"):
        assert name_of(text) == clean_line(text)
