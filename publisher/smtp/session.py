"""One conversation with the relay: open it safely, hand letters over one by one. Floor: `smtp`.

    connect -> ehlo -> [starttls -> ehlo] -> [auth] -> (mail -> rcpt -> data -> content)* -> quit

Three rules keep each answer with its reader. Whatever ends a step otherwise than by a whole answer (time-out,
cancellation, a lost connection, an answer that makes no sense) closes the connection at once. Bytes that nobody
asked for close it too, for they would be taken for the next answer. And from the moment the content is written, no
answer means doubt, before it means "not handed over".
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import NamedTuple, cast

from aiosmtplib import SMTP, SMTPException, SMTPResponseException, SMTPServerDisconnected
from aiosmtplib.email import parse_address

from publisher.errors import DeliveryError, Refused, RelayUnavailable
from publisher.mail.replies import Stage, enhanced_status, without_addresses
from publisher.smtp.endpoint import Endpoint

_QUIT_TIMEOUT_S = 5.0
_LONE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_LEADING_DOT = re.compile(rb"(?m)^\.")
_OUT_OF_STEP = frozenset({421, 500, 502, 503})
"""After one of these the relay is leaving, or does not understand what we say: the connection is not used again."""


class Reply(NamedTuple):
    """An answer of the relay; `text` without addresses, one line."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


class _Envelope(NamedTuple):
    sender: str
    recipient: str
    options: tuple[str, ...]
    encoding: str


