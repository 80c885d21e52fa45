"""A rendered edition -> letters: complete RFC 5322 messages as bytes. Floor: a pure room.

An edition is made into byte strings once. A reader's letter is those strings joined with six values of their own,
so that ten thousand letters cost ten thousand joins. The same reader's letter has the same bytes at every attempt.

    headers            one line each or folded; 7 bit; nothing of the edition or reader can end a header
    multipart/alternative (RFC 2046, 5.1.4)
      text/plain       quoted-printable; cut at the slots, where a soft line break lets a value of any length follow
      text/html        the same

Python's own generator is not used for the whole: it re-writes a List-Unsubscribe of 78 characters or more as encoded
words, which mail programs then do not offer (cpython#85725). A test compares our letters with its parser's view.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from html import escape
from operator import itemgetter
from typing import NamedTuple, Protocol

from publisher.digest.mime import (
    FOLDED_LINE,
    MAX_LINE,
    address,
    boundary_of,
    header_value,
    line,
    mailbox,
    named,
    part_headers,
    quoted_printable,
    text_header,
)
from publisher.digest.render import PREFERENCES, RECIPIENT, SLOTS, UNSUBSCRIBE, DigestSite
from publisher.errors import LetterError
from publisher.model import Issue

_SOFT_BREAK = b"=\r\n"

_VALUES = (
    *(f"{kind} {marker}" for marker in (UNSUBSCRIBE, PREFERENCES, RECIPIENT) for kind in ("text", "html")),
    "header To", "header Message-ID", "header List-Unsubscribe",
)  # fmt: skip
"""What differs from reader to reader, in the order in which `pieces` works it out."""

_SLOT = re.compile("(" + "|".join(map(re.escape, SLOTS)) + ")")
_URL = re.compile(r"https?://[!-;=?-~]+")  # no space, no angle bracket, nothing outside ASCII
_EASILY = r"[A-Za-z0-9!#$%()*+,./:;?@\[\]^_`{|}~-]"
_EASY = re.compile(f"[A-Za-z0-9]{_EASILY}*")
"""A value that stands in a body as it is: neither HTML nor quoted-printable changes a character of it."""
_EASY_URL = re.compile(f"https?://{_EASILY}+")
"""A web address that is such a value, too."""


class Pieces(NamedTuple):
    """A whole letter in the pieces to be written one behind the other; `size` is the octets of all of them.

    Its lines end with CRLF. All but a reader's own values are the same objects for every reader, and what is known of
    them need not be found out once more for each: 30 kB that nobody reads or copies.
    """

    parts: list[bytes]
    size: int
    seven_bit: bool


class Rendering(Protocol):
    """A rendered edition: fresh from `render_edition`, or as the store keeps it."""

    @property
    def edition_id(self) -> int: ...
    @property
    def language(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def html(self) -> str: ...


@dataclass(frozen=True, slots=True)
class LetterForm:
    """One edition as byte strings; `for_reader` joins them. Between two of `_parts` stands a reader's value; `_slots`
    takes these out of all of _VALUES, in their order. `_sizes` are the octets of the parts, as they are and stuffed."""

    _parts: tuple[bytes, ...]
    _stuffed: tuple[bytes, ...]  # the same with each leading dot doubled (RFC 5321 section 4.5.2)
    _slots: Callable[[Sequence[bytes]], tuple[bytes, ...]]
    _sizes: tuple[int, int]

    @classmethod
    def of(cls, site: DigestSite, issue: Issue, rendered: Rendering) -> LetterForm:
        """Raises LetterError where a setting or the subject cannot stand in a header."""
        plain, markup = _body_pieces(rendered.text, "text"), _body_pieces(rendered.html, "html")
        boundary = boundary_of([*plain, *markup])
        pieces: list[bytes | str] = [
            *_headers(site, issue, rendered, boundary),
            f"\r\n--{boundary}\r\n{part_headers('plain')}\r\n".encode("ascii"),
            *plain,
            f"\r\n--{boundary}\r\n{part_headers('html')}\r\n".encode("ascii"),
            *markup,
            f"\r\n--{boundary}--\r\n".encode("ascii"),
        ]
        parts, names = _parted(pieces)
        after_body_slot = [False, *(not name.startswith("header ") for name in names)]
        stuffed = [_stuffed(part, opens_a_line=opens) for part, opens in zip(parts, after_body_slot, strict=True)]
        slots = itemgetter(*map(_VALUES.index, names))
        return cls(tuple(parts), tuple(stuffed), slots, (sum(map(len, parts)), sum(map(len, stuffed))))

    def for_reader(
        self,
        email: str,
        message_id: str,
        unsubscribe_url: str,
        preferences_url: str,
        unsubscribe_address: str = "",
        *,
        stuffed: bool = False,
    ) -> bytes:
        """The whole letter, with CRLF. 7 bit, but for To where `address(email).smtputf8`. Raises LetterError for a
        value that no header can hold; `message_id` comes from the function of that name. `stuffed`: as the wire takes
        it, with leading dots doubled, which costs a look at the reader's own values alone."""
        values = (email, message_id, unsubscribe_url, preferences_url, unsubscribe_address)
        return b"".join(self.pieces(*values, stuffed=stuffed).parts)

    def pieces(
        self,
        email: str,
        message_id: str,
        unsubscribe_url: str,
        preferences_url: str,
        unsubscribe_address: str = "",
        *,
        stuffed: bool = False,
    ) -> Pieces:
        """What `for_reader` joins."""
        to, smtputf8 = address(email)
        slots = self._slots(
            (
                *_url_values("List-Unsubscribe", unsubscribe_url, stuffed),
                *_url_values("link to the settings", preferences_url, stuffed),
                *_slot_values(email, stuffed),
                to.encode(),
                header_value("Message-ID", message_id),
                unsubscribe_url.encode("ascii") + _mailto(unsubscribe_address),
            )
        )
        parts = [b""] * (2 * len(slots) + 1)
        parts[::2] = self._stuffed if stuffed else self._parts
        parts[1::2] = slots
        return Pieces(parts, self._sizes[stuffed] + sum(map(len, slots)), not smtputf8)


