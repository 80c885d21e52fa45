"""How texts, names, addresses and moments are written so that every reader takes them for what they are. Floor: in
`feeds`, its lowest."""

from __future__ import annotations

import html
import re
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from html.entities import name2codepoint
from urllib.parse import quote

from publisher.cleantext import clean_line
from publisher.htmltext import to_text

_URI_CHARACTERS = ";/?:@&=+$-._~!*'()%,#"
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0, 2.2: all but Char
_CONTROLS = bytes({*range(32)} - {*b"\t\n\r"})
_READ_TWICE = re.compile("[\u00c2\u00c3][\u0080-\u00bf]")
"""UTF-8 that was taken for Latin-1, as in "CafÃ©": the W3C validator warns of it wherever it stands plainly."""
_ADDRESS = re.compile(r"(https?://)([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[a-zA-Z/!?]|&#?\w+;")
_ENTITY = re.compile(r"&(#?\w+)")


def rfc3339(moment: datetime) -> str:
    """``2026-03-01T07:00:00Z`` (RFC 3339); `moment` is aware."""
    return moment.astimezone(UTC).isoformat()[:19] + "Z"  # a third of what strftime takes


def text_or_html(plain: str) -> tuple[str, str]:
    """The type (text or html) and the form to publish plain text in, so that no reader takes it for markup.

    Many readers interpret titles as HTML whatever the type says, so what looks like markup is escaped and declared;
    also a word that only begins as an entity: browsers show "Terms&notes" as "Terms¬es".
    """
    is_markup = _looks_like_markup(plain) or html.unescape(plain) != plain
    return ("html", plain_in_html(plain)) if is_markup else ("text", plain)


def has_forbidden(text: str) -> bool:
    """Whether `text` has a character that XML 1.0 forbids (2.2). A text may be a long article: so it is looked at as
    bytes, a fifth of what the pattern takes."""
    try:
        written = text.encode()
    except UnicodeEncodeError:
        return True  # a lone surrogate
    return len(written.translate(None, _CONTROLS)) < len(written) or "\ufffe" in text or "\uffff" in text


def without_forbidden(text: str) -> str:
    return _NOT_XML.sub("", text) if has_forbidden(text) else text


def plain_in_html(plain: str) -> str:
    """Plain text as HTML."""
    return said_once(html.escape(plain, quote=False))


def said_once(markup: str) -> str:
    """HTML in which nothing looks like UTF-8 that was taken for Latin-1; it reads as before."""
    if "\u00c2" not in markup and "\u00c3" not in markup:
        return markup  # nearly always, and seen at a fortieth of the cost
    return _READ_TWICE.sub(lambda found: f"{found[0][0]}&#{ord(found[0][1])};", markup)


def _looks_like_markup(plain: str) -> bool:
    """Also what is an entity without its semicolon: browsers take some for one, the W3C validator warns of any."""
    names = _ENTITY.findall(plain)
    return (
        bool(_TAG.search(plain) or _READ_TWICE.search(plain))
        or any(n in name2codepoint or n == "apos" or not n.isalpha() for n in names)
    )  # fmt: skip


@lru_cache(maxsize=1000)  # a site has few authors and topics, and names them in every entry
def name_of(text: str) -> str:
    """A name on one line: what has no type in Atom cannot be declared as HTML, so tags and entities go, and UTF-8 that
    was taken for Latin-1 is read once more."""
    if not _looks_like_markup(text):
        return clean_line(text)
    with suppress(UnicodeError):
        text = text.encode("latin-1").decode("utf-8")
    return clean_line(to_text(text).replace("<", " "))


def uri_of(address: str) -> str:
    """A web address in the characters of RFC 3986; an IRI (RFC 3987) becomes the URI that means the same."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return address
    scheme, host, rest = found.groups()
    with suppress(UnicodeError):
        host = host.encode("idna").decode("ascii")
    return scheme + quote(host, safe="[]:%-._~") + quote(rest, safe=_URI_CHARACTERS)
