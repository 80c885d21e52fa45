"""Whether a form was sent from a page of ours. Floor: `web`.

Browsers say where a request comes from in Sec-Fetch-Site, over https and to the machine itself; else in Origin, which
is "null" from a page that hides its address (Referrer-Policy), such as ours with tokens in it. There are no cookies, so
another site's form gains nothing by our visitor; what it could do is to press a button in a person's name.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request


def comes_from_elsewhere(request: Request, base_url: str) -> bool:
    """The browser says that a page of another site sent this."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin not in {None, "null"} and not _is_ours(str(origin), request, base_url)


def comes_from_here(request: Request, base_url: str) -> bool:
    """The browser says that a page of ours sent this; a program that is none has to make that up."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and _is_ours(origin, request, base_url)


def _is_ours(origin: str, request: Request, base_url: str) -> bool:
    """By the address the server was asked under, or the one it is known by, which a proxy may have replaced."""
    return urlsplit(origin).netloc in {request.headers.get("host", ""), urlsplit(base_url).netloc}
