"""A year of looks at the timetable: changes of the clock, downtime, changed hours, clocks that are put back.

Whatever happens: one issue for a slot and none for what is no slot, no slot left out that was seen in time, and every
reader gets every article of their topics once. What a slot is is found here without the program's own arithmetic: the
first minute at which the wall clock of the zone shows the time or a later one.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flows.house import TOPICS, House

from publisher.digest.due import first_watch, look
from publisher.flows.compose import compose
from publisher.flows.due import due, remember_look
from publisher.flows.ingest import Ingest
from publisher.model import ALL, DeliveryState, Frequency, Origin, RawArticle, Subscriber, SubscriberState
from publisher.store import Outcome

GRACE = timedelta(hours=72)
MINUTE = timedelta(minutes=1)

# Both changes of the clock: at 02:00, at 02:00, at midnight, of half an hour.
ZONES = {
    "Europe/Brussels": datetime(2026, 3, 20, tzinfo=UTC),
    "America/New_York": datetime(2026, 10, 24, tzinfo=UTC),
    "America/Santiago": datetime(2026, 8, 29, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 3, 27, tzinfo=UTC),
}
HOURS = ("0 7", "30 2", "15 0", "45 1", "30 23", "0 12")
DAYS = {Frequency.DAILY: ("* * *",), Frequency.WEEKLY: ("* * MON", "* * SUN"), Frequency.MONTHLY: ("1 * *", "29 * *")}


def is_day(day: date, frequency: Frequency, days: str) -> bool:
    if frequency is Frequency.WEEKLY:
        return day.strftime("%a").upper() == days[-3:]
    return frequency is Frequency.DAILY or day.day == int(days.split(maxsplit=1)[0])


@cache
def moment_of(day: date, hour: str, zone: str) -> datetime:
    """The first minute at which the clock on the wall shows that time of that day, or a later one."""
    minutes, hours = map(int, hour.split())
    wall = datetime.combine(day, time(hours, minutes))
    at = wall.replace(tzinfo=UTC) - timedelta(hours=15)
    step = timedelta(hours=1)
    while (at + step).astimezone(ZoneInfo(zone)).replace(tzinfo=None) < wall:
        at += step
    while at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) < wall:
        at += MINUTE
    return at


class Year:
    def __init__(self, house: House, zone: str, start: datetime, seed: int) -> None:
        self.house, self.random, self.zone = house, random.Random(seed), zone
        self.house.clock.now = start
        self.hours: dict[Frequency, tuple[str, str] | None] = {
            frequency: ("0 7", days[0]) for frequency, days in DAYS.items()
        }
        self.adopted = dict.fromkeys(Frequency, start)  # since when each frequency has its present hours
        self.looked = start
        self.left: dict[Frequency, tuple[str, str] | None] = {}  # the hours that held until the next look
        self.keys: dict[str, str] = {}  # article -> topic
        self.set_config()
        self.readers: list[Subscriber] = [
            house.reader(f"reader{n}", *topics, frequency=frequency)
            for n, (topics, frequency) in enumerate(
                [((ALL,), Frequency.DAILY), (("data",), Frequency.WEEKLY), (("drugs", "data"), Frequency.MONTHLY)]
            )
        ]

    # --- what happens -----------------------------------------------------------------------------------------------

    def set_config(self) -> None:
        digest: dict[str, Any] = {"timezone": self.zone, "max_articles": 200}
        for frequency, hours in self.hours.items():
            digest[frequency] = {"cron": " ".join(hours)} if hours else {"enabled": False}
        self.house.rebuild(digest=digest)

    def pass_time(self) -> None:
        """Mostly minutes until the next look; at times the program is down, at times the clock is put back."""
        what = self.random.random()
        if what < 0.03:
            self.house.clock.forward(hours=self.random.randint(1, 100))
        elif what < 0.05:
            self.house.clock.forward(minutes=-self.random.randint(1, 300))
        else:
            self.house.clock.forward(minutes=self.random.randint(20, 200))

    def change_something(self) -> None:
        what = self.random.random()
        if what < 0.25:
            self.an_article()
        elif what < 0.28:
            frequency = self.random.choice(list(Frequency))
            hours = (self.random.choice(HOURS), self.random.choice(DAYS[frequency]))
            changed = None if self.random.random() < 0.2 else hours
            if changed != self.hours[frequency]:
                self.left[frequency] = self.hours[frequency]
                self.hours[frequency] = changed
                self.adopted[frequency] = self.looked
                self.set_config()
        elif what < 0.31:
            reader = self.random.choice(self.readers)
            with self.house.app.store.write() as tx:
                tx.subscribers.set_frequency(reader.id, self.random.choice(list(Frequency)), self.house.clock())
        elif what < 0.33:
            reader = self.random.choice(self.readers)
            state = self.random.choice((SubscriberState.ACTIVE, SubscriberState.PAUSED))
            with self.house.app.store.write() as tx:
                tx.subscribers.set_state(reader.id, state, self.house.clock(), reason="their wish")

    def an_article(self) -> None:
        topic, app = self.random.choice(TOPICS), self.house.app
        text = f"News {len(self.keys)} on {topic}."
        raw = RawArticle(title=text, body=f"<p>{text}</p>", text=text, origin=Origin("a source"), topics=(topic,))
        ingest = Ingest(
            app.store,
            classifier=app.classifier,
            settings=app.settings,
            now=self.house.clock(),
            mint_key=app.mint_key,
        )
        ingest.take([raw])
        self.keys[ingest.report().items[0].key] = topic

    def look(self, *, forced: bool = False) -> None:
        app, now = self.house.app, self.house.clock()
        slots: list[tuple[Frequency, datetime | None]]
        with app.store.write() as tx:
            slots = [(frequency, None) for frequency in Frequency] if forced else list(due(tx, app.settings, now))
            remember_look(tx, app.settings, now)
        for frequency, slot in slots:
            assert slot is None or self.is_slot(frequency, slot)
            compose(app.store, frequency, slot=slot, now=now, terms=app.terms, letters=app.letters)
        self.looked = now
        self.left.clear()
        if not forced:
            self.check_served(now)
        if forced or self.random.random() < 0.9:
            self.deliver()

    def deliver(self) -> None:
        now = self.house.clock()
        with self.house.app.store.write() as tx:
            jobs = tx.deliveries.upcoming(DeliveryState.PLANNED, now, 1000)
            ours = tx.deliveries.hand_over(jobs, now, now + GRACE)
            tx.deliveries.record([Outcome(key, DeliveryState.ACCEPTED) for key in ours], now)
            tx.deliveries.finish_issues(now, include_uncertain=True)

    # --- what must hold -----------------------------------------------------------------------------------------------

    def slots(
        self, frequency: Frequency, after: datetime, upto: datetime, hours: tuple[str, str] | None = None
    ) -> Iterator[datetime]:
        """The slots of `hours`, or the present ones, with after < slot <= upto, the latest first."""
        hours = hours or self.hours[frequency]
        day = upto.astimezone(ZoneInfo(self.zone)).date() + timedelta(days=1)
        while hours and day >= after.astimezone(ZoneInfo(self.zone)).date() - timedelta(days=1):
            if is_day(day, frequency, hours[1]):
                slot = moment_of(day, hours[0], self.zone)
                if after < slot <= upto:
                    yield slot
            day -= timedelta(days=1)

    def is_slot(self, frequency: Frequency, slot: datetime) -> bool:
        """Of the present hours, or of those that held when it was looked last."""
        return any(
            hours and slot in self.slots(frequency, slot - timedelta(hours=30), slot, hours)
            for hours in (self.hours[frequency], self.left.get(frequency))
        )

    def check_served(self, now: datetime) -> None:
        """What lay after the last look at other hours, and is not older than the grace, has its issue."""
        with self.house.app.store.read() as tx:
            for frequency in Frequency:
                after = max(min(self.adopted[frequency], now), now - GRACE - MINUTE)
                latest = next(self.slots(frequency, after, now), None)
                if latest is not None and now - latest <= GRACE:
                    assert (tx.issues.last_slot(frequency, now) or after) >= latest, (frequency, latest, now)

    def check(self) -> None:
        with self.house.app.store.write() as tx:
            for reader in self.readers:
                tx.subscribers.set_state(reader.id, SubscriberState.ACTIVE, self.house.clock(), reason="back")
        self.deliver()
        self.look(forced=True)
        issues = self.house.issues()
        slots = Counter((issue.frequency, issue.slot) for issue in issues if issue.slot)
        assert set(slots.values()) == {1}
        numbers = Counter((issue.frequency, issue.number) for issue in issues if issue.number)
        assert set(numbers.values()) == {1}
        with self.house.app.store.read() as tx:
            for reader in self.readers:
                got = Counter(
                    key
                    for letter in tx.deliveries.of_subscriber(reader.id)
                    if letter.state is DeliveryState.ACCEPTED and letter.edition_id is not None
                    for key in tx.issues.edition(letter.edition_id).article_keys
                )
                wanted = {key for key, topic in self.keys.items() if {topic, ALL} & set(reader.topics)}
                assert got == Counter(wanted)
        self.house.check_sums()


def live(house: House, zone: str, start: datetime, days: int, seed: int) -> int:
    year = Year(house, zone, start, seed)
    end = start + timedelta(days=days)
    while house.clock() < end:
        year.change_something()
        year.look()
        year.pass_time()
    year.check()
    return len(house.issues())


@pytest.mark.parametrize("zone", ZONES)
def test_three_weeks_around_a_change_of_the_clock(house: House, zone: str) -> None:
    assert live(house, zone, ZONES[zone], 21, seed=7) > 15


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
def test_a_year_with_everything_that_happens_in_it(house: House, zone: str) -> None:
    assert live(house, zone, datetime(2026, 1, 1, tzinfo=UTC), 366, seed=0) > 200


@pytest.mark.parametrize("zone", ZONES)
def test_an_undisturbed_year_has_an_issue_for_every_day_week_and_month(zone: str) -> None:
    """Looked at every hour or eight, in the pure room alone."""
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    crons = {Frequency.DAILY: "30 2 * * *", Frequency.WEEKLY: "15 0 * * SUN", Frequency.MONTHLY: "45 1 29 * *"}
    for frequency, cron in crons.items():
        watch, now, served = first_watch(cron, zone, start), start, list[datetime]()
        step = timedelta(hours=1 if frequency is Frequency.DAILY else 8)
        while now < start + timedelta(days=365):
            watch = look(watch, cron, zone, now, served=max(served, default=None), grace=GRACE)
            if watch.owed:
                served.append(watch.owed)
            now += step
        year = Year.__new__(Year)
        minute, hour, *days = cron.split()
        year.zone, year.hours = zone, {frequency: (f"{minute} {hour}", " ".join(days))}
        expected = list(year.slots(frequency, start, now - step))[::-1]
        assert served == expected
        assert len(served) == {Frequency.DAILY: 365, Frequency.WEEKLY: 52, Frequency.MONTHLY: 11}[frequency]


def test_the_moments_found_here_are_those_that_people_mean() -> None:
    assert moment_of(date(2026, 3, 29), "30 2", "Europe/Brussels") == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert moment_of(date(2026, 10, 25), "30 2", "Europe/Brussels") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert moment_of(date(2026, 7, 1), "0 7", "America/New_York") == datetime(2026, 7, 1, 11, tzinfo=UTC)
