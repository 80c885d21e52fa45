from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from feed_samples import ASIA, ENVIRONMENT, FIXED, NOW, SITE, TOPICS, article, feed_of, filed

from publisher.config import SiteSettings
from publisher.errors import FeedError
from publisher.feeds import atom, jsonfeed, rss
from publisher.feeds.check import check
from publisher.feeds.entry_rules import MAX_BYTES, drop_bad_entries
from publisher.feeds.grammar import check_atom
from publisher.feeds.value import (
    Category,
    Entry,
    FeedSite,
    Pictures,
    Tombstone,
    build_feed,
    everything,
    mint_entry_id,
    part_of,
)
from publisher.links import Links
from publisher.model import FiledArticle, Topic, TopicGroup


def test_an_id_survives_a_new_title_slug_topic_and_address() -> None:
    before = feed_of(filed("a1"))
    moved = replace(SITE, links=Links("http://elsewhere.example/news/"), title="Other name")
    renamed = article("a1", title="Corrected", slug="corrected")
    after = build_feed(ASIA, [FiledArticle(renamed, ("region-asia-pacific",))], TOPICS, moved)
    assert before.entries[0].entry_id == after.entries[0].entry_id == "tag:customs.example,2026:article/a1"
    assert feed_of(filed("a1"), site=moved).feed_id == before.feed_id == "tag:customs.example,2026:feed/environment"
    assert before.entries[0].categories == feed_of(filed("a1"), site=moved).entries[0].categories


def test_a_key_with_odd_characters_still_makes_a_tag_uri() -> None:
    assert mint_entry_id("customs.example", 2026, "a b/ü") == "tag:customs.example,2026:article/a%20b%2F%C3%BC"


def test_entries_come_newest_change_first_and_in_a_total_order() -> None:
    same_second = [filed("b"), filed("c", 9), filed("a"), filed("d", 2)]
    order = [entry.entry_id[-1] for entry in feed_of(*same_second).entries]
    assert order == ["c", "d", "a", "b"]
    assert feed_of(*reversed(same_second)) == feed_of(*same_second)


def test_the_feed_is_dated_by_its_newest_entry_and_an_empty_one_by_the_tag_year() -> None:
    assert feed_of(filed("a"), filed("b", 9)).updated == datetime(2026, 3, 1, 16, tzinfo=UTC)
    assert feed_of().updated == datetime(2026, 1, 1, tzinfo=UTC)


def test_the_feed_of_everything_has_the_name_of_the_site() -> None:
    everything_feed = feed_of(filed("a"), topic=everything(SITE))
    assert (everything_feed.title, everything_feed.home_url) == ("Customs initiatives", "https://customs.example/")
    assert everything_feed.atom_url == "https://customs.example/feeds/all.atom"
    assert feed_of().title == "Customs initiatives: Environment"
    assert feed_of().home_url == "https://customs.example/topics/environment/"


def test_a_union_of_topics_keeps_its_plus_in_the_address() -> None:
    union = Topic("environment+region-asia-pacific", "Environment, Asia/Pacific", "", TopicGroup.THEME)
    feed = feed_of(filed("a"), topic=union)
    assert feed.atom_url == "https://customs.example/feeds/environment+region-asia-pacific.atom"


def test_categories_tell_slug_kind_and_label_and_a_removed_topic_is_none() -> None:
    entries = {entry.entry_id[-4:]: entry for entry in feed_of(*FIXED).entries}
    assert entries["4f2a"].categories == (
        Category("environment", "tag:customs.example,2026:theme", "Environment"),
        Category("region-asia-pacific", "tag:customs.example,2026:region", "Asia/Pacific"),
    )
    assert [category.term for category in entries["77aa"].categories] == ["environment"]


def test_a_document_older_than_feeds_is_dated_by_when_it_was_first_seen() -> None:
    seen = datetime(2026, 3, 1, 7, tzinfo=UTC)
    feed = feed_of(filed("a", published=datetime(1952, 11, 4, tzinfo=UTC), first_seen=seen))
    assert feed.entries[0].published == seen
    assert check_atom(atom.render(feed)) == []


