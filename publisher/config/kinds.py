"""The kinds of values that settings have, each checked and put into its one form. Floor: `config`, above `patterns`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parseaddr
from ipaddress import ip_address, ip_network
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator

from publisher.config.patterns import compiled

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
HOSTNAME = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""RFC 1123, 2.1, in lower case; internationalised names as A-labels (RFC 5890)."""
_PLAIN_URL = re.compile(r"[!#-;=?-\[\]_a-z~]+")  # the characters of RFC 3986
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*")  # the subset of BCP 47 that people use


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("not a time zone; use a name such as 'Europe/Brussels' or 'UTC'") from error
    return name


def _cron(expression: str) -> str:
    try:
        CronSim(expression, _EPOCH)
    except CronSimError as error:
        raise ValueError(
            f"not a cron expression ({error}); use five fields: minute hour day month weekday, e.g. '0 7 * * MON'"
        ) from error
    return expression


def _base_url(url: str) -> str:
    """In the characters of RFC 3986, for headers and feeds have no others: the host in Punycode, the path escaped."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except ValueError as error:
        raise ValueError(f"not a web address ({error})") from error
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise ValueError("not a web address; use 'https://host/' or 'https://host/path/' without ? and #")
    if parts.username is not None:
        raise ValueError("holds the name of a user, which everybody would read; leave out all before the '@'")
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{path.rstrip('/')}/"


def _hostname(name: str) -> str:
    if not HOSTNAME.fullmatch(name):
        raise ValueError("not a domain name; use lower-case letters, digits, '-' and '.', e.g. 'customs.example'")
    return name


def _server(host: str) -> str:
    if re.search(r"[\s/@]", host) or (":" in host and not _is_ip(host)):
        raise ValueError(
            "not a server; use its name or address alone, e.g. 'mail.example'; the port is another setting"
        )
    return host


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _mailbox(value: str) -> str:
    _, address = parseaddr(value)
    local, at, domain = address.rpartition("@")
    if not (at and local and HOSTNAME.fullmatch(domain.lower())) or any(ord(c) < 32 or c == "\x7f" for c in value):
        raise ValueError("not a mailbox; use 'address@domain' or 'Name <address@domain>'")
    return value


_TWO_LETTERS = re.compile(
    r"""
    aa|ab|ae|af|ak|am|an|ar|as|av|ay|az|ba|be|bg|bi|bm|bn|bo|br|bs|ca|ce|ch|co|cr|cs|cu|cv|cy|da|de|dv|dz|ee|el|en|
    eo|es|et|eu|fa|ff|fi|fj|fo|fr|fy|ga|gd|gl|gn|gu|gv|ha|he|hi|ho|hr|ht|hu|hy|hz|ia|id|ie|ig|ii|ik|io|is|it|iu|ja|
    jv|ka|kg|ki|kj|kk|kl|km|kn|ko|kr|ks|ku|kv|kw|ky|la|lb|lg|li|ln|lo|lt|lu|lv|mg|mh|mi|mk|ml|mn|mr|ms|mt|my|na|nb|
    nd|ne|ng|nl|nn|no|nr|nv|ny|oc|oj|om|or|os|pa|pi|pl|ps|pt|qu|rm|rn|ro|ru|rw|sa|sc|sd|se|sg|si|sk|sl|sm|sn|so|sq|
    sr|ss|st|su|sv|sw|ta|te|tg|th|ti|tk|tl|tn|to|tr|ts|tt|tw|ty|ug|uk|ur|uz|ve|vi|vo|wa|wo|xh|yi|yo|za|zh|zu
    """,
    re.VERBOSE,
)
"""The languages that have a code of two letters (ISO 639-1); of three letters there are thousands."""


def check_language(tag: str) -> str:
    code = tag.partition("-")[0].lower()
    if not _LANGUAGE.fullmatch(tag) or (len(code) == 2 and not _TWO_LETTERS.fullmatch(code)):
        raise ValueError("not a language tag (BCP 47); use e.g. 'en', 'fr' or 'pt-BR'")
    return tag


def _store_url(url: str) -> str:
    if not url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("not a database; use 'sqlite:///' and a path, or 'postgresql://user@host/name'")
    return url


def _accent(colour: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise ValueError("not a colour; use '#' and six hexadecimal digits, e.g. '#0b5f8a'")
    return colour.lower()


def _pattern(pattern: str) -> str:
    try:
        compiled(pattern)
    except ValueError as error:
        raise ValueError(f"{pattern!r} {error}") from error
    return pattern


def check_web_address(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.hostname or not _PLAIN_URL.fullmatch(url)):
        raise ValueError("not a web address; use e.g. 'https://host.example/path'")
    return url


WebAddress = Annotated[str, AfterValidator(check_web_address)]
Zone = Annotated[str, AfterValidator(_zone)]
Cron = Annotated[str, AfterValidator(_cron)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
Hostname = Annotated[str, AfterValidator(_hostname)]
Server = Annotated[str, AfterValidator(_server)]
Mailbox = Annotated[str, AfterValidator(_mailbox)]
Language = Annotated[str, AfterValidator(check_language)]
StoreUrl = Annotated[str, AfterValidator(_store_url)]
Accent = Annotated[str, AfterValidator(_accent)]
Pattern = Annotated[str, AfterValidator(_pattern)]
SourceFormat = Literal["auto", "text", "markdown", "jsonl"]


def _selector(name: str) -> str:
    if name and not HOSTNAME.fullmatch(name):
        raise ValueError("not a selector; use lower-case letters, digits and '-', e.g. 'mail2026'")
    return name


Selector = Annotated[str, AfterValidator(_selector)]


def _bounce_address(value: str) -> str:
    local, _, domain = value.rpartition("@")
    if value and not (re.fullmatch(r"[A-Za-z0-9._-]{1,30}", local) and HOSTNAME.fullmatch(domain)):
        raise ValueError("not an address that can be extended; use e.g. 'bounces@customs.example', 30 letters before @")
    return value


def _several(value: object) -> object:
    """A variable of the environment names several values with spaces between them."""
    return tuple(value.split()) if isinstance(value, str) else value


def _hub(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment or not _PLAIN_URL.fullmatch(url):
        raise ValueError("not a hub's address; use e.g. 'https://pubsubhubbub.appspot.com/'")
    return url


BounceAddress = Annotated[str, AfterValidator(_bounce_address)]
Hub = Annotated[str, AfterValidator(_hub)]
Hubs = Annotated[tuple[Hub, ...], BeforeValidator(_several)]
Hostnames = Annotated[tuple[Hostname, ...], BeforeValidator(_several)]
Languages = Annotated[tuple[Language, ...], BeforeValidator(_several)]


def _network(value: str) -> str:
    try:
        return str(ip_network(value)) if "/" in value else str(ip_address(value))
    except ValueError as error:
        raise ValueError("not an address or network; use e.g. '10.0.0.5' or '10.0.0.0/8'") from error


Network = Annotated[str, AfterValidator(_network)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_several)]
