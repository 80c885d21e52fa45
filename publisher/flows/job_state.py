"""The state of the timetable's jobs, in the store, and which process runs it. Floor: `flows`."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from publisher.clock import Clock
from publisher.flows.process import Presence, presence, this_process
from publisher.store import Store, Transaction

_FACT = "timetable"
SILENCE = timedelta(minutes=5)
"""A process of another machine that was not heard of for longer is not running."""

KILLED = "its process ended before it did"
"""What is said of a job that never told how it went."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """The process that runs the timetable, when it was heard of last, and whether it still runs."""

    host: str
    pid: int
    heard: datetime
    running: bool


class JobState:
    """What a running timetable tells the store. Each call is a transaction of its own; raises as the store does."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def declare(self, triggers: Mapping[str, str]) -> dict[str, datetime]:
        """These are the jobs; gives the last slot of each, or when the store was made: what came since was missed. The
        timetable is running from now on; where none was, nothing is at work any more."""
        with self._store.write() as tx:
            who = keeper(tx, self._clock())
            if who is None or not who.running:
                tx.jobs.interrupt(detail=KILLED)
            tx.jobs.declare(triggers)
            self._sign(tx)
            return {**dict.fromkeys(triggers, tx.meta.installed_at()), **tx.jobs.slots()}

    def claim(self, name: str, slot: datetime) -> bool:
        with self._store.write() as tx:
            return tx.jobs.claim(name, slot, self._clock())

    def ended(self, names: Sequence[str], outcome: str, detail: str, upcoming: Mapping[str, datetime | None]) -> None:
        with self._store.write() as tx:
            for name in names:
                tx.jobs.end(name, outcome=outcome, detail=detail, now=self._clock())
            tx.jobs.plan(upcoming)

    def waits(self, names: Sequence[str], detail: str, upcoming: Mapping[str, datetime | None]) -> None:
        with self._store.write() as tx:
            for name in names:
                tx.jobs.wait(name, detail=detail)
            tx.jobs.plan(upcoming)

    def alive(self, upcoming: Mapping[str, datetime | None]) -> None:
        with self._store.write() as tx:
            self._sign(tx)
            tx.jobs.plan(upcoming)

    def leave(self) -> None:
        """The timetable ends; unless another process runs it too."""
        with self._store.write() as tx:
            signed = json.loads(tx.meta.get(_FACT) or "{}")
            if (signed.get("host"), signed.get("pid")) == (socket.gethostname(), os.getpid()):
                tx.meta.set(_FACT, "{}")

    def _sign(self, tx: Transaction) -> None:
        sign = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "process": this_process(),
            "heard": self._clock().isoformat(),
        }
        tx.meta.set(_FACT, json.dumps(sign))


def keeper(tx: Transaction, now: datetime) -> Keeper | None:
    """Who runs the timetable; None when nobody ever did, or the last one left in good order."""
    signed = json.loads(tx.meta.get(_FACT) or "{}")
    if not signed:
        return None
    heard = datetime.fromisoformat(signed["heard"])
    running = is_there(signed["host"], signed["pid"], signed["process"], heard, now)
    return Keeper(host=signed["host"], pid=signed["pid"], heard=heard, running=running)


def is_there(host: str, pid: int, process: str, heard: datetime, now: datetime) -> bool:
    """Whether that process runs: by the system where it can tell, else by when it was `heard` of last."""
    seen = presence(host, pid, process)
    return seen is Presence.HERE or (seen is Presence.UNKNOWN and abs(now - heard) <= SILENCE)


def forget_keeper(tx: Transaction) -> None:
    """Nobody runs the timetable: what the store says of it is of another life."""
    tx.meta.set(_FACT, "{}")
