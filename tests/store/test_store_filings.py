from __future__ import annotations

import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_samples import NOW, article, filing, new

from publisher.model import ALL
from publisher.store import NewArticle, Store


def test_filings_are_numbered_in_the_order_given_and_once(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1), new(2)])
        added = tx.filings.add([filing(2), filing(1), filing(2), filing(1, "region-mena")])
        assert [(found.seq, found.article_key, found.topic) for found in added] == [
            (1, "key000002", "environment"),
            (2, "key000001", "environment"),
            (3, "key000001", "region-mena"),
        ]
        assert tx.filings.add([filing(1), filing(2)]) == []
        assert tx.filings.last_seq() == 3  # a repeat uses up no number
        assert tx.filings.of("key000001") == added[1:]
        assert tx.filings.of("nothing") == []
        assert tx.filings.of_many(["key000001", "key000002", "x"]) == {"key000001": added[1:], "key000002": added[:1]}


def test_a_number_is_never_given_twice_even_after_a_removal(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1)])
        tx.filings.add([filing(1), filing(1, "region-mena")])
        assert tx.filings.remove("key000001", ["region-mena", "x"], NOW) == 1
    with store.write() as tx:
        assert [found.seq for found in tx.filings.add([filing(1, "region-mena")])] == [3]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.booleans(), st.lists(st.tuples(st.integers(1, 3), st.sampled_from("abc")), max_size=4)),
        max_size=8,
    )
)
def test_seq_only_grows_whatever_is_filed_and_removed(
    sqlite_store: Store, steps: list[tuple[bool, list[tuple[int, str]]]]
) -> None:
    with pytest.raises(KeyboardInterrupt), sqlite_store.write() as tx:
        tx.articles.add([new(n) for n in (1, 2, 3)])
        given_out: list[int] = []
        there: set[tuple[int, str]] = set()
        for adding, pairs in steps:
            if adding:
                fresh = tx.filings.add([filing(number, topic) for number, topic in pairs])
                assert len(fresh) == len({*pairs} - there)
                given_out += [found.seq for found in fresh]
                there |= {*pairs}
            else:
                for number, topic in pairs:
                    tx.filings.remove(f"key{number:06}", [topic], NOW)
                there -= {*pairs}
        assert given_out == sorted(set(given_out))
        assert tx.filings.last_seq() == len(given_out)
        assert tx.feeds.counts() == {
            ALL: 0,
            **{t: n for t in "abc" if (n := sum(topic == t for _, topic in there))},
        }
        raise KeyboardInterrupt


def test_a_window_holds_what_lies_between_two_numbers(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1), NewArticle(article(2, language="fr"), (), "x")])
        tx.filings.add([filing(1), filing(2), filing(1, ALL), filing(2, ALL)])
        rows = tx.filings.window(after=1, upto=3)
        assert [(row.seq, row.topic, row.article_key, row.language) for row in rows] == [
            (2, "environment", "key000002", "fr"),
            (3, ALL, "key000001", "en"),
        ]
        assert (rows[0].published, rows[0].first_seen) == (article(2).published, NOW)
        assert tx.filings.keys_filed_before(["key000001", "key000002"], 1) == {"key000001"}


def test_filing_an_article_that_is_not_there_is_a_bug(store: Store) -> None:
    with pytest.raises(KeyError), store.write() as tx:
        tx.filings.add([filing(1)])


def test_no_lower_number_appears_after_a_higher_one_was_read(store: Store) -> None:
    """Two writers at once; a third party that has read up to `last_seq` never finds anything below it later."""
    with store.write() as tx:
        tx.articles.add([new(n) for n in range(1, 61)])

    def file(numbers: range) -> None:
        for number in numbers:
            with store.write() as tx:
                tx.filings.add([filing(number)])
                time.sleep(0.001)  # long enough for the other one to come between

    threads = [threading.Thread(target=file, args=(numbers,)) for numbers in (range(1, 31), range(31, 61))]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    while any(thread.is_alive() for thread in threads) or len(seen) < 60:
        with store.read() as tx:
            upto = tx.filings.last_seq()
            seen += [row.seq for row in tx.filings.window(after=seen[-1] if seen else 0, upto=upto)]
            assert [row.seq for row in tx.filings.window(after=0, upto=upto)] == seen
        if not any(thread.is_alive() for thread in threads) and upto == 60:
            break
    for thread in threads:
        thread.join()
    assert seen == list(range(1, 61))
