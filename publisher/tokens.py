"""Signed tokens for links in letters. Floor: above `clock`.

A token names a subscriber and a purpose; nobody can make one without the key, and one made for leaving cannot be
used for anything else. The token of the unsubscribe link never expires: the law of many places wants the link of an
old letter to work, and it has only that one power. It stays short, so that its header fits one line (RFC 8058).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from publisher.errors import ConfigError, TokenError

UNSUBSCRIBE = "unsubscribe"
PREFERENCES = "preferences"
PRIVATE_FEED = "private feed"
MESSAGE_ID = "message-id"
RETURN_PATH = "return path"
LEAVE_BY_MAIL = "leave by mail"
APPROVAL = "approval"
CONFIRM = "confirm"
CODE = "code"
NOT_ME = "not me"
FORM = "form"
ADDRESS = "address"
NETWORK = "network"
CHANGE_ADDRESS = "change of address"
"""The purposes of tokens."""

KEY_BYTES = 32
KEY_LOST = (
    "put the file of a backup back: without its key the links in letters are dead (docs/operating.md, Another key)"
)
_ID_BYTES = 6
_MAC_BYTES = 15  # 120 bits; with the id 21 bytes, which base64 writes as 28 characters without padding
_TOKEN_LENGTH = 28
_BLOCK = 64
"""Bytes that SHA-256 takes at a time."""
_PADS = tuple(bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]
_PAIRED = range(8 * _MAC_BYTES - 10, -1, -10)  # where the bits of each pair begin


class Signer:
    """Makes and checks tokens. `keys`: the newest first; older ones still verify (rotation)."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) < KEY_BYTES for key in keys):
            raise ValueError(f"a signing key has at least {KEY_BYTES} bytes")
        self._keys = tuple(keys)

    def token(self, purpose: str, subscriber_id: int) -> str:
        """28 characters of A-Z a-z 0-9 - _ that stand for this subscriber and purpose."""
        subject = subscriber_id.to_bytes(_ID_BYTES, "big")
        raw = subject + _mac(self._keys[0], purpose, subject)
        return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE).decode("ascii")

    def subscriber_id(self, purpose: str, token: str) -> int:
        """The subscriber a token of this purpose stands for; raises TokenError. Compares in constant time."""
        raw = _raw(token)
        subject, mac = raw[:_ID_BYTES], raw[_ID_BYTES:]
        genuine = [hmac.compare_digest(mac, _mac(key, purpose, subject)) for key in self._keys]
        if not any(genuine):
            raise TokenError("this link is incomplete or was changed")
        return int.from_bytes(subject, "big")

    @staticmethod
    def claimed_id(token: str) -> int:
        """The subscriber that `token` says it is of: proves nothing yet. For purposes that only the store can name in
        full, such as the present version of a private feed. Raises TokenError for what can be no token."""
        return int.from_bytes(_raw(token)[:_ID_BYTES], "big")

    def stamp(self, purpose: str, moment: datetime) -> str:
        """A token that says when it was made, to the second: a form tells by it how long it was filled in."""
        return self.token(purpose, int(moment.timestamp()))

    def stamped(self, purpose: str, stamp: str) -> datetime:
        """When `stamp` was made; raises TokenError."""
        return datetime.fromtimestamp(self.subscriber_id(purpose, stamp), UTC)

    def code(self, purpose: str, *parts: object) -> str:
        """Six digits that stand for `parts`, to be typed. A million are soon tried: who asks for one counts tries."""
        return _code(self._keys[0], purpose, parts)

    def is_code(self, code: str, purpose: str, *parts: object) -> bool:
        """Whether `code` is the one of `parts`, with any of the keys. Compares in constant time."""
        typed = code.encode()
        genuine = [hmac.compare_digest(typed, _code(key, purpose, parts).encode()) for key in self._keys]
        return any(genuine)

    def digests(self, purpose: str, *parts: object) -> list[str]:
        """The digests of `parts` with each of the keys, the newest first: what may be written down somewhere."""
        return [_digest(key, purpose, parts) for key in self._keys]

    def digest(self, purpose: str, *parts: object) -> str:
        """A stable name for `parts` that nobody can guess (26 characters, lower case), e.g. for a Message-ID."""
        return _digest(self._keys[0], purpose, parts)

    def is_digest(self, start: str, purpose: str, *parts: object) -> bool:
        """Whether `start` is how a digest of `parts` begins, with any of the keys. Compares in constant time."""
        genuine = [hmac.compare_digest(start, _digest(key, purpose, parts)[: len(start)]) for key in self._keys]
        return any(genuine)


