"""Articles written and mended by hand: judged like those of a source, and not undone by one that says what it said."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from flows.house import FEEDS_ONLY, START, House, Time

from publisher.errors import NotFound, UsageError
from publisher.flows.edit import Form, Writing, add_article, correct_article
from publisher.flows.import_places import import_places
from publisher.model import ALL, Article, ImportOutcome

UNCHANGED, CHANGED, NEW = ImportOutcome.UNCHANGED, ImportOutcome.CHANGED, ImportOutcome.NEW


def published(house: House, **writing: object) -> Article:
    """Waste, from a file, a day old."""
    house.article("Waste", "News on environment.", **writing)
    house.publish(FEEDS_ONLY)
    house.clock.forward(days=1)
    return now(house)


def now(house: House, name: str = "Waste") -> Article:
    with house.app.store.read() as tx:
        return tx.articles.resolve(name)


def topics(house: House, key: str) -> set[str]:
    with house.app.store.read() as tx:
        return {filing.topic for filing in tx.filings.of(key)}


def test_a_correction_is_dated_filed_anew_and_told_in_page_and_feed(house: House) -> None:
    old = published(house)
    writing = Writing(title="Waste again", body="It is on **data**.\n\n<script>x</script>")
    edited = correct_article(house.app.parts, "Waste", writing, note="Wrong <topic>.")
    new = edited.article
    assert edited.outcome is CHANGED
    assert (new.key, new.slug, new.entry_id, new.published) == (old.key, old.slug, old.entry_id, old.published)
    assert new.updated == new.corrected == house.clock()
    assert new.revision == old.revision + 1 and new.stamp > old.stamp
    assert new.body.startswith("<p>It is on <strong>data</strong>.</p>") and "script" not in new.body
    assert new.summary == new.text == "It is on data."
    assert topics(house, new.key) == {ALL, "environment", "data"}
    assert [leaving.topic for leaving in edited.leaving] == ["environment"]
    house.publish(FEEDS_ONLY)
    for path in (f"articles/{new.slug}/index.html", "feeds/data.atom", "feeds/data.rss", "feeds/data.json"):
        text = (house.site / path).read_text()
        assert "Waste again" in text and "Wrong " in text and "Corrected on" in text, path
    with house.app.store.read() as tx:
        assert tx.archives.newest(ALL, 1)[0].key == new.key


def test_an_unchanged_source_leaves_a_correction_alone_and_a_changed_one_wins(house: House) -> None:
    published(house)
    writing = Writing(title="Plastic", body="By hand on environment.")
    corrected = correct_article(house.app.parts, "Waste", writing, note="x").article
    (house.articles / "Waste.md").touch()  # it is read again, and says what it said
    house.clock.forward(days=1)
    _, report = house.publish(FEEDS_ONLY)
    assert (report.ingest.count(UNCHANGED), report.ingest.skipped_files) == (1, 0)
    assert import_places(house.app.parts, [str(house.articles)]).count(UNCHANGED) == 1
    assert now(house, corrected.key) == corrected
    house.article("Waste", "The file on environment, mended too.")
    _, report = house.publish(FEEDS_ONLY)
    assert report.ingest.count(CHANGED) == 1
    after = now(house, corrected.key)
    assert (after.title, after.text) == ("Waste", "The file on environment, mended too.")
    assert after.revision == corrected.revision + 1


def test_a_source_that_takes_over_the_corrected_title_is_the_same_article(house: House) -> None:
    published(house)
    key = correct_article(house.app.parts, "Waste", Writing(title="Plastic"), note="x").article.key
    house.article("Waste", "News on environment.", title="Plastic")
    _, report = house.publish(FEEDS_ONLY)
    assert [(item.outcome, item.key) for item in report.ingest.items] == [(CHANGED, key)]
    assert now(house, key).updated == START + timedelta(days=1)  # it says what the correction said


def test_a_minor_edit_goes_out_without_note_or_date(house: House) -> None:
    old = published(house)
    new = correct_article(house.app.parts, old.key, Writing(body="News on environment!"), minor=True).article
    assert (new.updated, new.stamp, new.corrected) == (old.updated, old.stamp, None)
    assert (new.text, new.revision) == ("News on environment!", old.revision + 1)
    _, report = house.publish(FEEDS_ONLY)
    assert "feeds/environment.atom" in report.site.written


def test_what_is_not_said_stays_and_what_is_said_empty_goes(house: House) -> None:
    old = published(house, summary="Short.", author="Alice", source="https://news.example/a", topics="[drugs]")
    body = '<p>See <a href="b">there</a>.</p>'
    new = correct_article(house.app.parts, old.key, Writing(body=body, form=Form.HTML), note="x").article
    kept = ("title", "summary", "author", "source_url", "explicit_topics", "language", "published")
    assert [getattr(new, name) for name in kept] == [getattr(old, name) for name in kept]
    assert 'href="https://news.example/b"' in new.body
    writing = Writing(summary="", author="", source="", topics=(), body="On *environment* and data.", form=Form.TEXT)
    new = correct_article(house.app.parts, old.key, writing, note="x").article
    assert (new.author, new.source_url, new.explicit_topics) == (None, None, None)
    assert new.summary == new.text == "On *environment* and data."
    assert topics(house, old.key) == {ALL, "environment", "data"}


def test_nothing_to_correct_changes_nothing_and_a_better_note_no_date(house: House) -> None:
    old = published(house)
    before = house.dump()
    edited = correct_article(house.app.parts, old.key, Writing(title=old.title, body="News on environment."), note="x")
    assert (edited.outcome, edited.article) == (UNCHANGED, old)
    after = house.dump()
    assert {name for name in before if before[name] != after[name]} <= {"counters"}
    first = correct_article(house.app.parts, old.key, Writing(title="Waste 2"), note="Tpyo.").article
    house.clock.forward(hours=1)
    better = correct_article(house.app.parts, old.key, Writing(), note="Typo.").article
    assert (better.correction, better.updated, better.revision) == ("Typo.", first.updated, first.revision)


@pytest.mark.parametrize(
    ("writing", "problem"),
    [
        (Writing(title=" "), "no title"),
        (Writing(title="x" * 301), "title: has 301 characters"),
        (Writing(body=" "), "no text under the title"),
        (Writing(body="x" * 250_001), "larger than 250,000 bytes"),
        (Writing(topics=("enviroment",)), "did you mean 'environment'?"),
        (Writing(source="javascript:x"), "no web address"),
        (Writing(date="2036-01-01"), "in the future"),
    ],
)
def test_what_no_source_may_say_is_refused_and_nothing_changes(house: House, writing: Writing, problem: str) -> None:
    old = published(house)
    with pytest.raises(UsageError, match=problem.replace("?", r"\?")):
        correct_article(house.app.parts, old.key, writing, note="x")
    with pytest.raises(UsageError):
        add_article(house.app.parts, writing)
    assert now(house) == old


def test_an_article_that_is_withdrawn_or_unknown_is_not_corrected(house: House) -> None:
    old = published(house)
    with house.app.store.write() as tx:
        tx.departures.withdraw(old.key, house.clock())
    with pytest.raises(UsageError, match=f"articles restore {old.key}"):
        correct_article(house.app.parts, old.key, Writing(title="x"), note="x")
    with pytest.raises(NotFound):
        correct_article(house.app.parts, "no such article", Writing(title="x"), note="x")


def test_an_added_article_is_one_like_any_other_and_no_title_comes_twice(house: House) -> None:
    writing = Writing(title="Ports", body="On *environment*.", author="Alice", date="2026-01-31")
    edited = add_article(house.app.parts, writing)
    assert (edited.outcome, edited.article.author) == (NEW, "Alice")
    assert topics(house, edited.article.key) == {ALL, "environment"}
    house.publish(FEEDS_ONLY)
    assert "Ports" in (house.site / "feeds/environment.atom").read_text()
    with pytest.raises(UsageError, match=edited.article.key):
        add_article(house.app.parts, Writing(title="  Ports ", body="Another text."))
    assert add_article(house.app.parts, Writing(body="# A heading\n\nis the title.")).article.title == "A heading"


def test_it_is_the_same_on_both_databases(tmp_path: Path, store_url: str) -> None:
    house = House(tmp_path, store_url, clock=Time())
    key = add_article(house.app.parts, Writing(title="Ports", body="On environment.")).article.key
    house.clock.forward(hours=1)
    new = correct_article(house.app.parts, key, Writing(title="Harbours"), note="x").article
    assert now(house, "Harbours") == new
    assert new.corrected == house.clock()
    house.app.close()
