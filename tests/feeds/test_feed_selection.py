"""A combined feed has one name, whatever the order its topics come in."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.errors import NotFound, UsageError
from publisher.feeds.selection import MAX_TOPICS, Match, select
from publisher.model import ALL, Topic, TopicGroup

THEMES = [Topic(f"theme-{letter}", f"Theme {letter.upper()}", "", TopicGroup.THEME) for letter in "zyxwvutsrqponm"]
REGIONS = [Topic(f"region-{letter}", f"Region {letter.upper()}", "", TopicGroup.REGION) for letter in "cba"]
TOPICS = {topic.slug: topic for topic in (Topic(ALL, "Customs", "", TopicGroup.THEME), *THEMES, *REGIONS)}
SOME = st.lists(st.sampled_from([slug for slug in TOPICS if slug != ALL]), min_size=1, max_size=MAX_TOPICS)


@given(SOME, st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_of_a_union_has_one_name(slugs: list[str], chance: Random) -> None:
    name = select(slugs, Match.ANY, TOPICS).name
    again = [*slugs, chance.choice(slugs)]
    chance.shuffle(again)
    assert select(again, Match.ANY, TOPICS).name == name
    assert select(name.split("+"), Match.ANY, TOPICS).name == name
    assert set(name.split("+")) == set(slugs)


@given(st.tuples(*[st.sampled_from(sorted(TOPICS))] * 2))
def test_both_orders_of_a_narrowing_have_one_name_the_region_first(pair: tuple[str, str]) -> None:
    name = select(pair, Match.ALL, TOPICS).name
    assert select(pair[::-1], Match.ALL, TOPICS).name == name
    assert select(name.split("/"), Match.ALL, TOPICS).name == name
    if any(slug.startswith("region") for slug in pair) and len(set(pair) - {ALL}) == 2:
        assert name.startswith("region")


def test_a_union_is_named_in_alphabetical_order_and_a_narrowing_by_its_region_first() -> None:
    topics = {**TOPICS, "early": Topic("early", "Early", "", TopicGroup.THEME)}  # before the regions in the alphabet
    for pair in (["early", "region-a"], ["region-a", "early"]):
        assert select(pair, Match.ANY, topics).name == "early+region-a"
        assert select(pair, Match.ALL, topics).name == "region-a/early"


def test_the_order_of_config_toml_does_not_move_a_feed() -> None:
    turned = dict(reversed(TOPICS.items()))
    slugs = ["theme-z", "region-b", "theme-m"]
    assert select(slugs, Match.ANY, turned).name == select(slugs, Match.ANY, TOPICS).name


@pytest.mark.parametrize(
    ("slugs", "match", "name"),
    [
        (["theme-z"], Match.ANY, "theme-z"),
        (["theme-z", "theme-z"], Match.ALL, "theme-z"),
        ([ALL, "theme-z"], Match.ANY, ALL),
        ([ALL, "theme-z"], Match.ALL, "theme-z"),
        ([ALL], Match.ALL, ALL),
    ],
)
def test_what_comes_down_to_one_topic_is_that_topic(slugs: list[str], match: Match, name: str) -> None:
    selection = select(slugs, match, TOPICS)
    assert (selection.name, selection.label) == (name, TOPICS[name].label)


@pytest.mark.parametrize(
    ("slugs", "match", "label"),
    [
        (["theme-z", "theme-m"], Match.ANY, "Theme M + Theme Z"),
        (["theme-z", "region-a"], Match.ALL, "Theme Z in Region A"),
        (["theme-z", "theme-m"], Match.ALL, "Theme M and Theme Z"),
        (["region-c", "region-b"], Match.ALL, "Region B and Region C"),
    ],
)
def test_a_label_says_what_is_in_it(slugs: list[str], match: Match, label: str) -> None:
    assert select(slugs, match, TOPICS).label == label


def test_an_impossible_choice_is_explained() -> None:
    with pytest.raises(NotFound):
        select(["theme-z", "weather"], Match.ANY, TOPICS)
    with pytest.raises(UsageError, match="at least one"):
        select([], Match.ANY, TOPICS)
    with pytest.raises(UsageError, match="two topics"):
        select(["theme-z", "theme-m", "region-a"], Match.ALL, TOPICS)
    thirteen = [topic.slug for topic in THEMES[: MAX_TOPICS + 1]]
    with pytest.raises(UsageError, match="at most 12"):
        select(thirteen, Match.ANY, TOPICS)
    assert select([*thirteen[:-1], thirteen[0]], Match.ANY, TOPICS).slugs == tuple(sorted(thirteen[:-1]))
