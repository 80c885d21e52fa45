"""Whatever an article says, every format tells it, well-formed, and all formats tell the same."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import feedparser
from feed_samples import ASIA, ENVIRONMENT, SITE, TOPICS, article
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

from publisher.cleantext import clean_line
from publisher.feeds import atom, jsonfeed, opml, rss
from publisher.feeds.entry_rules import drop_bad_entries
from publisher.feeds.grammar import check_atom
from publisher.feeds.texts import rfc3339
from publisher.feeds.value import Feed, build_feed
from publisher.htmltext import sanitise
from publisher.model import FiledArticle, Topic, TopicGroup

ATOM = "{http://www.w3.org/2005/Atom}"
DC = "{http://purl.org/dc/elements/1.1/}"
ENCODED = "{http://purl.org/rss/1.0/modules/content/}encoded"

anything = st.text(st.characters(exclude_categories=()), max_size=60)  # lone surrogates and controls too
nasty = st.sampled_from(
    [
        "</title><script>alert(1)</script>",
        "]]>",
        "<![CDATA[",
        "&nbsp;&#0;",
        "\u202eabc\u202c",
        "a\x00b\x85c\ufffe",
        "ﷺ" * 9,
    ]
)
words = anything | nasty | st.builds("".join, st.lists(anything | nasty, max_size=4)) | anything.map(lambda s: s * 500)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2026, 3, 1), timezones=st.just(UTC))  # noqa: DTZ001
updates = st.datetimes(datetime(1990, 1, 1), datetime(2026, 3, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def filings(draw: st.DrawFn, key: str) -> FiledArticle:
    body = sanitise("<p>" + draw(words) + '</p><a href="https://x.example/?a=1&b=2">' + draw(words) + "</a>")
    made = article(
        key,
        title=draw(words),
        summary=draw(words),
        text=draw(words) + " text",
        body=body,
        author=draw(st.none() | words),
        language=draw(st.sampled_from(["en", "fr", "ar", "pt-BR"])),
        source_url=draw(st.none() | st.sampled_from(["https://www.wcoomd.org/a?b=1&c=%20", "http://[::1]:8/"])),
        published=draw(moments),
        updated=draw(updates),
    )
    return FiledArticle(
        made, tuple(draw(st.lists(st.sampled_from(["environment", "region-asia-pacific"]), unique=True)))
    )


@st.composite
def feeds(draw: st.DrawFn) -> Feed:
    count = draw(st.integers(0, 3))
    articles = [draw(filings(f"k{number}")) for number in range(count)]
    return build_feed(draw(st.sampled_from([ENVIRONMENT, ASIA])), articles, TOPICS, SITE)


def facts_of_value(feed: Feed) -> Iterator[dict[str, Any]]:
    for entry in feed.entries:
        yield {
            "id": entry.entry_id,
            "title": entry.title,
            "url": entry.url,
            "source": entry.source_url,
            "published": rfc3339(entry.published),
            "updated": rfc3339(entry.updated),
            "summary": entry.summary,
            "content": entry.content,
            "author": entry.author or feed.author,
            "language": entry.language,
            "categories": [category.label for category in entry.categories],
        }


def facts_of_atom(content: bytes) -> Iterator[dict[str, Any]]:
    root = etree.fromstring(content)
    lang = "{http://www.w3.org/XML/1998/namespace}lang"

    def plain(entry: etree._Element, name: str) -> str:
        element = entry.find(ATOM + name)
        if element is None:
            return ""
        return html.unescape(element.text or "") if element.get("type") == "html" else element.text or ""

    for entry in root.iter(f"{ATOM}entry"):
        links = {link.get("rel"): link.get("href") for link in entry.iter(f"{ATOM}link")}
        yield {
            "id": entry.findtext(f"{ATOM}id"),
            "title": plain(entry, "title"),
            "url": links["alternate"],
            "source": links.get("via"),
            "published": entry.findtext(f"{ATOM}published"),
            "updated": entry.findtext(f"{ATOM}updated"),
            "summary": plain(entry, "summary"),
            "content": entry.findtext(f"{ATOM}content") or "",
            "author": entry.findtext(f"{ATOM}author/{ATOM}name") or root.findtext(f"{ATOM}author/{ATOM}name"),
            "language": entry.get(lang) or root.get(lang),
            "categories": [category.get("label") for category in entry.iter(f"{ATOM}category")],
        }


def facts_of_rss(content: bytes, titles: list[str]) -> Iterator[dict[str, Any]]:
    channel = etree.fromstring(content)[0]
    for item, title in zip(channel.iter("item"), titles, strict=True):
        told = item.findtext("title") or ""
        via = item.find(f"{ATOM}link")
        moved = parsedate_to_datetime(item.findtext("pubDate") or "")
        summary = html.unescape(item.findtext("description") or "")
        yield {
            "id": item.findtext("guid"),
            "title": title if title in {told, html.unescape(told)} else told,
            "url": item.findtext("link"),
            "source": None if via is None else via.get("href"),
            "published": rfc3339(moved),
            "updated": item.findtext(f"{ATOM}updated"),
            "summary": summary,
            "content": item.findtext(ENCODED) or "",
            "author": item.findtext(f"{DC}creator"),
            "language": item.findtext(f"{DC}language") or channel.findtext("language"),
            "categories": [category.text for category in item.iter("category")],
        }


def facts_of_json(content: bytes) -> Iterator[dict[str, Any]]:
    document = json.loads(content)
    for item in document["items"]:
        yield {
            "id": item["id"],
            "title": item["title"],
            "url": item["url"],
            "source": item.get("external_url"),
            "published": item["date_published"],
            "updated": item["date_modified"],
            "summary": item.get("summary", ""),
            "content": item.get("content_html", ""),
            "author": item.get("authors", document["authors"])[0]["name"],
            "language": item.get("language", document["language"]),
            "categories": item.get("tags", []),
        }


@settings(max_examples=80, deadline=None)
@given(feeds())
def test_any_article_is_told_alike_by_atom_rss_and_json_feed(feed: Feed) -> None:
    good, problems = drop_bad_entries(feed)
    assert (good, problems) == (feed, []), "articles of the store make good entries"
    told = list(facts_of_value(feed))
    assert list(facts_of_atom(atom.render(feed))) == told
    assert list(facts_of_rss(rss.render(feed), [entry.title for entry in feed.entries])) == told
    assert list(facts_of_json(jsonfeed.render(feed))) == told


@settings(max_examples=80, deadline=None)
@given(feeds())
def test_any_article_makes_an_atom_feed_without_a_problem(feed: Feed) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert check_atom(atom.render(feed), self_url=feed.atom_url, now=now) == []


def as_read(text: str) -> str:
    """feedparser takes text for UTF-8 read as Latin-1 wherever that would make sense, and repairs it."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


