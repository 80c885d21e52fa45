"""Deliver: planned deliveries -> letters -> relay -> outcomes. Floor: `flows`.

    recover what a killed process left -> give up what is too old -> letter -> claim (row before the content)
        -> hand over -> outcome, recorded before that connection's next content -> finish issues with nothing pending

Safe to repeat: a delivery is claimed by a conditional update, and a letter sent again is the same letter byte for byte.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from publisher.clock import Clock
from publisher.config import SmtpSettings
from publisher.errors import RelayUnavailable
from publisher.flows.crossing import across
from publisher.flows.ledger_desk import DOUBT, LedgerDesk, Progress, Rules
from publisher.flows.letters import Letters
from publisher.flows.reports import DeliverReport
from publisher.model import DeliveryState
from publisher.smtp.endpoint import Endpoint
from publisher.smtp.outbox import outbox
from publisher.smtp.postman import deliver_all
from publisher.store import Store

__all__ = ["DOUBT", "Post", "deliver"]


@dataclass(frozen=True, slots=True)
class Post:
    """How letters get out: made by `letters`, sent as `smtp` says, or kept in the folder `outbox_path`."""

    letters: Letters
    smtp: SmtpSettings
    outbox_path: Path

    @property
    def is_local(self) -> bool:
        return not self.smtp.host

    def endpoint(self) -> AbstractAsyncContextManager[Endpoint]:
        return outbox(self.outbox_path) if self.is_local else _relay(self.smtp)


@asynccontextmanager
async def _relay(smtp: SmtpSettings) -> AsyncIterator[Endpoint]:
    yield Endpoint.from_settings(smtp)


async def deliver(
    store: Store, post: Post, *, clock: Clock, progress: Progress, stop: asyncio.Event | None = None
) -> DeliverReport:
    """Send everything that is due now; tells what became of it. The caller holds the run's lock.

    A relay that cannot be used is told in the report's `problem`; its letters stay planned or deferred.
    """
    smtp = post.smtp
    resend = smtp.on_uncertain == "resend"
    total = await across(_open, store, clock(), timedelta(hours=smtp.give_up_hours), resend)
    states: Mapping[DeliveryState, int] = {}
    problem = ""
    if total:
        with store.held() as held:
            rules = Rules(resend=resend, first_wait=timedelta(minutes=smtp.retry_minutes))
            desk = LedgerDesk(
                store,
                held,
                letters=post.letters,
                rules=rules,
                clock=clock,
                progress=progress,
                total=total,
                lines=smtp.connections,
            )
            states = desk.states
            try:
                async with post.endpoint() as endpoint:
                    await deliver_all(
                        endpoint,
                        desk.letters(),
                        connections=smtp.connections,
                        letters_per_connection=smtp.letters_per_connection,
                        claim=desk.claim,
                        on_result=desk.take,
                        stop=stop,
                    )
            except RelayUnavailable as error:
                problem = str(error)
            finally:
                await desk.close()
                await across(_finish, store, clock(), resend)
    return DeliverReport(
        states=dict(states),
        problem=problem,
        outbox=str(post.outbox_path) if post.is_local else "",
        waiting=await across(_waiting, store),
    )


def letters_due(store: Store, post: Post, now: datetime) -> int:
    """How many letters could be sent now."""
    with store.read() as tx:
        return tx.deliveries.due(now, include_uncertain=post.smtp.on_uncertain == "resend")


def _open(store: Store, now: datetime, give_up: timedelta, resend: bool) -> int:
    """Put right what a killed process left, give up what is too old, and count what is due."""
    with store.write() as tx:
        tx.deliveries.recover(now, force=True)
        tx.deliveries.expire(now - give_up, now)
        total = tx.deliveries.due(now, include_uncertain=resend)
        tx.deliveries.finish_issues(now, include_uncertain=resend)
    return total


def _finish(store: Store, now: datetime, resend: bool) -> None:
    with store.write() as tx:
        tx.deliveries.finish_issues(now, include_uncertain=resend)


def _waiting(store: Store) -> int:
    with store.read() as tx:
        return tx.deliveries.pending()