def _mailto(unsubscribe_address: str) -> bytes:
    """What follows the web address in List-Unsubscribe: a second way, for programs without the first (RFC 2369)."""
    if not unsubscribe_address:
        return b""
    return f">, <mailto:{address(unsubscribe_address).text}?subject=unsubscribe".encode("ascii")


# --- headers --------------------------------------------------------------------------------------------------------


def _headers(site: DigestSite, issue: Issue, rendered: Rendering, boundary: str) -> Iterable[bytes | str]:
    """The headers, each once; a str among them names a reader's value. RFC 5322, 2369, 2919, 3834, 5064, 8058."""
    name = issue.name if issue.number is not None else f"{issue.frequency}-preview"
    yield mailbox("From", site.sender)
    if site.reply_to:
        yield mailbox("Reply-To", site.reply_to)
    yield from (b"To: ", "header To", b"\r\n")
    yield text_header("Subject", rendered.subject)
    yield line("Date", format_datetime(issue.composed))
    yield from (b"Message-ID: ", "header Message-ID", b"\r\n")
    yield line("MIME-Version", "1.0")
    yield f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'.encode("ascii")
    yield line("Content-Language", rendered.language)
    yield named("List-Id", site.title, f"<{site.list_id}>")
    yield from (b"List-Unsubscribe: <", "header List-Unsubscribe", b">\r\n")
    yield line("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
    yield line("List-Help", f"<{site.help_url}>")  # not the reader's settings: reports of abuse quote headers
    yield line("List-Archive", f"<{site.links.home()}>")
    if issue.number is not None:
        yield line("Archived-At", f"<{site.links.issue(issue.name)}>")
    yield line("Auto-Submitted", "auto-generated")
    yield line("Precedence", "bulk")
    yield line("X-Auto-Response-Suppress", "All")
    yield line("Feedback-ID", f"{name}:e{rendered.edition_id}:digest:{_sender_id(site.list_id)}")


def _sender_id(list_id: str) -> str:
    """12 characters that stand for the list at Gmail's feedback loop (which asks for 5 to 15, always the same)."""
    return hashlib.sha256(list_id.encode()).hexdigest()[:12]


# --- bodies ---------------------------------------------------------------------------------------------------------


def _body_pieces(body: str, kind: str) -> list[bytes | str]:
    """Quoted-printable, cut at the slots; the str between two pieces names the slot's value."""
    pieces: list[bytes | str] = []
    for piece in _SLOT.split(body):
        if piece in SLOTS:
            pieces.append(f"{kind} {piece}")
        elif piece:
            pieces.append(quoted_printable(piece))
    # A slot's value ends in a soft break of its own; a fixed piece needs one only before a slot.
    return [
        _open_ended(piece) if isinstance(piece, bytes) and place + 1 < len(pieces) else piece
        for place, piece in enumerate(pieces)
    ]


def _slot_values(value: str, stuffed: bool) -> tuple[bytes, bytes]:
    """A reader's value in the text and in the HTML: it opens a line and ends with one."""
    if len(value) < FOLDED_LINE and _EASY.fullmatch(value):
        as_it_is = value.encode("ascii") + _SOFT_BREAK
        return as_it_is, as_it_is
    return _slot_value(value, stuffed), _slot_value(escape(value), stuffed)


def _url_values(where: str, url: str, stuffed: bool) -> tuple[bytes, bytes]:
    """The same of a web address, which also has to stand in a header; raises LetterError if it cannot."""
    if len(url) < FOLDED_LINE and _EASY_URL.fullmatch(url):
        as_it_is = url.encode("ascii") + _SOFT_BREAK
        return as_it_is, as_it_is
    if len(url) > MAX_LINE - len("List-Unsubscribe: <>") or not _URL.fullmatch(url):
        raise LetterError(where, "not a web address in ASCII that fits one line")
    return _slot_values(url, stuffed)


def _slot_value(value: str, stuffed: bool) -> bytes:
    encoded = _open_ended(quoted_printable(value))
    return _stuffed(encoded, opens_a_line=True) if stuffed else encoded


def _stuffed(part: bytes, *, opens_a_line: bool) -> bytes:
    """`part` of a letter with each dot doubled that begins a line of it."""
    doubled = part.replace(b"\n.", b"\n..")
    return b"." + doubled if opens_a_line and part.startswith(b".") else doubled


def _open_ended(encoded: bytes) -> bytes:
    """`encoded` so that the next piece starts on a new line of the source and on the same line of the text."""
    last_line = len(encoded) - (encoded.rfind(b"\n") + 1)
    if not last_line:
        return encoded
    if last_line == FOLDED_LINE:  # no room for "=": the last character, which may be =XX, moves to the next line
        at = -3 if encoded[-3:-2] == b"=" else -1
        encoded = encoded[:at] + _SOFT_BREAK + encoded[at:]
    return encoded + _SOFT_BREAK


def _parted(pieces: Iterable[bytes | str]) -> tuple[list[bytes], list[str]]:
    """The byte strings with the slots' names between them: neighbours are one, and between two slots stands b""."""
    parts, names = [b""], []
    for piece in pieces:
        if isinstance(piece, bytes):
            parts[-1] += piece
        else:
            names.append(piece)
            parts.append(b"")
    return parts, names
