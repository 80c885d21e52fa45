"""Operators sign in and out; passwords are set. Floor: `flows`.

    name, password -> Argon2id -> session: 256 random bits in a cookie, their SHA-256 in the store
    cookie -> session -> 12 hours at most, and 2 hours without a visit

An unknown name costs the same time as a wrong password.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from publisher.errors import UsageError
from publisher.store import Store

LASTS = timedelta(hours=12)
IDLE = timedelta(hours=2)
_TOUCH = timedelta(minutes=5)  # a visit is noted no more often than this
MIN_PASSWORD = 12
MAX_PASSWORD = 1000
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_HASHER = PasswordHasher()  # RFC 9106, second recommended choice: 64 MiB, 3 passes


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session as its visitor holds it: `id` is the secret in the cookie."""

    id: str
    operator: str

    @property
    def csrf(self) -> str:
        """What each form of this session carries: nobody can know it who does not know the cookie."""
        return hmac.digest(self.id.encode(), b"csrf", "sha256").hex()


def set_password(store: Store, name: str, password: str, *, now: datetime) -> bool:
    """Give operator `name` this password, and sign them out everywhere. True: the operator is new.

    Raises UsageError for a name or a password that will not do.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for an operator; use small letters, digits and . _ - (40 at most)")
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise UsageError(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters; take some words you remember")
    hashed = _HASHER.hash(password.encode(errors="surrogatepass"))
    with store.write() as tx:
        new = tx.operators.set_password(name, hashed, now)
        tx.audit.add("command line", "password set", f"operator {name}", now)
    return new


def remove_operator(store: Store, name: str, *, now: datetime) -> None:
    """Raises NotFound."""
    with store.write() as tx:
        tx.operators.remove(name)
        tx.audit.add("command line", "operator removed", f"operator {name}", now)


def sign_in(store: Store, name: str, password: str, *, now: datetime) -> SignedIn | None:
    """A new session, None where name and password do not belong together. Takes some tenths of a second."""
    with store.read() as tx:
        hashed = tx.operators.password(name)
    try:
        _HASHER.verify(hashed or _nobody(), password[:MAX_PASSWORD].encode(errors="surrogatepass"))
    except (VerificationError, InvalidHashError):
        return None
    if hashed is None:
        return None
    session = SignedIn(secrets.token_urlsafe(32), name)
    with store.write() as tx:
        tx.operators.close_old_sessions(created_before=now - LASTS, seen_before=now - IDLE)
        tx.operators.open_session(_sha256(session.id), name, now)
        tx.audit.add(name, "signed in", f"operator {name}", now)
    return session


def signed_in(store: Store, session_id: str, *, now: datetime) -> SignedIn | None:
    """The session of this cookie, None where it has ended or never was."""
    sha256 = _sha256(session_id)
    with store.read() as tx:
        session = tx.operators.session(sha256)
    if session is None or now - session.created >= LASTS or now - session.seen >= IDLE:
        return None
    if now - session.seen >= _TOUCH:
        with store.write() as tx:
            tx.operators.seen(sha256, now)
    return SignedIn(session_id, session.operator)


def sign_out(store: Store, session: SignedIn, *, now: datetime) -> None:
    with store.write() as tx:
        tx.operators.close_session(_sha256(session.id))
        tx.audit.add(session.operator, "signed out", f"operator {session.operator}", now)


def _sha256(session_id: str) -> str:
    return hashlib.sha256(session_id.encode(errors="surrogatepass")).hexdigest()


@lru_cache(maxsize=1)
def _nobody() -> str:
    return _HASHER.hash(secrets.token_bytes(32))
