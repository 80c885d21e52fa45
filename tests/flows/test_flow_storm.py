"""A storm at the relay: greylisting, dead and full mailboxes, a server too busy, a domain that does not want us.

Time is an argument: the relay and the sender look at the same clock, which stands still while letters go out and is
put forward to when the sender says that it is worth while to go on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from crash.sendings import compose_for, recording_relay
from flows.house import START, House, slugs_in
from wire.hostile import HostileRelay

from publisher.flows import sending
from publisher.mail.backoff import GREYLIST_WAIT
from publisher.mail.circuit import DOMAIN_REFUSES
from publisher.model import DeliveryState, IssueState, SubscriberState
from publisher.smtp.postman import deliver_all

ATTEMPTS = 4
D = DeliveryState


class Trouble(Enum):
    """What the relay says of a reader, and to how many of a thousand."""

    DEAD = "550 5.1.1 nobody here", 50
    GREYLISTED = "450 4.2.0 greylisted, come again", 100
    FULL = "452 4.2.2 mailbox full", 20
    BUSY = "421 4.3.2 too busy", 10
    UNWELCOME = "550 5.7.1 we do not like you", 5
    NONE = "250 2.1.5 ok", 815

    @property
    def answer(self) -> str:
        return self.value[0]


_DEAL = [trouble for trouble in Trouble for _ in range(trouble.value[1])]


def trouble_of(number: int) -> Trouble:
    """Of the reader with this number; each kind is spread among all the others."""
    return _DEAL[number * 201 % 1000]


def email_of(number: int) -> str:
    """One domain is unwelcoming; all others have readers of every other kind."""
    unwelcome = trouble_of(number) is Trouble.UNWELCOME
    return f"reader{number:05}@" + ("strict.example" if unwelcome else f"domain{number % 20}.example")


@dataclass
class Storm:
    """The relay's answers to RCPT by `clock`, and when each reader's were asked for. Full mailboxes have room again
    after four times `first_wait`, the busy server is at ease after one, the domain minds nothing after half an hour."""

    house: House
    relay: HostileRelay
    first_wait: timedelta
    asked: defaultdict[str, list[tuple[datetime, str]]] = field(default_factory=lambda: defaultdict(list))

    def answer(self, trouble: Trouble, email: str) -> str:
        now, asked = self.house.clock(), self.asked[email]
        lasts = {
            Trouble.DEAD: True,
            Trouble.GREYLISTED: not asked or now - asked[0][0] < GREYLIST_WAIT,
            Trouble.FULL: now - START < 4 * self.first_wait,
            Trouble.BUSY: now - START < self.first_wait / 2,
            Trouble.UNWELCOME: now - START < DOMAIN_REFUSES.first / 2,
        }
        said = trouble.answer if lasts.get(trouble) else Trouble.NONE.answer
        asked.append((now, said))
        return said

    def blow(self, readers: int) -> None:
        for number in range(1, readers + 1):
            if (trouble := trouble_of(number)) is not Trouble.NONE:
                self.relay.rcpt[email_of(number)] = partial(self.answer, trouble, email_of(number))

    def pass_over(self) -> None:
        """Deliver, and again whenever that is worth while, until nothing waits."""
        end = START + timedelta(days=1)
        while (ahead := self.house.deliver().outlook) and ahead.waiting:
            assert ahead.goes_on is not None and self.house.clock() < end, "it comes to an end"
            self.house.clock.now = max(ahead.goes_on, self.house.clock() + self.first_wait / 5)


@pytest.fixture
def storm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storm]:
    database, minutes = request.param
    with recording_relay() as relay:
        where = {"host": relay.endpoint.host, "port": relay.endpoint.port, "security": "none", "connections": 4}
        smtp = {**where, "retry_minutes": minutes}
        house = House(tmp_path, request.getfixturevalue(f"{database}_url"), {"smtp": smtp})
        yield Storm(house, relay, timedelta(minutes=minutes))
        house.app.close()


EVERYWHERE = pytest.mark.parametrize(
    "storm", [("sqlite", 1), ("postgresql", 15)], ids=lambda given: f"{given[0]}, {given[1]} min",
    indirect=True,
)  # fmt: skip
"""On both databases; and with a first wait shorter than what greylisting asks for."""


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on at once after a connection that failed."""
    monkeypatch.setattr(sending, "deliver_all", partial(deliver_all, pauses_s=(0.0,)))


