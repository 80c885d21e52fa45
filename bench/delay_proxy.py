"""A relay far away: a proxy in a process of its own that adds a round trip to a port on loopback."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvloop


class _End(asyncio.Protocol):
    """One end of a proxied connection: what it reads is written at the other end, so much later, in order."""

    def __init__(self, delay_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._delay_s = delay_s
        self._before: list[tuple[str, bytes]] = []
        self.other: asyncio.Transport | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._loop.call_later(self._delay_s, self._forward, data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._loop.call_later(self._delay_s, self._close)

    def _forward(self, data: bytes) -> None:
        if self.other is not None and not self.other.is_closing():  # it may have gone meanwhile
            self.other.write(data)

    def _close(self) -> None:
        if self.other is not None:
            self.other.close()


async def _serve(port: int, target: int, delay_s: float) -> None:
    loop = asyncio.get_running_loop()

    class Accepted(_End):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self._connecting = loop.create_task(self._connect())

        async def _connect(self) -> None:
            outgoing, end = await loop.create_connection(lambda: _End(delay_s), "127.0.0.1", target)
            end.other = self.transport
            self.other = outgoing

    server = await loop.create_server(lambda: Accepted(delay_s), "127.0.0.1", port)
    await server.serve_forever()


@contextmanager
def delayed(target: int, round_trip_s: float) -> Iterator[int]:
    """A port that leads to `target`, so many seconds there and back."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, __file__, str(port), str(target), str(round_trip_s / 2)])
    try:
        while process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
