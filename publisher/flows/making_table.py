"""The making table: orders in, letters out, a few at a time. Floor: `flows`.

    orders (a letter that is due, and its edition) -> made one right after the other -> ready -> lines

A letter that is made between other work takes nearly twice as long as one that is made behind another.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple, Protocol

from publisher.digest.letter import LetterForm
from publisher.errors import LetterError
from publisher.model import Issue
from publisher.smtp.hand import Letter
from publisher.store import Job

AT_A_TIME = 16
"""Letters made at once, of which nothing is claimed yet."""


class Order(NamedTuple):
    """A letter to be made: of this issue, in this form, for the reader of this job."""

    job: Job
    issue: Issue
    form: LetterForm


class Work(NamedTuple):
    """What a table does: `make` of all `orders`. `order_at_once` gives the next one if nobody has to be waited for;
    `refuse` is called for one of which no letter can be made."""

    orders: AsyncGenerator[Order, None]
    order_at_once: Callable[[], Order | None]
    make: Callable[[Order], Letter[Job]]
    refuse: Callable[[Job, LetterError], None]


class Table(Protocol):
    """Where letters are made. An order that is on it is begun, and nobody else's."""

    def at_once(self) -> Letter[Job] | None:
        """The next letter, unless somebody has to be waited for: then `letters` has it."""
        ...

    def letters(self) -> AsyncGenerator[Letter[Job], None]:
        """Every letter that was ordered."""
        ...

    async def close(self) -> None:
        """Begin nothing more: nobody gets what was begun, and it stays planned."""
        ...


class MakingTable:
    """Where `work` is done right here."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._ready: deque[Letter[Job]] = deque()

    def at_once(self) -> Letter[Job] | None:
        if not self._ready:
            for _ in range(AT_A_TIME):
                if (order := self._work.order_at_once()) is None:
                    break
                self._fill(order)
        return self._ready.popleft() if self._ready else None

    async def letters(self) -> AsyncGenerator[Letter[Job], None]:
        while True:
            while (letter := self.at_once()) is not None:
                yield letter
            if (order := await anext(self._work.orders, None)) is None:
                return
            self._fill(order)
            if not self._ready:
                await asyncio.sleep(0)  # many that are refused in a row are to be written down now and then

    async def close(self) -> None:
        """Nothing is at work here."""

    def _fill(self, order: Order) -> None:
        try:
            self._ready.append(self._work.make(order))
        except LetterError as error:
            self._work.refuse(order.job, error)