class Session:
    """An open connection, owned by one task at a time. Make it with `connect` or `open_session`."""

    def __init__(self, client: SMTP, endpoint: Endpoint) -> None:
        self._client = client
        self._endpoint = endpoint

    @property
    def usable(self) -> bool:
        """Whether another letter may be handed over here."""
        protocol = self._client.protocol
        return protocol is not None and protocol.is_connected and not protocol._buffer

    async def hand_over(self, sender: str, recipient: str, letter: bytes) -> Reply:
        """Hand over one letter; it reaches the relay byte by byte as given. Returns the relay's final answer.

        Raises Refused with the stage, when the relay says no (the session stays usable unless it says so), and
        RelayUnavailable, when the connection broke; its `handed_over` is true if the relay may have taken the
        letter. A task cancelled in here leaves the connection closed; in stage content that means doubt, too.
        """
        if not self.usable:
            self.drop()
            raise RelayUnavailable(f"relay {self._endpoint}: the connection is closed")
        envelope = self._envelope(sender, recipient, letter)
        timeout = self._endpoint.timeout_s
        with self._at(Stage.MAIL):
            await self._client.mail(
                envelope.sender, options=envelope.options, encoding=envelope.encoding, timeout=timeout
            )
        try:
            with self._at(Stage.RCPT):
                await self._client.rcpt(envelope.recipient, encoding=envelope.encoding, timeout=timeout)
            with self._at(Stage.DATA):
                answer = await self._client.execute_command(b"DATA", timeout=timeout)
                if answer.code != 354:
                    raise SMTPResponseException(answer.code, answer.message)
                self._write(letter)
        except Refused:
            await self._reset()
            raise
        return await self._final_answer()

    async def quit(self) -> None:
        """Say goodbye if the connection still stands, and close it. Never raises, never waits long."""
        try:
            if self.usable:
                await self._client.quit(timeout=min(_QUIT_TIMEOUT_S, self._endpoint.timeout_s))
        except (SMTPException, OSError):
            pass  # nothing is owed to a relay that is gone
        finally:
            self.drop()

    def drop(self) -> None:
        """Close the connection at once; what is still unsent stays unsent."""
        _abort(self._client)

    def _write(self, letter: bytes) -> None:
        # Not `SMTP.data`: it rewrites line ends, gives DATA the long time-out of the content, and hides which failed.
        protocol = self._client.protocol
        if protocol is None or not self.usable:
            raise SMTPServerDisconnected("Connection lost")
        protocol.write(_LEADING_DOT.sub(b"..", letter) + b".\r\n")  # RFC 5321 §4.5.2

    async def _final_answer(self) -> Reply:
        with self._at(Stage.CONTENT, handed_over=True):
            protocol = self._client.protocol
            if protocol is None:
                raise SMTPServerDisconnected("Connection lost")
            answer = await protocol.read_response(timeout=self._endpoint.final_timeout_s)
            if answer.code != 250:
                raise SMTPResponseException(answer.code, answer.message)
        return Reply(answer.code, without_addresses(answer.message))

    async def _reset(self) -> None:
        """Forget the half-made envelope (RSET), or the connection if the relay won't."""
        if not self.usable:
            self.drop()
            return
        try:
            await self._client.rset(timeout=self._endpoint.timeout_s)
        except (SMTPException, OSError):
            self.drop()  # the refusal we have is what matters
        except BaseException:
            self.drop()
            raise

    @contextmanager
    def _at(self, stage: Stage, *, handed_over: bool = False) -> Iterator[None]:
        """Translate what goes wrong in one step, and close the connection where an answer may still be under way."""
        try:
            yield
        except SMTPResponseException as error:
            refusal = self._refusal(stage, error.code, error.message, handed_over=handed_over)
            if not isinstance(refusal, Refused) or refusal.code in _OUT_OF_STEP or refusal.enhanced.startswith("5.5."):
                self.drop()
            raise refusal from None  # the library's own error carries the address
        except (SMTPException, OSError, ValueError) as error:
            self.drop()
            raise RelayUnavailable(
                f"relay {self._endpoint}: {_what(error)} (stage {stage})", handed_over=handed_over
            ) from error
        except BaseException:
            self.drop()
            raise
        if not self.usable:
            self.drop()

    def _refusal(self, stage: Stage, code: int, message: str, *, handed_over: bool) -> DeliveryError:
        text = without_addresses(message)
        if 400 <= code < 600:
            enhanced = enhanced_status(text)
            return Refused(stage, code, enhanced, text.removeprefix("#").removeprefix(enhanced).lstrip())
        problem = f"its answer makes no sense: {code} {text}" if code >= 0 else f"its answer is no SMTP: {text}"
        return RelayUnavailable(f"relay {self._endpoint}: {problem} (stage {stage})", handed_over=handed_over)

    def _envelope(self, sender: str, recipient: str, letter: bytes) -> _Envelope:
        """What MAIL and RCPT say. Raises Refused, without a word to the relay, for what it cannot take anyway."""
        sender = _wire_address(sender, Stage.MAIL, "5.1.7")
        recipient = _wire_address(recipient, Stage.RCPT, "5.1.3")
        options = []
        if self._client.supports_extension("size"):
            limit = self._client.esmtp_extensions["size"].strip()
            if limit.isdecimal() and 0 < int(limit) < len(letter):  # RFC 1870 §4: 0 and nothing mean no limit
                raise Refused(
                    Stage.MAIL, 552, "5.3.4", f"the letter has {len(letter)} bytes, the relay takes at most {limit}"
                )
            options.append(f"SIZE={len(letter)}")
        if not letter.endswith(b"\r\n") or _LONE_LINE_END.search(letter):
            raise Refused(Stage.CONTENT, 554, "5.6.0", "the letter has line ends that SMTP cannot carry")
        if not letter.isascii():
            if not self._client.supports_extension("8bitmime"):
                raise Refused(Stage.CONTENT, 554, "5.6.3", "the relay takes no 8-bit letters (8BITMIME)")
            options.append("BODY=8BITMIME")
        if sender.isascii() and recipient.isascii():
            return _Envelope(sender, recipient, tuple(options), "ascii")
        if not self._client.supports_extension("smtputf8"):
            raise Refused(
                Stage.RCPT, 553, "5.6.7", "the relay takes no address with other than ASCII letters (SMTPUTF8)"
            )
        return _Envelope(sender, recipient, (*options, "SMTPUTF8"), "utf-8")


def _wire_address(address: str, stage: Stage, enhanced: str) -> str:
    """`address` as the envelope carries it: a domain in other than ASCII letters is encoded (RFC 5890), which spares
    SMTPUTF8. Refused if it is not one address, or holds what could end the command (RFC 5321 §4.1.2)."""
    local, _, domain = address.rpartition("@")
    null = not address and stage is Stage.MAIL  # the null reverse-path (RFC 5321 §4.5.5)
    try:
        if local.isascii() and not domain.isascii():
            from email_validator import validate_email  # noqa: PLC0415  (late: rarely needed, and slow to load)

            return validate_email(address, check_deliverability=False).ascii_email or address
        plain = parse_address(address) == address and not any(ord(c) < 32 or ord(c) == 127 for c in address)
    except ValueError:  # validate_email's own error is one
        plain = False
    if not (null or (plain and local and domain)):
        raise Refused(stage, 553, enhanced, "this is no address that SMTP can carry")
    return address


