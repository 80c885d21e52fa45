"""API tokens: list, make (shown once), revoke. Floor: `web`."""

from __future__ import annotations

from datetime import timedelta

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from publisher.errors import UsageError
from publisher.flows.api_tokens import add_token, revoke_token
from publisher.model import ApiToken, Scope
from publisher.web.admin.desk import Desk, Visit, guarded
from publisher.web.admin.publishing import number_of

LONGEST_DAYS = 3650


def routes(desk: Desk) -> list[Route]:
    app = desk.app

    async def page(visit: Visit, *, made: str = "", problem: str = "") -> Response:
        def read() -> list[ApiToken]:
            with app.store.read() as tx:
                return tx.api_tokens.list()

        values = {
            "tokens": await run_in_threadpool(read),
            "scopes": tuple(Scope),
            "made": made,
            "problem": problem,
            "now": app.clock(),
        }
        return visit.page("tokens", "API tokens", values, here="tokens", status=422 if problem else 200)

    async def add(visit: Visit) -> Response:
        days = number_of(visit.field("days")) or 0
        scopes = [str(scope) for scope in visit.form.getlist("scope")]
        now = app.clock()
        expires = now + timedelta(days=min(days, LONGEST_DAYS)) if days else None
        try:
            _, text = await run_in_threadpool(
                add_token, app.store, visit.field("name"), scopes, now=now, expires=expires, by=visit.who
            )
        except UsageError as error:
            return await page(visit, problem=str(error))
        return await page(visit, made=text)

    async def revoke(visit: Visit) -> Response:
        await run_in_threadpool(revoke_token, app.store, visit.field("name"), now=app.clock(), by=visit.who)
        return visit.to("tokens", done="revoked")

    return [
        guarded(desk, "/tokens", page),
        guarded(desk, "/tokens", add, methods=["POST"]),
        guarded(desk, "/tokens/revoke", revoke, methods=["POST"]),
    ]
