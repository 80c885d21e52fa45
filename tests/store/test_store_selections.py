"""The newest of several topics are what set operations on the filings say."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from itertools import combinations
from random import Random

import pytest
from store_samples import NOW, filing, new

from publisher.store import Store

TOPICS = ("environment", "partnerships", "region-mena", "region-esa")
ARTICLES = range(1, 61)
Members = dict[str, dict[str, int]]
"""Topic -> key -> the place of its filing in the order they were made."""


@pytest.fixture
def members(store: Store) -> Members:
    """Sixty articles filed by chance, in an order that is not theirs."""
    chance = Random(3)
    pairs = [(number, topic) for number in ARTICLES for topic in TOPICS if chance.random() < 0.3]
    chance.shuffle(pairs)
    found: Members = {topic: {} for topic in TOPICS}
    with store.write() as tx:
        tx.articles.add([new(number) for number in ARTICLES])
        for place, made in enumerate(tx.filings.add([filing(number, topic) for number, topic in pairs])):
            found[made.topic][made.article_key] = place
    return found


def newest(places: dict[str, int], limit: int) -> list[str]:
    return sorted(places, key=lambda key: -places[key])[:limit]


@pytest.mark.parametrize("limit", [3, 100])
def test_a_union_has_each_article_of_its_topics_once(store: Store, members: Members, limit: int) -> None:
    for some in [*combinations(TOPICS, 1), *combinations(TOPICS, 2), *combinations(TOPICS, 3), ()]:
        last: dict[str, int] = {}
        for topic in some:
            last |= {key: max(place, last.get(key, 0)) for key, place in members[topic].items()}
        with store.read() as tx:
            assert list(tx.archives.newest_of_any(some, limit)) == newest(last, limit)


@pytest.mark.parametrize("limit", [3, 100])
def test_a_narrowing_has_what_is_in_both_topics(store: Store, members: Members, limit: int) -> None:
    for one, other in combinations(TOPICS, 2):
        both = {key: max(members[one][key], members[other][key]) for key in members[one].keys() & members[other]}
        with store.read() as tx:
            assert list(tx.archives.newest_of_both(one, other, limit)) == newest(both, limit)
            assert list(tx.archives.newest_of_both(other, one, limit)) == newest(both, limit)


def test_a_withdrawn_article_comes_first_for_the_time_of_its_notice(store: Store, members: Members) -> None:
    one, other = "environment", "region-mena"
    key = min(members[one].keys() & members[other])
    with store.write() as tx:
        tx.departures.withdraw(key, NOW, "printed too early")
        for found in (tx.archives.newest_of_any([one, other], 100), tx.archives.newest_of_both(one, other, 100)):
            assert next(iter(found)) == key
        assert key not in tx.archives.newest_of_any(set(TOPICS) - members_of(members, key), 100)
        day = timedelta(days=1)
        assert tx.departures.pass_phases(NOW + 2 * day, notice=day, tombstone=day)
        assert key not in tx.archives.newest_of_any([one, other], 100)
        assert key not in tx.archives.newest_of_both(one, other, 100)


def members_of(members: Members, key: str) -> set[str]:
    return {topic for topic, keys in members.items() if key in keys}


@pytest.mark.parametrize("limit", [1, 4, 100])
def test_pages_before_each_other_bring_every_article_once(store: Store, members: Members, limit: int) -> None:
    with store.read() as tx:
        selections = [
            (partial(tx.archives.newest_of_any, TOPICS[:3]), tx.archives.newest_of_any(TOPICS[:3], 1000)),
            (partial(tx.archives.newest_of_both, *TOPICS[:2]), tx.archives.newest_of_both(*TOPICS[:2], 1000)),
        ]
        for newest_of, everything in selections:
            found: dict[str, int] = {}
            before = None
            while page := newest_of(limit, before=before):
                assert not page.keys() & found.keys() and len(page) <= limit
                found |= page
                before = min(page.values())
            assert list(found.items()) == list(everything.items())
