from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_samples import DAY, NOW, article, filing, new

from publisher.errors import NotFound, StoreBusy, UsageError
from publisher.model import ALL, Article
from publisher.store import KnownArticle, NewArticle, Store
from publisher.store.schema import article_revisions

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_goes_in_comes_out(store: Store, data: st.DataObject) -> None:
    given_article = article(
        1,
        title=data.draw(text),
        body=data.draw(text),
        author=data.draw(st.none() | text),
        source_url=data.draw(st.none() | text),
        explicit_topics=data.draw(st.none() | st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple)),
        published=NOW - timedelta(seconds=data.draw(st.integers(0, 4_000_000_000))),
    )
    with pytest.raises(KeyboardInterrupt), store.write() as tx:
        tx.articles.add([NewArticle(given_article, ("name",), "print")])
        assert tx.articles.get("key000001") == given_article
        raise KeyboardInterrupt  # undo it for the next example


def test_times_come_back_aware_and_without_their_fraction(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1, published=NOW + timedelta(microseconds=999_999))])
        assert tx.articles.get("key000001").published == NOW


def test_an_article_is_known_by_each_of_its_names(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([NewArticle(article(1), ("a", "b", "a"), "print")])
        tx.articles.add_identities("key000001", ["b", "c"])
        assert tx.articles.known(["a", "b", "c", "d"]) == dict.fromkeys("abc", KnownArticle("key000001", "print"))


def test_a_name_that_is_taken_stays_with_its_article(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1), new(2)])
        tx.articles.add_identities("key000002", ["name of 1"])
        assert tx.articles.known(["name of 1"])["name of 1"].key == "key000001"


def test_a_revised_article_keeps_its_former_content_and_moves_to_the_top_of_its_feeds(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1), new(2), new(3)])
        tx.filings.add([filing(n) for n in (1, 2, 3)])
        better = article(
            1,
            title="Better",
            revision=2,
            stamp=tx.articles.next_stamps(1)[0],
            published=NOW + DAY,
            slug="ignored",
            first_seen=NOW + DAY,
        )
        tx.articles.revise(better, "new print")
        fixed = dataclasses.replace(better, slug=article(1).slug, first_seen=NOW)
        assert tx.articles.get("key000001") == fixed  # slug and first_seen are minted once
        assert [item.article.key for item in tx.articles.newest("environment", 2)] == ["key000001", "key000003"]
        assert [item.article.key for item in tx.articles.list(topic="environment", limit=1)] == ["key000001"]
        assert tx.articles.known(["name of 1"])["name of 1"].fingerprint == "new print"
    with store._engine.connect() as connection:
        kept = connection.execute(sa.select(article_revisions)).one()
    assert (kept.revision, kept.title, kept.stamp, kept.fingerprint) == (1, article(1).title, 1, "print of 1")


@pytest.mark.parametrize(
    "name", ["key000001", "key000001-and-one"[:9], "waste-shipments-in-port-1", "Waste shipments in port 1"]
)
def test_an_article_is_found_by_key_slug_or_title(store: Store, name: str) -> None:
    with store.write() as tx:
        tx.articles.add([new(1), new(12)])
        assert tx.articles.resolve(name).key == "key000001"


def test_the_first_characters_of_a_key_are_enough_if_they_fit_one(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1, key="abcd1111"), new(2, key="abce2222"), new(3, key="ABCD3333")])
        assert tx.articles.resolve("abcd").key == "abcd1111"
        assert tx.articles.resolve("ABCD3").key == "ABCD3333"
        with pytest.raises(NotFound):
            tx.articles.resolve("abc")
        tx.articles.add([new(4, key="abcd4444")])
        with pytest.raises(UsageError, match="abcd1111, abcd4444"):
            tx.articles.resolve("abcd")


def test_a_title_of_two_articles_is_refused_with_their_keys(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1, title="Same"), new(2, title="Same")])
        with pytest.raises(UsageError, match="key000001, key000002"):
            tx.articles.resolve("Same")


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "%",
        "____",
        "key\U0010ffff",
        "key\ud7ff",
        "key\udcff",
        "key\0",
        "keys\x7f",
        "",
        "'; DROP TABLE articles",
    ],
)
def test_what_nothing_answers_to_is_not_found(store: Store, name: str) -> None:
    with store.write() as tx:
        tx.articles.add([new(1)])
        with pytest.raises(NotFound):
            tx.articles.resolve(name)
        with pytest.raises(NotFound):
            tx.articles.get(name)


def test_topics_come_in_the_order_of_the_config_and_without_all(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1)])
        tx.filings.add([filing(1, topic) for topic in ("zebra", "region-mena", ALL, "environment", "apple")])
        filed = tx.articles.filed(["key000001", "nothing"])
    assert list(filed) == ["key000001"]
    assert filed["key000001"].topics == ("environment", "region-mena", "apple", "zebra")


def test_the_newest_are_those_whose_content_changed_last(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(n) for n in range(1, 6)])
        tx.filings.add([filing(n) for n in (1, 3, 5)])
        tx.filings.add([filing(n, ALL) for n in range(1, 6)])
        assert [item.article.stamp for item in tx.articles.newest("environment", 2)] == [5, 3]
        assert [item.article.stamp for item in tx.articles.newest(ALL, 3)] == [5, 4, 3]
        assert tx.articles.newest("nothing", 3) == []


