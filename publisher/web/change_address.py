"""The link of the letter to a new address: GET shows a button, POST moves the subscription there. Floor: `web`."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from publisher.app import App
from publisher.errors import NotFound, TokenError, UsageError
from publisher.flows.change_address import change_address, find_change
from publisher.pages.web import WebPages
from publisher.tokens import PREFERENCES
from publisher.web.responses import page, path_of

_QUESTION = "Press the button, and your digest comes to the address that this letter went to. Your topics stay."
_DONE = "From now on your digest goes to this address. The old one gets a letter that says so."
_BROKEN = "Part of the address is missing. Please open the link in the letter again, or copy it whole."
_TOO_OLD = "Ask for it once more on the page with your settings, which each letter links to. Nothing has changed."
_USED = "It was used before, or a later wish took its place."


def routes(app: App, pages: WebPages) -> list[Route]:
    def failed(error: TokenError | NotFound | UsageError) -> Response:
        if isinstance(error, UsageError):
            return page(pages.message("This cannot be done", str(error)), 409)
        if isinstance(error, NotFound):
            return page(pages.message("This link does not hold any more", _USED), 410)
        if error.expired:
            return page(pages.message("This link is too old", _TOO_OLD), 410)
        return page(pages.message("This link is incomplete", _BROKEN), 404)

    async def ask(request: Request) -> Response:
        try:
            await run_in_threadpool(find_change, app.sign_up, request.path_params["token"])
        except (TokenError, NotFound) as error:
            return failed(error)
        return page(pages.ask("Move your digest to this address?", _QUESTION, "Move it here"))

    async def move(request: Request) -> Response:
        try:
            reader = await run_in_threadpool(change_address, app.sign_up, request.path_params["token"])
        except (TokenError, NotFound, UsageError) as error:
            return failed(error)
        app.mail_room.wake()
        settings = path_of(app.links.preferences(app.signer.token(PREFERENCES, reader.id)))
        return page(pages.message("Your digest has moved", _DONE, link=("Your settings", settings)))

    path = "/address/{token}"
    return [Route(path, ask, methods=["GET", "HEAD"]), Route(path, move, methods=["POST"])]
