"""Runs that are started over the web: in the server's own loop, or by a worker that is asked. Floor: `web`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from publisher.app import App
from publisher.errors import NoWorker, PublisherError, RunInProgress
from publisher.flows.crossing import across
from publisher.flows.run import Order, publish
from publisher.model import Run
from publisher.store import RunAnswer

SHUTDOWN_S = 10
"""After a signal the letters in hand are finished and recorded within this time."""

TAKEN_WITHIN_S = 10.0
"""A worker that is there takes what it is asked within this time."""

BEGUN_WITHIN_S = 40.0
"""Before it begins, it may have to watch for a while whether the last run still lives."""

LOOK_S = 0.2
"""So often the answer is looked for."""

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


class RunRequestDesk(RunDesk):
    """Asks a worker for the run: `publisher serve --web-only` does none itself."""

    async def start(self, order: Order) -> Run:
        """As above; raises NoWorker when nobody takes the request, and what the worker says when it begins none."""
        number = await across(self._ask, order)
        answer = await self._within(TAKEN_WITHIN_S, number, lambda answer: answer.taken)
        if not answer.taken and await across(self._withdraw, number):
            raise NoWorker("no worker took the run: start `publisher worker` on a machine of this database")
        answer = await self._within(BEGUN_WITHIN_S, number, lambda answer: answer.is_there)
        if answer.run_id is not None:
            return await across(self._run_of, answer.run_id)
        if answer.busy:
            raise RunInProgress(answer.problem)
        raise NoWorker(
            answer.problem or "the worker that took the run has not begun it; `publisher runs list` may tell"
        )

    async def _within(self, seconds: float, number: int, done: Callable[[RunAnswer], bool]) -> RunAnswer:
        end = time.monotonic() + seconds
        while True:
            answer = await across(self._answer, number)
            if done(answer) or time.monotonic() >= end or self._stop.is_set():
                return answer
            await asyncio.sleep(LOOK_S)

    def _ask(self, order: Order) -> int:
        with self._app.store.write() as tx:
            return tx.run_requests.ask(
                order.trigger,
                forced=order.forced,
                digests=order.digests,
                rebuild=order.rebuild,
                now=self._app.clock(),
            )

    def _answer(self, number: int) -> RunAnswer:
        with self._app.store.read() as tx:
            return tx.run_requests.answer(number)

    def _withdraw(self, number: int) -> bool:
        with self._app.store.write() as tx:
            return tx.run_requests.withdraw(number)

    def _run_of(self, run_id: int) -> Run:
        with self._app.store.read() as tx:
            return tx.runs.get(run_id)
