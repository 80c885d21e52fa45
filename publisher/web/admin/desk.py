"""What every page of the operator shares: the session of a visit, and the guard before it. Floor: `web`."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from publisher.app import App
from publisher.flows.operators import SignedIn, signed_in
from publisher.web.admin.pages import AdminPages
from publisher.web.origin import comes_from_here
from publisher.web.run_desk import RunDesk
from publisher.web.throttle import Throttle

MAX_FIELDS = 200
CSRF = "csrf"
_NOT_OURS = (
    "The form was sent from another site, or your session has ended meanwhile. Go back, load it again, and send it."
)


class _Number(IntegerConvertor):
    """The number of a row, no larger than the database can hold; Python itself refuses to read 5,000 digits."""

    regex = "[0-9]{1,18}"


register_url_convertor("number", _Number())


@dataclass(frozen=True)
class Desk:
    """What the pages work with."""

    app: App
    runs: RunDesk
    pages: AdminPages
    throttle: Throttle

    @property
    def cookie(self) -> str:
        """With https a name that no other host and no unencrypted page can set (RFC 6265bis, 4.1.3.2)."""
        return "__Host-publisher" if self.secure else "publisher"

    @property
    def secure(self) -> bool:
        return self.app.settings.site.base_url.startswith("https://")

    def href(self, path: str = "", **query: object) -> str:
        """The address of a page below /admin/."""
        asked = {name: value for name, value in query.items() if value not in {None, ""}}
        return AdminPages.root(self.app.settings) + quote(path) + (f"?{urlencode(asked)}" if asked else "")

    async def session(self, request: Request) -> SignedIn | None:
        session_id = request.cookies.get(self.cookie)
        if not session_id:
            return None
        return await run_in_threadpool(signed_in, self.app.store, session_id, now=self.app.clock())


@dataclass(frozen=True)
class Visit:
    """One request of somebody who is signed in. `form` is empty for a GET."""

    desk: Desk
    request: Request
    session: SignedIn
    form: FormData

    @property
    def who(self) -> str:
        return self.session.operator

    def field(self, name: str) -> str:
        """A field of the form, "" where it is missing."""
        return str(self.form.get(name, "")).replace("\0", "")

    def asked(self, name: str) -> str:
        """A value of the query, "" where it is missing."""
        return self.request.query_params.get(name, "")

    def page(self, template: str, title: str, values: Mapping[str, Any], *, here: str, status: int = 200) -> Response:
        done = DONE.get(self.asked("done"), "")
        return self.desk.pages.page(
            template, title, {"done": done, **values}, session=self.session, here=here, status=status
        )

    def to(self, path: str, **query: object) -> Response:
        """Answer a POST: the browser gets the page at `path`, and loading that again changes nothing."""
        return RedirectResponse(self.desk.href(path, **query), 303)

    async def note(self, action: str, subject: str, detail: str = "") -> None:
        """Write down what this visitor changed; without an address."""

        def note() -> None:
            with self.desk.app.store.write() as tx:
                tx.audit.add(self.who, action, subject, self.desk.app.clock(), detail)

        await run_in_threadpool(note)


DONE = {
    "added": "Added. The next run publishes it.",
    "vouched": "Added. The next issue is their first.",
    "tested": "The test letter is on its way. Nobody else gets it, and nothing is recorded as sent.",
    "asked": "A letter asks them to confirm. They are a reader when they have.",
    "changed": "Changed.",
    "corrected": "Corrected. The next run publishes it.",
    "unchanged": "Nothing was changed: it says what it said.",
    "withdrawn": "Withdrawn. The next run says so in its place.",
    "restored": "Brought back. The next run publishes it.",
    "erased": "Erased. What they got is counted still, and leads to nobody.",
    "retry": "Its failed letters are planned once more. The next run sends them, unless the issue is held.",
    "pause": "Paused: nothing more is handed over.",
    "resume": "Resumed. The next run sends what waits.",
    "cancel": "Cancelled: what waited will not be sent.",
    "approve": "Approved. The next run sends it.",
    "refuse": "Refused: nobody gets it. Its articles come with the next one.",
    "revoked": "The token is revoked.",
    "under-way": "A run was under way already, so no second one was started. This is it.",
}
"""What a page says after the change that led to it, by the word in its address: nobody's text gets in that way."""

Handler = Callable[[Visit], Awaitable[Response]]


def guarded(desk: Desk, path: str, handler: Handler, *, methods: Sequence[str] = ("GET",)) -> Route:
    """A route for those who are signed in; others are led to the sign-in page. A POST must come from our own form."""

    async def endpoint(request: Request) -> Response:
        session = await desk.session(request)
        if session is None:
            if request.method == "POST":
                raise HTTPException(403, _NOT_OURS)
            return RedirectResponse(desk.href("sign-in", to=_below(request)), 303)
        if request.method != "POST":
            return await handler(Visit(desk, request, session, FormData()))
        refuse_other_origins(request, desk.app.links.base_url)
        async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
            if not hmac.compare_digest(str(form.get(CSRF, "")).encode(), session.csrf.encode()):
                raise HTTPException(403, _NOT_OURS)
            return await handler(Visit(desk, request, session, form))

    return Route(path, endpoint, methods=[*methods, "HEAD"] if "GET" in methods else [*methods])


def refuse_other_origins(request: Request, base_url: str) -> None:
    """403 for a form that another site's page sent. Browsers say so in Sec-Fetch-Site, where the connection is
    encrypted or local, and in Origin; what sends neither is no browser, and has no cookie of ours."""
    told = "sec-fetch-site" in request.headers or "origin" in request.headers
    if told and not comes_from_here(request, base_url):
        raise HTTPException(403, _NOT_OURS)


def _below(request: Request) -> str:
    """The page that was asked for, to come back to it: below /admin/, with its query."""
    path: str = request.scope["path"].removeprefix(request.scope.get("root_path", "")).lstrip("/")
    return path + (f"?{request.url.query}" if request.url.query else "")
