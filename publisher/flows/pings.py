"""Tell the hubs of others which feeds changed. Floor: `flows`.

    which versions do they not know of? -> rows -> ping what is due, hub by hub -> accepted, or again in a later run

Never fails a run: a hub that does not answer is passed over at once, tried again by later runs at growing distances,
and given up after a day, until the feed changes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import urlsplit

from publisher.clock import Clock
from publisher.errors import PublisherError
from publisher.flows.press import Press
from publisher.flows.publish_site import feed_paths
from publisher.flows.reports import PingReport
from publisher.hubs import HubClient
from publisher.store import Ping, Store
from publisher.websub.exchange import Answer, Taken, is_stale, wait_after

PATIENCE_S = 30.0
"""A run waits so long for all hubs together; what they were not told by then is due in the next run."""


@dataclass(slots=True)
class _Hub:
    """How one hub took what it was told."""

    pings: Sequence[Ping]
    accepted: int = 0
    refused: int = 0
    given_up: int = 0
    last: Answer | None = None

    @property
    def problem(self) -> str:
        if self.last is None:
            return ""
        gone = f", {self.given_up} of them given up after a day" if self.given_up else ""
        told = f"{self.refused} of {len(self.pings)} changed feeds wait for a later run{gone}"
        return f"hub {urlsplit(self.pings[0].hub).hostname}: {self.last}; {told}"


async def tell_hubs(store: Store, client: HubClient, press: Press, *, clock: Clock) -> PingReport:
    """Ping the configured hubs for each published feed whose version they were not told of; gives what happened."""
    hubs: list[_Hub] = []
    problems: list[str] = []
    waiting = 0
    try:
        pings = await asyncio.to_thread(_wanted, store, press, clock)
        hubs = [_Hub(list(group)) for _, group in groupby(pings, key=lambda ping: ping.hub)]
        with suppress(TimeoutError):  # what was not tried is still due
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(*(_tell(store, client, press, hub, clock) for hub in hubs))
        waiting = await asyncio.to_thread(_waiting, store)
    except PublisherError as error:
        problems.append(f"hubs: {error}")
    problems += [hub.problem for hub in hubs if hub.problem]
    return PingReport(accepted=sum(hub.accepted for hub in hubs), waiting=waiting, problems=tuple(problems))


def _wanted(store: Store, press: Press, clock: Clock) -> list[Ping]:
    now = clock()
    with store.write() as tx:
        versions = {path: document.sha256 for path, document in tx.documents.some(feed_paths(press.feeds)).items()}
        tx.hub.want_pings(press.site.hubs, versions, now)
        return tx.hub.due_pings(now)


async def _tell(store: Store, client: HubClient, press: Press, hub: _Hub, clock: Clock) -> None:
    """Ping one hub for one feed after the other; when it cannot be reached the rest waits with the first one."""
    for ping in hub.pings:
        if not await asyncio.to_thread(_claim, store, ping, clock):
            continue
        silent = hub.last is not None and hub.last.status == 0
        answer = hub.last if hub.last and silent else await client.ping(ping.hub, press.site.links.to(ping.topic))
        if answer.taken is Taken.ACCEPTED:
            hub.accepted += 1
            await asyncio.to_thread(_settle, store, ping)
            continue
        hub.last = answer
        hub.refused += 1
        if is_stale(ping.since, clock()):
            hub.given_up += 1
            await asyncio.to_thread(_settle, store, ping)


def _claim(store: Store, ping: Ping, clock: Clock) -> bool:
    with store.write() as tx:
        return tx.hub.claim_ping(ping, clock() + wait_after(ping.attempts + 1))


def _settle(store: Store, ping: Ping) -> None:
    with store.write() as tx:
        tx.hub.settle_ping(ping)


def _waiting(store: Store) -> int:
    with store.read() as tx:
        return tx.hub.pings_waiting()
