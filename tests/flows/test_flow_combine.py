"""What combined and private feeds say of articles that come, move, leave and are withdrawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

import feedparser
import pytest
from store.store_samples import DAY, NOW, filing, new

from publisher.app import App, build
from publisher.config import load
from publisher.feeds.selection import Match, select
from publisher.feeds.value import Feed
from publisher.flows.combine import combined_feed, private_feed, render
from publisher.flows.new_site import make_site
from publisher.links import article_path
from publisher.model import ALL, PublishedDocument

UNION = (("environment", "partnerships"), Match.ANY)
NARROW = (("environment", "region-mena"), Match.ALL)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    make_site(tmp_path, with_articles=False, with_templates=False)
    app = build(load(tmp_path / "config.toml", {}), clock=lambda: NOW)
    yield app
    app.close()


def put(app: App, number: int, *topics: str, published: bool = True) -> str:
    with app.store.write() as tx:
        article = new(number)
        tx.articles.add([article])
        if published:
            tx.documents.put([PublishedDocument(article_path(article.article.slug), "0" * 64, 1, NOW)])
        tx.filings.add([filing(number, topic) for topic in (ALL, *topics)])
    return f"key{number:06}"


def made(app: App, selection: tuple[tuple[str, ...], Match], *, entries: int = 50) -> Feed:
    topics = {topic.slug: topic for topic in app.press.feeds}
    with app.store.read() as tx:
        feed = combined_feed(tx, select(*selection, topics), replace(app.press, entries=entries))
    for kind in ("atom", "rss", "json"):
        render(feed, kind, now=NOW + 9 * DAY)  # raises where a format's rules are broken
    return feed


def numbers(feed: Feed) -> list[int]:
    return sorted(int(entry.entry_id.rpartition(":")[2]) for entry in feed.entries)


def gone(feed: Feed) -> list[int]:
    return sorted(int(tombstone.entry_id.rpartition(":")[2]) for tombstone in feed.tombstones)


@pytest.mark.parametrize("entries", [2, 50])
def test_an_article_whose_page_is_not_there_yet_is_in_no_feed(app: App, entries: int) -> None:
    for number in range(1, 11):
        put(app, number, "environment", "region-mena", published=number < 4)
    for selection in (UNION, NARROW):
        feed = made(app, selection, entries=entries)
        assert numbers(feed) == ([1, 2, 3] if entries > 2 else [2, 3])
        assert bool(feed.older) is (entries == 2)


def test_who_moves_within_a_union_stays_and_who_leaves_it_is_said_to_be_gone(app: App) -> None:
    key = put(app, 1, "environment")
    put(app, 2, "environment")
    assert (numbers(made(app, UNION)), gone(made(app, UNION))) == ([1, 2], [])
    with app.store.write() as tx:
        tx.filings.add([filing(1, "partnerships")])
        tx.filings.remove(key, ["environment"], LATER)
    assert (numbers(made(app, UNION)), gone(made(app, UNION))) == ([1, 2], [])
    with app.store.write() as tx:
        tx.filings.remove(key, ["partnerships"], LATER)
    assert (numbers(made(app, UNION)), gone(made(app, UNION))) == ([2], [1])


def test_who_leaves_one_topic_of_a_narrowing_has_left_it(app: App) -> None:
    key = put(app, 1, "environment", "region-mena")
    put(app, 2, "environment", "region-mena")
    other = put(app, 3, "environment")
    with app.store.write() as tx:
        tx.filings.remove(key, ["region-mena"], LATER)
        tx.filings.remove(other, ["environment"], LATER)  # it never was in both
    assert (numbers(made(app, NARROW)), gone(made(app, NARROW))) == ([2], [1])


def test_who_left_one_topic_and_is_withdrawn_from_another_is_a_notice_and_no_tombstone_beside_it(app: App) -> None:
    key = put(app, 1, "environment", "partnerships")
    with app.store.write() as tx:
        tx.filings.remove(key, ["environment"], LATER)
        tx.departures.withdraw(key, LATER + timedelta(hours=1), "printed too early")
    feed = made(app, UNION)
    assert (numbers(feed), gone(feed)) == ([1], [])
    assert "printed too early" in feed.entries[0].content


@pytest.mark.parametrize("selection", [UNION, NARROW])
def test_a_withdrawn_article_is_a_notice_then_a_tombstone_then_nothing(
    app: App, selection: tuple[tuple[str, ...], Match]
) -> None:
    key = put(app, 1, "environment", "partnerships", "region-mena")
    put(app, 2, "environment", "region-mena")
    with app.store.write() as tx:
        tx.departures.withdraw(key, LATER, "printed too early")
    feed = made(app, selection)
    assert numbers(feed) == [1, 2]
    assert "printed too early" in feed.entries[0].content
    with app.store.write() as tx:
        tx.departures.pass_phases(LATER + 2 * DAY, notice=DAY, tombstone=9 * DAY)
    assert (numbers(made(app, selection)), gone(made(app, selection))) == ([2], [1])
    with app.store.write() as tx:
        tx.departures.pass_phases(LATER + 20 * DAY, notice=DAY, tombstone=9 * DAY)
    assert (numbers(made(app, selection)), gone(made(app, selection))) == ([2], [])


def test_what_does_not_fit_is_neither_gone_nor_is_the_feed_called_complete(app: App) -> None:
    for number in range(1, 7):
        put(app, number, "environment" if number % 2 else "partnerships")
    whole, cut = made(app, UNION, entries=6), made(app, UNION, entries=4)
    assert (numbers(whole), whole.complete) == ([1, 2, 3, 4, 5, 6], True)
    assert (numbers(cut), cut.complete, gone(cut)) == ([3, 4, 5, 6], False, [])


def test_entries_are_the_same_as_in_the_feed_of_one_topic(app: App) -> None:
    put(app, 1, "environment", "region-mena")
    feeds = [made(app, UNION), made(app, NARROW)]
    with app.store.read() as tx:
        feeds.append(private_feed(tx, ["region-mena", "no-longer-there"], "private/x", "abc", app.press))
        feeds.append(private_feed(tx, [ALL, "environment"], "private/x", "abc", app.press))
    assert len({feed.entries for feed in feeds}) == 1
    assert len({feed.feed_id for feed in feeds}) == 3


def test_a_feed_without_topics_or_articles_is_a_feed_all_the_same(app: App) -> None:
    with app.store.read() as tx:
        feed = private_feed(tx, [], "private/x", "abc", app.press)
    parsed = feedparser.parse(render(feed, "atom", now=NOW))
    assert not parsed.bozo
    assert (parsed.entries, parsed.feed.title) == ([], "Your topics at Customs initiatives")
    assert feed.updated.tzinfo is UTC
