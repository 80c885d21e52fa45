"""Deliver: planned deliveries -> letters -> relays -> outcomes. Floor: `flows`.

    recover what a killed process left -> give up what is too old -> letter -> claim (row before the content)
        -> hand over -> outcome, recorded before that connection's next content -> finish issues with nothing pending

Safe to repeat: a delivery is claimed by a conditional update, and a letter sent again is the same letter byte for byte.
One relay without limits takes letters straight from the desk; several, or limits, have a fleet between them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from publisher.clock import Clock, system_clock
from publisher.config import DomainSettings, RelaySettings, SmtpSettings
from publisher.errors import RelayUnavailable
from publisher.flows.crossing import across, write_of
from publisher.flows.domains import Domains
from publisher.flows.ledger_desk import SENDING, LedgerDesk, Progress, Rules
from publisher.flows.letters import Letters
from publisher.flows.reports import DeliverReport
from publisher.flows.struck_off import refused, take_note
from publisher.mail.backoff import DOUBT
from publisher.mail.circuit import CLOSED, RELAY, Circuit, after_failure
from publisher.mail.scoring import BounceKind
from publisher.model import DeliveryState
from publisher.smtp.endpoint import Endpoint
from publisher.smtp.outbox import outbox
from publisher.smtp.postman import deliver_all
from publisher.store import HeldStore, Kind, Store

if TYPE_CHECKING:
    from publisher.flows.crossing import Write
    from publisher.flows.meter import Meter
    from publisher.flows.outlook import Outlook
    from publisher.mail.rates import Allowed

__all__ = ["DOUBT", "Post", "Tell", "deliver", "letters_due", "look_ahead", "unheard"]

FORGET = timedelta(days=7)
"""A circuit that did not change for so long says nothing about today."""

Tell = Callable[[str], None]


def unheard(_text: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Post:
    """How letters get out: made by `letters`, sent over `relays` as `smtp` says, with at most so many for each of
    `domains`; without a relay they are kept in the folder `outbox_path`."""

    letters: Letters
    smtp: SmtpSettings
    outbox_path: Path
    relays: tuple[RelaySettings, ...] = ()
    domains: tuple[DomainSettings, ...] = ()

    @property
    def is_local(self) -> bool:
        return not self.relays

    @property
    def resend(self) -> bool:
        return self.smtp.on_uncertain == "resend"

    @property
    def is_simple(self) -> bool:
        """One way out, and no limit on it."""
        return len(self.relays) < 2 and not self.domains and not any(_is_limited(relay) for relay in self.relays)

    def endpoint(self) -> AbstractAsyncContextManager[Endpoint]:
        """The first relay, or the outbox."""
        return outbox(self.outbox_path) if self.is_local else _relay(self.relays[0], self.smtp.timeout_seconds)


def _is_limited(relay: RelaySettings) -> bool:
    return relay.has_rate or bool(relay.warm_up)


@asynccontextmanager
async def _relay(relay: RelaySettings, timeout_s: float) -> AsyncIterator[Endpoint]:
    yield Endpoint.from_settings(relay, timeout_s=timeout_s)


async def deliver(
    store: Store,
    post: Post,
    *,
    clock: Clock,
    progress: Progress,
    stop: asyncio.Event | None = None,
    tell: Tell = unheard,
    helping: bool = False,
) -> DeliverReport:
    """Send everything that is due now; tells what became of it. The caller holds the run's lock, or is `helping` the
    one who does, and is signed in among the helpers.

    A relay that cannot be used is told in the report's `problem`; its letters stay planned or deferred. `tell` hears
    of what is tried again meanwhile.
    """
    opening = await across(_join if helping else _open, store, post, clock())
    states: Mapping[DeliveryState, int] = {}
    sending = _Sending(store, post, clock=clock, opening=opening, tell=tell)
    if opening.total:
        progress(SENDING, 0, opening.total)
        with store.held() as held:
            states = await sending.send(held, progress, stop)
    return DeliverReport(
        states=dict(states),
        problem=sending.problem,
        outbox=str(post.outbox_path) if post.is_local else "",
        relays=dict(sending.carried),
        outlook=await across(look_ahead, store, post, clock()),
    )


@dataclass(frozen=True, slots=True)
class _Opening:
    """How a sending finds the store: letters due, and the circuits."""

    total: int
    relays: Mapping[str, Circuit]
    domains: Mapping[str, Circuit]


@dataclass(slots=True)
class _Sending:
    store: Store
    post: Post
    clock: Clock
    opening: _Opening
    tell: Tell
    problem: str = ""
    carried: Mapping[str, int] = field(default_factory=dict)

    async def send(
        self, held: HeldStore, progress: Progress, stop: asyncio.Event | None
    ) -> Mapping[DeliveryState, int]:
        post = self.post
        simple = post.is_simple and not self.opening.domains
        domains = self._domains(held, patient=not simple)
        desk = LedgerDesk(
            self.store,
            held,
            letters=post.letters,
            domains=domains,
            rules=Rules(resend=post.resend, first_wait=timedelta(minutes=post.smtp.retry_minutes)),
            clock=self.clock,
            progress=progress,
            total=self.opening.total,
            lines=sum(relay.connections for relay in post.relays) or post.smtp.connections,
        )
        try:
            if post.is_local or simple:
                await self._straight(held, desk, stop)
            else:
                await self._by_fleet(held, desk, domains, stop)
        finally:
            await desk.close()
            await across(_finish, self.store, self.clock(), post.resend)
        return desk.states

    async def _straight(self, held: HeldStore, desk: LedgerDesk, stop: asyncio.Event | None) -> None:
        post = self.post
        way = post.relays[0] if post.relays else post.smtp
        name = post.relays[0].name if post.relays else "outbox"
        circuit = self.opening.relays.get(name, CLOSED)
        try:
            async with post.endpoint() as endpoint:
                await deliver_all(
                    endpoint,
                    desk.letters(),
                    connections=way.connections,
                    letters_per_connection=way.letters_per_connection,
                    claim=desk.claim,
                    on_result=desk.take,
                    at_once=desk.at_once,
                    swap=desk.swap,
                    stop=stop,
                    tell=self.tell,
                )
        except RelayUnavailable as error:
            self.problem = str(error)
            await self._keep(held, name, after_failure(circuit, self.clock(), str(error), RELAY, final=True))
        else:
            if circuit is not CLOSED and desk.states:
                await self._keep(held, name, CLOSED)

    async def _by_fleet(self, held: HeldStore, desk: LedgerDesk, domains: Domains, stop: asyncio.Event | None) -> None:
        from publisher.flows.fleet import Fleet, carriers  # noqa: PLC0415  (late: few sites have limits)

        fleet = Fleet(
            carriers(
                self.post.relays,
                self.opening.relays,
                timeout_s=self.post.smtp.timeout_seconds,
                make_meter=lambda relay: self._relay_meter(held, relay),
            ),
            desk,
            domains,
            write=write_of(self.store, held),
            clock=self.clock,
            instant=_instant(self.clock),
            tell=self.tell,
        )
        self.carried = fleet.carried
        self.problem = await fleet.run(stop)

    async def _keep(self, held: HeldStore, relay: str, circuit: Circuit) -> None:
        now = self.clock()
        await write_of(self.store, held)(lambda tx: tx.circuits.keep(Kind.RELAY, relay, circuit, now))

    def _domains(self, held: HeldStore, *, patient: bool) -> Domains:
        return Domains(
            self.opening.domains,
            clock=self.clock,
            instant=_instant(self.clock),
            caps=self.post.domains,
            make_meter=lambda cap, domain: self._domain_meter(held, cap, domain),
            patient=patient,
        )

    def _relay_meter(self, held: HeldStore, relay: RelaySettings) -> Meter | None:
        from publisher.flows.outlook import allowed_by  # noqa: PLC0415  (late, as above)

        return meter_of(relay, allowed_by(relay).for_digests, write_of(self.store, held), self.clock)

    def _domain_meter(self, held: HeldStore, cap: DomainSettings, domain: str) -> Meter:
        from publisher.flows.meter import Meter  # noqa: PLC0415  (late, as above)
        from publisher.flows.outlook import allowed_at  # noqa: PLC0415

        instant = _instant(self.clock)
        return Meter(f"domain/{domain}", allowed_at(cap), write=write_of(self.store, held), instant=instant)


def meter_of(relay: RelaySettings, allowed: Allowed, write: Write, clock: Clock) -> Meter | None:
    """What meters the letters over `relay`; None where it has no limits."""
    from publisher.flows.meter import Meter  # noqa: PLC0415  (late: few sites have limits)

    if not _is_limited(relay):
        return None
    return Meter(f"relay/{relay.name}", allowed, write=write, instant=_instant(clock))


def _instant(clock: Clock) -> Callable[[], float]:
    """The fine clock beside `clock`; one that stands still in a test stands still here too."""
    return time.time if clock is system_clock else lambda: clock().timestamp()


def letters_due(store: Store, post: Post, now: datetime) -> int:
    """How many letters could be sent now; none while limits, or relays that are out, keep all of them back."""
    with store.read() as tx:
        due = tx.deliveries.due(now, include_uncertain=post.resend)
    if not due or post.is_local:
        return due
    ahead = look_ahead(store, post, now)
    return due if ahead.goes_on is not None and ahead.goes_on <= now else 0


def look_ahead(store: Store, post: Post, now: datetime) -> Outlook:
    """What waits, for what, and until when."""
    from publisher.flows.outlook import outlook  # noqa: PLC0415  (late: it loads the limits)

    with store.read() as tx:
        return outlook(tx, post.relays, post.domains, resend=post.resend, now=now)


def _open(store: Store, post: Post, now: datetime) -> _Opening:
    """Put right what a killed process left, give up what is too old, and count what is due."""
    too_old = now - timedelta(hours=post.smtp.give_up_hours)
    with store.write() as tx:
        tx.deliveries.recover(now, now + DOUBT, force=not tx.helpers.any(now))
        for issue, reader, reply in tx.deliveries.full(too_old):
            take_note(tx, refused(f"{issue}/{reader}", BounceKind.SOFT, reply, now, reader=reader, issue=issue), now)
        tx.deliveries.expire(too_old, now)
        tx.deliveries.hold(too_old, now)
        tx.circuits.forget(now - FORGET)
        total = tx.deliveries.due(now, include_uncertain=post.resend)
        tx.deliveries.finish_issues(now, include_uncertain=post.resend)
        return _Opening(total, tx.circuits.all(Kind.RELAY), tx.circuits.all(Kind.DOMAIN))


def _join(store: Store, post: Post, now: datetime) -> _Opening:
    """Look at what is due, and put nothing right: that is for the one who has the lock."""
    with store.read() as tx:
        total = tx.deliveries.due(now, include_uncertain=post.resend)
        return _Opening(total, tx.circuits.all(Kind.RELAY), tx.circuits.all(Kind.DOMAIN))


def _finish(store: Store, now: datetime, resend: bool) -> None:
    with store.write() as tx:
        tx.deliveries.finish_issues(now, include_uncertain=resend)
