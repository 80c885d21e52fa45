"""A topic that gets another name keeps its readers, its articles and their numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import feedparser
import pytest
import sqlalchemy as sa
from flows.house import FEEDS_ONLY, House, topic_rules

from publisher.feeds.walker import walk
from publisher.flows.edit import Writing, add_article, correct_article
from publisher.flows.import_places import import_places
from publisher.flows.reports import IngestReport
from publisher.model import Article, DepartureState, Filing
from publisher.store.engine import open_engine
from publisher.store.schema import articles, departures, filings


@pytest.fixture
def anywhere(tmp_path: Path, store_url: str) -> Iterator[House]:
    """An installation on each database whose letters go to the local outbox."""
    house = House(tmp_path, store_url)
    yield house
    house.app.close()


def renamed(**more: object) -> dict[str, object]:
    rules = topic_rules()
    del rules["environment"]
    rules["green"] = {"label": "Green", "words": ["environment", "waste"], "threshold": 1, "formerly": ["environment"]}
    return {"topics": rules, **more}


def entries(house: House, path: str) -> list[str]:
    return sorted(entry.title for entry in feedparser.parse((house.site / path).read_bytes()).entries)


def imported(house: House, title: str, *topics: str, text: str = "Everything.") -> IngestReport:
    path = house.root / "items.jsonl"
    path.write_text(json.dumps({"title": title, "text": text, "topics": topics}), encoding="utf-8")
    return import_places(house.app.parts, [str(path)])


def written(house: House, *topics: str) -> None:
    """One article of each kind of source, which names its topics."""
    house.article("in a file", "Everything.", topics=f"[{', '.join(topics)}]")
    imported(house, "in a line", *topics)
    add_article(house.app.parts, Writing(title="by hand", body="Everything.", topics=topics))


def stored(house: House, title: str) -> Article:
    with house.app.store.read() as tx:
        return tx.articles.resolve(title)


def filed(house: House, title: str) -> list[Filing]:
    with house.app.store.read() as tx:
        return tx.filings.of(house.key_of(title))


def published_whole(house: House, *titles: str) -> None:
    """Three runs, none with a bad feed; that of `green` has these entries in its formats, and no tombstone."""
    for _ in range(3):
        house.clock.forward(hours=1)
        _, report = house.publish(FEEDS_ONLY)
        assert (report.site.problems, report.ingest.refused) == ((), ())
    assert entries(house, "feeds/green.atom") == entries(house, "feeds/green.rss") == sorted(titles)
    assert "deleted-entry" not in (house.site / "feeds/green.atom").read_text()
    with house.app.store.read() as tx:
        assert [tx.departures.of(house.key_of(title)) for title in titles] == [[]] * len(titles)


def test_readers_and_articles_move_with_the_name_and_nothing_comes_again(house: House) -> None:
    house.article("first")
    reader = house.reader("ann", "environment")
    house.publish()
    house.rebuild(**renamed())
    assert house.publish()[1].issues[0].reason.startswith("nothing new")
    assert house.subscriber(reader).topics == ("green",)
    assert entries(house, "feeds/green.atom") == ["first"]
    assert not (house.site / "feeds/environment.atom").exists()
    house.article("second", "News on waste.")
    assert house.publish()[1].issues[0].articles == 1
    house.check_sums()


def test_a_feed_keeps_its_id_under_any_name(house: House) -> None:
    house.article("first")
    house.publish()
    before = feedparser.parse((house.site / "feeds/environment.atom").read_bytes()).feed.id
    house.rebuild(**renamed())
    house.publish()
    assert feedparser.parse((house.site / "feeds/green.atom").read_bytes()).feed.id == before
    rules = topic_rules()
    rules["nature"] = rules.pop("environment") | {"formerly": ["environment", "green"]}
    house.rebuild(topics=rules)
    house.publish()
    assert feedparser.parse((house.site / "feeds/nature.atom").read_bytes()).feed.id == before


def test_archives_move_with_the_name_and_still_hold_everything(house: House) -> None:
    house.rebuild(feeds={"entries": 3})
    for number in range(8):
        house.article(f"article {number}")
        house.clock.forward(hours=1)
        house.publish(FEEDS_ONLY)
    house.rebuild(**renamed())
    house.publish(FEEDS_ONLY)
    base = house.app.settings.site.base_url
    walked = walk(f"{base}feeds/green.atom", lambda url: (house.site / url.removeprefix(base)).read_bytes())
    assert len(walked.entries) == 8
    assert not walked.problems


def test_a_name_that_was_used_before_the_old_one_was_given_up_brings_both_together(house: House) -> None:
    both = topic_rules()
    both["green"] = {"label": "Green", "words": ["waste"], "threshold": 1}
    house.rebuild(topics=both, feeds={"entries": 2})
    house.article("old", "News on environment.")
    house.article("in both", "News on environment and waste.")
    house.article("new", "News on waste.")
    ann, bob = house.reader("ann", "environment"), house.reader("bob", "environment", "green")
    house.publish()
    house.rebuild(**renamed())
    _, report = house.publish()
    assert not any(issue.name for issue in report.issues)
    assert (house.subscriber(ann).topics, house.subscriber(bob).topics) == (("green",), ("green",))
    base = house.app.settings.site.base_url
    walked = walk(f"{base}feeds/green.atom", lambda url: (house.site / url.removeprefix(base)).read_bytes())
    assert len(walked.entries) == 3
    with house.app.store.read() as tx:
        assert tx.feeds.counts()["green"] == 3


TITLES = ("by hand", "in a file", "in a line")


def test_articles_that_name_the_topic_stay_in_it_with_their_numbers(anywhere: House) -> None:
    written(anywhere, "environment", "drugs")
    reader = anywhere.reader("ann", "environment")
    anywhere.publish()
    before = {title: filed(anywhere, title) for title in TITLES}
    contents = {title: stored(anywhere, title) for title in TITLES}
    anywhere.rebuild(**renamed())
    _, report = anywhere.publish()
    assert (dict(report.ingest.filed), report.ingest.leaving) == ({}, ())
    assert report.issues[0].reason.startswith("nothing new")
    assert anywhere.subscriber(reader).topics == ("green",)
    published_whole(anywhere, *TITLES)
    for title in TITLES:
        numbers = {filing.topic: filing.seq for filing in before[title]}
        numbers["green"] = numbers.pop("environment")
        assert {filing.topic: filing.seq for filing in filed(anywhere, title)} == numbers
        now = stored(anywhere, title)
        assert now.explicit_topics == ("green", "drugs")
        assert (now.updated, now.stamp) == (contents[title].updated, contents[title].stamp)


def test_sources_may_name_a_topic_by_any_of_its_names(anywhere: House) -> None:
    written(anywhere, "environment")
    anywhere.publish(FEEDS_ONLY)
    anywhere.rebuild(**renamed())
    anywhere.article("again in a file", "Everything.", topics="[environment, green]")
    assert [item.outcome for item in imported(anywhere, "in a line", "environment").items] == ["unchanged"]
    imported(anywhere, "again in a line", "environment")
    add_article(anywhere.app.parts, Writing(title="again by hand", body="Everything.", topics=["environment"]))
    correct_article(anywhere.app.parts, "by hand", Writing(topics=["environment"]))
    again = [f"again {title}" for title in TITLES]
    published_whole(anywhere, *TITLES, *again)
    assert {stored(anywhere, title).explicit_topics for title in (*TITLES, *again)} == {("green",)}
    before = filed(anywhere, "in a file"), stored(anywhere, "in a file")
    anywhere.article("in a file", "Everything.", topics="[green]")
    published_whole(anywhere, *TITLES, *again)
    assert (filed(anywhere, "in a file"), stored(anywhere, "in a file")) == before


def test_a_correction_by_hand_is_not_undone_because_a_topic_has_another_name(house: House) -> None:
    house.article("in a file", "Everything.", topics="[environment]")
    house.publish(FEEDS_ONLY)
    correct_article(house.app.parts, "in a file", Writing(body="Nothing."))
    house.rebuild(**renamed())
    house.publish(FEEDS_ONLY)
    assert stored(house, "in a file").text == "Nothing."


def change_a_line(house: House) -> None:
    imported(house, "in a line", "environment", text="Everything, and more.")


def correct_by_hand(house: House) -> None:
    correct_article(house.app.parts, "by hand", Writing(topics=["green"]))


@pytest.mark.parametrize("act", [change_a_line, correct_by_hand])
def test_what_is_done_between_the_new_name_and_the_next_run_takes_no_article_out_of_it(
    house: House, act: Callable[[House], None]
) -> None:
    written(house, "environment")
    house.publish(FEEDS_ONLY)
    before = {title: filed(house, title)[0].seq for title in TITLES}
    house.rebuild(**renamed())
    act(house)
    published_whole(house, *TITLES)
    assert {title: filed(house, title)[0].seq for title in TITLES} == before


def test_an_article_that_left_one_of_two_topics_which_become_one_is_in_it_again(anywhere: House) -> None:
    both = topic_rules()
    both["green"] = {"label": "Green", "words": ["waste"], "threshold": 1}
    anywhere.rebuild(topics=both)
    anywhere.article("left the old", "Everything.", topics="[environment, green]")
    anywhere.article("left the new", "Everything.", topics="[environment, green]")
    anywhere.publish(FEEDS_ONLY)
    anywhere.clock.forward(hours=1)
    anywhere.article("left the old", "Everything.", topics="[green]")
    anywhere.article("left the new", "Everything.", topics="[environment]")
    anywhere.publish(FEEDS_ONLY)
    left = anywhere.clock()
    anywhere.rebuild(**renamed())
    published_whole(anywhere, "left the old", "left the new")
    for title in ("left the old", "left the new"):
        assert stored(anywhere, title).updated > left, "or readers take it for deleted"


def test_a_feed_that_an_earlier_version_left_with_an_entry_and_a_tombstone_of_one_article_heals(
    anywhere: House,
) -> None:
    imported(anywhere, "in a line", "environment")
    anywhere.publish(FEEDS_ONLY)
    anywhere.rebuild(**renamed())
    anywhere.publish(FEEDS_ONLY)
    left = anywhere.clock() + timedelta(minutes=1)
    broken(anywhere, left)
    published_whole(anywhere, "in a line")
    healed = stored(anywhere, "in a line")
    assert (healed.explicit_topics, healed.updated > left) == (("green",), True)


def broken(house: House, left: datetime) -> None:
    """What earlier versions made of an article that names a renamed topic."""
    kept = ("article_key", "topic", "rule", "filed_at", "published", "stamp")
    said = {"seq": 0, "state": DepartureState.TOMBSTONE, "left": left, "withdrawn": False, "archived": False}
    engine = open_engine(house.store_url)
    with engine.begin() as connection:
        row = connection.execute(sa.select(filings).where(filings.c.topic == "green")).mappings().one()
        connection.execute(sa.insert(departures).values({**{name: row[name] for name in kept}, **said}))
        connection.execute(sa.update(articles).values(explicit_topics=("environment",)))
    engine.dispose()
