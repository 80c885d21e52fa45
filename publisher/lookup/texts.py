"""TXT records by dnspython. Floor: door, in `lookup`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from publisher.health.dns import Texts

LOOKUP_S = 5.0
"""So long a name server may take."""

Resolve = Callable[[str], Awaitable[Texts]]
"""The TXT records of a name; never raises."""


async def system_texts(name: str) -> Texts:
    """By the system's name servers. A name that does not exist has no records; nobody answering is a problem."""
    return await asyncio.to_thread(_asked, name)


def _asked(name: str) -> Texts:
    import dns.exception  # noqa: PLC0415  (late: slow to load, and only the doctor asks)
    import dns.resolver  # noqa: PLC0415

    try:
        answer = dns.resolver.resolve(name, "TXT", lifetime=LOOKUP_S, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return Texts(name)
    except dns.exception.Timeout:
        return Texts(name, problem="no name server answers in time")
    except dns.resolver.NoNameservers:
        return Texts(name, problem="the name servers refuse to answer")
    except (dns.exception.DNSException, OSError):
        return Texts(name, problem="it cannot be asked for from here")
    # a record is one or more strings of up to 255 bytes, joined without space (RFC 7208, 3.3)
    return Texts(name, [b"".join(record.strings).decode("utf-8", "replace") for record in answer])
