"""Help: send along while a run of another process sends. Floor: `flows`.

    a run elsewhere hands letters over -> sign in -> deliver, letter by letter claimed as ever -> sign out

Two processes never have the same letter, for it is claimed before it goes out. Who takes back the claims of dead
processes has to know that a living one may have some: that is what signing in is for.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from contextlib import suppress
from datetime import timedelta

from publisher.errors import PublisherError
from publisher.flows.crossing import across
from publisher.flows.deliver import deliver
from publisher.flows.ledger_desk import SENDING
from publisher.flows.ledger_tray import CLAIM
from publisher.flows.reports import DeliverReport
from publisher.flows.run import Parts, silent

SIGN_S = 60.0
"""So often a helper signs again."""


async def help_out(parts: Parts, stop: asyncio.Event) -> DeliverReport | None:
    """Send along until nothing is due; None when no run of another process is sending, or there is no relay."""
    if parts.post.is_local or not await across(_wanted, parts):
        return None
    name = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
    await across(_sign, parts, name)
    signing = asyncio.create_task(_sign_again(parts, name))
    try:
        return await deliver(parts.store, parts.post, clock=parts.clock, progress=silent, stop=stop, helping=True)
    finally:
        signing.cancel()
        await asyncio.wait([signing])
        await across(_leave, parts, name)


def _wanted(parts: Parts) -> bool:
    with parts.store.read() as tx:
        run = tx.runs.current()
        if run is None or run.step != SENDING or (run.host, run.pid) == (socket.gethostname(), os.getpid()):
            return False
        return tx.deliveries.due(parts.clock(), include_uncertain=parts.post.resend) > 0


def _sign(parts: Parts, name: str) -> None:
    until = parts.clock() + CLAIM + timedelta(seconds=2 * SIGN_S)
    with parts.store.write() as tx:
        tx.helpers.sign(name, until)


def _leave(parts: Parts, name: str) -> None:
    with parts.store.write() as tx:
        tx.helpers.leave(name)


async def _sign_again(parts: Parts, name: str) -> None:
    while True:
        await asyncio.sleep(SIGN_S)
        with suppress(PublisherError):
            await asyncio.to_thread(_sign, parts, name)  # a thread of its own: the store's may be busy for long