def weather(storm: Storm, readers: int) -> None:
    house, relay = storm.house, storm.relay
    compose_for(house, readers, email_of)
    storm.blow(readers)
    storm.pass_over()

    of = {kind: [email_of(n) for n in range(1, readers + 1) if trouble_of(n) is kind] for kind in Trouble}
    unwelcome = Trouble.UNWELCOME.answer
    refused = [email for email in of[Trouble.UNWELCOME] if any(said == unwelcome for _, said in storm.asked[email])]
    assert len(refused) == DOMAIN_REFUSES.failures, "then the domain is left alone"
    missed = {*of[Trouble.DEAD], *refused}
    living = {email_of(number) for number in range(1, readers + 1)} - missed
    assert Counter(relay.taken) == Counter(living), "each of the living once, and nobody else"

    (issue,) = house.issues()
    assert issue.state is IssueState.FINISHED
    house.check_sums()
    rows = {email_of(number): row for number, row in house.deliveries(issue).items()}
    assert {email for email, row in rows.items() if row.state is D.REJECTED} == missed
    assert {row.state for row in rows.values()} == {D.ACCEPTED, D.REJECTED}
    assert max(row.attempts for row in rows.values()) <= ATTEMPTS
    with house.app.store.read() as tx:
        states = {one.email: one.state for one in tx.subscribers.list(limit=readers)}
    struck_off = {email for email, state in states.items() if state is SubscriberState.BOUNCED}
    assert struck_off == {*of[Trouble.DEAD]}, "no other answer says that an address is dead"

    for kind, emails in of.items():
        for email in emails:
            check_waits(storm, kind, storm.asked[email])
    tries = {len({moment for moment, _ in storm.asked[email]}) for email in of[Trouble.GREYLISTED]}
    assert tries == {2}, "the first try that can succeed is the second"
    check_unwelcome(storm, of[Trouble.UNWELCOME])

    relay.rcpt.clear()
    relay.seen.clear()
    house.clock.forward(days=7)
    house.article("Plastics")
    house.publish()
    assert relay.seen.keys() == {*living, *refused}
    for email in (*refused, *sorted(living)[:10]):
        (letter,) = relay.seen[email]
        assert set(slugs_in(letter)) == ({"plastics", "waste"} if email in refused else {"plastics"}), "nothing is lost"


def check_waits(storm: Storm, kind: Trouble, asked: list[tuple[datetime, str]]) -> None:
    """Who greylists is not asked again before five minutes have passed, and nobody who refused before the first wait
    of the settings is nearly over. 421 speaks of the connection, so a fresh one may try once more at that moment."""
    least = GREYLIST_WAIT if kind is Trouble.GREYLISTED else 0.8 * storm.first_wait
    at_once = 0
    for (before, said), (after, _) in pairwise(asked):
        if said == Trouble.BUSY.answer and after == before:
            at_once += 1
        elif said != Trouble.NONE.answer:
            assert after - before >= least, asked
    assert at_once <= 1
    assert len({moment for moment, _ in asked}) <= ATTEMPTS, asked


def check_unwelcome(storm: Storm, emails: list[str]) -> None:
    """Three are refused; then nobody is asked for until an hour has passed, while all others get their letters."""
    asked = sorted(moment for email in emails for moment, _ in storm.asked[email])
    refused = DOMAIN_REFUSES.failures
    assert asked[:refused] == [START] * refused
    assert len(asked) == len(emails) > refused
    assert asked[refused] >= START + DOMAIN_REFUSES.first


@EVERYWHERE
def test_a_storm_costs_nobody_a_letter_who_lives(storm: Storm) -> None:
    weather(storm, 1000)


@pytest.mark.slow
@EVERYWHERE
def test_a_storm_over_10000_readers_costs_nobody_a_letter_who_lives(storm: Storm) -> None:
    weather(storm, 10_000)
