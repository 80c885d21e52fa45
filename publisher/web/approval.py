"""The editor's page of an issue that waits: the letter and two buttons on GET, the answer on POST. Floor: `web`.

The link is in a letter to the editor and has that one power; it holds while its issue waits.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from publisher.app import App
from publisher.errors import TokenError, UsageError
from publisher.flows.approval import Waiting, approve, find_waiting, refuse
from publisher.pages.web import WebPages
from publisher.tokens import APPROVAL
from publisher.web.responses import MAX_FIELDS, page

_BROKEN = "Part of the address is missing. Please open the link in the letter again, or copy it whole."
_OVER = "It was approved or refused before, or a later issue took its articles over."
_SENT = "Its letters go out within a minute or so, where `publisher serve` is running, else with the next run."
_KEPT = "Nobody gets it. Its articles come with the next issue, unless they are withdrawn before."


def routes(app: App, pages: WebPages) -> list[Route]:
    def found(request: Request) -> Waiting | None:
        return find_waiting(app.store, app.signer.subscriber_id(APPROVAL, request.path_params["token"]))

    async def ask(request: Request) -> Response:
        try:
            issue = await run_in_threadpool(found, request)
        except TokenError:
            return page(pages.message("This link is incomplete", _BROKEN), 404)
        if issue is None:
            return page(pages.message("Nothing waits here any more", _OVER), 410)
        content = pages.approve(
            issue.name, letters=issue.letters, articles=len(issue.articles), subject=issue.subject, text=issue.text
        )
        return page(content)

    async def answer(request: Request) -> Response:
        try:
            issue = await run_in_threadpool(found, request)
        except TokenError:
            return page(pages.message("This link is incomplete", _BROKEN), 404)
        async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
            said = str(form.get("answer", ""))
        if issue is None:
            return page(pages.message("Nothing waits here any more", _OVER), 410)
        try:
            if said == "approve":
                await run_in_threadpool(approve, app.store, issue.name, app.clock())
                return page(pages.message(f"{issue.name} is approved", _SENT))
            if said == "refuse":
                await run_in_threadpool(refuse, app.store, issue.name, app.clock())
                return page(pages.message(f"{issue.name} is not sent", _KEPT))
        except UsageError:  # somebody else answered at the same moment
            return page(pages.message("Nothing waits here any more", _OVER), 410)
        return await ask(request)

    path = "/approve/{token}"
    return [Route(path, ask, methods=["GET", "HEAD"]), Route(path, answer, methods=["POST"])]
