"""Deliver: planned deliveries -> letters -> relays -> outcomes. Floor: `flows`.

    recover what a killed process left -> give up what is too old -> letter -> claim (row before the content)
        -> hand over -> outcome, recorded before that connection's next content -> finish issues with nothing pending

Safe to repeat: a delivery is claimed by a conditional update, and a letter sent again is the same letter byte for byte.
What is due is sent by `sending`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from publisher.clock import Clock
from publisher.config import DomainSettings, RelaySettings, SmtpSettings
from publisher.flows.crossing import across
from publisher.flows.reports import DeliverReport
from publisher.flows.struck_off import refused, take_note
from publisher.mail.backoff import DOUBT
from publisher.mail.circuit import Circuit
from publisher.mail.scoring import BounceKind
from publisher.model import DeliveryState
from publisher.store import Kind, Store

if TYPE_CHECKING:
    from publisher.flows.letters import Letters
    from publisher.flows.outlook import Outlook
    from publisher.flows.run_record import Progress

__all__ = ["DOUBT", "Post", "Tell", "deliver", "letters_due", "look_ahead", "unheard"]

FORGET = timedelta(days=7)
"""A circuit that did not change for so long says nothing about today."""

Tell = Callable[[str], None]


def unheard(_text: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Post:
    """How letters get out: made with what `letters_of` gives, sent over `relays` as `smtp` says, with at most so many
    for each of `domains`; without a relay they are kept in the folder `outbox_path`."""

    letters_of: Callable[[], Letters]
    smtp: SmtpSettings
    outbox_path: Path
    relays: tuple[RelaySettings, ...] = ()
    domains: tuple[DomainSettings, ...] = ()

    @property
    def letters(self) -> Letters:
        return self.letters_of()

    @property
    def is_local(self) -> bool:
        return not self.relays

    @property
    def resend(self) -> bool:
        return self.smtp.on_uncertain == "resend"

    @property
    def is_simple(self) -> bool:
        """One way out, and no limit on it."""
        return len(self.relays) < 2 and not self.domains and not any(relay.is_limited for relay in self.relays)


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
    carried: Mapping[str, int] = {}
    problem = ""
    if opening.total:
        from publisher.flows.sending import SENDING, Sending  # noqa: PLC0415  (late: most runs have nothing to send)

        sending = Sending(store, post, clock=clock, opening=opening, tell=tell)
        progress(SENDING, 0, opening.total)
        with store.held() as held:
            states = await sending.send(held, progress, stop)
        carried, problem = sending.carried, sending.problem
    return DeliverReport(
        states=dict(states),
        problem=problem,
        outbox=str(post.outbox_path) if post.is_local else "",
        relays=dict(carried),
        outlook=await across(look_ahead, store, post, clock()),
    )


@dataclass(frozen=True, slots=True)
class Opening:
    """How a sending finds the store: letters due, and the circuits."""

    total: int
    relays: Mapping[str, Circuit]
    domains: Mapping[str, Circuit]


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


def _open(store: Store, post: Post, now: datetime) -> Opening:
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
        return Opening(total, tx.circuits.all(Kind.RELAY), tx.circuits.all(Kind.DOMAIN))


def _join(store: Store, post: Post, now: datetime) -> Opening:
    """Look at what is due, and put nothing right: that is for the one who has the lock."""
    with store.read() as tx:
        total = tx.deliveries.due(now, include_uncertain=post.resend)
        return Opening(total, tx.circuits.all(Kind.RELAY), tx.circuits.all(Kind.DOMAIN))
