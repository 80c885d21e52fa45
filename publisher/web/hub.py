"""Our own WebSub hub at ``/websub``: takes requests of subscribers, and answers before it verifies. Floor: `web`.

A request comes from a server, not from a page: no cookie, no Origin, no token. It changes nothing until the callback
itself has confirmed it, and only so many are taken per minute.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from publisher.app import App
from publisher.errors import HubError
from publisher.links import HUB
from publisher.websub.pace import WINDOW, Pace
from publisher.websub.request import MAX_BODY, Wish, parse_body, parse_wish

FORM = "application/x-www-form-urlencoded"
_EXPLANATION = (
    "This is the WebSub hub of {title}: feed readers subscribe here by POST to be sent new articles at once.\n"
)


def link_headers(app: App) -> Callable[[str], list[tuple[bytes, bytes]]]:
    """What the answer with a feed says of its hubs, by the feed's path: where subscribers look first (WebSub, 4)."""

    def headers(path: str) -> list[tuple[bytes, bytes]]:
        links = app.hub_topics.link_header(path)
        return [(b"link", links.encode("ascii"))] if links else []

    return headers


def running(app: App) -> AbstractAsyncContextManager[None]:
    """The hub at work beside the server; nothing of it unless ``websub.builtin`` is set."""
    return app.hub.running() if app.settings.websub.builtin else nullcontext()


def routes(app: App) -> list[Route]:
    """The hub's routes; none unless ``websub.builtin`` is set."""
    settings = app.settings.websub
    if not settings.builtin:
        return []
    pace = Pace()

    async def explain(_: Request) -> Response:
        return PlainTextResponse(_EXPLANATION.format(title=app.settings.site.title))

    async def wish(request: Request) -> Wish:
        fields = parse_body(await _body(request))
        wish = parse_wish(fields, lease_days=settings.lease_days, allow_private=settings.allow_private)
        if not pace.admits(wish.callback.host, app.clock()):
            raise HubError(429, "too many requests; try again in a minute")
        return wish

    async def take(request: Request) -> Response:
        try:
            await app.hub.take(await wish(request))
        except HubError as refusal:
            wait = {"Retry-After": str(int(WINDOW.total_seconds()))} if refusal.status in {429, 503} else {}
            return PlainTextResponse(f"{refusal}\n", refusal.status, wait)
        return PlainTextResponse("Accepted: your callback will be asked whether you meant it.\n", 202)

    path = f"/{HUB}"
    return [Route(path, explain, methods=["GET", "HEAD"]), Route(path, take, methods=["POST"])]


async def _body(request: Request) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise HubError(415, f"send the request as {FORM}")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HubError(413, f"the request is longer than {MAX_BODY} bytes")
    return body