@pytest.mark.parametrize("hours", [0, 3, 30])
def test_an_article_dated_ahead_is_dated_by_when_it_was_first_seen_also_after_a_correction(hours: int) -> None:
    seen = datetime(2026, 3, 1, 7, tzinfo=UTC)
    updated = seen + timedelta(hours=hours)
    feed = feed_of(filed("a", published=seen + timedelta(hours=20), first_seen=seen, updated=updated))
    (entry,) = feed.entries
    assert (entry.published, entry.updated) == (seen, updated)
    for kind, content in (("atom", atom.render(feed)), ("rss", rss.render(feed)), ("json", jsonfeed.render(feed))):
        assert check(kind, content, now=updated) == []


def test_dates_lose_their_fractions_and_foreign_zones() -> None:
    odd = datetime.fromisoformat("2026-03-01T09:30:00.987654+05:30")
    entry = feed_of(filed("a", published=odd, updated=odd)).entries[0]
    assert entry.updated == entry.published == datetime(2026, 3, 1, 4, tzinfo=UTC)
    assert b"2026-03-01T04:00:00Z" in atom.render(feed_of(filed("a", published=odd, updated=odd)))


def test_an_article_without_title_or_summary_borrows_from_its_text() -> None:
    entry = feed_of(filed("a", title="\x00 \n", text="First words of it. " * 40)).entries[0]
    assert entry.title.startswith("First words")
    assert len(entry.title) <= 80
    assert entry.summary.startswith("First words of it.")


def test_settings_without_an_author_give_the_site_s_title() -> None:
    site = FeedSite.of(SiteSettings(title="News", base_url="https://news.example"))
    assert (site.author, site.links.base_url) == ("News", "https://news.example/")
    assert FeedSite.of(SiteSettings(author="Desk")).author == "Desk"


def test_a_site_without_any_name_is_its_own_author_and_a_topic_without_a_label_its_slug() -> None:
    nameless = Topic("environment", "<b></b>", "", TopicGroup.THEME)
    feed = build_feed(nameless, [filed("a")], {"environment": nameless}, replace(SITE, title="<i></i>", author=" "))
    assert feed.author == "customs.example"
    assert [category.label for category in feed.entries[0].categories] == ["environment"]


def test_a_summary_of_its_own_stands_before_the_beginning_of_the_text() -> None:
    entry = feed_of(filed("a", summary=" In  short. ", text="First words of it.")).entries[0]
    assert entry.summary == "In short."


def test_the_settings_of_a_site_reach_its_feeds() -> None:
    settings = SiteSettings(title="News", base_url="https://news.example/", timezone="Asia/Tokyo")
    pictures = Pictures(icon="icon.png", small="small.png", logo="")
    site = FeedSite.of(settings, hubs=("https://hub.example/",), own_hub="https://news.example/hub", pictures=pictures)
    corrected = datetime(2026, 3, 1, 20, tzinfo=UTC)
    feed = feed_of(filed("a", corrected=corrected, correction="A name."), site=site)
    assert feed.hubs == ("https://hub.example/", "https://news.example/hub")
    assert (feed.icon, feed.small_icon, feed.logo) == (
        "https://news.example/icon.png",
        "https://news.example/small.png",
        None,
    )
    assert "Corrected on 2 March 2026." in feed.entries[0].content, "the day that it was there"


def test_of_a_withdrawn_article_nothing_is_left_but_that_and_its_address() -> None:
    kept = feed_of(filed("a", author="Ann", source_url="https://x.example/")).entries[0]
    gone = {"withdrawn": NOW, "withdrawal": "It was <not> so.", "updated": NOW, "language": "fr"}
    entry = feed_of(filed("a", author="Ann", source_url="https://x.example/", **gone)).entries[0]
    text = "This article was withdrawn on 10 March 2026. It was <not> so."
    assert entry == Entry(
        entry_id=kept.entry_id,
        title="Withdrawn: Title a",
        url=kept.url,
        published=kept.published,
        updated=NOW,
        summary=text,
        content=f"<p>{text.replace('<', '&lt;').replace('>', '&gt;')}</p>",
        language="en",
    )


def test_a_part_of_a_feed_is_dated_by_what_is_in_it() -> None:
    feed = feed_of(filed("a"), filed("b", 5), filed("c", 9))
    a, b = (f"tag:customs.example,2026:article/{key}" for key in "ab")
    part = part_of(feed, {a, b})
    assert [entry.entry_id for entry in part.entries] == [b, a]
    assert part.updated == datetime(2026, 3, 1, 12, tzinfo=UTC)
    gone = Tombstone(b, NOW)
    assert part_of(feed, {a}, [gone]) == replace(feed, entries=part.entries[1:], tombstones=(gone,), updated=NOW)
    assert part_of(feed, ()).updated == feed.updated


