"""Documents of feeds, made by further processes where there are enough of them. Floor: `flows`.

    feeds -> pipe -> a maker: entries judged, rendered, through the publish gate, packed -> pipe -> sound documents

Two threads would take turns at Python's lock. A maker gets values and gives values, and has no door open: reading the
store, writing files and recording them stay with whoever asks. It ends with its pipe, so it outlives nobody; when it is
lost, what is left of its work is made here.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from types import TracebackType

from publisher.flows.late_log import log
from publisher.flows.maker import Made, Task, make

ENOUGH = 100  # documents: fewer are made in the time that a process takes to start
MOST_MAKERS = 4  # one who reads the store and writes keeps no more of them busy
_PROGRAM = "from publisher.flows.maker import work; work()"


class Workshop:
    """Makes what `documents` documents are made of: by itself, or with makers if that is many. For a `with` block."""

    def __init__(self, documents: int) -> None:
        useful = min(_processors(), MOST_MAKERS) if documents >= ENOUGH else 1
        self._makers = _started(useful) if useful > 1 else []

    @property
    def hands(self) -> int:
        """How many stretches of work are done at the same time."""
        return max(1, len(self._makers))

    def __enter__(self) -> Workshop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for maker in self._makers:
            maker.close()

    def make(self, stretches: Sequence[Iterator[Task]]) -> Iterator[Made]:
        """What comes of the tasks of each stretch, in their order, while other stretches go on. One maker does a whole
        stretch: tasks that follow each other show the same entries, and it remembers them."""
        if not self._makers:
            yield from map(make, chain.from_iterable(stretches))
            return
        desks = [_Desk(*pair) for pair in zip(self._makers, stretches, strict=True)]
        for desk in desks:
            desk.prepare()  # while the makers start
        with DefaultSelector() as busy:
            for desk in desks:
                if desk.hand_over():
                    busy.register(desk.output, EVENT_READ, desk)
            for desk in desks:
                desk.prepare()
            while busy.get_map():
                for key, _ in busy.select():
                    desk = key.data
                    made = desk.take()
                    if not desk.hand_over():
                        busy.unregister(desk.output)
                    yield made
                    desk.prepare()


class _Desk:
    """A maker with its stretch: one task is with it, and the next one lies ready."""

    def __init__(self, maker: _Maker, tasks: Iterator[Task]) -> None:
        self.output = maker.output
        self._maker = maker
        self._tasks = tasks
        self._under_way: Task | None = None
        self._next: Task | None = None

    def prepare(self) -> None:
        if self._next is None:
            self._next = next(self._tasks, None)

    def hand_over(self) -> bool:
        """Give the maker the next task; False when there is none."""
        self.prepare()
        self._under_way, self._next = self._next, None
        if self._under_way is not None:
            self._maker.give(self._under_way)
        return self._under_way is not None

    def take(self) -> Made:
        assert self._under_way is not None
        return self._maker.take() or make(self._under_way)


class _Maker:
    """A process that works for us; not there any more, it makes nothing and says so."""

    def __init__(self) -> None:
        home = str(Path(__file__).parents[2])  # where this program lies, wherever it was found
        path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(  # noqa: S603  (our own program)
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what it fails at is done again here, and told here
            env={**os.environ, "PYTHONPATH": path},
            process_group=0,  # Ctrl-C is for us; it ends with its pipe
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input, self.output = self._process.stdin, self._process.stdout

    def give(self, task: Task) -> None:
        with suppress(OSError):
            pickle.dump(task, self._input, pickle.HIGHEST_PROTOCOL)
            self._input.flush()

    def take(self) -> Made | None:
        """What it made of the task given last; None if it is lost."""
        try:
            made: Made = pickle.load(self.output)  # noqa: S301  (our own process)
        except (OSError, EOFError, pickle.UnpicklingError):
            log("run").warning("maker.lost", pid=self._process.pid, code=self._process.poll())
            return None
        return made

    def close(self) -> None:
        self._process.kill()  # it has nothing that could be lost
        self._process.wait()
        self.output.close()
        with suppress(OSError):
            self._input.close()


def _started(wanted: int) -> list[_Maker]:
    """So many makers, or none where the system gives us no process."""
    makers: list[_Maker] = []
    try:
        while len(makers) < wanted:
            makers.append(_Maker())
    except OSError as error:
        log("run").warning("maker.none", problem=str(error))
    return makers


def _processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