def test_a_list_is_by_date_in_pages_and_by_words(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(n) for n in range(1, 6)])  # the higher the number, the older
        tx.filings.add([filing(n) for n in (2, 4)])
        assert [item.article.stamp for item in tx.articles.list(limit=2, offset=1)] == [2, 3]
        assert [item.article.stamp for item in tx.articles.list(topic="environment")] == [2, 4]
        assert [item.article.stamp for item in tx.articles.list(query="PORT stopped 3")] == [3]
        assert [item.article.stamp for item in tx.articles.list(topic=ALL, query="port 4")] == [4]
        assert tx.articles.list(query="%") == []


def test_changes_stream_by_stamp_across_batches(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(n) for n in range(1, 1203)])
        tx.filings.add([filing(1202)])
        changed = list(tx.articles.changed_since(2))
        assert [item.article.stamp for item in changed] == list(range(3, 1203))
        assert changed[-1].topics == ("environment",)


def test_iterating_meets_each_article_once_though_they_are_revised_on_the_way(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(n) for n in range(1, 602)])
        met: list[str] = []
        for item in tx.articles.iterate():
            met.append(item.article.key)
            stamp = item.article.stamp + 1_000
            if len(met) % 100 == 0:
                tx.articles.revise(dataclasses.replace(item.article, stamp=stamp, revision=2), "x")
    assert met == [article(n).key for n in range(1, 602)]


def test_articles_are_counted_by_topic(store: Store) -> None:
    with store.write() as tx:
        assert (tx.feeds.counts(), tx.articles.last_stamp()) == ({ALL: 0}, 0)
        tx.articles.add([new(n) for n in range(1, 4)])
        tx.filings.add([filing(1), filing(2), filing(2, "region-mena"), *(filing(n, ALL) for n in (1, 2, 3))])
        assert tx.feeds.counts() == {ALL: 3, "environment": 2, "region-mena": 1}
        assert [tx.articles.count(topic) for topic in (None, ALL, "environment", "x")] == [3, 3, 2, 0]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    slugs=st.sets(st.from_regex(r"\A[ab](-[0-9]{1,2}|-a){0,2}\Z"), min_size=1, max_size=12),
    bases=st.sets(st.from_regex(r"\A[ab](-[0-9]{1,2}|-a){0,1}\Z"), max_size=4),
)
def test_used_slugs_are_the_base_and_its_numbered_ones(sqlite_store: Store, slugs: set[str], bases: set[str]) -> None:
    def taken(slug: str, base: str) -> bool:
        head, _, tail = slug.rpartition("-")
        return slug == base or (head == base and tail.isdigit())

    with pytest.raises(KeyboardInterrupt), sqlite_store.write() as tx:
        tx.articles.add([new(n, slug=slug) for n, slug in enumerate(sorted(slugs), 1)])
        wanted = {slug for slug in slugs if any(taken(slug, base) for base in bases)}
        assert tx.articles.used_slugs(bases) == wanted
        raise KeyboardInterrupt


def test_updated_times_include_both_ends(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(n) for n in range(1, 5)])
        start, end = article(2).updated, article(3).updated
        assert tx.articles.updated_times(start, end) == {start, end}


def test_a_withdrawn_article_is_shown_nowhere_but_stays_known(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1), new(2)])
        tx.filings.add([filing(n, topic) for n in (1, 2) for topic in (ALL, "environment")])
        assert tx.departures.withdraw("key000001", NOW)
        assert not tx.departures.withdraw("key000001", NOW)
        assert tx.filings.add([filing(1)]) == []
        shown: list[Article] = [item.article for item in tx.articles.newest(ALL, 9)]
        shown += [item.article for item in tx.articles.newest("environment", 9)]
        shown += [item.article for item in [*tx.articles.list(), *tx.articles.iterate(), *tx.articles.changed_since(0)]]
        assert {found.key for found in shown} == {"key000002"}
        assert tx.feeds.counts() == {ALL: 1, "environment": 1}
        assert {row.article_key for row in tx.filings.window(after=0, upto=9)} == {"key000002"}
        assert tx.articles.known(["name of 1"])["name of 1"].withdrawn
        assert tx.articles.withdrawn(["key000001", "key000002"]) == {"key000001"}
        assert tx.articles.resolve("key000001").withdrawn is not None
        assert tx.articles.filed(["key000001"])["key000001"].topics == ()


def test_newest_of_a_topic_walks_an_index_and_sorts_nothing(sqlite_store: Store) -> None:
    plans: list[str] = []
    with sqlite_store._engine.connect() as connection:
        for topic_filter, order in (("stamp", "stamp"), ("published", "published")):
            query = (
                "SELECT a.* FROM filings f JOIN articles a ON a.key = f.article_key "
                f"WHERE f.topic = 'environment' ORDER BY f.{order} DESC LIMIT 50"
            )
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()
            plans.append(" ".join(row[-1] for row in rows))
            assert f"ix_filings_topic_{topic_filter}" in plans[-1]
    assert not any("TEMP B-TREE" in plan for plan in plans)


def test_an_article_that_somebody_else_added_at_the_same_time_is_no_mistake_of_the_program(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1)])
    with pytest.raises(StoreBusy, match="somebody else"), store.write() as tx:
        tx.articles.add([new(2), new(1)])
    with store.read() as tx:
        assert tx.articles.count() == 1
