"""When digests are due: four zones, two years, both changes of the clock."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.digest.due import due_slot, latest_slot, next_slot

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
    assert next_slot("30 2 * * *", zone, first) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


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


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    change=st.sampled_from(
        [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC), datetime(2026, 4, 5, tzinfo=UTC)]
    ),
    minutes=st.lists(st.integers(1, 200), min_size=5, max_size=40),
)
@settings(max_examples=60, deadline=None)
def test_however_often_the_timetable_is_looked_at_each_slot_is_served_once(zone, change, minutes):
    cron, now = "30 2 * * *", change - timedelta(days=1)
    served = latest_slot(cron, zone, now)
    days = []
    for step in minutes:
        now += timedelta(minutes=step)
        slot = due_slot(cron, zone, now, since=served, grace=timedelta(hours=72))
        if slot is not None:
            served = slot
            days.append(slot.astimezone(zone).date())
    assert len(days) == len(set(days))


def test_a_slot_missed_by_more_than_the_grace_is_left_to_the_next_one():
    zone, since = ZoneInfo("UTC"), datetime(2026, 3, 2, 7, tzinfo=UTC)
    slot, grace = datetime(2026, 3, 9, 7, tzinfo=UTC), timedelta(hours=72)
    due = [due_slot("0 7 * * MON", zone, slot + late, since=since, grace=grace) for late in (timedelta(0), grace)]
    assert due == [slot, slot]
    assert due_slot("0 7 * * MON", zone, slot + grace + timedelta(seconds=1), since=since, grace=grace) is None
    assert due_slot("0 7 * * MON", zone, slot, since=slot, grace=grace) is None
    assert due_slot("0 7 * * MON", zone, slot - timedelta(seconds=1), since=since, grace=grace) is None


def test_after_a_long_downtime_only_the_latest_slot_is_due():
    zone = ZoneInfo("UTC")
    now = datetime(2026, 3, 20, 9, tzinfo=UTC)
    due = due_slot("0 7 * * *", zone, now, since=datetime(2026, 3, 10, 7, tzinfo=UTC), grace=timedelta(hours=72))
    assert due == datetime(2026, 3, 20, 7, tzinfo=UTC)


def test_an_expression_that_is_never_due_is_an_error_and_no_endless_search():
    with pytest.raises(ValueError, match="never due"):
        next_slot("0 0 */29 2 SAT#5", ZoneInfo("UTC"), START)