@settings(max_examples=60, deadline=None)
@given(feeds())
def test_a_feed_reader_reads_what_the_article_said(feed: Feed) -> None:
    for content in (atom.render(feed), rss.render(feed)):
        read = feedparser.parse(content, sanitize_html=False, resolve_relative_uris=False)
        assert not read.bozo
        assert [entry.id for entry in read.entries] == [entry.entry_id for entry in feed.entries]
        for seen, entry in zip(read.entries, feed.entries, strict=True):
            is_html = seen.title_detail.type == "text/html"
            title = html.escape(entry.title, quote=False) if is_html else entry.title
            assert as_read(html.unescape(seen.title)) == as_read(html.unescape(title))
            assert seen.link == entry.url
            assert [link.href for link in seen.links if link.rel == "via"] == [entry.source_url] * bool(
                entry.source_url
            )
            assert seen.content[0].value == as_read(entry.content)
            assert [tag.scheme for tag in seen.get("tags", [])] == [category.scheme for category in entry.categories]
            assert datetime(*seen.updated_parsed[:6], tzinfo=UTC) == entry.updated
            assert datetime(*seen.published_parsed[:6], tzinfo=UTC) == entry.published


@given(words)
@example("  <b>Ports\x00 &amp; waste</b>\u2028 \U0001f6a2 ")
@settings(max_examples=80, deadline=None)
def test_the_title_is_the_article_s_own_after_cleaning(title: str) -> None:
    made = FiledArticle(article("k", title=title), ())
    (facts,) = facts_of_atom(atom.render(build_feed(ENVIRONMENT, [made], TOPICS, SITE)))
    assert facts["title"] == (clean_line(title) or "Text k.")


@given(st.lists(st.tuples(words, words, st.sampled_from(TopicGroup)), max_size=4))
@settings(max_examples=40, deadline=None)
def test_any_labels_of_topics_make_well_formed_documents(labels: list[tuple[str, str, TopicGroup]]) -> None:
    topics = [Topic(f"t-{n}", clean_line(a) or "Label", b, group) for n, (a, b, group) in enumerate(labels)]
    document = etree.fromstring(opml.render(topics, SITE, datetime(2026, 3, 1, tzinfo=UTC)))
    assert len(document.findall(".//outline[@type='rss']")) == len(topics) + 1
    for topic in topics:
        made = FiledArticle(article("k"), (topic.slug,))
        assert check_atom(atom.render(build_feed(topic, [made], {topic.slug: topic}, SITE))) == []
