"""A letter -> what MAIL and RCPT say of it and the bytes of its content. Floor: `smtp`.

What the relay cannot take anyway is refused here, without a word to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from aiosmtplib.email import parse_address

from publisher.digest.letter import Pieces
from publisher.errors import Refused
from publisher.mail.replies import Stage

_LONE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_LEADING_DOT = re.compile(rb"(?m)^\.")
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")


Content = bytes | Pieces
"""A letter; or the pieces of one, whose maker vouches that each leading dot is doubled already (RFC 5321 §4.5.2)."""


class Envelope(NamedTuple):
    """One letter as the wire takes it: MAIL, RCPT and DATA, each with CRLF, and the content without the final dot."""

    commands: bytes
    content: list[bytes]


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the relay offers (RFC 5321 §4.1.1.1): `max_bytes` of a letter (RFC 1870), 0 for no limit known."""

    pipelining: bool
    eight_bit: bool
    smtputf8: bool
    size: bool
    max_bytes: int

    @classmethod
    def of(cls, extensions: Mapping[str, str]) -> Abilities:
        """`extensions` of the EHLO answer: names in lower case, and what follows each."""
        limit = extensions.get("size", "").strip()
        return cls(
            pipelining="pipelining" in extensions,
            eight_bit="8bitmime" in extensions,
            smtputf8="smtputf8" in extensions,
            size="size" in extensions,
            max_bytes=int(limit) if limit.isdecimal() else 0,
        )

    def envelope(self, sender: str, recipient: str, content: Content) -> Envelope:
        """Raises Refused for what this relay, or SMTP, cannot take."""
        letter = content if isinstance(content, Pieces) else _as_pieces(content)
        mail_from = _wire_address(sender, Stage.MAIL, "5.1.7")
        plain = _PLAIN_ADDRESS.fullmatch(recipient)
        rcpt_to = recipient if plain else _wire_address(recipient, Stage.RCPT, "5.1.3")
        options = ""
        if self.size:
            if 0 < self.max_bytes < letter.size:
                problem = f"the letter has {letter.size} bytes, the relay takes at most {self.max_bytes}"
                raise Refused(Stage.MAIL, 552, "5.3.4", problem)
            options = f" SIZE={letter.size}"
        if not letter.seven_bit:
            if not self.eight_bit:
                raise Refused(Stage.CONTENT, 554, "5.6.3", "the relay takes no 8-bit letters (8BITMIME)")
            options += " BODY=8BITMIME"
        if not (mail_from.isascii() and rcpt_to.isascii()):
            if not self.smtputf8:
                raise Refused(
                    Stage.RCPT, 553, "5.6.7", "the relay takes no address with other than ASCII letters (SMTPUTF8)"
                )
            options += " SMTPUTF8"
        commands = f"MAIL FROM:<{mail_from}>{options}\r\nRCPT TO:<{rcpt_to}>\r\nDATA\r\n"
        return Envelope(commands.encode(), letter.parts)


def _as_pieces(letter: bytes) -> Pieces:
    if not letter.endswith(b"\r\n") or _LONE_LINE_END.search(letter):
        raise Refused(Stage.CONTENT, 554, "5.6.0", "the letter has line ends that SMTP cannot carry")
    return Pieces([_LEADING_DOT.sub(b"..", letter)], len(letter), letter.isascii())


@lru_cache(maxsize=64)  # our own sender, again and again
def _wire_address(address: str, stage: Stage, enhanced: str) -> str:
    """`address` as the envelope carries it: a domain in other than ASCII letters is encoded (RFC 5890), which spares
    SMTPUTF8. Refused if it is not one address, or holds what could end the command (RFC 5321 §4.1.2)."""
    if _PLAIN_ADDRESS.fullmatch(address):
        return address
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
