"""Leaving by the link of a letter: a page with a button on GET, the act on POST (RFC 8058). Floor: `web`.

The one-click POST of a mail provider comes without cookie, Origin or session and must not be redirected. A
token that was made up and one of a forgotten reader get the same receipt; a reader's own also says where their feed
is, which goes on.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from publisher.app import App
from publisher.errors import TokenError
from publisher.flows.private_feed import feed_token
from publisher.flows.subscribe import unsubscribe
from publisher.pages import WebPages
from publisher.tokens import PREFERENCES, UNSUBSCRIBE
from publisher.web.responses import MAX_BODY, page


def routes(app: App, pages: WebPages) -> list[Route]:
    async def ask(request: Request) -> Response:
        reader = _reader(app, request)
        if reader is None:
            return page(pages.message("This link is incomplete", _BROKEN), 404)
        return page(pages.unsubscribe(app.links.preferences(app.signer.token(PREFERENCES, reader))))

    def end(reader: int) -> str:
        if not unsubscribe(app.store, reader, now=app.clock(), reason="by the link in a letter"):
            return ""
        with app.store.read() as tx:
            return feed_token(tx, app.signer, reader)

    async def leave(request: Request) -> Response:
        await _drained(request)
        reader = _reader(app, request)
        token = "" if reader is None else await run_in_threadpool(end, reader)
        return page(pages.unsubscribed(feed_token=token))

    path = "/unsubscribe/{token}"
    return [Route(path, ask, methods=["GET", "HEAD"]), Route(path, leave, methods=["POST"])]


_BROKEN = "Part of the address is missing. Please open the link in the letter again, or copy it whole."


def _reader(app: App, request: Request) -> int | None:
    try:
        return app.signer.subscriber_id(UNSUBSCRIBE, request.path_params["token"])
    except TokenError:
        return None


async def _drained(request: Request) -> None:
    """Read the form and forget it: the token says everything. More than a form's worth is not read."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            return
