"""What each format owes its readers beyond being well-formed."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime

import feedparser
import pytest
from feed_samples import ASIA, ENVIRONMENT, FIXED, SITE, feed_of, filed
from lxml import etree

from publisher.feeds import atom, jsonfeed, opml, rss
from publisher.model import Topic, TopicGroup

ATOM = "{http://www.w3.org/2005/Atom}"
DC = "{http://purl.org/dc/elements/1.1/}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def test_atom_entry_links_keep_relation_type_and_language() -> None:
    root = etree.fromstring(atom.render(feed_of(*FIXED)))
    by_id = {entry.findtext(f"{ATOM}id"): entry for entry in root.iter(f"{ATOM}entry")}
    links = [dict(link.attrib) for link in by_id["tag:customs.example,2026:article/4f2a"].iter(f"{ATOM}link")]
    assert links == [
        {
            "href": "https://customs.example/articles/article-4f2a/",
            "rel": "alternate",
            "type": "text/html",
            "hreflang": "en",
        },
        {"href": "https://www.wcoomd.org/en/media/newsroom/2021/waste.aspx", "rel": "via"},
    ]


def test_atom_says_the_language_of_the_feed_and_of_entries_that_differ() -> None:
    root = etree.fromstring(atom.render(feed_of(*FIXED)))
    assert root.get(LANG) == "en"
    assert sorted(entry.get(LANG) or "" for entry in root.iter(f"{ATOM}entry")) == ["", "", "ar", "fr"]


def test_atom_declares_a_title_that_looks_like_markup_as_html_and_no_other() -> None:
    feed = feed_of(filed("a", title="<script>x</script>"), filed("b", 1, title="Ports & R&D: 5 < 6"))
    titles = [(title.get("type"), title.text) for title in etree.fromstring(atom.render(feed)).iter(f"{ATOM}title")]
    assert titles[1:] == [(None, "Ports & R&D: 5 < 6"), ("html", "&lt;script&gt;x&lt;/script&gt;")]


@pytest.mark.parametrize("title", ["Fish &lt chips", "Hall B&2", "R&D &copy Co", "Sum &alpha and so on"])
def test_an_entity_without_its_semicolon_is_not_taken_for_one(title: str) -> None:
    kinds = [
        element.get("type")
        for element in etree.fromstring(atom.render(feed_of(filed("a", title=title)))).iter(f"{ATOM}title")
    ]
    assert kinds == [None, "html"]


def test_rss_writes_the_ampersands_of_titles_and_labels_as_its_profile_has_it() -> None:
    feed = feed_of(filed("a", title="<b>Ports</b> & R&D", body="<p>A &amp; B</p>"))
    content = rss.render(feed)
    assert b"<title>&#x26;lt;b&#x26;gt;Ports&#x26;lt;/b&#x26;gt; &#x26;amp; R&#x26;amp;D</title>" in content
    assert b"A &amp;amp; B" in content
    item = etree.fromstring(content).find("channel/item")
    assert item is not None
    assert item.findtext("title") == "&lt;b&gt;Ports&lt;/b&gt; &amp; R&amp;D"


def test_a_title_with_markup_runs_nowhere() -> None:
    feed = feed_of(filed("a", title='<img src=x onerror="alert(1)"><b>x</b>', summary="<script>alert(1)</script>"))
    for content in (atom.render(feed), rss.render(feed)):
        entry = feedparser.parse(content, sanitize_html=False).entries[0]
        assert entry.title_detail.type == "text/html"
        assert "<" not in entry.title
        assert entry.summary_detail.type == "text/html"
        assert "<" not in entry.summary


def test_atom_has_one_author_for_the_feed_and_names_others_by_entry() -> None:
    read = feedparser.parse(atom.render(feed_of(*FIXED)))
    assert read.feed.author == "Customs desk"
    assert [entry.author for entry in read.entries if "author" in entry] == ["Alice Amber"]


def test_no_document_tells_which_version_wrote_it() -> None:
    for content in (atom.render(feed_of()), rss.render(feed_of())):
        assert b">publisher</generator>" in content


def test_rss_links_the_page_and_names_itself_by_its_own_address() -> None:
    channel = etree.fromstring(rss.render(feed_of(*FIXED)))[0]
    assert channel.findtext("link") == "https://customs.example/topics/environment/"
    own = channel.find(f"{ATOM}link")
    assert own is not None
    assert dict(own.attrib) == {
        "href": "https://customs.example/feeds/environment.rss",
        "rel": "self",
        "type": "application/rss+xml",
    }


def test_rss_keeps_the_first_date_and_tells_a_correction_apart() -> None:
    first, later = datetime(2026, 3, 1, 7, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)
    item = etree.fromstring(rss.render(feed_of(filed("a", published=first, updated=later)))).find(".//item")
    assert item is not None
    assert item.findtext("pubDate") == "Sun, 01 Mar 2026 07:00:00 +0000"
    assert item.findtext(f"{ATOM}updated") == "2026-03-04T00:00:00Z"


def test_rss_ids_are_no_addresses_and_authors_are_names() -> None:
    items = etree.fromstring(rss.render(feed_of(*FIXED))).findall(".//item")
    for item, entry in zip(items, feed_of(*FIXED).entries, strict=True):
        guid = item.find("guid")
        assert guid is not None
        assert (guid.text, guid.get("isPermaLink")) == (entry.entry_id, "false")
        assert item.find("author") is None
        names = [child.tag for child in item]
        assert names.index("description") < names.index("{http://purl.org/rss/1.0/modules/content/}encoded")


def test_rss_tells_how_long_to_wait_only_when_that_is_known() -> None:
    assert b"<ttl>30</ttl>" in rss.render(feed_of(), ttl_minutes=30)
    assert b"<ttl>" not in rss.render(feed_of())


def test_json_feed_has_what_version_1_1_asks_for() -> None:
    feed = feed_of(*FIXED)
    document = json.loads(jsonfeed.render(feed))
    assert document["version"] == "https://jsonfeed.org/version/1.1"
    assert document["feed_url"] == feed.json_url
    assert document["home_page_url"] == feed.home_url
    for item in document["items"]:
        assert isinstance(item["id"], str)
        assert "content_html" in item
        assert None not in item.values()


def test_an_entry_without_content_is_told_by_its_summary() -> None:
    feed = feed_of(filed("a"))
    bare = replace(feed, entries=(replace(feed.entries[0], content=""),))
    assert json.loads(jsonfeed.render(bare))["items"][0]["content_text"] == "Text a."
    assert feedparser.parse(atom.render(bare)).entries[0].summary == "Text a."
    assert feedparser.parse(rss.render(bare)).entries[0].summary == "Text a."


def test_an_empty_feed_is_a_feed_in_every_format() -> None:
    assert feedparser.parse(atom.render(feed_of())).version == "atom10"
    assert feedparser.parse(rss.render(feed_of())).version == "rss20"
    assert json.loads(jsonfeed.render(feed_of()))["items"] == []


def test_opml_lists_everything_first_then_themes_and_regions() -> None:
    body = etree.fromstring(opml.render([ASIA, ENVIRONMENT], SITE, datetime(2026, 3, 1, tzinfo=UTC))).find("body")
    assert body is not None
    assert [outline.get("text") for outline in body] == ["Customs initiatives", "Themes", "Regions"]
    assert body[0].get("xmlUrl") == "https://customs.example/feeds/all.atom"
    assert [outline.get("xmlUrl") for outline in body[1]] == ["https://customs.example/feeds/environment.atom"]
    assert [outline.get("xmlUrl") for outline in body[2]] == ["https://customs.example/feeds/region-asia-pacific.atom"]
    for outline in body.iter("outline"):
        # the validator: a title asks for a type, type=rss for a title and an address
        assert ("type" in outline.attrib) == ("title" in outline.attrib) == ("xmlUrl" in outline.attrib)


def test_opml_leaves_out_a_group_without_topics() -> None:
    content = opml.render([ENVIRONMENT], SITE, datetime(2026, 3, 1, tzinfo=UTC))
    assert b"Regions" not in content


def test_opml_escapes_labels() -> None:
    label = 'Ports "&" <seas>'
    content = opml.render([Topic("x", label, "", TopicGroup.THEME)], SITE, datetime(2026, 3, 1, tzinfo=UTC))
    assert label in [outline.get("title") for outline in etree.fromstring(content).iter("outline")]


def test_many_threads_render_the_same_atom_bytes() -> None:
    feed = feed_of(*FIXED)
    expected = atom.render(feed)
    seen: list[bytes] = []
    threads = [threading.Thread(target=lambda: seen.extend(atom.render(feed) for _ in range(20))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [expected] * 80


def test_an_item_made_once_stands_in_another_feed_as_that_feed_needs_it() -> None:
    one = feed_of(filed("a"), filed("b", 1))
    other = replace(one, author="Another desk", language="fr", slug="other")
    for feed in (one, other, one):
        text = jsonfeed.render(feed).decode()
        assert text == json.dumps(json.loads(text), ensure_ascii=False, indent=1) + "\n"
        assert [item.get("language") for item in json.loads(text)["items"]] == (
            [None, None] if feed is one else ["en", "en"]
        )
        items = etree.fromstring(rss.render(feed)).findall("channel/item")
        assert [item.findtext(f"{DC}creator") for item in items] == [feed.author] * 2
        assert [item.findtext(f"{DC}language") for item in items] == ([None] * 2 if feed is one else ["en"] * 2)
