"""Who may call the API: a bearer token (RFC 6750) with the scope of the operation. Floor: `web`."""

from __future__ import annotations

import asyncio
import math
import time
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request, Response, Security
from fastapi.params import Depends as Dependency
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from pydantic import AfterValidator
from starlette.exceptions import HTTPException

from publisher.app import App
from publisher.errors import TokenError
from publisher.flows.api_tokens import allows, checked_token
from publisher.model import ApiToken, Scope
from publisher.store import Transaction
from publisher.store.columns import storable
from publisher.web.run_desk import RunDesk
from publisher.web.throttle import Allowance, Throttle

_BEARER = HTTPBearer(auto_error=False, scheme_name="token", description="A token of `publisher tokens add`.")


class Api:
    """What the operations work with."""

    def __init__(self, app: App, runs: RunDesk) -> None:
        self.app = app
        self.runs = runs
        self.starting = asyncio.Lock()
        self.throttle = Throttle(time.monotonic, one=Allowance(20, 60), everybody=Allowance(1000, 5))

    def now(self) -> datetime:
        return self.app.clock()

    def note(self, caller: ApiToken, action: str, subject: str, detail: str = "") -> None:
        """Write down what this token changed; without an address."""
        with self.app.store.write() as tx:
            self.note_in(tx, caller, action, subject, detail)

    def note_in(self, tx: Transaction, caller: ApiToken, action: str, subject: str, detail: str = "") -> None:
        tx.audit.add(f"token {caller.name}", action, subject, self.now(), detail)


def api_of(request: Request) -> Api:
    api: Api = request.app.state.api
    return api


def checked_caller(
    request: Request,
    wanted: SecurityScopes,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
) -> ApiToken:
    """The token of the request. A wrong one is 401, one too many 429, one without the scope 403."""
    api = api_of(request)
    if credentials is None:
        raise HTTPException(401, "Send a token as `Authorization: Bearer ...`.", {"WWW-Authenticate": "Bearer"})
    try:
        token = checked_token(api.app.store, credentials.credentials, now=api.now())
    except TokenError as error:
        host = request.client.host if request.client else ""
        wait = math.ceil(api.throttle.wait_s(host))
        api.throttle.failed(host)
        if wait:
            raise HTTPException(429, "Too many wrong tokens; wait a little.", {"Retry-After": str(wait)}) from None
        raise HTTPException(401, str(error), {"WWW-Authenticate": 'Bearer error="invalid_token"'}) from None
    for scope in wanted.scopes:
        if not allows(token.scopes, Scope(scope)):
            needs = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
            raise HTTPException(403, f"The token {token.name!r} has no scope {scope}.", needs)
    return token


def _storable(text: str) -> str:
    if not storable(text):
        raise ValueError("holds a character that cannot be stored")
    return text


def kept_by_nobody(response: Response) -> None:
    """Answers hold readers' addresses: no cache keeps them."""
    response.headers["Cache-Control"] = "no-store"


TheApi = Annotated[Api, Depends(api_of)]
Text = Annotated[str, AfterValidator(_storable)]
"""A string that both databases can keep."""


def needs(scope: Scope) -> Dependency:
    """The dependency of an operation that needs `scope`."""
    dependency: Dependency = Security(checked_caller, scopes=[str(scope)])
    return dependency
