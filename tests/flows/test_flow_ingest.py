"""What comes in: an article stays the same article, and no source can spoil the others."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from flows.house import FEEDS_ONLY, START, House, topic_rules

from publisher.cli.report import tell_refused
from publisher.flows.import_places import import_places
from publisher.flows.records import as_json
from publisher.flows.reports import MAX_UNREAD, IngestReport, RunReport
from publisher.flows.run import read_sources
from publisher.model import Article, ImportOutcome, Origin


def take(house: House) -> IngestReport:
    return read_sources(house.app.parts, house.app.store, house.clock())


def outcomes(report: IngestReport) -> dict[str, int]:
    return {str(outcome): report.count(outcome) for outcome in ImportOutcome if report.count(outcome)}


def stored(house: House) -> dict[str, Article]:
    with house.app.store.read() as tx:
        return {filed.article.title: filed.article for filed in tx.articles.iterate()}


def topics_of(house: House, title: str) -> set[str]:
    with house.app.store.read() as tx:
        return {filing.topic for filing in tx.filings.of(stored(house)[title].key)}


def test_a_file_that_did_not_change_is_not_read_again(house: House) -> None:
    house.article("Waste")
    assert outcomes(take(house)) == {"new": 1}
    again = take(house)
    assert outcomes(again) == {} and again.skipped_files == 1


def test_the_same_file_imported_twice_by_hand_is_unchanged(house: House) -> None:
    place = str(house.article("Waste"))
    assert outcomes(import_places(house.app.parts, [place])) == {"new": 1}
    before = stored(house)
    house.clock.forward(hours=1)
    assert outcomes(import_places(house.app.parts, [place])) == {"unchanged": 1}
    assert stored(house) == before


STRANGE = os.fsdecode(b"bad\xe9")


@pytest.mark.parametrize("where", ["articles", f"articles/{STRANGE}", f"articles/{STRANGE}/{STRANGE}.md"])
def test_names_that_are_not_utf_8_stop_no_run(where: str, house: House) -> None:
    (house.articles / STRANGE).mkdir()
    house.article("Good")
    house.article(f"{STRANGE}/{STRANGE}", title="Strange")
    house.article(f"{STRANGE}/refused", title="''")
    house.rebuild(source=[{"path": where}, {"path": "articles"}, {"path": f"articles/{STRANGE}.missing"}])
    for outcome, skipped in (({"new": 2}, 0), ({}, 2)):  # what was read whole and good is not read again
        report = house.publish(FEEDS_ONLY)[1].ingest
        assert (outcomes(report), report.skipped_files) == (outcome, skipped)
        told = {refused.origin.place.removeprefix(f"{house.articles}/"): refused.reason for refused in report.refused}
        assert list(told) == [r"bad\xe9.missing", r"bad\xe9/refused.md"]
        assert told[r"bad\xe9.missing"].startswith("no such file")
    assert stored(house).keys() == {"Good", "Strange"}


def test_an_import_by_hand_takes_names_that_are_not_utf_8(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = house.articles / STRANGE
    folder.mkdir()
    house.article(f"{STRANGE}/{STRANGE}", title="Strange")
    monkeypatch.chdir(folder)
    for place, outcome in ((f"{STRANGE}.md", "new"), (".", "unchanged"), (str(folder), "unchanged")):
        assert outcomes(import_places(house.app.parts, [place])) == {outcome: 1}
    house.article(f"{STRANGE}/{STRANGE}", "Other words.", title="Strange")
    assert outcomes(take(house)) == {"changed": 1}


@pytest.mark.parametrize("later", [0, 1, 3600])
def test_a_changed_body_is_a_new_revision_of_the_same_article(house: House, later: int) -> None:
    house.article("Waste", "First words on environment.")
    take(house)
    before = stored(house)["Waste"]
    house.clock.forward(seconds=later)
    house.article("Waste", "Better words on environment, and more.")
    assert outcomes(take(house)) == {"changed": 1}
    after = stored(house)["Waste"]
    assert (after.key, after.entry_id, after.slug, after.first_seen, after.published) == (
        before.key, before.entry_id, before.slug, before.first_seen, before.published,
    )  # fmt: skip
    assert after.revision == 2 and after.stamp > before.stamp
    assert after.updated > before.updated


@pytest.mark.parametrize(
    ("title", "again"),
    [
        ("Customs in Côte d'Ivoire", "Customs in Co\u0302te d'Ivoire"),
        ("Waste and plastics", "Waste   and\u00a0plastics"),
    ],
)
def test_a_title_in_another_unicode_form_or_spacing_is_the_same_article(house: House, title: str, again: str) -> None:
    house.article("one", title=title)
    take(house)
    before = next(iter(stored(house).values()))
    house.article("one", "Other words on environment.", title=again)
    assert outcomes(take(house)) == {"changed": 1}
    after = next(iter(stored(house).values()))
    assert len(stored(house)) == 1
    assert (after.key, after.slug) == (before.key, before.slug)


def test_an_id_keeps_the_article_when_its_title_changes(house: House) -> None:
    house.article("one", id="waste-1", title="Waste")
    take(house)
    before = stored(house)["Waste"]
    house.article("one", id="waste-1", title="Waste, corrected")
    assert outcomes(take(house)) == {"changed": 1}
    (after,) = stored(house).values()
    assert after.title == "Waste, corrected"
    assert (after.key, after.entry_id, after.slug) == (before.key, before.entry_id, before.slug)


def test_without_an_id_another_title_is_another_article(house: House) -> None:
    house.article("one", title="Waste")
    take(house)
    house.article("one", title="Waste, corrected")
    assert outcomes(take(house)) == {"new": 1}
    assert {article.slug for article in stored(house).values()} == {"waste", "waste-corrected"}


def test_named_topics_win_over_the_rules_and_refile_when_they_change(house: House) -> None:
    house.article("one", "All about drugs and data.", title="Named", topics="[environment]")
    take(house)
    assert topics_of(house, "Named") == {"environment", "all"}
    before = stored(house)["Named"]
    house.clock.forward(hours=1)
    house.article("one", "All about drugs and data.", title="Named", topics="[drugs]")
    assert outcomes(take(house)) == {"changed": 1}
    assert topics_of(house, "Named") == {"drugs", "all"}
    after = stored(house)["Named"]
    assert (after.updated, after.revision) == (before.updated, before.revision), "nothing new to read in it"


def test_new_rules_file_what_is_there_and_report_what_would_leave(house: House) -> None:
    house.article("one", "A seizure of waste.", title="Seizure")
    house.rebuild(topics=topic_rules(environment=("waste",)))
    take(house)
    assert topics_of(house, "Seizure") == {"environment", "all"}
    house.rebuild(topics=topic_rules(drugs=("seizure",)))
    report = take(house)
    assert topics_of(house, "Seizure") == {"environment", "drugs", "all"}
    assert dict(report.filed) == {"drugs": 1}
    assert [(leaving.title, leaving.topic) for leaving in report.leaving] == [("Seizure", "environment")]
    assert dict(take(house).filed) == {}


class TestTwoFilesWithOneTitle:
    def test_the_second_is_refused_with_the_name_of_the_first_by_every_run(self, house: House) -> None:
        first = house.article("a", "The first on environment.", title="Waste")
        second = house.article("b", "The second on environment.", title="Waste")
        for _ in range(3):
            report = take(house)
            ((refusal),) = report.refused
            assert refusal.origin.place == str(second) and str(first) in refusal.reason
            assert stored(house)["Waste"].text == "The first on environment."

    def test_the_one_that_was_there_first_can_still_be_corrected(self, house: House) -> None:
        there = house.article("b", "The first on environment.", title="Waste")
        take(house)
        intruder = house.article("a", "Another on environment.", title="Waste")
        assert [refusal.origin.place for refusal in take(house).refused] == [str(intruder)]
        house.article("b", "The first on environment, corrected.", title="Waste")
        report = take(house)
        assert stored(house)["Waste"].text == "The first on environment, corrected."
        assert [refusal.origin.place for refusal in report.refused] == [str(intruder)]
        assert str(there) in report.refused[0].reason

    def test_the_second_takes_over_when_the_first_has_gone(self, house: House) -> None:
        first = house.article("a", "The first on environment.", title="Waste")
        house.article("b", "The second on environment.", title="Waste")
        take(house)
        key = stored(house)["Waste"].key
        first.unlink()
        assert outcomes(take(house)) == {"changed": 1}
        assert stored(house)["Waste"].text == "The second on environment."
        assert stored(house)["Waste"].key == key

    def test_an_id_of_its_own_makes_it_another_article(self, house: House) -> None:
        house.article("a", "The first on environment.", title="Waste", id="a")
        house.article("b", "The second on environment.", title="Waste", id="b")
        report = take(house)
        assert outcomes(report) == {"new": 2} and not report.refused
        with house.app.store.read() as tx:
            assert {filed.article.slug for filed in tx.articles.iterate()} == {"waste", "waste-2"}

    @pytest.mark.parametrize("later", [True, False], ids=["in a later run", "in one run"])
    def test_an_id_on_one_of_the_two_is_not_enough_to_tell_them_apart(self, house: House, later: bool) -> None:
        house.article("a", "The first on environment.", title="Waste", id="a")
        if later:
            take(house)
        second = house.article("b", "The second on environment.", title="Waste")
        assert [refusal.origin.place for refusal in take(house).refused] == [str(second)]
        assert {article.text for article in stored(house).values()} == {"The first on environment."}

    def test_an_id_added_later_is_taken_up_by_the_article_that_had_none(self, house: House) -> None:
        house.article("a", title="Waste")
        take(house)
        key = stored(house)["Waste"].key
        house.article("a", "Corrected words on environment.", title="Waste", id="a")
        take(house)
        house.article("a", "Corrected words on environment.", title="Another title", id="a")
        take(house)
        assert {title: article.key for title, article in stored(house).items()} == {"Another title": key}

    def test_the_second_with_an_id_may_come_in_a_later_run(self, house: House) -> None:
        house.article("a", "The first on environment.", title="Waste", id="a")
        take(house)
        house.article("b", "The second on environment.", title="Waste", id="b")
        assert outcomes(take(house)) == {"new": 1}
        house.article("b", "The second on environment, corrected.", title="Waste", id="b")
        assert outcomes(take(house)) == {"changed": 1}


def test_undated_articles_get_a_second_each_and_none_in_the_future(house: House) -> None:
    for number in range(40):
        house.article(f"first {number}")
    take(house)
    house.clock.forward(seconds=5)
    for number in range(40):
        house.article(f"second {number}")
    take(house)
    times = [article.updated for article in stored(house).values()]
    assert len(times) == len(set(times)) == 80
    assert max(times) <= house.clock()
    assert min(times) > START - timedelta(minutes=10)


def test_a_withdrawn_article_stays_out_whatever_its_source_says(house: House) -> None:
    house.article("Waste")
    house.article("Data", "On data.")
    house.publish(FEEDS_ONLY)
    key = stored(house)["Waste"].key
    with house.app.store.write() as tx:
        tx.departures.withdraw(key, house.clock())
    house.clock.forward(hours=1)
    house.article("Waste", "Back again, on environment.")
    report = house.publish(FEEDS_ONLY)[1]
    assert outcomes(report.ingest) == {"unchanged": 1}
    assert set(stored(house)) == {"Data"}
    for path in ("feeds/all.atom", "feeds/environment.rss", "feeds/environment.json", "index.html"):
        assert b"Back again" not in (house.site / path).read_bytes()
        assert (b"/articles/waste/" in (house.site / path).read_bytes()) == path.startswith("feeds/")  # the notice
    assert b"/articles/data/" in (house.site / "feeds/all.atom").read_bytes()


def test_a_bad_file_is_refused_again_by_every_run_until_it_is_mended(house: House) -> None:
    house.article("Good")
    bad = house.article("Bad", topics="[nowhere]")
    for _ in range(2):
        report = take(house)
        assert [refusal.origin.place for refusal in report.refused] == [str(bad)]
        assert "nowhere" in report.refused[0].reason
    assert set(stored(house)) == {"Good"}
    house.article("Bad", topics="[data]")
    assert not take(house).refused
    assert set(stored(house)) == {"Good", "Bad"}


def test_a_key_that_means_nothing_is_a_warning_and_no_refusal(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    first = house.article("Ports", layout="wide", weight=3)
    house.article("Waste", layout="small")
    report = take(house)
    assert outcomes(report) == {"new": 2}
    assert [(unread.key, unread.items, unread.first) for unread in report.unread] == [
        ("layout", 2, Origin(str(first), 3)),
        ("weight", 1, Origin(str(first), 4)),
    ]
    tell_refused(as_json(RunReport(ingest=report))["ingest"])
    assert capsys.readouterr().err.splitlines() == [
        f"publisher: warning: {first}:3 and 1 more article: unknown key 'layout' is passed over",
        f"publisher: warning: {first}:4: unknown key 'weight' is passed over",
    ]
    assert take(house).unread == ()  # told once: the file is as it was


def test_a_report_names_no_more_unknown_keys_than_anybody_reads(house: House) -> None:
    house.article("Ports", **{f"key{number}x": number for number in range(MAX_UNREAD + 5)})
    assert len(take(house).unread) == MAX_UNREAD


def test_a_source_that_is_not_there_does_not_stop_the_others(house: House) -> None:
    house.article("Good")
    house.rebuild(source=[{"path": "nowhere"}, {"path": "articles"}])
    run, report = house.publish(FEEDS_ONLY)
    assert run.state == "done"
    assert [refusal.origin.place for refusal in report.ingest.refused] == [str(house.root / "nowhere")]
    assert outcomes(report.ingest) == {"new": 1}