BAD = {
    "RFC 4287, 4.2.6": {"entry_id": "no iri"},
    "XML 1.0, 2.2": {"content": "<p>\x0b</p>"},
    "RFC 4287, 4.2.14": {"title": " "},
    "RFC 4287, 4.1.2": {"summary": "", "content": " "},
    "RFC 4287, 4.2.7.1": {"source_url": "javascript:alert(1)"},
    "RFC 4287, 2": {"language": "not a language"},
    "RFC 4287, 3.2.1": {"author": ""},
    "RFC 4287, 4.2.2": {"categories": (Category("a", "no-iri", "A"),)},
    "RFC 4287, 3.3": {"updated": datetime(2026, 3, 1, 7, 0, 0, 5, tzinfo=UTC)},
}


@pytest.mark.parametrize("rule", BAD)
def test_one_bad_entry_stays_out_by_name_and_rule_and_the_others_are_published(rule: str) -> None:
    feed = feed_of(filed("a"), filed("b", 1))
    bad = replace(feed.entries[1], **BAD[rule])  # type: ignore[arg-type]
    broken = replace(feed, entries=(feed.entries[0], bad))
    for render in (atom.render, rss.render, jsonfeed.render):
        with pytest.raises(FeedError, match=f"feed environment: entry {bad.entry_id}: .*{rule}"):
            render(broken)
    good, problems = drop_bad_entries(broken)
    assert [(problem.rule, problem.entry_id) for problem in problems] == [(rule, bad.entry_id)]
    assert good.entries == (feed.entries[0],)
    assert check_atom(atom.render(good)) == []


def test_a_naive_date_is_a_bad_entry() -> None:
    feed = feed_of(filed("a"))
    naive = replace(feed.entries[0], published=datetime(2026, 3, 1))  # noqa: DTZ001
    assert [problem.rule for problem in drop_bad_entries(replace(feed, entries=(naive,)))[1]] == ["RFC 4287, 3.3"]


def test_of_two_entries_with_one_id_the_first_is_published() -> None:
    feed = feed_of(filed("a", 5), filed("b"))
    twin = replace(feed.entries[1], entry_id=feed.entries[0].entry_id)
    good, problems = drop_bad_entries(replace(feed, entries=(feed.entries[0], twin)))
    assert good.entries == (feed.entries[0],)
    assert problems[0].rule == "RFC 4287, 4.2.6"


def test_an_entry_of_the_far_future_waits_and_the_feed_is_dated_without_it() -> None:
    feed = feed_of(filed("a"), filed("b", updated=NOW + timedelta(days=3)))
    good, problems = drop_bad_entries(feed, now=NOW)
    assert [problem.entry_id for problem in problems] == [feed.entries[0].entry_id]
    assert good.updated == good.entries[0].updated == datetime(2026, 3, 1, 7, tzinfo=UTC)
    assert drop_bad_entries(feed) == (feed, [])


def test_a_feed_that_would_be_too_long_loses_its_oldest_entries_only() -> None:
    long = "<p>" + "x &lt; y " * 60_000 + "</p>"
    feed = feed_of(*(filed(f"{n}", n, body=long) for n in range(12)))
    good, problems = drop_bad_entries(feed)
    assert good.entries == feed.entries[: len(good.entries)]
    assert len(good.entries) + len(problems) == 12
    assert MAX_BYTES * 0.8 < len(atom.render(good)) <= MAX_BYTES
    assert len(rss.render(good)) <= MAX_BYTES
    assert {problem.rule for problem in problems} == {"document size"}
    assert check_atom(atom.render(good)) == []


def test_a_head_that_cannot_be_written_is_refused_with_the_topic_s_name() -> None:
    for change in ({"title": " "}, {"author": ""}, {"rights": "\x00"}, {"language": "?"}):
        with pytest.raises(FeedError, match=r"^feed environment: "):
            atom.render(replace(feed_of(), **change))


def test_topics_need_no_description() -> None:
    feed = feed_of(filed("a"), topic=ASIA)
    assert b"subtitle" not in atom.render(feed)
    assert b"<description>Customs initiatives: Asia/Pacific</description>" in rss.render(feed)
    assert ENVIRONMENT.description in feed_of().subtitle
