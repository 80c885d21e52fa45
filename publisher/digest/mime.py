"""What every kind of letter is made of: headers, addresses, bodies as the wire takes them. Floor: a pure room.

Nothing of what comes in can end a header (RFC 5322 section 2.2), and no line grows longer than the standards allow.
"""

from __future__ import annotations

import hashlib
import re
from binascii import b2a_qp
from collections.abc import Iterable
from email.header import Header
from email.utils import parseaddr
from functools import lru_cache
from textwrap import wrap
from typing import NamedTuple

from publisher.errors import LetterError

MAX_LINE = 998  # octets without CRLF, RFC 5322 section 2.1.1
FOLDED_LINE = 76  # octets of a line that we may fold, and of quoted-printable (RFC 2045 section 6.7)
_CRLF = "\r\n"

_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ASCII_ADDRESS = re.compile(rf"{_ATEXT}(\.{_ATEXT})*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_PHRASE = re.compile(rf"{_ATEXT}( {_ATEXT})*")
_LOCAL_PART_OF_ID = re.compile(rf"{_ATEXT}(\.{_ATEXT})*")


class Address(NamedTuple):
    """An address as the wire takes it: the domain in ASCII (RFC 5891). `smtputf8` is true where the local part is
    not ASCII: then only a relay that offers SMTPUTF8 (RFC 6531) can take the letter, and its To is raw UTF-8."""

    text: str
    smtputf8: bool


def address(email: str) -> Address:
    """`email` as the wire takes it; raises LetterError where it is no address (the text does not show it)."""
    if len(email) <= 254 and _ASCII_ADDRESS.fullmatch(email) and "=?" not in email:
        return Address(email, False)
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415  (late: rarely needed, slow to load)

    try:
        valid = validate_email(email, check_deliverability=False)
    except EmailNotValidError:
        raise LetterError("To", "not an e-mail address") from None
    text = f"{valid.local_part}@{valid.ascii_domain}"
    if "=?" in text:  # would read as an encoded word
        raise LetterError("To", "not an e-mail address that a header can hold")
    return Address(text, valid.smtputf8 and not valid.local_part.isascii())


def message_id(domain: str, digest: str) -> str:
    """The Message-ID with angle brackets; `digest` is a stable name of issue and reader that nobody can guess
    (Signer.digest), so that every attempt carries the same one (RFC 5322 section 3.6.4)."""
    plain = digest.isascii() and digest.isalnum()  # as the signer's are
    if not (plain or _is_local_part_of_id(digest)) or not _is_local_part_of_id(domain):
        raise LetterError("Message-ID", "holds characters that are not allowed")
    return f"<{digest}@{domain}>"


@lru_cache(maxsize=16)  # our own domain, for each letter
def _is_local_part_of_id(text: str) -> bool:
    return _LOCAL_PART_OF_ID.fullmatch(text) is not None


# --- headers --------------------------------------------------------------------------------------------------------


def line(header: str, value: str) -> bytes:
    """A header on one line, whatever its length up to MAX_LINE."""
    return header.encode("ascii") + b": " + header_value(header, value) + b"\r\n"


def header_value(header: str, value: str) -> bytes:
    if not value.isascii() or not value.isprintable():
        raise LetterError(header, "holds a line break, a control character or a letter outside ASCII")
    if len(header) + len(": ") + len(value) > MAX_LINE:
        raise LetterError(header, f"longer than {MAX_LINE} characters")
    return value.encode("ascii")


def text_header(header: str, value: str) -> bytes:
    """A header of free text: as it is, folded between words, or else as encoded words (RFC 2047)."""
    room = FOLDED_LINE - len(header) - len(": ")
    lines = wrap(value, room, break_long_words=False, break_on_hyphens=False)
    plain = value.isascii() and "=?" not in value and value == " ".join(value.split())
    if plain and value.isprintable() and all(len(line) <= room for line in lines):
        return f"{header}: {f'{_CRLF} '.join(lines)}\r\n".encode("ascii")
    return f"{header}: {encoded_words(header, value)}\r\n".encode("ascii")


def mailbox(header: str, mailbox: str) -> bytes:
    name, spec = parseaddr(mailbox)
    if _UNFIT.search(mailbox) or not _ASCII_ADDRESS.fullmatch(spec):
        raise LetterError(header, "needs an address in ASCII; use 'Name <address@domain>'")
    return named(header, name, f"<{spec}>") if name else line(header, spec)


def named(header: str, name: str, spec: str) -> bytes:
    """``Name <spec>``: the name as a phrase, a quoted string or encoded words; `spec` in ASCII."""
    room = FOLDED_LINE - len(header) - len(": ") - len(spec) - len(" ")
    if name.isascii() and name.isprintable() and "=?" not in name:
        quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        phrase = name if _PHRASE.fullmatch(name) else quoted
        if len(phrase) <= room:
            return line(header, f"{phrase} {spec}")
    last = header_value(header, spec).decode("ascii")
    return f"{header}: {encoded_words(header, name)}\r\n {last}\r\n".encode("ascii")


@lru_cache(maxsize=64)  # our own name, for each edition
def encoded_words(header: str, value: str) -> str:
    """`value` as encoded words of UTF-8, one to a line."""
    if _UNFIT.search(value):
        raise LetterError(header, "holds a line break or another control character")
    return Header(value, "utf-8", maxlinelen=FOLDED_LINE, header_name=header).encode(linesep=_CRLF)


# --- bodies ---------------------------------------------------------------------------------------------------------


def part_headers(subtype: str) -> str:
    return f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n'


def boundary_of(pieces: Iterable[bytes | str]) -> str:
    """The same for the same content; "=_" never comes out of quoted-printable, so no body can hold it."""
    digest = hashlib.sha256(b"\0".join(p if isinstance(p, bytes) else p.encode() for p in pieces))
    return "=_" + digest.hexdigest()[:32]


def quoted_printable(text: str) -> bytes:
    """RFC 2045 section 6.7, lines of 76 octets at most, CRLF. White space before a line's end is encoded."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return b2a_qp(lines.encode(), istext=True).replace(b"\n", b"\r\n")
