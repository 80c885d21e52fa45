"""What others notice while `publisher serve` sends, and while its relay hangs: pages, leaving, memory, connections.

    .venv/bin/python bench/hung_relay.py [--readers 10000] [--leave 1000] [--freeze 30]

One process serves and sends; the relay is Debian's `smtp-sink` on loopback. In the middle of the sending SIGSTOP meets
the relay, SIGCONT so many seconds later. From beginning to end a page is asked for, and a reader leaves by the
one-click request, one after the other; what is told are the times until the answers came.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from urllib.parse import urlencode

from delivery import CONNECTIONS, SINK, House, free_port

from publisher.model import DeliveryState
from publisher.tokens import UNSUBSCRIBE

PAGES = ("/", "/feeds/all.atom", "/healthz")
BOUNDS = {
    "pages while sending, p99, ms": 100.0,
    "leaving while sending, p99, ms": 100.0,
    "pages while the relay hangs, p99, ms": 100.0,
    "leaving while the relay hangs, p99, ms": 100.0,
    "connections while the relay hangs": float(CONNECTIONS),
    "growth of memory while the relay hangs, MB": 20.0,
    "seconds until it sends again": 60.0,
}


class Sink:
    """smtp-sink, and how many letters it has taken: it counts them on its output."""

    def __init__(self) -> None:
        self.port = free_port()
        self.letters = 0
        command = [SINK, *(["-u", "nobody"] if os.getuid() == 0 else []), "-c", f"127.0.0.1:{self.port}", "100"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        assert self.process.stdout is not None
        while said := os.read(self.process.stdout.fileno(), 65536):
            if counts := re.findall(rb"mesg=(\d+)", said):
                self.letters = int(counts[-1])


@contextmanager
def serving(folder: Path, relay_port: int) -> Iterator[tuple[int, int]]:
    """`publisher serve` in that folder: its process number and its port."""
    port = free_port()
    settings = {"HOST": "127.0.0.1", "PORT": str(relay_port), "SECURITY": "none", "CONNECTIONS": str(CONNECTIONS)}
    env = {**os.environ, **{f"PUBLISHER_SMTP_{name}": value for name, value in settings.items()}}
    with (folder / "serve.log").open("wb") as log:
        command = [sys.executable, "-m", "publisher", "serve", "--port", str(port)]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=env)
        try:
            yield process.pid, port
        finally:
            process.terminate()
            process.wait(30)


class Visitor:
    """Asks for pages and lets readers leave, one after the other, on one kept connection."""

    def __init__(self, port: int, tokens: list[str]) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._pages = cycle(PAGES)
        self._tokens = tokens
        self.times: defaultdict[str, list[float]] = defaultdict(list)

    def call(self, when: str, *, leave: bool) -> None:
        self._ask(f"pages {when}", "GET", next(self._pages))
        if leave and self._tokens:
            self._ask(f"leaving {when}", "POST", f"/unsubscribe/{self._tokens.pop()}")

    def _ask(self, what: str, method: str, path: str) -> None:
        body = urlencode({"List-Unsubscribe": "One-Click"}) if method == "POST" else None
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        begin = time.perf_counter()
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        answer.read()
        self.times[what].append(time.perf_counter() - begin)
        if answer.status != 200:
            sys.exit(f"{method} {path.partition('/unsubscribe')[0]}: {answer.status}")


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def connections_to(port: int) -> int:
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[2].endswith(f":{port:04X}") and line[3] == "01" for line in lines)


def wait_for_server(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/feeds/all.atom")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.02)
    sys.exit("publisher serve does not answer")


def measure(folder: Path, readers: int, leave: int, freeze_s: float) -> dict[str, float]:
    house = House(folder, readers)
    app, found = house.app, {}
    tokens = [app.signer.token(UNSUBSCRIBE, number) for number in range(readers - leave + 1, readers + 1)]
    sink = Sink()
    try:
        with serving(folder, sink.port) as (pid, port):
            wait_for_server(port)
            visitor = Visitor(port, tokens)
            while not sink.letters:
                visitor.call("while publishing", leave=False)
            begun = time.monotonic()
            while sink.letters < readers // 3:
                visitor.call("while sending", leave=True)
            rate = sink.letters / (time.monotonic() - begun)
            before = resident_mb(pid)
            sink.process.send_signal(signal.SIGSTOP)
            over = time.monotonic() + freeze_s
            for left in range(10**9):
                visitor.call("while the relay hangs", leave=left < leave // 10)
                if time.monotonic() > over:
                    break
                time.sleep(0.01)
            found["connections while the relay hangs"] = connections_to(sink.port)
            found["growth of memory while the relay hangs, MB"] = resident_mb(pid) - before
            taken, begun = sink.letters, time.monotonic()
            sink.process.send_signal(signal.SIGCONT)
            while sink.letters < taken + 10 * CONNECTIONS:
                visitor.call("while sending", leave=True)
            found["seconds until it sends again"] = time.monotonic() - begun
            while _waiting(house):
                visitor.call("while sending", leave=True)
            print(f"{rate:,.0f} letters/s before, {(sink.letters - taken) / (time.monotonic() - begun):,.0f} after")
            print(f"memory of the process at its end {resident_mb(pid):.0f} MB")
    finally:
        sink.process.kill()
        sink.process.wait()
    for what, times in sorted(visitor.times.items()):
        ms = [1000 * one for one in times]
        p99 = statistics.quantiles(ms, n=100)[98]
        print(
            f"{what:<32} {len(ms):6,} times: median {statistics.median(ms):.1f} ms, p99 {p99:.1f}, most {max(ms):.1f}"
        )
        found[f"{what}, p99, ms"] = p99
    return found


def _waiting(house: House) -> int:
    with house.app.store.read() as tx:
        states = tx.deliveries.sum(1).states
    return sum(states.get(state, 0) for state in (DeliveryState.PLANNED, DeliveryState.HANDING_OVER))


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what others notice while letters go out or the relay hangs.")
    parser.add_argument("--readers", type=int, default=10_000)
    parser.add_argument("--leave", type=int, default=1000, help="readers who leave meanwhile")
    parser.add_argument("--freeze", type=float, default=30, help="seconds that the relay hangs")
    options = parser.parse_args()
    if not Path(SINK).exists():
        sys.exit(f"{SINK} is not here; it is in Debian's package postfix")
    with tempfile.TemporaryDirectory(prefix="publisher-bench-") as folder:
        found = measure(Path(folder), options.readers, options.leave, options.freeze)
    bounds = {what: bound for what, bound in BOUNDS.items() if what in found}  # nobody may have left
    for what, bound in bounds.items():
        print(f"{what:<46} {found[what]:8.1f}   bound {bound:5.0f}{'' if found[what] <= bound else ' ABOVE'}")
    return 0 if all(found[what] <= bound for what, bound in bounds.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
