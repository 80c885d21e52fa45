"""The way to a relay. Floor: `smtp`.

    connect -> ehlo -> [starttls -> ehlo] -> [auth] -> session

aiosmtplib makes the connection, secures it and logs in, never with less security than the settings ask for; then the
wire is the session's.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from aiosmtplib import SMTP, SMTPException, SMTPHeloError

from publisher.mail.replies import Stage
from publisher.smtp.endpoint import Endpoint
from publisher.smtp.session import Session
from publisher.smtp.trouble import unavailable

_UNKNOWN_COMMAND = frozenset({500, 502})


async def connect(endpoint: Endpoint, *, local_hostname: str | None = None, pipelining: bool = True) -> Session:
    """Open a connection with the security that `endpoint` asks for, never with less, and log in.

    `local_hostname` is our name in EHLO (default: the machine's). `pipelining` False: stage by stage, whatever the
    relay offers. Raises RelayUnavailable with the stage and what to do; `transient` is false where trying again cannot
    help (certificate, no STARTTLS, login refused).
    """
    stage = Stage.CONNECT
    client: SMTP | None = None
    try:
        client = SMTP(
            hostname=endpoint.host,
            port=endpoint.port,
            timeout=endpoint.timeout_s,
            use_tls=endpoint.security == "tls",
            start_tls=False,  # done below; the library's default goes on in clear text where there is no STARTTLS
            tls_context=None if endpoint.security == "none" else _tls_context(endpoint),
            local_hostname=local_hostname or ("localhost" if endpoint.is_local else None),
        )
        await client.connect()
        stage = Stage.EHLO
        await _say_hello(client, endpoint)
        if endpoint.security == "starttls":
            stage = Stage.STARTTLS
            await client.starttls()
            stage = Stage.EHLO
            await client.ehlo()
        if endpoint.username:
            stage = Stage.AUTH
            await client.login(endpoint.username, endpoint.password)
        session = Session(client, endpoint, pipelining=pipelining)
    except (SMTPException, OSError, ValueError) as error:
        if client is not None:
            _abort(client)
        raise unavailable(endpoint, stage, error) from error
    except BaseException:
        if client is not None:
            _abort(client)
        raise
    return session


@asynccontextmanager
async def open_session(
    endpoint: Endpoint, *, local_hostname: str | None = None, pipelining: bool = True
) -> AsyncIterator[Session]:
    """A session that is closed when the block ends; raises as `connect` does."""
    session = await connect(endpoint, local_hostname=local_hostname, pipelining=pipelining)
    try:
        yield session
    finally:
        await session.quit()


async def _say_hello(client: SMTP, endpoint: Endpoint) -> None:
    """EHLO; a server so old, or behind such a firewall, that it knows HELO alone gets that (RFC 5321 §3.2), unless we
    need what it cannot offer then."""
    try:
        await client.ehlo()
    except SMTPHeloError as error:
        if error.code not in _UNKNOWN_COMMAND or endpoint.security == "starttls" or endpoint.username:
            raise
        await client.helo()


def _tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=endpoint.ca_file)


def _abort(client: SMTP) -> None:
    transport = client.transport
    if transport is not None:
        # `close` would first send what is buffered, and with it perhaps the final dot of a letter given up
        cast(asyncio.WriteTransport, transport).abort()
    client.close()
