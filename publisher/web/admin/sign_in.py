"""Signing in and out. Floor: `web`.

Passwords are checked one at a time: each check takes 64 MiB, and whoever guesses shall not take them all.
"""

from __future__ import annotations

import asyncio
import math

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from publisher.flows import operators
from publisher.web.admin.desk import MAX_FIELDS, Desk, Visit, guarded, refuse_other_origins

log = structlog.get_logger("publisher.admin")

_WRONG = "Name and password do not belong together."


def routes(desk: Desk) -> list[Route]:
    checking = asyncio.Lock()

    async def ask(request: Request) -> Response:
        if await desk.session(request) is not None:
            return RedirectResponse(desk.href(), 303)
        return await _form(desk, to=request.query_params.get("to", ""))

    async def sign_in(request: Request) -> Response:
        refuse_other_origins(request, desk.app.links.base_url)
        host = request.client.host if request.client else ""
        async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
            name, password, to = (str(form.get(field, "")) for field in ("name", "password", "to"))
        async with checking:
            wait = desk.throttle.wait_s(host)
            if wait > 0:
                return await _form(desk, to=to, name=name, wait_s=math.ceil(wait))
            session = await run_in_threadpool(operators.sign_in, desk.app.store, name, password, now=desk.app.clock())
            if session is None:
                desk.throttle.failed(host)
        if session is None:
            log.warning("signin.refused")
            return await _form(desk, to=to, name=name, problem=_WRONG)
        desk.throttle.succeeded(host)
        response = RedirectResponse(_target(desk, to), 303)
        response.set_cookie(
            desk.cookie,
            session.id,
            max_age=int(operators.LASTS.total_seconds()),
            path="/",
            secure=desk.secure,
            httponly=True,
            samesite="strict",
        )
        return response

    async def sign_out(visit: Visit) -> Response:
        app = desk.app
        await run_in_threadpool(operators.sign_out, app.store, visit.session, now=app.clock())
        response = RedirectResponse(desk.href("sign-in"), 303)
        response.delete_cookie(desk.cookie, path="/", secure=desk.secure, httponly=True, samesite="strict")
        response.headers["Clear-Site-Data"] = '"cache"'
        return response

    return [
        Route("/sign-in", ask, methods=["GET", "HEAD"]),
        Route("/sign-in", sign_in, methods=["POST"]),
        guarded(desk, "/sign-out", sign_out, methods=["POST"]),
    ]


async def _form(desk: Desk, *, to: str, name: str = "", problem: str = "", wait_s: int = 0) -> Response:
    def anybody() -> bool:
        with desk.app.store.read() as tx:
            return tx.operators.any()

    if not await run_in_threadpool(anybody):
        return desk.pages.page("no-password", "Nobody can sign in yet", {}, session=None, status=503)
    status = 200
    if wait_s:
        status = 429
        problem = f"Too many tries. Please wait {wait_s} second{'' if wait_s == 1 else 's'}."
    elif problem:
        status = 403
    values = {"to": to, "name": name[:40], "problem": problem}
    response = desk.pages.page("sign-in", "Sign in", values, session=None, status=status)
    if wait_s:
        response.headers["Retry-After"] = str(wait_s)
    return response


def _target(desk: Desk, to: str) -> str:
    """The page that was asked for before; only ever one of ours."""
    path, _, query = to.partition("?")
    if any(part in {"", ".", ".."} for part in path.split("/")[:-1]) or "\\" in to or ":" in path:
        return desk.href()
    return desk.href(path) + (f"?{query}" if query.isprintable() and query.isascii() and query else "")
