"""A topic that gets another name keeps its readers, its articles and their numbers."""

from __future__ import annotations

import feedparser
from flows.house import FEEDS_ONLY, House, topic_rules

from publisher.feeds.walker import walk


def renamed(**more: object) -> dict[str, object]:
    rules = topic_rules()
    del rules["environment"]
    rules["green"] = {"label": "Green", "words": ["environment", "waste"], "threshold": 1, "formerly": ["environment"]}
    return {"topics": rules, **more}


def entries(house: House, path: str) -> list[str]:
    return sorted(entry.title for entry in feedparser.parse((house.site / path).read_bytes()).entries)


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