async def connect(endpoint: Endpoint, *, local_hostname: str | None = None) -> Session:
    """Open a connection with the security that `endpoint` asks for, never with less, and log in.

    `local_hostname` is our name in EHLO (default: the machine's). Raises RelayUnavailable with the stage and what to
    do; `transient` is false where trying again cannot help (certificate, no STARTTLS, login refused).
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
        await client.ehlo()
        if endpoint.security == "starttls":
            stage = Stage.STARTTLS
            await client.starttls()
            stage = Stage.EHLO
            await client.ehlo()
        if endpoint.username:
            stage = Stage.AUTH
            await client.login(endpoint.username, endpoint.password)
    except (SMTPException, OSError, ValueError) as error:
        if client is not None:
            _abort(client)
        raise _unavailable(endpoint, stage, error) from error
    except BaseException:
        if client is not None:
            _abort(client)
        raise
    return Session(client, endpoint)


@asynccontextmanager
async def open_session(endpoint: Endpoint, *, local_hostname: str | None = None) -> AsyncIterator[Session]:
    """A session that is closed when the block ends; raises as `connect` does."""
    session = await connect(endpoint, local_hostname=local_hostname)
    try:
        yield session
    finally:
        await session.quit()


def _tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=endpoint.ca_file)


def _abort(client: SMTP) -> None:
    transport = client.transport
    if transport is not None:
        # `close` would first send what is buffered, and with it perhaps the final dot of a letter given up
        cast(asyncio.WriteTransport, transport).abort()
    client.close()


def _unavailable(endpoint: Endpoint, stage: Stage, error: Exception) -> RelayUnavailable:
    """Why the relay cannot be used, and what to do about it."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    transient = True
    if isinstance(error, SMTPResponseException) and error.code < 0:
        transient = False
        problem = f"this is no SMTP: {without_addresses(error.message)}; check smtp.host and smtp.port"
    elif isinstance(error, SMTPResponseException):
        transient = 400 <= error.code < 500
        problem = f"{_REFUSED_AT.get(stage, 'it refuses us')}: {error.code} {without_addresses(error.message)}"
    elif isinstance(cause, ssl.SSLCertVerificationError):
        transient = False
        problem = f"its certificate does not hold: {cause.verify_message}; check smtp.host, or the relay's certificate"
    elif isinstance(cause, ssl.SSLError):
        transient = False
        problem = f"no TLS ({cause.reason or 'broken off'}); smtp.security = 'tls' goes with 465, 'starttls' with 587"
    elif isinstance(cause, socket.gaierror):
        problem = f"its name is not found ({cause.strerror}); check smtp.host and this machine's network"
    elif isinstance(error, TimeoutError) or isinstance(cause, TimeoutError):
        problem = f"no answer within {endpoint.timeout_s:g} s; check smtp.host, smtp.port and the firewall"
        if endpoint.security != "tls":
            problem += "; port 465 wants smtp.security = 'tls'"
    elif stage in _NOT_OFFERED and not isinstance(error, (OSError, ValueError)):
        transient = False
        problem = _NOT_OFFERED[stage]
    else:
        problem = f"{_what(cause)}; check smtp.host and smtp.port, and that the relay runs"
    return RelayUnavailable(f"relay {endpoint}: {problem} (stage {stage})", transient=transient)


_REFUSED_AT = {
    Stage.CONNECT: "it turns us away",
    Stage.STARTTLS: "it refuses STARTTLS",
    Stage.AUTH: "it refuses the login; check smtp.username and smtp.password",
}
_NOT_OFFERED = {
    Stage.STARTTLS: "it offers no STARTTLS, and nothing is sent in clear text; use smtp.security = 'tls' with "
    "port 465, or 'none' for a relay on this machine",
    Stage.AUTH: "it offers no login that we know; leave smtp.username empty, or use another smtp.port or smtp.security",
}


def _what(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, SMTPServerDisconnected):
        return "it closed the connection"
    return without_addresses(str(error)) or type(error).__name__
