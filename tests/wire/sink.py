"""Postfix's own test server, smtp-sink, set to misbehave as its options say (smtp-sink(1))."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from publisher.smtp.endpoint import Endpoint

_PROGRAM = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_sink = pytest.mark.skipif(_PROGRAM is None, reason="smtp-sink is not installed; Debian's package postfix has it")


@dataclass(frozen=True, slots=True)
class Sink:
    """A running one; the letters it said yes to lie in `folder`."""

    process: subprocess.Popen[bytes]
    endpoint: Endpoint
    folder: Path

    @property
    def count(self) -> int:
        """Letters it began to take."""
        return len(list(self.folder.iterdir()))

    @property
    def taken(self) -> list[tuple[str, bytes]]:
        """The recipient and the content of each letter."""
        return [_dumped(path.read_bytes()) for path in self.folder.glob("letter.*")]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """As on a machine that hangs: its kernel takes connections and bytes, and nobody answers."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


def _dumped(content: bytes) -> tuple[str, bytes]:
    head, _, letter = content.partition(b" +0000 (UTC)\n")  # the last of its own lines ends in this
    recipient = head.partition(b"X-Rcpt-Args: <")[2].partition(b">")[0]
    return recipient.decode(), letter.removesuffix(b"\n").replace(b"\n", b"\r\n")


@contextmanager
def smtp_sink(folder: Path, *options: str) -> Iterator[Sink]:
    """Serve on a loopback port of its own."""
    assert _PROGRAM is not None
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    folder.mkdir(exist_ok=True)
    as_whom = ["-u", "root"] if os.getuid() == 0 else []
    process = subprocess.Popen(
        [_PROGRAM, *as_whom, "-d", f"{folder}/letter.", *options, f"127.0.0.1:{port}", "100"],
        stderr=subprocess.DEVNULL, env={**os.environ, "TZ": "UTC"},
    )  # fmt: skip
    try:
        _wait_for(process, port)
        yield Sink(process, Endpoint("127.0.0.1", port, security="none", timeout_s=0.5, final_timeout_s=0.6), folder)
    finally:
        process.kill()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    """Until it listens; a connection for a look would count as one of its sessions."""
    until = time.monotonic() + 10
    listening = f"0100007F:{port:04X} 00000000:0000 0A"
    while listening not in Path("/proc/net/tcp").read_text():
        assert process.poll() is None and time.monotonic() < until, "smtp-sink does not start"
        time.sleep(0.005)
    with suppress(ProcessLookupError):
        os.kill(process.pid, 0)
