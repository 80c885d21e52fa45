"""A million readers: how fast an issue is composed for them, how fast it goes out, and how much memory that takes.

    .venv/bin/python bench/million.py [--readers 1000000] [--send 100000]

All readers have a letter planned in one issue of 50 editions; then the first of its letters go to `smtp-sink -c` on
loopback. Memory is the most that the whole process ever had, as the system tells it. docs/performance.md has what we
measured.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path

import uvloop
from delivery import CONNECTIONS, SINK, House, sink

from publisher.clock import system_clock
from publisher.config.relays import RelaySettings
from publisher.flows.deliver import Post, deliver
from publisher.model import DeliveryState

BOUND_MB = 200


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def send(house: House, port: int, letters: int) -> None:
    """Send until so many letters are out, and tell what it took on the way."""
    relay = RelaySettings(
        name="sink", host="127.0.0.1", port=port, security="none", connections=CONNECTIONS, letters_per_connection=1000
    )
    stop = asyncio.Event()
    begin, cpu, told = time.perf_counter(), time.process_time(), 0

    def progress(_what: str, done: int, _total: int) -> None:
        nonlocal told
        if done >= told + letters // 5:
            told = done
            print(
                f"  {done:9,} letters, {time.perf_counter() - begin:7.1f} s, peak memory {peak_mb():.0f} MB", flush=True
            )
        if done >= letters:
            stop.set()

    post = Post(lambda: house.app.letters, house.app.settings.smtp, Path(), (relay,))
    report = uvloop.run(deliver(house.app.store, post, clock=system_clock, progress=progress, stop=stop))
    out = report.states.get(DeliveryState.ACCEPTED, 0)
    wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
    print(f"sent {out:,}: {out / wall:,.0f} letters/s, {1e6 * cpu / out:.1f} µs of processor a letter")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure an issue for a million readers: time and memory.")
    parser.add_argument("--readers", type=int, default=1_000_000)
    parser.add_argument("--send", type=int, default=100_000)
    options = parser.parse_args()
    if not Path(SINK).exists():
        sys.exit(f"{SINK} is not here; it is in Debian's package postfix")
    with tempfile.TemporaryDirectory(prefix="publisher-bench-") as folder:
        house = House(Path(folder), options.readers)
        composed = house.composed
        print(
            f"composed {composed.letters:,} letters of {house.issue.editions} editions in {composed.wall:.1f} s "
            f"(processor {composed.cpu:.1f} s), peak memory {peak_mb():.0f} MB, readers put in included",
            flush=True,
        )
        with sink() as port:
            send(house, port, options.send)
    print(f"peak memory {peak_mb():.0f} MB, bound {BOUND_MB} MB")
    return 0 if peak_mb() < BOUND_MB else 1


if __name__ == "__main__":
    sys.exit(main())
