"""Runs that are started over the web: one at a time, in the server's own loop, with their progress. Floor: `web`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from publisher.app import App
from publisher.errors import PublisherError
from publisher.flows.run import Order, publish
from publisher.model import Run

SHUTDOWN_S = 10
"""After a signal the letters in hand are finished and recorded within this time."""

log = structlog.get_logger("publisher.serve")


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run is doing: the step, how much of it is done, and of how much (0: unknown)."""

    step: str
    done: int
    total: int


class RunDesk:
    """Starts the same flow as the command and the timetable, under the same lock."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._stop = asyncio.Event()
        self._progress: dict[int, Progress] = {}
        self._work: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """At the end of the block the run in hand finishes its letters."""
        try:
            yield
        finally:
            self._stop.set()
            if self._work:
                await asyncio.wait(self._work, timeout=SHUTDOWN_S)

    async def start(self, order: Order) -> Run:
        """Begin a run and return while it goes on. Raises RunInProgress when another one is under way."""
        begun: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._run(order, begun))
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return await asyncio.shield(begun)

    def progress(self, run_id: int) -> Progress | None:
        """None for a run that has ended, or was started elsewhere."""
        return self._progress.get(run_id)

    async def _run(self, order: Order, begun: asyncio.Future[Run]) -> None:
        def tell(step: str, done: int, total: int) -> None:
            if begun.done():
                self._progress[begun.result().id] = Progress(step, done, total)

        try:
            run, _ = await publish(self._app.parts, order, progress=tell, stop=self._stop, begun=begun.set_result)
            log.info("run.done", run=run.id, state=str(run.state), trigger=str(run.trigger))
        except Exception as error:
            if not begun.done():
                begun.set_exception(error)
                return
            if not isinstance(error, (PublisherError, OSError)):
                raise
            log.error("run.failed", run=begun.result().id, problem=str(error))  # noqa: TRY400  one line, no traceback
        finally:
            if begun.done() and begun.exception() is None:
                self._progress.pop(begun.result().id, None)
