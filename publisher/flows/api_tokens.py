"""API tokens: made once, shown once, kept as a hash, taken back. Floor: `flows`.

    pub_<number>_<43 characters>      the number finds the row, the rest are 256 random bits

The secret is compared in constant time; it never comes near an index of the database.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from publisher.cleantext import clean_line
from publisher.errors import TokenError, UsageError
from publisher.model import ApiToken, Scope
from publisher.store import Store

MAX_NAME = 60
_NOTED = timedelta(minutes=10)  # its use is noted no more often than this
_TOKEN = re.compile(r"pub_([0-9]{1,15})_([A-Za-z0-9_-]{43})")


def add_token(
    store: Store, name: str, scopes: Sequence[str], *, now: datetime, expires: datetime | None = None, by: str
) -> tuple[ApiToken, str]:
    """A new token and its text, which is nowhere to be had again. Raises UsageError for a name or scope that will not
    do. `by` goes to the log."""
    name = clean_line(name, MAX_NAME)
    if not name:
        raise UsageError("a token needs a name, to tell it from others in lists and in the log")
    wanted = checked_scopes(scopes)
    secret = secrets.token_urlsafe(32)
    with store.write() as tx:
        token = tx.api_tokens.add(name, _sha256(secret).hex(), wanted, now, expires)
        tx.audit.add(by, "token added", f"token {name}", now, ", ".join(wanted))
    return token, f"pub_{token.id}_{secret}"


def revoke_token(store: Store, name: str, *, now: datetime, by: str) -> bool:
    """Nothing is let in by it any more. False: it was revoked before. Raises NotFound."""
    with store.write() as tx:
        done = tx.api_tokens.revoke(name, now)
        if done:
            tx.audit.add(by, "token revoked", f"token {name}", now)
    return done


def checked_token(store: Store, text: str, *, now: datetime) -> ApiToken:
    """The token behind `text`. Raises TokenError: no such token, revoked, or expired."""
    parts = _TOKEN.fullmatch(text)
    found = None
    if parts is not None:
        with store.read() as tx:
            found = tx.api_tokens.find(int(parts[1]))
    if parts is None or found is None or not hmac.compare_digest(_sha256(parts[2]), bytes.fromhex(found[1])):
        raise TokenError("this is no token of this site; `publisher tokens add` makes one")
    token = found[0]
    if token.revoked is not None:
        raise TokenError(f"the token {token.name!r} was revoked; use another one")
    if token.expires is not None and token.expires <= now:
        raise TokenError(f"the token {token.name!r} has expired; make a new one", expired=True)
    if token.last_used is None or now - token.last_used >= _NOTED:
        with store.write() as tx:
            tx.api_tokens.used(token.id, now)
    return token


def allows(scopes: Collection[str], wanted: Scope) -> bool:
    """Whether a token with `scopes` may do what `wanted` stands for: who may write may read."""
    if wanted in scopes:
        return True
    room, _, power = wanted.partition(":")
    return power == "read" and f"{room}:write" in scopes


def checked_scopes(names: Sequence[str]) -> tuple[str, ...]:
    """Each of `names` once, in the order of the model. Raises UsageError for an unknown one, and for none."""
    for name in names:
        if name not in set(Scope):
            raise UsageError(f"{name!r} is no scope; the scopes are {', '.join(Scope)}")
    if not names:
        raise UsageError(f"a token without scopes can do nothing; name some of {', '.join(Scope)}")
    return tuple(str(scope) for scope in Scope if scope in names)


def _sha256(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("ascii")).digest()