def _raw(token: str) -> bytes:
    """The bytes of a token. It has one form: with padding, line ends or the other base64's letters it is refused."""
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (ValueError, UnicodeEncodeError):
        raw = b""
    if len(raw) != _ID_BYTES + _MAC_BYTES or len(token) != _TOKEN_LENGTH or {"+", "/"} & {*token}:
        raise TokenError("this link is incomplete or was changed")
    return raw


def _digest(key: bytes, purpose: str, parts: Sequence[object]) -> str:
    bits = int.from_bytes(_mac(key, purpose, "\0".join(map(str, parts)).encode()), "big")
    # base32 (RFC 4648 §6) of the MAC and a byte of zeros, in a third of the time that the library takes
    return "".join([_PAIRS[bits >> place & 1023] for place in _PAIRED]) + _PAIRS[0]


def _code(key: bytes, purpose: str, parts: Sequence[object]) -> str:
    mac = _mac(key, purpose, "\0".join(map(str, parts)).encode())
    return f"{int.from_bytes(mac, 'big') % 1_000_000:06}"


def _mac(key: bytes, purpose: str, subject: bytes) -> bytes:
    inner, outer = _begun(key, purpose)
    mac, whole = inner.copy(), outer.copy()
    mac.update(subject)
    whole.update(mac.digest())
    return whole.digest()[:_MAC_BYTES]


@lru_cache(maxsize=256)
def _begun(key: bytes, purpose: str) -> tuple[hashlib._Hash, hashlib._Hash]:
    """The two hashes of HMAC-SHA-256 (RFC 2104, section 2) with what is the same for all subjects in them. Each letter
    takes three MACs, and from here one takes a quarter of the time."""
    if len(key) > _BLOCK:
        key = hashlib.sha256(key).digest()
    key = key.ljust(_BLOCK, b"\0")
    inner, outer = (hashlib.sha256(key.translate(pad)) for pad in _PADS)
    inner.update(purpose.encode() + b"\0")
    return inner, outer


def load_or_make_keys(path: Path) -> list[bytes]:
    """The keys kept in `path` (hexadecimal, one a line, the newest first); one is made there, readable by the owner
    only, when there is no such file.

    Raises ConfigError when it can be neither read nor made, or holds what is no key."""
    try:
        try:
            return _read_keys(path)
        except FileNotFoundError:
            return _make_key(path)
    except OSError as error:
        raise ConfigError("store.secret_file", f"{path}: {error.strerror or error}") from error


def _make_key(path: Path) -> list[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    key = secrets.token_bytes(KEY_BYTES)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # the first of two processes wins, and both use the winner's key
    except FileExistsError:
        return _read_keys(path)
    finally:
        draft.unlink()
    return [key]


def _read_keys(path: Path) -> list[bytes]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError("store.secret_file", f"{path} holds no key; {KEY_LOST}") from error
    keys = [_key(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not keys:
        raise ConfigError("store.secret_file", f"{path} is empty; {KEY_LOST}")
    return keys


def _key(path: Path, number: int, line: str) -> bytes:
    """The key of a line; what it holds is never said."""
    try:
        key = bytes.fromhex(line)
    except ValueError:
        key = b""
    if len(key) < KEY_BYTES:
        says = f"{path}: line {number} is no key of {2 * KEY_BYTES} hexadecimal digits; {KEY_LOST}"
        raise ConfigError("store.secret_file", says)
    return key
