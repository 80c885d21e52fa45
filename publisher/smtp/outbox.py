"""The local outbox: a real SMTP server on a loopback port that keeps each letter as a file. Floor: `smtp`.

Nothing is faked: letters go through the same sessions as to a relay. A file holds the letter byte by byte. Its name
comes from the letter alone, so that a letter sent again (same Message-ID, same reader) replaces itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from publisher.errors import SiteError
from publisher.smtp.endpoint import Endpoint

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, Envelope
    from aiosmtpd.smtp import Session as ServerSession

MAX_LETTER = 35 * 1024 * 1024
"""Bytes of the largest letter taken, offered as SIZE (RFC 1870)."""
_UNSAFE = re.compile(r"[^a-z0-9.+_-]+")


@asynccontextmanager
async def outbox(folder: Path) -> AsyncIterator[Endpoint]:
    """Serve `folder` (made when missing) as a relay in the running loop while the block lasts.

    Raises SiteError if the folder cannot be made or no port can be had.
    """
    from aiosmtpd.smtp import SMTP  # noqa: PLC0415  (late: most runs have no letter to send)

    logging.getLogger("mail.log").setLevel(logging.WARNING)  # below that the server logs addresses
    loop = asyncio.get_running_loop()
    connections: list[SMTP] = []

    def conversation() -> SMTP:
        connections[:] = [connection for connection in connections if connection.transport is not None]
        connection = SMTP(
            _Keeper(folder), data_size_limit=MAX_LETTER, enable_SMTPUTF8=True, hostname="localhost", loop=loop
        )
        connections.append(connection)
        return connection

    try:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        server = await loop.create_server(conversation, host="127.0.0.1", port=0)
    except OSError as error:
        raise SiteError(f"outbox {folder}: {error.strerror or error}; check outbox.path") from error
    try:
        yield Endpoint("127.0.0.1", server.sockets[0].getsockname()[1], security="none")
    finally:
        server.close()
        for connection in connections:
            if connection.transport is not None:
                cast(asyncio.WriteTransport, connection.transport).abort()
        await server.wait_closed()


def letter_name(recipient: str, letter: bytes) -> str:
    """The file name of a letter: the day of its Date (UTC), the recipient, 8 hex digits of Message-ID and recipient."""
    headers = BytesHeaderParser().parsebytes(letter)
    try:
        date = parsedate_to_datetime(str(headers["Date"]))
        day = (date if date.tzinfo is None else date.astimezone(UTC)).strftime("%Y-%m-%d")
    except (ValueError, OverflowError):
        day = "undated"
    identity = str(headers["Message-ID"]).strip().encode() if headers["Message-ID"] else letter
    digest = hashlib.sha256(identity + b"\0" + recipient.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    reader = _UNSAFE.sub("_", recipient.lower().replace("@", "-at-"))[:80]
    return f"{day}-{reader}-{digest}.eml"


class _Keeper:
    """What the server asks when a letter is complete (the method's name is aiosmtpd's)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: ServerSession, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        try:
            for recipient in envelope.rcpt_tos:
                await asyncio.to_thread(_keep, self._folder / letter_name(recipient, content), content)
        except OSError as error:
            return f"451 4.3.0 the outbox cannot be written: {error.strerror}"
        return "250 2.0.0 kept in the outbox"


def _keep(path: Path, content: bytes) -> None:
    """Write whole or not at all: what was accepted is on the disk, and a half letter never has a letter's name. It is
    for its owner only: who has the links in it can change and erase its reader."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
