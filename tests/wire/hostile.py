"""A relay that offers PIPELINING, records what it took, and misbehaves where and as it is told."""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from publisher.smtp.endpoint import Endpoint

STAGES = ("banner", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "content", "quit")
FAULTS = ("4xx", "5xx", "421", "close", "reset", "hang", "late", "drip", "garbage", "stray")
_GOOD = {
    "banner": "220 ready", "starttls": "220 go on", "auth": "235 2.7.0 welcome", "mail": "250 2.1.0 ok",
    "rcpt": "250 2.1.5 ok", "data": "354 go on", "content": "250 2.0.0 taken", "quit": "221 2.0.0 bye",
}  # fmt: skip
_SPOKEN = {"4xx": "451 4.3.0 not now", "5xx": "554 5.0.0 never", "421": "421 4.3.2 shutting down", "garbage": "\0hm?"}


class _Over(Exception):
    """The relay ends the conversation."""


@dataclass
class Fault:
    """`kind` (one of FAULTS) instead of the good answer at `stage`; for a letter's stages only to `recipient`, and
    only the first `times`."""

    stage: str
    kind: str
    recipient: str = ""
    times: int = 1_000_000

    def strikes(self, stage: str, recipient: str) -> bool:
        if stage != self.stage or self.times < 1 or (self.recipient and recipient != self.recipient):
            return False
        self.times -= 1
        return True


@dataclass
class HostileRelay:
    """What it does and what it saw. `rcpt`: who answers for some recipients, instead of 250. `taken`: the recipients of
    letters it said yes to, or took and then fell silent about; `seen` has each letter's content by recipient.
    `came_at`: when the last of them came (time.monotonic). `groups`: how often commands came in one piece."""

    faults: list[Fault] = field(default_factory=list)
    rcpt: dict[str, Callable[[], str]] = field(default_factory=dict)
    pipelining: bool = True
    loses_groups: bool = False  # it offers PIPELINING and then forgets what came with a letter's content
    data_without_reader: str = "503 5.5.1 need RCPT"
    content_without_reader: str = "554 5.5.1 no valid recipients"
    tls: ssl.SSLContext | None = None
    login: bool = False
    late_s: float = 0.8
    connections: int = 0
    groups: int = 0
    taken: list[str] = field(default_factory=list)
    seen: dict[str, list[bytes]] = field(default_factory=dict)
    came_at: dict[str, float] = field(default_factory=dict)
    commands: list[bytes] = field(default_factory=list)
    endpoint: Endpoint = field(default=Endpoint("127.0.0.1", 0, security="none"))
    loop: asyncio.AbstractEventLoop | None = None
    _alarm: tuple[int, Callable[[], object]] | None = None

    def after(self, letters: int, action: Callable[[], object]) -> None:
        """Let the relay's own loop do this as soon as it took so many more letters, instead of what it was told before.
        A thread that watches `taken` gets its turn when half the letters are out, on a busy machine."""
        assert self.loop is not None
        self._alarm = (len(self.taken) + letters, action)
        self.loop.call_soon_threadsafe(self.ring)

    def ring(self) -> None:
        if self._alarm and len(self.taken) >= self._alarm[0]:
            (_, action), self._alarm = self._alarm, None
            action()


