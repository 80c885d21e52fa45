"""DKIM: a letter -> the same letter with its signatures on top (RFC 6376, 8301, 8463). Floor: `mail`; pure.

    head -> canonical form "relaxed" -> signed with each key -> one DKIM-Signature for each
    body -> canonical form "relaxed" -> SHA-256 (bh=)

No `l=`, which would let a text be added below ours (section 8.2). The headers that a stranger could add once more to
fool a reader are named once more than they occur: a letter with another From or List-Unsubscribe then fails (sections
5.4.2 and 8.15). RFC 8058 section 4 wants both headers of the one-click link signed. `t=` is the time the issue was
composed, and both algorithms are deterministic, so a letter that is sent again has the same bytes.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    PrivateKey: TypeAlias = RSAPrivateKey | Ed25519PrivateKey

RSA_BITS = 2048
"""The least that is trusted (RFC 8301 section 3.2), and the most that all verifiers are sure to take."""

SIGNED = (
    "From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "MIME-Version", "Content-Type", "List-Id",
    "List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID",
)  # fmt: skip
SEALED = frozenset(SIGNED) - {"MIME-Version", "List-Id", "Feedback-ID"}
"""Those that nobody may add another one of."""

_LINE = 76  # characters of a folded line
_WORTH_KEEPING = 200  # bytes: a reader's own values are shorter
_FOLD = "\r\n "
_TXT = 255  # characters of one string of a TXT record (RFC 1035 section 3.3.14)


class Record(NamedTuple):
    """What to publish in the DNS: a TXT record of this name and value."""

    name: str
    value: str

    @property
    def zone_line(self) -> str:
        """The record as a zone file holds it: strings of at most 255 characters (RFC 6376 section 3.6.2.2)."""
        strings = [f'"{self.value[at : at + _TXT]}"' for at in range(0, len(self.value), _TXT)]
        return f"{self.name}. IN TXT ( {' '.join(strings)} )"


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A private key and the name under which the DNS has its public half."""

    selector: str
    private: PrivateKey = field(repr=False)

    @property
    def kind(self) -> str:
        return "ed25519" if type(self.private).__name__.endswith("Ed25519PrivateKey") else "rsa"

    def record(self, domain: str) -> Record:
        """The public half, for everybody who verifies (RFC 6376 section 3.6.1, RFC 8463 section 4)."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

        if self.kind == "ed25519":
            public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        else:
            public = self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        value = f"v=DKIM1; k={self.kind}; p={b64encode(public).decode('ascii')}"
        return Record(f"{self.selector}._domainkey.{domain}", value)


def read_key(pem: bytes) -> PrivateKey:
    """The private key in `pem`. Raises ValueError for what is none, is locked, or is too short to be trusted."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise ValueError("is locked with a passphrase; save it without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("holds no private key in PEM form") from None
    if isinstance(key, RSAPrivateKey):
        if key.key_size < RSA_BITS:
            raise ValueError(f"is an RSA key of {key.key_size} bits; {RSA_BITS} is the least that is trusted")
        return key
    if isinstance(key, Ed25519PrivateKey):
        return key
    raise ValueError("is neither an RSA nor an Ed25519 key")


