r"""The signing table: letters made and signed ahead of their turn, by threads. Floor: `flows`.

    orders (a letter that is due, and its edition) -> a few at a time to a thread -> ready -> lines
                                                   \─> made right here when none is ready ─┘

A signature takes longer than all else that is done for a letter. The arithmetic of RSA lets other threads go on, so
two processors sign nearly twice as much; a pool of processes would do no better, and each would need the key and the
editions. Whoever finds nothing ready does not wait: a line without a letter would fall out of step with the others.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor

from publisher.errors import LetterError
from publisher.flows.making_table import Order, Work
from publisher.smtp.hand import Letter
from publisher.store import Job

AT_A_TIME = 4
"""Letters that go to a thread together: the way there and back costs as much as a fifth of a signature."""


Made = Letter[Job] | tuple[Job, LetterError]


class SigningTable:
    """Where `work` is done by threads, for up to `ahead` letters beyond those that were asked for."""

    def __init__(self, work: Work, *, ahead: int) -> None:
        self._work = work
        threads = max((os.cpu_count() or 1) - 1, 1)  # one processor is busy here
        self._ahead = max(ahead, 2 * threads * AT_A_TIME)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="publisher-signing")
        self._begun: deque[asyncio.Future[list[Made]]] = deque()
        self._count = 0
        self._ready: deque[Letter[Job]] = deque()

    def at_once(self) -> Letter[Job] | None:
        """The next letter, ready or made now; others are begun."""
        while self._count + len(self._ready) < self._ahead and (orders := self._some_orders()):
            self._begin(orders)
        while True:
            while not self._ready and self._begun and self._begun[0].done():
                self._take(self._begun.popleft().result())
            if self._ready:
                return self._ready.popleft()
            order = self._work.order_at_once()
            if order is None:
                return None
            self._count += 1
            self._take(self._make_all([order]))

    async def letters(self) -> AsyncGenerator[Letter[Job], None]:
        """Every letter that is due, about as they were ordered: what is made right here overtakes the threads'."""
        while True:
            while (letter := self.at_once()) is not None:
                yield letter
            if self._begun:
                await asyncio.wait([self._begun[0]])
            elif (order := await anext(self._work.orders, None)) is not None:
                self._begin([order])
            else:
                return

    async def close(self) -> None:
        """Begin nothing more, and wait for what was begun: nobody gets it, and it stays planned."""
        if self._begun:
            await asyncio.wait(self._begun)
        self._threads.shutdown()

    def _some_orders(self) -> list[Order]:
        orders: list[Order] = []
        while len(orders) < AT_A_TIME and (order := self._work.order_at_once()) is not None:
            orders.append(order)
        return orders

    def _begin(self, orders: Sequence[Order]) -> None:
        self._count += len(orders)
        self._begun.append(asyncio.get_running_loop().run_in_executor(self._threads, self._make_all, orders))

    def _make_all(self, orders: Sequence[Order]) -> list[Made]:
        made: list[Made] = []
        for order in orders:
            try:
                made.append(self._work.make(order))
            except LetterError as error:
                made.append((order.job, error))
        return made

    def _take(self, made: Sequence[Made]) -> None:
        self._count -= len(made)
        for one in made:
            if isinstance(one, Letter):
                self._ready.append(one)
            else:
                self._work.refuse(*one)
