"""A process that forks senders, each of which can be killed at a chosen step. Reads one order a line from its input.

    python sender.py ROOT      then lines "POINT N": fork a sender that is killed the Nth time it comes to POINT;
                               answers "started PID", perhaps "said ERROR", and "ended STATUS" when it is gone (a
                               signal's number is negative)

POINTS has the points; any other word is none, and the sender ends by itself. WAITING is none too, but the sender
begins when it gets SIGUSR1, so that somebody can look over its shoulder from the first step. Forking spares each
sender the loading of Python's modules.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import uvloop

from publisher.app import build
from publisher.config import load
from publisher.errors import PublisherError
from publisher.flows import deliver
from publisher.flows.ledger_desk import LedgerDesk
from publisher.flows.ledger_tray import LedgerTray
from publisher.flows.run import deliver_only
from publisher.mail import backoff
from publisher.smtp.session import Session
from publisher.store import ledger_sqlite
from publisher.store.database import HeldStore
from publisher.store.deliveries import Deliveries

POINTS: dict[str, tuple[Sequence[tuple[Any, str]], bool]] = {  # the functions, and whether it is before them
    "before write": ([(LedgerTray, "_write"), (HeldStore, "begin_exchange")], True),
    # a file: the last thing before the commit; a server: it has been asked, and commits behind our back
    "before commit": (
        [(ledger_sqlite, "_claim_together"), (ledger_sqlite, "_claim"), (HeldStore, "begin_exchange")],
        False,
    ),
    "after write": ([(LedgerTray, "_done")], True),
    "before send": ([(Session, "send")], True),
    "after send": ([(Session, "send")], False),
    "before result": ([(LedgerDesk, "take"), (LedgerDesk, "swap")], True),
    "while recovering": ([(Deliveries, "recover")], False),
    "before the end": ([(Deliveries, "finish_issues")], True),
}

WAITING = "waiting"


def _deadly(method: Callable[..., Any], nth: int, *, before: bool) -> Callable[..., Any]:
    calls = 0

    @wraps(method)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if before and calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        result = method(*arguments, **options)
        if not before and calls >= nth:  # the nth may have raised
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapped


def _send(root: Path, point: str, nth: int) -> None:
    if point == WAITING:
        signal.sigwait({signal.SIGUSR1})
    elif point in POINTS:
        methods, before = POINTS[point]
        for owner, name in methods:
            setattr(owner, name, _deadly(getattr(owner, name), nth, before=before))
    backoff.DOUBT = deliver.DOUBT = timedelta(0)  # who is killed a hundred times cannot wait ten minutes each time
    app = build(load(root / "config.toml"))

    async def send() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await deliver_only(app.parts, stop=stop)

    uvloop.run(send())
    app.close()


def main() -> None:
    root = Path(sys.argv[1])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    for order in sys.stdin:
        point, _, nth = order.strip().rpartition(" ")
        child = os.fork()
        if child == 0:
            status = 1
            try:
                _send(root, point, int(nth))
                status = 0
            except PublisherError as error:
                print("said", error, flush=True)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        print("started", child, flush=True)
        _, status = os.waitpid(child, 0)
        print("ended", os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
