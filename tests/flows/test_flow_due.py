"""When digests go out: at their slots, once each, and not without news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flows.house import START, House, Time

from publisher.errors import UsageError
from publisher.flows.import_readers import ImportTerms, import_readers
from publisher.flows.preferences import Wishes, change_preferences
from publisher.flows.run import Order
from publisher.model import Frequency, IssueState
from publisher.readers.table import Defaults

MONDAY = datetime(2026, 3, 9, 7, tzinfo=UTC)
WEEKLY_ONLY = {"daily": {"enabled": False, "cron": "0 7 * * *"}, "monthly": {"enabled": False, "cron": "0 7 1 * *"}}


@pytest.fixture
def weekly(house: House) -> House:
    """Only the weekly digest is on; its last slot is dealt with."""
    house.rebuild(digest=WEEKLY_ONLY)
    house.publish(Order())
    return house


def names(house: House) -> list[str]:
    return [issue.name if issue.number else f"{issue.frequency} skipped" for issue in house.issues()]


def letters(house: House) -> int:
    return len(list(house.outbox.glob("*.eml")))


def test_a_fresh_installation_is_not_due_at_once(house: House) -> None:
    fresh = House(house.root / "fresh", f"sqlite:///{house.root}/fresh.db", clock=Time(MONDAY + timedelta(hours=1)))
    fresh.article("Waste")
    fresh.reader("alice")
    assert fresh.publish(Order())[1].issues == ()
    assert letters(fresh) == 0 and fresh.issues() == []
    fresh.clock.now = MONDAY + timedelta(days=7)
    assert [issue.name for issue in fresh.publish(Order())[1].issues if issue.frequency == "weekly"] == ["weekly-1"]
    assert letters(fresh) == 1
    fresh.app.close()


def test_a_digest_is_due_at_its_slot_and_not_again(weekly: House) -> None:
    before = names(weekly)
    weekly.article("Waste")
    weekly.reader("alice")
    weekly.clock.now = MONDAY - timedelta(seconds=1)
    weekly.publish(Order())
    assert names(weekly) == before
    weekly.clock.now = MONDAY
    weekly.publish(Order())
    assert names(weekly) == [*before, "weekly-1"]
    assert weekly.issues()[-1].slot == MONDAY
    weekly.clock.forward(hours=3)
    weekly.article("Plastics")
    weekly.publish(Order())
    assert names(weekly) == [*before, "weekly-1"] and letters(weekly) == 1


def test_readers_who_had_the_articles_elsewhere_get_only_what_comes_after(weekly: House) -> None:
    weekly.article("Old")
    weekly.publish(Order())
    defaults = Defaults(topics=("all",), frequency=Frequency.WEEKLY, language="en", known_topics={})
    lines = "email\nann@customs.example\n".splitlines(keepends=True)
    import_readers(weekly.app.sign_up, lines, defaults, ImportTerms(from_now=True))
    weekly.clock.now = MONDAY
    assert weekly.publish(Order())[1].issues[0].reason == "nothing new for the one reader"
    weekly.article("Fresh")
    weekly.clock.forward(days=7)
    (report,) = weekly.publish(Order())[1].issues
    assert (report.articles, letters(weekly)) == (1, 1)
    with pytest.raises(UsageError, match="choose one"):
        import_readers(weekly.app.sign_up, lines, defaults, ImportTerms(from_now=True, confirm=True))


def test_missed_slots_give_one_issue_with_everything(weekly: House) -> None:
    weekly.reader("alice")
    for week in range(3):
        weekly.article(f"Waste {week}")
    weekly.clock.now = MONDAY + timedelta(days=21, hours=5)
    (report,) = weekly.publish(Order())[1].issues
    assert (report.name, report.articles) == ("weekly-1", 3)
    assert weekly.issues()[-1].slot == MONDAY + timedelta(days=21)
    assert letters(weekly) == 1


def test_a_slot_missed_by_more_than_the_grace_is_left_to_the_next_one(weekly: House) -> None:
    before = names(weekly)
    weekly.article("Waste")
    weekly.reader("alice")
    weekly.clock.now = MONDAY + timedelta(hours=weekly.app.settings.digest.grace_hours, seconds=1)
    weekly.publish(Order())
    assert names(weekly) == before
    weekly.clock.now = MONDAY + timedelta(days=7)
    weekly.publish(Order())
    assert names(weekly) == [*before, "weekly-1"] and letters(weekly) == 1


def test_nothing_new_gives_a_skipped_issue_with_its_reason_and_without_a_number(weekly: House) -> None:
    weekly.article("Waste")
    weekly.reader("alice")
    weekly.clock.now = MONDAY
    weekly.publish(Order())
    weekly.clock.forward(days=7)
    (report,) = weekly.publish(Order())[1].issues
    assert (report.name, report.letters) == ("", 0)
    assert report.reason == "nothing new since weekly-1 for the one reader"
    skipped = weekly.issues()[-1]
    assert (skipped.number, skipped.state, skipped.reason) == (None, IssueState.SKIPPED, report.reason)
    assert weekly.publish(Order())[1].issues == (), "the slot has been dealt with"
    weekly.article("Plastics")
    weekly.clock.forward(days=7)
    assert [issue.name for issue in weekly.publish(Order())[1].issues] == ["weekly-2"]


def test_a_slot_without_readers_loses_nothing_for_the_first_one(weekly: House) -> None:
    weekly.article("Waste")
    weekly.clock.now = MONDAY
    assert [issue.reason for issue in weekly.publish(Order())[1].issues] == ["no readers yet"]
    weekly.reader("alice")
    weekly.clock.forward(days=7)
    (report,) = weekly.publish(Order())[1].issues
    assert (report.name, report.articles) == ("weekly-1", 1)


def test_a_new_reader_starts_where_the_last_issue_of_their_frequency_ended(weekly: House) -> None:
    weekly.article("Waste")
    weekly.reader("alice")
    weekly.clock.now = MONDAY
    weekly.publish(Order())
    weekly.article("Plastics")
    weekly.reader("bob")
    weekly.reader("charlie", frequency=Frequency.DAILY)
    weekly.clock.forward(days=7)
    (report,) = weekly.publish(Order(forced=(Frequency.WEEKLY,)))[1].issues
    assert (report.readers, report.letters, report.articles) == (2, 2, 1)
    (report,) = weekly.publish(Order(forced=(Frequency.DAILY,)))[1].issues
    assert (report.letters, report.articles) == (1, 2), "no daily issue yet: from the beginning"


def test_a_late_article_with_an_old_date_comes_in_the_next_issue(weekly: House) -> None:
    weekly.article("Waste", date="2026-03-01")
    weekly.reader("alice")
    weekly.clock.now = MONDAY
    weekly.publish(Order())
    weekly.article("Late", date="2019-01-01")
    weekly.clock.forward(days=7)
    (report,) = weekly.publish(Order())[1].issues
    assert (report.articles, report.held_back) == (1, 0)


def test_old_articles_are_held_back_where_the_settings_say_so_and_counted(weekly: House) -> None:
    weekly.rebuild(digest={**WEEKLY_ONLY, "hold_back_days": 30})
    weekly.article("New", date="2026-03-01")
    weekly.article("Old", date="2019-01-01")
    weekly.reader("alice")
    weekly.clock.now = MONDAY
    run, report = weekly.publish(Order())
    assert [(issue.articles, issue.held_back) for issue in report.issues] == [(1, 1)]
    assert run.report["issues"][0]["held_back"] == 1
    weekly.article("Older", date="2018-01-01")
    weekly.clock.forward(days=7)
    (skipped,) = weekly.publish(Order())[1].issues
    assert skipped.name == "" and "1 article held back as old" in skipped.reason


def test_after_a_pause_and_a_change_of_frequency_nothing_is_skipped_or_repeated(weekly: House) -> None:
    alice = weekly.reader("alice")
    order = weekly.app.topic_order

    def wish(frequency: Frequency, *, paused: bool = False) -> None:
        wishes = Wishes(("environment",), frequency, paused)
        change_preferences(weekly.app.store, alice.id, wishes, topic_order=order, now=weekly.clock())

    def sent(*frequencies: Frequency) -> list[int]:
        weekly.clock.forward(days=1)
        return [issue.articles for issue in weekly.publish(Order(forced=frequencies))[1].issues]

    weekly.article("One")
    assert sent(Frequency.WEEKLY) == [1]
    wish(Frequency.WEEKLY, paused=True)
    weekly.article("Two")
    assert sent(Frequency.WEEKLY) == [0]
    wish(Frequency.DAILY)
    weekly.article("Three")
    assert sent(Frequency.WEEKLY, Frequency.DAILY) == [0, 2]
    wish(Frequency.MONTHLY)
    assert sent(Frequency.DAILY, Frequency.MONTHLY, Frequency.WEEKLY) == [0, 0, 0]
    assert letters(weekly) == 2


def test_every_frequency_has_numbers_of_its_own(house: House) -> None:
    house.reader("alice", frequency=Frequency.DAILY)
    house.reader("bob")
    for number in range(2):
        house.article(f"Waste {number}")
        house.clock.forward(days=1)
        house.publish(Order(forced=(Frequency.DAILY, Frequency.WEEKLY)))
    assert names(house) == ["daily-1", "weekly-1", "daily-2", "weekly-2"]
    assert house.clock() > START
