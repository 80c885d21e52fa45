"""What people see when something goes wrong: a page of the site, and no word of what is inside. Floor: `web`."""

from __future__ import annotations

import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from publisher.errors import PublisherError
from publisher.pages.web import WebPages
from publisher.web.responses import page

log = structlog.get_logger("publisher.serve")

_SAYINGS = {
    400: ("This request makes no sense", "A part of it is missing or broken. Please go back and try again."),
    403: ("This is not allowed", "The request came from somewhere else than the page it belongs to."),
    404: ("This page is not here", "The address may be mistyped, or what was there is gone."),
    405: ("This cannot be done here", "The address is right, but not for what was asked of it."),
    408: ("The request did not arrive", "It took too long on its way. Please try again."),
    410: ("Nothing here any more", "What was published at this address is gone for good."),
    413: ("This is too much", "The request is larger than anything that belongs here."),
    422: ("This makes no sense to us", "Please go back and look at what was filled in."),
    429: ("Too many requests", "Please wait a little, then try again."),
    503: ("This does not work at the moment", "Please try again in some minutes."),
}
_BROKEN = ("Something went wrong here", "It is our fault, not yours, and it is written down. Please try again later.")


def handle(site: FastAPI, pages: WebPages) -> None:
    """From now on `site` answers what fails inside with pages; the operator's log has the reason."""

    @site.exception_handler(PublisherError)
    async def unavailable(_: Request, error: PublisherError) -> Response:
        log.error("request.failed", problem=str(error))
        answer = page(error_page(pages, 503), 503)
        answer.headers["Retry-After"] = "60"
        return answer

    @site.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        if not wants_page(request.headers.get("accept", "")):
            return PlainTextResponse(f"{error.detail}\n", error.status_code, error.headers)
        answer = page(error_page(pages, error.status_code), error.status_code)
        answer.headers.update(error.headers or {})
        return answer

    @site.exception_handler(Exception)
    async def broken(_: Request, __: Exception) -> Response:
        return page(error_page(pages, 500), 500)


def error_page(pages: WebPages, status: int) -> bytes:
    title, text = _SAYINGS.get(status, _BROKEN)
    return pages.message(title, text, status=status)


def wants_page(accept: str) -> bool:
    """Whether the client is a browser, by its Accept."""
    return "text/html" in accept.lower()
