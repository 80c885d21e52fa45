"""When digests are due: four zones, two years, both changes of the clock."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.digest.due import Watch, first_watch, latest_slot, look, next_slot

# Gaps and folds at 01:00-03:00, at midnight (Santiago, Beirut), of half an hour (Lord Howe), in both hemispheres.
ZONES = ["Europe/Brussels", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Asia/Beirut"]
START, END = datetime(2025, 1, 1, 12, tzinfo=UTC), datetime(2027, 1, 1, 12, tzinfo=UTC)


def slots(cron: str, zone: ZoneInfo) -> list[datetime]:
    found, now = [], START
    while (now := next_slot(cron, zone, now)) < END:
        found.append(now)
    return found


@pytest.mark.parametrize("zone_name", ZONES)
@pytest.mark.parametrize("cron", ["0 7 * * *", "30 2 * * *", "0 0 * * *", "15 1 * * *", "59 23 * * *", "45 1 * * *"])
def test_a_daily_digest_is_due_exactly_once_on_each_local_day(zone_name, cron):
    zone = ZoneInfo(zone_name)
    days = Counter(slot.astimezone(zone).date() for slot in slots(cron, zone))
    expected = {date(2025, 1, 2) + timedelta(days=n) for n in range(364 + 365)}
    assert expected <= set(days)
    assert set(days.values()) == {1}


@pytest.mark.parametrize("zone_name", ZONES)
def test_weekly_and_monthly_digests_are_due_once_per_week_and_month(zone_name):
    zone = ZoneInfo(zone_name)
    weeks = Counter(slot.astimezone(zone).isocalendar()[:2] for slot in slots("30 2 * * SUN", zone))
    months = Counter((slot.astimezone(zone).year, slot.astimezone(zone).month) for slot in slots("30 2 2 * *", zone))
    assert set(weeks.values()) == {1} and len(weeks) == 104
    assert set(months.values()) == {1} and len(months) == 24


def test_a_slot_in_the_spring_gap_comes_at_the_end_of_the_gap():
    zone = ZoneInfo("Europe/Brussels")  # 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC
    assert latest_slot("30 2 * * *", zone, datetime(2026, 3, 29, 5, tzinfo=UTC)) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_a_slot_that_comes_twice_in_autumn_is_the_first_one():
    zone = ZoneInfo("Europe/Brussels")  # 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    for later in (0, 20, 40, 60, 300):
        assert latest_slot("30 2 * * *", zone, first + timedelta(minutes=later)) == first
        assert next_slot("30 2 * * *", zone, first + timedelta(minutes=later)) == datetime(
            2026, 10, 26, 1, 30, tzinfo=UTC
        )


@given(
    zone=st.sampled_from([*ZONES, "UTC", "Asia/Kathmandu", "Africa/Casablanca"]).map(ZoneInfo),
    cron=st.sampled_from(
        ["0 7 * * *", "30 2 * * *", "*/20 * * * *", "0 */6 * * *", "0 7 * * MON", "0 7 1 * *", "5 0 L * *"]
    ),
    now=st.integers(0, 2 * 365 * 86400).map(lambda seconds: START + timedelta(seconds=seconds)),
)
@settings(max_examples=300, deadline=None)
def test_latest_and_next_slot_are_neighbours_on_one_line(zone, cron, now):
    latest, following = latest_slot(cron, zone, now), next_slot(cron, zone, now)
    assert latest <= now < following
    assert latest.tzinfo is UTC and following.tzinfo is UTC
    assert next_slot(cron, zone, latest) == following
    assert latest_slot(cron, zone, following) == following
    assert latest_slot(cron, zone, following - timedelta(seconds=1)) == latest
    assert not latest.microsecond and not following.microsecond


GRACE = timedelta(hours=72)


class Digest:
    """A frequency as a store keeps it: its watch, and the slots that have an issue."""

    def __init__(self, cron: str, zone: str, installed: datetime) -> None:
        self.cron, self.zone = cron, zone
        self.watch: Watch = first_watch(cron, zone, installed)
        self.slots: list[datetime] = []

    def look(self, now: datetime, *, compose: bool = True) -> datetime | None:
        """Look once; the slot that gets an issue."""
        served = max((slot for slot in self.slots if slot <= now), default=None)
        self.watch = look(self.watch, self.cron, self.zone, now, served=served, grace=GRACE)
        if self.watch.owed and compose:
            assert self.watch.owed not in self.slots, "the row of a slot is unique"
            self.slots.append(self.watch.owed)
        return self.watch.owed


def utc(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


@given(
    zone=st.sampled_from(ZONES),
    change=st.sampled_from(
        [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC), datetime(2026, 4, 5, tzinfo=UTC)]
    ),
    minutes=st.lists(st.integers(-100, 200), min_size=5, max_size=40),
)
@settings(max_examples=60, deadline=None)
def test_however_often_the_timetable_is_looked_at_each_slot_is_served_once(zone, change, minutes):
    now = change - timedelta(days=1)
    digest = Digest("30 2 * * *", zone, now)
    for step in minutes:  # the clock is put back at times
        now += timedelta(minutes=step)
        digest.look(now)
    days = Counter(slot.astimezone(ZoneInfo(zone)).date() for slot in digest.slots)
    assert set(days.values()) <= {1}


def test_a_slot_missed_by_more_than_the_grace_is_left_to_the_next_one():
    for late, due in ((timedelta(0), True), (GRACE, True), (GRACE + timedelta(seconds=1), False)):
        digest = Digest("0 7 * * MON", "UTC", utc(2, 7))
        assert digest.look(utc(9, 6, 59)) is None
        assert digest.look(utc(9, 7) + late) == (utc(9, 7) if due else None)
        assert digest.look(utc(16, 7)) == utc(16, 7)


def test_the_slot_at_which_a_store_was_made_is_none_of_its_own():
    digest = Digest("0 7 * * *", "UTC", utc(10, 7))
    assert [digest.look(utc(10, 7)), digest.look(utc(10, 7, 1)), digest.look(utc(11, 7))] == [None, None, utc(11, 7)]


def test_after_a_long_downtime_only_the_latest_slot_is_due():
    digest = Digest("0 7 * * *", "UTC", utc(10, 7))
    assert [digest.look(utc(20, 9)), digest.look(utc(20, 9, 1))] == [utc(20, 7), None]


def test_a_slot_is_owed_until_it_has_an_issue():
    digest = Digest("0 7 * * *", "UTC", utc(10, 7))
    for minute in range(3):
        assert digest.look(utc(11, 7, minute), compose=False) == utc(11, 7)
    assert digest.look(utc(11, 8)) == utc(11, 7)
    assert digest.look(utc(11, 9)) is None


class TestAChangedTimetable:
    def test_a_later_hour_on_the_same_day_does_not_make_yesterdays_good(self):
        digest = Digest("0 7 * * *", "UTC", utc(1))
        assert digest.look(utc(1, 7)) and not digest.look(utc(2, 6))
        digest.cron = "0 8 * * *"
        assert digest.look(utc(2, 6, 30)) is None, "yesterday at eight was no slot when it passed"
        assert [digest.look(utc(2, hour)) for hour in (7, 8, 9)] == [None, utc(2, 8), None]

    def test_an_hour_that_passed_already_today_begins_tomorrow(self):
        digest = Digest("0 9 * * *", "UTC", utc(1, 9))
        digest.look(utc(2, 7, 59))
        digest.cron = "0 7 * * *"
        assert [digest.look(utc(2, hour)) for hour in (8, 9, 12)] == [None, None, None]
        assert digest.look(utc(3, 7)) == utc(3, 7)

    def test_a_slot_of_the_old_one_that_was_missed_is_made_good_once(self):
        digest = Digest("0 7 * * MON", "UTC", utc(1))
        digest.look(utc(8, 23))
        digest.cron = "0 7 * * TUE"  # while the program was down
        assert digest.look(utc(9, 12)) == utc(9, 7)
        assert [digest.look(utc(10, 6)), digest.look(utc(10, 7))] == [None, utc(10, 7)]

    def test_slots_of_both_that_were_missed_get_one_issue(self):
        digest = Digest("0 7 * * *", "UTC", utc(1))
        digest.look(utc(1, 23))
        digest.cron = "0 8 * * *"
        assert [digest.look(utc(2, 9)), digest.look(utc(2, 10))] == [utc(2, 8), None]

    def test_a_slot_of_the_new_one_that_was_missed_is_made_good(self):
        digest = Digest("30 9 * * *", "UTC", utc(1))
        digest.look(utc(1, 23))
        digest.cron = "0 8 * * *"
        assert digest.look(utc(2, 9)) == utc(2, 8)

    def test_what_is_switched_on_again_sends_nothing_for_the_time_it_was_off(self):
        digest = Digest("0 7 * * *", "UTC", utc(1))
        digest.look(utc(1, 8))
        digest.cron = ""
        assert [digest.look(utc(2, 8)), digest.look(utc(3, 8))] == [None, None]
        digest.cron = "0 7 * * *"
        assert [digest.look(utc(3, 9)), digest.look(utc(4, 7))] == [None, utc(4, 7)]

    def test_another_zone_is_another_timetable(self):
        digest = Digest("0 7 * * *", "UTC", utc(1))
        assert digest.look(utc(2, 7)) == utc(2, 7)
        digest.zone = "America/New_York"
        assert [digest.look(utc(2, hour)) for hour in (8, 11)] == [None, None], "twelve UTC has not come"
        assert digest.look(utc(2, 12)) == utc(2, 12)

    def test_two_programs_that_disagree_lose_none_of_their_slots(self):
        digest, crons = Digest("0 7 * * *", "UTC", utc(1)), ("0 7 * * *", "0 15 * * *")
        now = utc(1)
        while now < utc(4):
            digest.cron = crons[now.minute // 10 % 2]
            digest.look(now)
            now += timedelta(minutes=10)
        assert digest.slots == [utc(day, hour) for day in (1, 2, 3) for hour in (7, 15)]


class TestAClockThatIsPutRight:
    def test_one_that_jumps_back_over_a_slot_serves_it_once(self):
        digest = Digest("0 7 * * *", "UTC", utc(1, 8))
        assert digest.look(utc(2, 7)) == utc(2, 7)
        assert [digest.look(utc(2, 6, 30)), digest.look(utc(2, 7)), digest.look(utc(2, 7, 30))] == [None, None, None]
        assert digest.look(utc(3, 7)) == utc(3, 7)

    def test_one_that_ran_ten_years_ahead_does_not_silence_the_digest(self):
        digest = Digest("0 7 * * *", "UTC", utc(1, 8))
        ahead = utc(2, 6).replace(year=2036)
        assert digest.look(ahead) == ahead.replace(day=1, hour=7)
        digest.cron = "0 8 * * *"
        assert digest.look(ahead + timedelta(minutes=5)) is None
        assert digest.look(utc(2, 6)) is None
        assert [digest.look(utc(day, 8)) for day in (2, 3)] == [utc(2, 8), utc(3, 8)]


def test_an_expression_that_is_never_due_is_an_error_and_no_endless_search():
    with pytest.raises(ValueError, match="never due"):
        next_slot("0 0 */29 2 SAT#5", ZoneInfo("UTC"), START)
