"""The readers' domains in one sending: which letters may go out now, as far as these go. Floor: `flows`.

    job -> passes? --yes--> letter -> ... -> left
              '--no--> a mark for the domain: from here on its letters are looked up again when it may have some

Nothing waits in memory but one mark for each domain, and letters to other domains go on. A domain that defers, or
refuses by policy, too many letters in a row is left alone for a while (see `mail.circuit`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime

from publisher.clock import Clock
from publisher.config import ANY_DOMAIN, DomainSettings
from publisher.flows.meter import Instant, Meter
from publisher.mail.circuit import CLOSED, DOMAIN_DEFERS, DOMAIN_REFUSES, Circuit, after_failure
from publisher.mail.replies import Scope, Verdict
from publisher.model import DeliveryState
from publisher.readers.address import mail_domain
from publisher.store import Job, Key

WAIT_S = 60.0
"""What may go on within so many seconds is waited for; with what has to wait longer a later run goes on."""
ROOM = 100
"""Letters of a domain looked up at once."""

MakeMeter = Callable[[DomainSettings, str], Meter]


class Domains:
    """What is known of them. `caps`: the limits of config.toml. `patient`: it waits where it can be worth it."""

    def __init__(
        self,
        circuits: Mapping[str, Circuit],
        *,
        clock: Clock,
        instant: Instant,
        caps: Collection[DomainSettings] = (),
        make_meter: MakeMeter | None = None,
        patient: bool = False,
    ) -> None:
        self.circuits = dict(circuits)
        self._clock = clock
        self._instant = instant
        self._caps = {cap.domain: cap for cap in caps}
        self._any = self._caps.pop(ANY_DOMAIN, None)
        self._make_meter = make_meter
        self._patient = patient
        self._watching = bool(self._caps or self._any or circuits)
        self._meters: dict[str, Meter] = {}
        self._marks: dict[str, dict[DeliveryState, Key]] = {}
        self._hand: dict[str, int] = {}  # letters on their way, by domain
        self._changed = asyncio.Event()
        self._stopped = False

    # --- letters pass -------------------------------------------------------------------------------------------------

    def passes(self, job: Job) -> bool:
        """Whether this letter may go out now; then `left` must be called for it once."""
        if not self._watching:
            return True
        if self.is_behind(job):
            return False
        domain = mail_domain(job.email)
        if self._room(domain) < 1 or not self._spend(domain):
            before = Key(job.issue_id, job.subscriber_id - 1)
            self._marks.setdefault(domain, {})[job.state] = before
            return False
        self._hand[domain] = self._hand.get(domain, 0) + 1
        return True

    def is_behind(self, job: Job) -> bool:
        """Whether letters of its domain are known to wait, and this one with them."""
        if not self._watching:
            return False
        domain = mail_domain(job.email)
        mark = self._marks[domain].get(job.state) if domain in self._marks else None
        return mark is not None and job.key > mark

    def left(self, job: Job) -> None:
        """A letter that passed is not on its way any more."""
        if not self._watching:
            return
        domain = mail_domain(job.email)
        hand = self._hand.pop(domain, 0) - 1
        if hand > 0:
            self._hand[domain] = hand
        self._changed.set()

    def unspent(self, job: Job) -> None:
        """A letter that passed did not go out."""
        meter = self._meter(mail_domain(job.email)) if self._watching else None
        if meter is not None:
            meter.put_back()

    def heard(self, job: Job, verdict: Verdict) -> dict[str, Circuit]:
        """What a relay's answer says of the reader's domain: what the store is to remember of it."""
        if verdict.scope is not Scope.DOMAIN:
            if not self.circuits or not (verdict.state is DeliveryState.ACCEPTED or verdict.scope is Scope.READER):
                return {}
            domain = mail_domain(job.email)
            return {} if self.circuits.pop(domain, None) is None else {domain: CLOSED}
        self._watching = True
        domain = mail_domain(job.email)
        patience = DOMAIN_REFUSES if verdict.state is DeliveryState.REJECTED else DOMAIN_DEFERS
        known = self.circuits.get(domain, CLOSED)
        now = self._clock()
        if known.is_open(now):
            return {}  # of a letter that was on its way when it opened
        self.circuits[domain] = after_failure(known, now, verdict.reason, patience)
        return {domain: self.circuits[domain]}

    # --- letters that wait --------------------------------------------------------------------------------------------

    @property
    def holding(self) -> bool:
        """Whether letters were left behind for their domain's sake."""
        return bool(self._marks)

    async def opened(self) -> list[tuple[str, int]]:
        """The domains with letters left behind that may have some now, each with how many."""
        self._changed.clear()
        found = []
        for domain in list(self._marks):
            room = self._room(domain)
            meter = self._meter(domain)
            if room > 0 and meter is not None:
                room = min(room, await meter.fill())
            if room > 0:
                found.append((domain, room))
        return found

    def lift(self, domain: str) -> dict[DeliveryState, Key]:
        """Take away the marks of `domain`: after each of these keys its letters are looked up again."""
        return self._marks.pop(domain, {})

    def mark(self, domain: str, state: DeliveryState, after: Key) -> None:
        """There may be more letters behind this one."""
        self._marks.setdefault(domain, {})[state] = after

    async def wait(self) -> bool:
        """Wait until letters left behind may go on; False where that is not worth while."""
        if not self._patient or self._stopped:
            return False
        seconds = min(self._waits(), default=None)
        if seconds is None or seconds > WAIT_S:
            return False
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), max(seconds, 0.001))
        return not self._stopped

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._stopped = True
        self._changed.set()

    async def close(self) -> None:
        for meter in self._meters.values():
            await meter.close()

    # --- within -------------------------------------------------------------------------------------------------------

    def _cap(self, domain: str) -> DomainSettings | None:
        return self._caps.get(domain, self._any)

    def _room(self, domain: str) -> int:
        """Letters that its circuit and its connections leave room for."""
        hand = self._hand.get(domain, 0)
        circuit = self.circuits.get(domain)
        if circuit is not None and circuit.until is not None:
            return 0 if circuit.is_open(self._clock()) else 1 - hand
        cap = self._cap(domain)
        return cap.connections - hand if cap is not None and cap.connections else ROOM

    def _spend(self, domain: str) -> bool:
        meter = self._meter(domain)
        return meter is None or meter.spend()

    def _meter(self, domain: str) -> Meter | None:
        cap = self._cap(domain)
        if cap is None or not cap.has_rate or self._make_meter is None:
            return None
        if domain not in self._meters:
            self._meters[domain] = self._make_meter(cap, domain)
        return self._meters[domain]

    def _waits(self) -> Iterator[float]:
        """For each domain with letters left behind, the seconds until it may have one."""
        now: datetime = self._clock()
        for domain in self._marks:
            circuit = self.circuits.get(domain)
            if circuit is not None and circuit.until is not None and circuit.is_open(now):
                yield (circuit.until - now).total_seconds()
            elif self._room(domain) < 1:
                yield WAIT_S  # for a letter that is on its way; its end is told
            else:
                meter = self._meter(domain)
                yield 0.0 if meter is None else meter.ready_at - self._instant()
