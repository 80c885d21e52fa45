"""A subscriber's callback, taken apart once, so that what was checked is what is called. Floor: in websub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlencode, urlsplit

from publisher.errors import HubError
from publisher.websub.addresses import is_public

MAX_URL = 2000  # characters
PORTS = {"http": 80, "https": 443}
_HOST = re.compile(
    r"(?=.{1,253}\.?$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?"
)
_TARGET = re.compile(r"[!#-;=?-\[\]_a-z~]*")  # RFC 3986's characters; others must be percent-encoded


@dataclass(frozen=True, slots=True)
class Callback:
    """`url` as the subscriber wrote it, and its parts: `host` is a name or an address without brackets, `target`
    the path with its query."""

    url: str
    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """What the Host header says (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def with_query(self, **fields: str) -> str:
        """The target with ``hub.<name>`` fields added to its query, which is kept (WebSub, 5.3.1)."""
        added = urlencode({f"hub.{name}": value for name, value in fields.items()})
        if "?" not in self.target:
            return f"{self.target}?{added}"
        return f"{self.target}{'' if self.target.endswith(('?', '&')) else '&'}{added}"


def parse_callback(url: str, *, allow_private: bool = False) -> Callback:
    """`url` taken apart. Raises HubError (400) unless it is http or https to a host, without user, password or
    fragment, and, unless `allow_private`, to port 80 or 443 and not to an address that is not public.

    A name's addresses are checked when it is called: see `refused_address`.
    """
    if len(url) > MAX_URL:
        raise HubError(400, f"hub.callback is longer than {MAX_URL} characters")
    if not (url.isascii() and url.isprintable() and " " not in url):
        raise HubError(400, "hub.callback has characters that a URL must not have; percent-encode them")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise HubError(400, "hub.callback is not a URL") from error
    if parts.scheme not in PORTS:
        raise HubError(400, "hub.callback must begin with http:// or https://")
    if "@" in parts.netloc or "#" in url:
        raise HubError(400, "hub.callback must have no user, password or fragment")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    literal = _is_address(host)
    if not (literal or _HOST.fullmatch(host)) or not _TARGET.fullmatch(target):
        raise HubError(400, "hub.callback has characters that a URL must not have; percent-encode them")
    port = PORTS[parts.scheme] if port is None else port
    if not allow_private:
        if port not in PORTS.values():
            raise HubError(400, "hub.callback must be on port 80 or 443")
        if literal and not is_public(host):
            raise HubError(400, "hub.callback leads into a private network, which this hub does not call")
    return Callback(url, parts.scheme, host, port, target)


def refused_address(addresses: list[str], *, allow_private: bool) -> str:
    """Why a name with these addresses is not called, "" if it is. One that is not public spoils all of them: which
    one is used is for the network to choose."""
    if not addresses:
        return "its name has no address"
    if not allow_private and not all(map(is_public, addresses)):
        return "its name leads into a private network"
    return ""


def _is_address(host: str) -> bool:
    try:
        return "%" not in host and bool(ip_address(host))
    except ValueError:
        return False
