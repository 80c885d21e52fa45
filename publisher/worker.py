"""`publisher worker`: the work of the house without its web server, on one machine or on many. Floor: above `app`.

| what                                       | how workers share it                                              |
| ------------------------------------------ | ----------------------------------------------------------------- |
| the timetable                              | each firing claims its slot: who is there does it                 |
| runs that `serve --web-only` is asked for  | a request is taken by one; the lock of runs is the same as ever   |
| letters of a run                           | all of them send along, for each letter is claimed before it goes |
| letters that ask, confirm and warn         | each is claimed likewise                                          |

What a worker had in hand when it was killed, another one finds: nothing is kept outside of the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import structlog

from publisher.app import App
from publisher.errors import PublisherError, RunInProgress
from publisher.flows.crossing import across
from publisher.flows.help import help_out
from publisher.flows.run import Order, publish
from publisher.model import Run
from publisher.store import RunRequest

POLL_S = 1.0
"""So often a worker looks whether a run is asked for, or one sends letters elsewhere."""

FAILED_POLL_S = 15.0
"""The same after it failed, as when the database cannot be reached."""

log = structlog.get_logger("publisher.worker")


async def run_worker(app: App, beside: Callable[[], AbstractAsyncContextManager[object]], stop: asyncio.Event) -> None:
    """Work until `stop` is set; then finish the letters in hand. `beside` is the timetable."""
    if app.store.is_one_file:
        log.info("worker.one_machine", reason="the database is a file; for several machines use PostgreSQL")
    async with beside(), app.mail_room.running():
        log.info("worker.running")
        await asyncio.gather(
            _again_and_again("run", lambda: _take_request(app, stop), stop),
            _again_and_again("help", lambda: _help(app, stop), stop),
        )
    log.info("stopped")


async def _again_and_again(what: str, work: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    while not stop.is_set():
        pause = POLL_S
        try:
            await work()
        except (PublisherError, OSError) as error:
            log.error("worker.failed", what=what, problem=str(error))  # noqa: TRY400  one line, no traceback
            pause = FAILED_POLL_S
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)


async def _take_request(app: App, stop: asyncio.Event) -> None:
    request = await across(_taken, app)
    if request is None:
        return
    begun: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
    order = Order(trigger=request.trigger, forced=request.forced, digests=request.digests, rebuild=request.rebuild)
    work = asyncio.create_task(publish(app.parts, order, stop=stop, begun=begun.set_result))
    either: list[asyncio.Future[Any]] = [begun, work]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if begun.done():
        await across(_begun, app, request, begun.result())
    try:
        run, _ = await work
        log.info("run.done", run=run.id, state=str(run.state), trigger=str(run.trigger))
    except (PublisherError, OSError) as error:
        if not begun.done():
            await across(_refuse, app, request, error)
        log.error("run.failed", trigger=str(request.trigger), problem=str(error))  # noqa: TRY400


async def _help(app: App, stop: asyncio.Event) -> None:
    if app.store.is_one_file:  # one process fills its disk
        return
    report = await help_out(app.parts, stop)
    if report is not None:
        states = {str(state): count for state, count in report.states.items()}
        log.info("helped", letters=states, problem=report.problem or None)


def _taken(app: App) -> RunRequest | None:
    with app.store.read() as tx:
        if not tx.run_requests.waiting():
            return None
    with app.store.write() as tx:
        return tx.run_requests.take(app.clock())


def _begun(app: App, request: RunRequest, run: Run) -> None:
    with app.store.write() as tx:
        tx.run_requests.begun(request.id, run.id)


def _refuse(app: App, request: RunRequest, error: Exception) -> None:
    busy = isinstance(error, RunInProgress)
    problem = error.holder if isinstance(error, RunInProgress) else str(error)
    with app.store.write() as tx:
        tx.run_requests.refuse(request.id, problem, busy=busy)
