"""Relays for tests: a real aiosmtpd that answers as told, and a scripted one for what no real server does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult

from publisher.smtp.endpoint import Endpoint

SENDER = "digest@publisher.example"
DROP = "drop"
"""An answer of a `Relay` that closes the connection instead."""
TAKEN_THEN_DROP = "taken, then drop"
"""An answer to the content: the letter is taken, but its sender never learns it."""
Answer = str | Callable[[], Awaitable[str] | str]


def letter_bytes(message_id: str = "<1@publisher.example>", body: str = "Hello.") -> bytes:
    text = f"Message-ID: {message_id}\nDate: Mon, 02 Mar 2026 07:00:00 +0000\nSubject: News\n\n{body}\n"
    return text.replace("\n", "\r\n").encode()


@dataclass
class Taken:
    """A letter the relay accepted, with the number of the connection (from 1) it came over."""

    sender: str
    recipient: str
    content: bytes
    connection: int
    options: tuple[str, ...]


@dataclass
class Relay:
    """What a relay answers and what it saw. The answers for a stage are looked up by recipient, then by "*".

    `mail`, `rcpt`, `content`: recipient (for `mail`: sender) -> a reply line, DROP, or a callable that gives one.
    `greeting`: instead of 220. `per_connection`: letters after which MAIL is answered 421 and the connection closed.
    """

    mail: dict[str, Answer] = field(default_factory=dict)
    rcpt: dict[str, Answer] = field(default_factory=dict)
    content: dict[str, Answer] = field(default_factory=dict)
    greeting: Callable[[int], str | None] = lambda number: None
    per_connection: int | None = None
    taken: list[Taken] = field(default_factory=list)
    connections: int = 0
    open_now: int = 0
    open_most: int = 0
    endpoint: Endpoint = field(default=Endpoint("127.0.0.1", 0, security="none"))

    @property
    def recipients(self) -> list[str]:
        return [taken.recipient for taken in self.taken]


class _Conversation(SMTP):
    number = 0
    letters = 0

    def __init__(self, relay: Relay, **options: Any) -> None:
        super().__init__(_Handler(relay), enable_SMTPUTF8=options.pop("smtputf8", True), hostname="relay", **options)
        self._relay = relay

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.number == 0:  # STARTTLS makes the connection a second time
            self._relay.connections += 1
            self._relay.open_now += 1
            self._relay.open_most = max(self._relay.open_most, self._relay.open_now)
            self.number = self._relay.connections
        greeting = self._relay.greeting(self.number)
        super().connection_made(transport)
        if greeting is not None:
            assert self._handler_coroutine is not None
            self._handler_coroutine.cancel()
            if greeting != DROP:
                transport.write(greeting.encode() + b"\r\n")  # type: ignore[attr-defined]
            transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._relay.open_now -= 1
        super().connection_lost(error)


class _Handler:  # its methods have aiosmtpd's names
    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    async def _answer(self, server: Any, answers: dict[str, Answer], name: str, default: str) -> str:
        answer = answers.get(name, answers.get("*", default))
        if callable(answer):
            given = answer()
            answer = given if isinstance(given, str) else await given
        if answer == DROP:
            await self._hang_up(server)
        return answer

    async def _hang_up(self, server: Any) -> None:
        server.transport.abort()
        await asyncio.sleep(3600)  # ended by the lost connection

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        if self._relay.per_connection is not None and server.letters >= self._relay.per_connection:
            server.loop.call_soon(server.transport.close)
            return "421 4.7.0 too many letters on this connection"
        answer = await self._answer(server, self._relay.mail, address, "250 2.1.0 ok")
        if answer.startswith("2"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        answer = await self._answer(server, self._relay.rcpt, address, "250 2.1.5 ok")
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        (recipient,) = envelope.rcpt_tos
        answer = await self._answer(server, self._relay.content, recipient, "250 2.0.0 taken")
        if answer.startswith("2") or answer == TAKEN_THEN_DROP:
            server.letters += 1
            self._relay.taken.append(
                Taken(
                    envelope.mail_from,
                    recipient,
                    envelope.original_content,
                    server.number,
                    tuple(envelope.mail_options),
                )
            )
        if answer == TAKEN_THEN_DROP:
            await self._hang_up(server)
        return answer


@asynccontextmanager
async def relay_server(
    relay: Relay | None = None, *, tls: ssl.SSLContext | None = None, password: str | None = None, **options: Any
) -> AsyncIterator[Relay]:
    """Serve `relay` on a loopback port in this loop; `tls`: TLS from the start, `tls_context=`: STARTTLS offered.

    `password`: asks for a login, takes any user with this password. Other options are those of aiosmtpd's SMTP.
    """
    relay = relay or Relay()
    if password is not None:
        options |= {
            "authenticator": lambda server, session, envelope, mechanism, login: AuthResult(
                success=login.password == password.encode(), handled=False
            ),
            "auth_required": True,
        }
    made: list[_Conversation] = []

    def conversation() -> _Conversation:
        made.append(_Conversation(relay, loop=asyncio.get_running_loop(), **options))
        return made[-1]

    server = await asyncio.get_running_loop().create_server(conversation, "127.0.0.1", 0, ssl=tls)
    relay.endpoint = Endpoint(
        "127.0.0.1", server.sockets[0].getsockname()[1], security="none", timeout_s=5, final_timeout_s=5
    )
    try:
        yield relay
    finally:
        server.close()
        for connection in made:
            if connection.transport is not None:
                connection.transport.abort()  # type: ignore[attr-defined]
        await server.wait_closed()
        await asyncio.sleep(0)


class Script:
    """One end of a scripted conversation, the server's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: list[bytes]) -> None:
        self._reader = reader
        self._writer = writer
        self._log = log

    async def say(self, *lines: str) -> None:
        self._writer.write("".join(line + "\r\n" for line in lines).encode())
        await self._writer.drain()

    async def hear(self, *answers: str) -> bytes:
        """Wait for a line; then answer. Ends the script when the client has gone."""
        line = await self._reader.readline()
        if not line:
            raise ConnectionResetError
        self._log.append(line.rstrip())
        await self.say(*answers)
        return line

    async def hear_letter(self, *answers: str) -> bytes:
        content = await self._reader.readuntil(b"\r\n.\r\n")
        self._log.append(b"<letter>")
        await self.say(*answers)
        return content

    async def hello(self, *extensions: str) -> None:
        await self.say("220 ready")
        lines = ["relay", *extensions]
        await self.hear(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")

    async def gone(self) -> None:
        """Wait until the client has closed the connection."""
        with suppress(ConnectionError):
            while await self._reader.read(65536):
                pass


@asynccontextmanager
async def scripted_server(
    script: Callable[[Script], Awaitable[None]],
) -> AsyncIterator[tuple[Endpoint, list[bytes]]]:
    """Run `script` for each connection; the connection is closed when it ends. Yields the endpoint and what was heard.

    An assertion that fails in a script fails the test, when the block ends.
    """
    log: list[bytes] = []
    failures: list[BaseException] = []
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            await script(Script(reader, writer, log))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except Exception as error:
            failures.append(error)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield (
            Endpoint("127.0.0.1", server.sockets[0].getsockname()[1], security="none", timeout_s=5, final_timeout_s=5),
            log,
        )
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
    if failures:
        raise failures[0]
