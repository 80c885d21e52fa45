"""Why the relay cannot be used, in words that say what to do. Floor: `smtp`."""

from __future__ import annotations

import socket
import ssl

from aiosmtplib import SMTPResponseException, SMTPServerDisconnected

from publisher.errors import RelayUnavailable
from publisher.mail.replies import Stage, without_addresses
from publisher.smtp.endpoint import Endpoint


def unavailable(endpoint: Endpoint, stage: Stage, error: Exception) -> RelayUnavailable:
    """What went wrong at `stage` while the connection was made, as the error that names its remedy."""
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
    problem = problem.replace("smtp.", f"{endpoint.place}.")  # where this relay's settings are
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