class _Conversation:
    def __init__(self, relay: HostileRelay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._relay = relay
        self._reader = reader
        self._writer = writer
        self._secure = False
        self._sender: bytes | None = None
        self._recipient = ""

    async def run(self) -> None:
        self._relay.connections += 1
        await self._answer("banner")
        while line := await self._reader.readline():
            self._relay.commands.append(line.strip())
            if len(self._reader._buffer) > 0:  # type: ignore[attr-defined]
                self._relay.groups += 1
            verb = line.split()[0].upper() if line.split() else b""
            handler: Callable[[bytes], Any] = getattr(self, f"_{verb.decode(errors='replace').lower()}", self._unknown)
            await handler(line)

    async def _say(self, *lines: str) -> None:
        self._writer.write("".join(line + "\r\n" for line in lines).encode("latin-1"))
        await self._writer.drain()

    async def _answer(self, stage: str, good: str = "") -> bool:
        """The good answer, or the fault that is due; whether it was good."""
        for fault in self._relay.faults:
            if fault.strikes(stage, self._recipient):
                await self._misbehave(fault.kind, good or _GOOD[stage])
                return fault.kind in {"drip", "stray"}
        await self._say(good or _GOOD[stage])
        return True

    async def _misbehave(self, kind: str, good: str) -> None:
        if kind in _SPOKEN:
            await self._say(_SPOKEN[kind])
            if kind == "421":
                raise _Over
        elif kind == "close":
            raise _Over
        elif kind == "reset":
            self._writer.transport.abort()
            raise _Over
        elif kind == "hang":
            await asyncio.sleep(3600)
        elif kind == "late":  # the good answer, when nobody waits for it any more
            await asyncio.sleep(self._relay.late_s)
            await self._say(good)
        elif kind == "drip":
            for octet in f"{good}\r\n":
                self._writer.write(octet.encode())
                await asyncio.sleep(0.001)
        else:
            await self._say(good, "250 2.0.0 nobody asked for this")

    async def _ehlo(self, _line: bytes) -> None:
        offers = ["relay", "8BITMIME", "ENHANCEDSTATUSCODES"]
        offers += ["PIPELINING"] if self._relay.pipelining else []
        offers += ["STARTTLS"] if self._relay.tls and not self._secure else []
        offers += ["AUTH PLAIN"] if self._relay.login else []
        *most, last = offers
        await self._answer("ehlo", "\r\n".join([*(f"250-{offer}" for offer in most), f"250 {last}"]))

    async def _helo(self, _line: bytes) -> None:
        await self._answer("ehlo", "250 relay")

    async def _starttls(self, _line: bytes) -> None:
        if await self._answer("starttls") and self._relay.tls:
            await self._writer.start_tls(self._relay.tls)
            self._secure = True

    async def _auth(self, line: bytes) -> None:
        assert base64.b64decode(line.split()[2]).split(b"\0")[2] == b"secret"
        await self._answer("auth")

    async def _mail(self, line: bytes) -> None:
        self._recipient = ""
        upcoming = bytes(self._reader._buffer)  # type: ignore[attr-defined]
        if b"RCPT TO:<" in upcoming:
            self._recipient = upcoming.split(b"RCPT TO:<")[1].split(b">")[0].decode()
        if self._sender is not None:
            await self._say("503 5.5.1 nested MAIL command")
        elif await self._answer("mail"):
            self._sender = line
        self._recipient = ""

    async def _rcpt(self, line: bytes) -> None:
        recipient = line.split(b"<")[1].split(b">")[0].decode()
        if self._sender is None:
            await self._say("503 5.5.1 need MAIL")
            return
        self._recipient = recipient
        if recipient in self._relay.rcpt:
            said = self._relay.rcpt[recipient]()
            await self._say(said)
            taken = said.startswith("2")
            if said.startswith("421"):
                raise _Over
        else:
            taken = await self._answer("rcpt")
        if not taken:
            self._recipient = ""

    async def _data(self, _line: bytes) -> None:
        if not self._recipient:
            await self._say(self._relay.data_without_reader)
            if self._relay.data_without_reader.startswith("354"):
                assert await self._reader.readline() == b".\r\n", "an empty letter, to nobody"
                await self._say(self._relay.content_without_reader)
            return
        if not await self._answer("data"):
            return
        self._relay.came_at[self._recipient] = time.monotonic()
        content = await self._reader.readuntil(b"\r\n.\r\n")
        self._relay.seen.setdefault(self._recipient, []).append(content[:-3])
        if self._relay.loses_groups:
            self._reader._buffer.clear()  # type: ignore[attr-defined]
        due = [f for f in self._relay.faults if f.stage == "content" and f.recipient in {"", self._recipient}]
        if not due or due[0].times < 1 or due[0].kind not in {"4xx", "5xx", "421"}:
            self._relay.taken.append(self._recipient)  # whether or not its sender is going to learn it
            self._relay.ring()
        await self._answer("content")
        self._sender, self._recipient = None, ""

    async def _rset(self, _line: bytes) -> None:
        self._sender, self._recipient = None, ""
        await self._say("250 2.0.0 forgotten")

    async def _noop(self, _line: bytes) -> None:
        await self._say("250 2.0.0 here")

    async def _quit(self, _line: bytes) -> None:
        await self._answer("quit")
        raise _Over

    async def _unknown(self, _line: bytes) -> None:
        await self._say("500 5.5.2 what?")


@asynccontextmanager
async def hostile_relay(relay: HostileRelay) -> AsyncIterator[HostileRelay]:
    """Serve `relay` on a loopback port of this loop, the same one when it is served again. An assertion that fails in
    it fails the test."""
    tasks: set[asyncio.Task[None]] = set()
    failures: list[Exception] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await _Conversation(relay, reader, writer).run()
        except (_Over, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except Exception as error:
            failures.append(error)
        finally:
            with suppress(Exception):
                writer.close()

    relay.loop = asyncio.get_running_loop()
    server = await asyncio.start_server(serve, "127.0.0.1", relay.endpoint.port, limit=1 << 20)
    relay.endpoint = Endpoint(
        "127.0.0.1", server.sockets[0].getsockname()[1], security="none", timeout_s=0.3, final_timeout_s=0.4
    )
    try:
        yield relay
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
    if failures:
        raise failures[0]
