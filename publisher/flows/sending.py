"""Sending: letters that are due -> relays -> outcomes. Floor: `flows`.

One relay without limits takes letters straight from the desk; several, or limits, have a fleet between them. Apart from
`deliver`, which looks whether there is anything to send: most runs find nothing, and need not load all this.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from publisher.clock import Clock, system_clock
from publisher.config import DomainSettings, RelaySettings
from publisher.errors import RelayUnavailable
from publisher.flows.crossing import across, write_of
from publisher.flows.domains import Domains
from publisher.flows.ledger_desk import SENDING, LedgerDesk, Rules
from publisher.mail.circuit import CLOSED, RELAY, Circuit, after_failure
from publisher.model import DeliveryState
from publisher.smtp.endpoint import Endpoint
from publisher.smtp.outbox import outbox
from publisher.smtp.postman import deliver_all
from publisher.store import HeldStore, Kind, Store

__all__ = ["SENDING", "Sending", "endpoint_of", "meter_of"]

if TYPE_CHECKING:
    from datetime import datetime

    from publisher.flows.crossing import Write
    from publisher.flows.deliver import Opening, Post, Tell
    from publisher.flows.ledger_desk import Progress
    from publisher.flows.meter import Meter
    from publisher.mail.rates import Allowed


@dataclass(slots=True)
class Sending:
    store: Store
    post: Post
    clock: Clock
    opening: Opening
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
            async with endpoint_of(post) as endpoint:
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


def endpoint_of(post: Post) -> AbstractAsyncContextManager[Endpoint]:
    """The first relay, or the outbox."""
    return outbox(post.outbox_path) if post.is_local else _relay(post.relays[0], post.smtp.timeout_seconds)


@asynccontextmanager
async def _relay(relay: RelaySettings, timeout_s: float) -> AsyncIterator[Endpoint]:
    yield Endpoint.from_settings(relay, timeout_s=timeout_s)


def meter_of(relay: RelaySettings, allowed: Allowed, write: Write, clock: Clock) -> Meter | None:
    """What meters the letters over `relay`; None where it has no limits."""
    from publisher.flows.meter import Meter  # noqa: PLC0415  (late: few sites have limits)

    if not relay.is_limited:
        return None
    return Meter(f"relay/{relay.name}", allowed, write=write, instant=_instant(clock))


def _instant(clock: Clock) -> Callable[[], float]:
    """The fine clock beside `clock`; one that stands still in a test stands still here too."""
    return time.time if clock is system_clock else lambda: clock().timestamp()


def _finish(store: Store, now: datetime, resend: bool) -> None:
    with store.write() as tx:
        tx.deliveries.finish_issues(now, include_uncertain=resend)
