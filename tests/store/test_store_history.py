"""What the store keeps of a feed's past: lines in the order of their change, archives, what left and came back."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_samples import DAY, MINUTE, NOW, article, filing, new

from publisher.errors import NotFound
from publisher.model import ALL, DepartureState
from publisher.store import FeedLine, Store, Transaction
from publisher.store.departures import free_seconds

WASTE = "environment"
WEEK = 7 * DAY


def stock(tx: Transaction, count: int, *topics: str) -> None:
    """Articles 1 to `count` under `topics`, or under environment."""
    tx.articles.next_stamps(count)  # theirs
    tx.articles.add([new(number) for number in range(1, count + 1)])
    tx.filings.add([filing(number, topic) for number in range(1, count + 1) for topic in topics or (WASTE,)])


def keys(lines: list[FeedLine]) -> list[int]:
    return [int(line.key[-6:]) for line in lines]


def test_an_old_article_enters_a_topic_at_its_end(store: Store) -> None:
    with store.write() as tx:
        stock(tx, 3)
        tx.filings.add([filing(3, "region-mena"), filing(1, "region-mena")])
        assert keys(tx.archives.newest("region-mena", 9)) == [1, 3]
        assert keys(tx.archives.newest(WASTE, 9)) == [3, 2, 1]  # where it was, nothing moved


def test_a_revision_moves_the_article_to_the_end_of_all_its_topics_unless_it_is_minor(store: Store) -> None:
    with store.write() as tx:
        stock(tx, 3, WASTE, ALL)
        tx.articles.revise(dataclasses.replace(tx.articles.get("key000001"), revision=2, title="Mended"), "x")
        assert keys(tx.archives.newest(WASTE, 9)) == keys(tx.archives.newest(ALL, 9)) == [3, 2, 1]
        stamp = tx.articles.next_stamps(1)[0]
        tx.articles.revise(dataclasses.replace(tx.articles.get("key000001"), revision=3, stamp=stamp), "y")
        assert keys(tx.archives.newest(WASTE, 9)) == keys(tx.archives.newest(ALL, 9)) == [1, 3, 2]


def test_archives_are_numbered_and_closed_once(store: Store) -> None:
    with store.write() as tx:
        stock(tx, 5)
        lines = tx.archives.open_lines(WASTE, 0, 9)
        rows = tx.archives.close(WASTE, 0, [lines[:2], lines[2:4]])
        assert [(row.number, keys(list(row.lines))) for row in rows] == [(1, [1, 2]), (2, [3, 4])]
        assert tx.archives.close(WASTE, 0, [lines]) == []  # somebody else was first
        number, upto = tx.archives.closed()[WASTE]
        assert (number, keys(tx.archives.open_lines(WASTE, upto, 9))) == (2, [5])
        assert [tx.archives.get(WASTE, number) for number in (1, 2, 3)] == [*rows, None]
        assert tx.archives.waiting([WASTE, ALL]) == [(WASTE, 1), (WASTE, 2)]
        assert tx.archives.waiting([ALL]) == []
        tx.archives.mark([(WASTE, 1)], written=True)
        assert tx.archives.waiting([WASTE, ALL]) == [(WASTE, 2)]
        tx.archives.mark([(WASTE, 2)], written=True)
        assert tx.archives.waiting([WASTE, ALL]) == []


def test_a_line_remembers_its_revision(store: Store) -> None:
    with store.write() as tx:
        stock(tx, 2)
        (one, two) = tx.archives.open_lines(WASTE, 0, 9)
        before = tx.articles.get("key000001")
        stamp = tx.articles.next_stamps(1)[0]
        better = dataclasses.replace(before, title="Better", revision=2, stamp=stamp, corrected=NOW, correction="Why.")
        tx.articles.revise(better, "x")
        were = tx.archives.as_were([two, one], tx.articles.filed([one.key, two.key]))
        assert [filed.article.title for filed in were] == [article(2).title, before.title]
        assert were[1].article.corrected is None and were[1].topics == (WASTE,)


def test_a_withdrawn_article_keeps_its_line_as_a_notice_and_comes_back_with_its_seq_under_all(store: Store) -> None:
    with store.write() as tx:
        stock(tx, 2, WASTE, ALL)
        before = {found.topic: found.seq for found in tx.filings.of("key000001")}
        assert tx.departures.withdraw("key000001", NOW, "Printed too early.")
        assert keys(tx.archives.newest(WASTE, 9)) == [1, 2]
        assert tx.feeds.counts() == {ALL: 1, WASTE: 1}
        gone = tx.articles.get("key000001")
        assert (gone.withdrawn, gone.withdrawal) == (gone.updated, "Printed too early.")
        assert [found.state for found in tx.departures.of("key000001")] == [DepartureState.NOTICE] * 2
        assert tx.departures.restore("key000001", NOW)
        assert not tx.departures.restore("key000001", NOW)
        after = {found.topic: found.seq for found in tx.filings.of("key000001")}
        assert after[ALL] == before[ALL] and after[WASTE] == tx.filings.last_seq() > before[WASTE]
        back = tx.articles.get("key000001")
        assert (back.withdrawn, back.withdrawal) == (None, "") and back.updated > gone.updated
        assert tx.feeds.counts() == {ALL: 2, WASTE: 2} and tx.departures.of("key000001") == []


def test_a_notice_becomes_a_tombstone_and_ends(store: Store) -> None:
    with store.write() as tx:
        stock(tx, 2)
        tx.departures.withdraw("key000001", NOW)
        since = tx.articles.get("key000001").updated
        touched = tx.articles.last_touched()
        phases = {"notice": WEEK, "tombstone": DAY}
        assert not tx.departures.phases_due(since + WEEK - MINUTE, **phases)
        assert tx.departures.pass_phases(since + WEEK - MINUTE, **phases) == 0
        assert tx.feeds.touched_since(touched) == frozenset()
        assert tx.departures.phases_due(since + WEEK, **phases)
        assert tx.departures.pass_phases(since + WEEK, **phases) == 1
        assert tx.feeds.touched_since(touched) == {WASTE}
        (line,) = tx.archives.tombstones(WASTE, 9)
        assert (line.key, line.left) == ("key000001", since + WEEK)
        assert keys(tx.archives.newest(WASTE, 9)) == [2]
        assert tx.departures.pass_phases(since + WEEK + DAY, **phases) == 1
        assert tx.archives.tombstones(WASTE, 9) == []
        assert not tx.departures.phases_due(since + 9 * WEEK, **phases)


def test_a_tombstone_that_archives_have_need_of_is_shown_until_one_holds_it(store: Store) -> None:
    with store.write() as tx:
        stock(tx, 2)
        tx.archives.close(WASTE, 0, [tx.archives.open_lines(WASTE, 0, 2)])
        tx.filings.remove("key000001", [WASTE], NOW)
        tx.departures.pass_phases(NOW + WEEK, notice=DAY, tombstone=DAY)
        assert [found.state for found in tx.departures.of("key000001")] == [DepartureState.OVER]
        assert keys(tx.archives.tombstones(WASTE, 9)) == [1]
        _, upto = tx.archives.closed()[WASTE]
        lines = tx.archives.open_lines(WASTE, upto, 9)
        assert [line.left is not None for line in lines] == [True]
        tx.archives.close(WASTE, upto, [lines])
        assert tx.archives.tombstones(WASTE, 9) == []


def test_who_comes_back_into_a_topic_is_newer_than_the_tombstone_there(store: Store) -> None:
    with store.write() as tx:
        stock(tx, 2, WASTE, ALL)
        later = NOW + WEEK
        tx.filings.remove("key000001", [WASTE], later)
        (line,) = tx.archives.tombstones(WASTE, 9)
        assert line.left == later
        tx.filings.add([filing(1)])  # in the same second
        assert tx.articles.get("key000001").updated > later
        assert tx.archives.tombstones(WASTE, 9) == []
        assert keys(tx.archives.newest(ALL, 9)) == [1, 2]  # it changed there too


def test_no_two_articles_are_updated_in_one_second(store: Store) -> None:
    with store.write() as tx:
        stock(tx, 4)
        for number in (1, 2, 3):
            tx.departures.withdraw(f"key{number:06}", NOW + timedelta(seconds=4))
        moments = [tx.articles.get(f"key{number:06}").updated for number in range(1, 5)]
        assert len(set(moments)) == 4


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    taken=st.lists(st.integers(0, 12) | st.integers(0, 200), max_size=30),
    floors=st.lists(st.integers(0, 12) | st.integers(0, 200), min_size=1, max_size=30),
)
def test_free_seconds_are_those_that_one_after_the_other_would_find(
    sqlite_store: Store, taken: list[int], floors: list[int]
) -> None:
    used = set(taken)
    for floor in floors:
        used.add(next(second for second in range(floor, 300) if second not in used))
    with pytest.raises(KeyboardInterrupt), sqlite_store.write() as tx:
        tx.articles.add([new(n, updated=NOW + timedelta(seconds=second)) for n, second in enumerate(taken)])
        moments = free_seconds(tx.departures._connection, [NOW + timedelta(seconds=floor) for floor in floors])
        seconds = [int((moment - NOW).total_seconds()) for moment in moments]
        assert sorted(seconds) == sorted(used.difference(taken))
        assert all(second >= floor for second, floor in zip(seconds, floors, strict=True))
        for floor in set(floors):
            of_one = [second for second, other in zip(seconds, floors, strict=True) if other == floor]
            assert of_one == sorted(of_one)
        raise KeyboardInterrupt


def come_back(store: Store, count: int) -> int:
    """Take `count` articles out of a topic and file them there again, twice in one second; how many statements the
    second return took."""
    asked: list[int] = []

    def note(
        _connection: object, _cursor: object, _statement: str, parameters: Any, _context: object, many: bool
    ) -> None:
        asked.append(len(parameters) if many else 1)

    with pytest.raises(KeyboardInterrupt), store.write() as tx:
        stock(tx, count, WASTE, ALL)
        for _ in range(2):
            for number in range(1, count + 1):
                tx.filings.remove(f"key{number:06}", [WASTE], NOW)
            sa.event.listen(store._engine, "before_cursor_execute", note)
            asked.clear()
            tx.filings.add([filing(number) for number in range(1, count + 1)])
            sa.event.remove(store._engine, "before_cursor_execute", note)
        assert len({tx.articles.get(f"key{number:06}").updated for number in range(1, count + 1)}) == count
        lines = tx.archives.newest(WASTE, count)
        assert keys(lines) == keys(tx.archives.newest(ALL, count)) == list(range(count, 0, -1))
        raise KeyboardInterrupt
    return sum(asked)


def test_each_article_that_comes_back_costs_the_same_however_many_they_are(store: Store) -> None:
    """Looking for a free second one by one, 40 of them took 800 looks, and 1,000 held the lock for a minute."""
    few, many = come_back(store, 40), come_back(store, 80)
    assert many <= 2 * few < 2 * 40 * 5


@pytest.mark.parametrize("act", ["withdraw", "restore"])
def test_an_article_that_is_not_there_is_not_found(store: Store, act: str) -> None:
    with store.write() as tx, pytest.raises(NotFound):
        getattr(tx.departures, act)("nothing", NOW)


def test_only_the_topics_of_a_changed_article_are_touched(store: Store) -> None:
    with store.write() as tx:
        stock(tx, 2, WASTE, ALL)
        tx.articles.add([new(9)])
        tx.filings.add([filing(9, "region-mena"), filing(9, ALL)])
        touched = tx.articles.last_touched()
        tx.articles.revise(dataclasses.replace(tx.articles.get("key000009"), title="Mended", revision=2), "x")
        assert tx.feeds.touched_since(touched) == {"region-mena", ALL}
        touched = tx.articles.last_touched()
        tx.filings.remove("key000009", ["region-mena"], NOW)
        assert tx.feeds.touched_since(touched) == {"region-mena", ALL}
        assert tx.feeds.counts() == {ALL: 3, WASTE: 2}


def test_a_run_with_nothing_to_cut_walks_indexes_and_sorts_nothing(sqlite_store: Store) -> None:
    asked: list[tuple[str, Any]] = []
    engine = sqlite_store._engine

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_more: object) -> None:
        asked.append((statement, parameters))

    with sqlite_store.write() as tx:
        stock(tx, 2)
    sa.event.listen(engine, "before_cursor_execute", note)
    with sqlite_store.read() as tx:
        tx.archives.open_lines(WASTE, 0, 50)
        tx.archives.newest(WASTE, 50)
        tx.archives.tombstones(WASTE, 50)
        tx.archives.waiting([WASTE, ALL])
        tx.archives.get(WASTE, 1)
    sa.event.remove(engine, "before_cursor_execute", note)
    assert len(asked) >= 6
    with engine.connect() as connection:
        for statement, parameters in asked:
            if statement.startswith("SELECT"):
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                plan = " ".join(row[-1] for row in rows)
                assert "SCAN" not in plan and "TEMP B-TREE" not in plan, statement
