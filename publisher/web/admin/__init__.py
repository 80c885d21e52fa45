"""The operator's pages under /admin. Floor: `web`; parses, calls a flow, shows.

    request -> body limit -> session (cookie) -> POST: same origin and the form's token -> page -> flow

Nothing here needs a script: one small file shows the progress of a run, and without it the page renews itself.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from publisher.app import App
from publisher.errors import NotFound, PublisherError, RunInProgress, UsageError
from publisher.web.admin import articles, audit, dashboard, issues, publishing, readers, sign_in, tokens
from publisher.web.admin.desk import Desk
from publisher.web.admin.pages import AdminPages
from publisher.web.bodies import BodyLimit
from publisher.web.run_desk import RunDesk
from publisher.web.throttle import Throttle

log = structlog.get_logger("publisher.admin")

MAX_BODY = 1024 * 1024  # bytes of a form: an article with room to spare
_ELSEWHERE = "It may have moved; the overview leads to all pages."
_TITLES: Mapping[int, str] = {
    403: "This was not asked from our own page",
    404: "There is no such page",
    405: "This address is not asked that way",
    413: "That is too much at once",
    429: "Please wait a little",
}


def make_admin(app: App, runs: RunDesk) -> ASGIApp:
    desk = Desk(app, runs, AdminPages(app.settings), Throttle(time.monotonic))
    rooms = (sign_in, dashboard, publishing, articles, readers, issues, tokens, audit)
    routes = [route for room in rooms for route in room.routes(desk)]
    routes.append(Route("/assets/{name}", desk.pages.asset, methods=["GET", "HEAD"]))
    handlers: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
        PublisherError: _told(desk),
        HTTPException: _refused(desk),
    }

    def refuse(status: int, detail: str) -> Response:
        return desk.pages.message(_TITLES.get(status, "This cannot be done"), detail, status=status)

    return BodyLimit(Starlette(routes=routes, exception_handlers=handlers), MAX_BODY, refuse)


def _told(desk: Desk) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def told(_: Request, error: Exception) -> Response:
        status = 503
        for kind, its_status in ((NotFound, 404), (UsageError, 422), (RunInProgress, 409)):
            if isinstance(error, kind):
                status = its_status
        if status == 503:
            log.error("request.failed", problem=str(error))
        title = {404: "Nothing of that name", 422: "This cannot be done", 409: "A run is under way"}.get(
            status, "This does not work at the moment"
        )
        return desk.pages.message(title, str(error), status=status)

    return told


def _refused(desk: Desk) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def refused(_: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        title = _TITLES.get(error.status_code, "This cannot be done")
        said = _ELSEWHERE if error.detail == "Not Found" else error.detail  # the router's own words
        response = desk.pages.message(title, said, status=error.status_code)
        for name, value in (error.headers or {}).items():
            response.headers[name] = value
        return response

    return refused
