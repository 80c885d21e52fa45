"""How pages with a token in their address are answered: kept by nobody, followed by nobody. Floor: `web`."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import Response

from publisher.web.representation import Answer

MAX_BODY = 64 * 1024  # bytes of a form
MAX_FIELDS = 100

STRICT_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No script at all, and no style that is not in our one file."""

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": STRICT_CSP,
}


def page(content: bytes, status: int = 200) -> Response:
    return Response(content, status, HEADERS, media_type="text/html; charset=utf-8")


def as_response(answer: Answer) -> Response:
    """`answer` of the rooms that speak ASGI, such as the refusal of `Limits`."""
    response = Response(answer.body, answer.status)
    response.raw_headers = list(answer.headers)
    return response


def path_of(url: str) -> str:
    """A link of ours without host: forms then also work where the site is reached by another name than base_url."""
    return urlsplit(url).path