def new_key(kind: str) -> bytes:
    """A fresh private key of `kind` (rsa or ed25519) in PEM form."""
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat  # noqa: PLC0415

    key: PrivateKey
    key = ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else rsa.generate_private_key(65537, RSA_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class DkimSigner:
    """Signs letters for `domain` with each of `keys`. Threads may share it, and do: the arithmetic of RSA lets other
    threads work meanwhile."""

    def __init__(self, domain: str, keys: Sequence[DkimKey]) -> None:
        self._keys = tuple((f"a={key.kind}-sha256; ", key.selector, _signing(key.private)) for key in keys)
        self._domain = domain

    def sign(self, letter: bytes, when: datetime, *, stuffed: bool = False) -> bytes:
        """`letter` (CRLF line ends) with its signatures above it. `when` is told as the time of signing.

        `stuffed`: its leading dots are doubled for the wire already (RFC 5321 section 4.5.2); verifiers see it
        without them."""
        head, end, body = letter.partition(b"\r\n\r\n")
        return self._signatures(head + end[:2], canonical_body(_unstuffed(body) if stuffed else body), when) + letter

    def signatures(self, pieces: Sequence[bytes], when: datetime) -> bytes:
        """What `sign` puts above a letter that is stuffed, for one in `pieces`. What they have in common with those of
        another letter, the same objects, is brought into its canonical form once for all."""
        for place, piece in enumerate(pieces):
            end, body = _end_of_head(piece)
            if end >= 0:
                head = b"".join((*pieces[:place], piece[: end + 2]))
                if b"\r\n\r\n" in head:  # it ended earlier, between two pieces
                    break
                return self._signatures(head, canonical_lines([body, *pieces[place + 1 :]]), when)
        letter = b"".join(pieces)
        return self.sign(letter, when, stuffed=True).removesuffix(letter)

    def _signatures(self, head: bytes, canonical: bytes, when: datetime) -> bytes:
        body_hash = b64encode(hashlib.sha256(canonical).digest()).decode("ascii")
        names, signed_head = _selected(head)
        signatures = []
        for algorithm, selector, sign in self._keys:
            header = _fold(
                f"DKIM-Signature: v=1; {algorithm}c=relaxed/relaxed;",
                f"d={self._domain}; s={selector}; t={int(when.timestamp())};",
                f"h={names};",
                f"bh={body_hash};",
            )
            unsigned = header + "\r\n b="
            signature = b64encode(sign(signed_head + canonical_header(unsigned.encode("ascii")))).decode("ascii")
            room = _LINE - len(" b=")
            chunks = [signature[at : at + room] for at in range(0, len(signature), room)]
            signatures.append(f"{unsigned}{_FOLD.join(chunks)}\r\n".encode("ascii"))
        return b"".join(signatures)


# --- canonical forms: RFC 6376 section 3.4 ------------------------------------------------------------------------


@lru_cache(maxsize=512)  # the headers of an edition come again with each of its letters
def canonical_header(header: bytes) -> bytes:
    """The relaxed form (section 3.4.2) of one header, which may be folded; without CRLF at the end."""
    name, _, value = header.partition(b":")
    unfolded = value.replace(b"\r\n", b"")
    return name.strip(b" \t").lower() + b":" + _single_blanks(unfolded).strip(b" ")


def canonical_body(body: bytes) -> bytes:
    """The relaxed form (section 3.4.4): blanks within a line as one, none at its end, no empty lines at the end."""
    return _without_empty_end(_relaxed(body + b"\r\n"))  # one line end too many, which goes again


def canonical_lines(stuffed: Sequence[bytes]) -> bytes:
    """`canonical_body` of a body in pieces, with doubled dots. Quick where they end with their lines."""
    found: list[bytes] = []
    begun = b""
    for piece in stuffed:
        if begun or not piece.endswith(b"\r\n"):
            begun += piece
            if not begun.endswith(b"\r\n"):
                continue
            piece, begun = begun, b""  # noqa: PLW2901
        found.append(_known_lines(piece) if len(piece) > _WORTH_KEEPING else _relaxed(_unstuffed(piece)))
    found.append(_relaxed(_unstuffed(begun) + b"\r\n"))
    return _without_empty_end(b"".join(found))


@lru_cache(maxsize=2048)  # the bodies of some hundred editions
def _known_lines(stuffed: bytes) -> bytes:
    return _relaxed(_unstuffed(stuffed))


@lru_cache(maxsize=2048)
def _end_of_head(piece: bytes) -> tuple[int, bytes]:
    """Where in `piece` of a letter its head ends, -1 if it does not, and what comes behind."""
    end = piece.find(b"\r\n\r\n")
    return end, piece[end + 4 :] if end >= 0 else b""


def _unstuffed(body: bytes) -> bytes:
    """Without the dots that the wire asks for (RFC 5321 section 4.5.2)."""
    return (b"\r\n" + body).replace(b"\r\n.", b"\r\n")[2:]


def _relaxed(lines: bytes) -> bytes:
    return _single_blanks(lines).replace(b" \r\n", b"\r\n")


def _without_empty_end(body: bytes) -> bytes:
    while body.endswith(b"\r\n\r\n"):
        body = body[:-2]
    return b"" if body == b"\r\n" else body


def _single_blanks(text: bytes) -> bytes:
    """Runs of blanks and tabs as one blank; whole passes of `replace` are ten times faster than an expression."""
    text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text


def _selected(head: bytes) -> tuple[str, bytes]:
    """The names of `h=`, and the canonical headers they select, each with CRLF."""
    headers = _headers(head)
    names, places = _selection(tuple([header[: header.find(b":")] for header in headers]))
    return names, b"".join([canonical_header(headers[place]) + b"\r\n" for place in places])


@lru_cache(maxsize=64)  # letters of one kind have the same headers in the same order
def _selection(present: tuple[bytes, ...]) -> tuple[str, tuple[int, ...]]:
    """The names of `h=` for a letter with headers of these names, and which of its headers they select. A name that
    occurs twice selects the last one first (section 5.4.2)."""
    names: list[str] = []
    places: list[int] = []
    for name in SIGNED:
        mine = [place for place, raw in enumerate(present) if raw.strip(b" \t").lower() == name.lower().encode()]
        names += [name] * (len(mine) + (name in SEALED))
        places += reversed(mine)
    return ":".join(names), tuple(places)


def _headers(head: bytes) -> list[bytes]:
    """The headers of `head`, each with the lines it is folded into, without the last CRLF."""
    headers: list[bytes] = []
    for line in head.split(b"\r\n"):
        if line[:1] in {b" ", b"\t"} and headers:
            headers[-1] += b"\r\n" + line
        elif line:
            headers.append(line)
    return headers


def _fold(*parts: str) -> str:
    """The parts of a header on lines of their own; a long one is broken after colons, where `h=` may be."""
    lines: list[str] = []
    for part in parts:
        line = part if not lines else " " + part
        while len(line) > _LINE and (at := line.rfind(":", 0, _LINE) + 1):
            lines.append(line[:at])
            line = " " + line[at:]
        lines.append(line)
    return "\r\n".join(lines)


def _signing(private: PrivateKey) -> Callable[[bytes], bytes]:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415

    if isinstance(private, Ed25519PrivateKey):
        return lambda data: private.sign(hashlib.sha256(data).digest())  # RFC 8463 section 3
    padding, algorithm = PKCS1v15(), hashes.SHA256()
    return lambda data: private.sign(data, padding, algorithm)
