"""API tokens, and the runs that their idempotency keys stand for. Floor: store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from publisher.errors import Conflict, NotFound
from publisher.model import ApiToken
from publisher.store.schema import api_requests, api_tokens

_FIELDS = [api_tokens.c[name] for name in ApiToken.__dataclass_fields__]
KEPT = timedelta(days=7)
"""So long an Idempotency-Key stands for its run."""
ApiTokenList = list[ApiToken]  # `list` is a method below


class KeptRequest(NamedTuple):
    """A request to start a run that was sent with an Idempotency-Key: the hash of its body, and the run it started."""

    sha256: str
    run_id: int


class ApiTokens:
    """The tokens of one transaction. Of a secret only the SHA-256 (hex) is kept."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, name: str, sha256: str, scopes: Sequence[str], now: datetime, expires: datetime | None) -> ApiToken:
        """Raises Conflict when the name is taken, be it by a revoked token: the log names tokens."""
        if self._connection.execute(sa.select(api_tokens.c.id).where(api_tokens.c.name == name)).first():
            raise Conflict(f"there is, or was, a token {name!r} already; choose another name")
        values = {"name": name, "sha256": sha256, "scopes": tuple(scopes), "created": now, "expires": expires}
        row = self._connection.execute(sa.insert(api_tokens).values(values).returning(*_FIELDS)).one()
        return ApiToken(**row._mapping)

    def find(self, token_id: int) -> tuple[ApiToken, str] | None:
        """The token of that number and the hash of its secret."""
        query = sa.select(*_FIELDS, api_tokens.c.sha256).where(api_tokens.c.id == token_id)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        return ApiToken(**dict(zip(ApiToken.__dataclass_fields__, row[:-1], strict=True))), row[-1]

    def list(self) -> ApiTokenList:
        """By rising number, revoked ones included."""
        rows = self._connection.execute(sa.select(*_FIELDS).order_by(api_tokens.c.id))
        return [ApiToken(**row._mapping) for row in rows]

    def used(self, token_id: int, now: datetime) -> None:
        self._connection.execute(sa.update(api_tokens).where(api_tokens.c.id == token_id).values(last_used=now))

    def revoke(self, name: str, now: datetime) -> bool:
        """False: it was revoked before. Raises NotFound."""
        mine = api_tokens.c.name == name
        done = self._connection.execute(
            sa.update(api_tokens).where(mine, api_tokens.c.revoked.is_(None)).values(revoked=now)
        ).rowcount
        if not done and not self._connection.execute(sa.select(api_tokens.c.id).where(mine)).first():
            raise NotFound("token", name, "`publisher tokens list` shows them")
        return bool(done)

    def request(self, token_id: int, key: str) -> KeptRequest | None:
        """What was asked for under this Idempotency-Key before."""
        query = sa.select(api_requests.c.sha256, api_requests.c.run_id)
        row = self._connection.execute(
            query.where(api_requests.c.token_id == token_id, api_requests.c.key == key)
        ).one_or_none()
        return KeptRequest(*row) if row else None

    def keep_request(self, token_id: int, key: str, request: KeptRequest, now: datetime) -> None:
        """A key that is kept already is a bug of the caller. Those of more than a week ago are forgotten."""
        old = sa.delete(api_requests).where(api_requests.c.token_id == token_id, api_requests.c.at < now - KEPT)
        self._connection.execute(old)
        values = {"token_id": token_id, "key": key, **request._asdict(), "at": now}
        self._connection.execute(sa.insert(api_requests).values(values))
