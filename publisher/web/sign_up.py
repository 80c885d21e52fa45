"""The sign-up form: GET /subscribe shows it, POST takes it, POST /subscribe/code takes the code. Floor: `web`.

    trap filled in                       the answer everybody gets; nothing happens
    shown too long ago, or not by us     the form once more, filled in
    filled in faster than people can     the same
    else                                 the gate decides (flows.sign_up), and the answer is one and the same

Forms on published pages carry no stamp, for files do not change with the hour. They count when the browser says that
our own page sent them, and while few sign up; else the form is shown once more, with a stamp.
"""

from __future__ import annotations

import math
from datetime import timedelta

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from publisher.app import App
from publisher.errors import NotFound, TokenError, UsageError
from publisher.flows.confirm import confirm_by_code
from publisher.flows.sign_up import Asked, Wish, is_under_pressure, request_sign_up
from publisher.links import SUBSCRIBE
from publisher.model import ALL, Frequency, SignUpMethod
from publisher.readers.form import Filled, how_filled
from publisher.readers.gate import Ruling
from publisher.tokens import FORM
from publisher.web.confirm import welcome
from publisher.web.limits import FULL, Limits
from publisher.web.origin import comes_from_elsewhere, comes_from_here
from publisher.web.responses import MAX_FIELDS, as_response, page

_ONCE_MORE = "Please check what you chose, and press Subscribe once more."
_WRONG_CODE = "This code is not right, or it is too old. Please compare it with the letter."
_SAME_ANSWER = frozenset({Ruling.LETTER, Ruling.ADDRESS, Ruling.BLOCKED})


def routes(app: App, limits: Limits) -> list[Route]:
    """None where the pages show no form."""
    if not app.page_site.frequencies:
        return []
    return [
        Route(f"/{SUBSCRIBE}", _Form(app, limits).show, methods=["GET", "HEAD"]),
        Route(f"/{SUBSCRIBE}", _Form(app, limits).take, methods=["POST"]),
        Route(f"/{SUBSCRIBE}/code", _Form(app, limits).take_code, methods=["POST"]),
    ]


def client_host(request: Request) -> str:
    return request.client.host if request.client else ""


class _Form:
    def __init__(self, app: App, limits: Limits) -> None:
        self._app = app
        self._pages = app.sign_up_pages
        self._limits = limits
        self._fastest = timedelta(seconds=app.settings.signup.fill_seconds)

    async def show(self, request: Request) -> Response:
        return page(self._form(request.query_params))

    async def take(self, request: Request) -> Response:
        refusal = self._limits.refusal(request.scope)
        if refusal is not None:
            return as_response(refusal)
        self._limits.charge(request.scope, FULL)
        async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
            if form.get("website"):
                return page(self._pages.asked(self._app.signer.digest(FORM, str(form.get("email", "")))), 202)
            stamp = self._wanting(request, form)
            doubtful = not form.get("shown") and await run_in_threadpool(is_under_pressure, self._app.sign_up)
            if stamp or doubtful:
                return page(self._form(form, stamp=stamp, problem=_ONCE_MORE), 422)
            try:
                wish = self._wish(form, client_host(request))
                asked = await run_in_threadpool(request_sign_up, self._app.sign_up, wish)
            except UsageError as error:
                return page(self._form(form, problem=str(error)), 422)
        self._app.mail_room.wake()
        return self._answer(asked)

    async def take_code(self, request: Request) -> Response:
        refusal = self._limits.refusal(request.scope)
        if refusal is not None:
            return as_response(refusal)
        self._limits.charge(request.scope, FULL)
        async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
            address, code = str(form.get("address", "")), str(form.get("code", ""))
        if comes_from_elsewhere(request, self._app.links.base_url):
            return page(self._pages.asked(address), 403)

        def confirmed() -> Response | None:
            try:
                found = confirm_by_code(self._app.sign_up, address, code, host=client_host(request))
            except NotFound:
                return None
            return welcome(self._app, found) if found else None

        return await run_in_threadpool(confirmed) or page(self._pages.asked(address, problem=_WRONG_CODE), 422)

    def _wanting(self, request: Request, form: FormData) -> str:
        """The stamp of the form that has to be shown once more, "" for one that may be taken."""
        now = self._app.clock()
        fresh = self._app.signer.stamp(FORM, now)
        stamp = str(form.get("shown", ""))
        if comes_from_elsewhere(request, self._app.links.base_url):
            return fresh
        if not stamp:
            return "" if comes_from_here(request, self._app.links.base_url) else fresh
        try:
            shown = self._app.signer.stamped(FORM, stamp)
        except TokenError:
            return fresh
        filled = how_filled(shown, now, self._fastest)
        return {Filled.WELL: "", Filled.TOO_FAST: stamp, Filled.TOO_OLD: fresh}[filled]

    def _wish(self, form: FormData, host: str) -> Wish:
        frequency = _frequency(str(form.get("frequency", "")))
        if frequency is None:
            raise UsageError("Please choose how often the digest comes.")
        return Wish(
            email=str(form.get("email", "")),
            topics=_topics(form),
            frequency=frequency,
            language=str(form.get("language", "")),
            method=SignUpMethod.FORM,
            host=host,
        )

    def _form(self, sent: FormData | QueryParams, *, stamp: str = "", problem: str = "") -> bytes:
        """The form as it was sent; with GET the address of the page may name topics and a frequency."""
        known = {*self._app.topic_order, ALL}
        return self._pages.form(
            stamp=stamp or self._app.signer.stamp(FORM, self._app.clock()),
            email=str(sent.get("email", ""))[:254] if isinstance(sent, FormData) else "",
            topics=[topic for topic in self._app.settings.present_topics(_topics(sent)) or () if topic in known],
            frequency=_frequency(str(sent.get("frequency", ""))),
            language=str(sent.get("language", "")),
            problem=problem,
        )

    def _answer(self, asked: Asked) -> Response:
        if asked.ruling in _SAME_ANSWER:
            return page(self._pages.asked(asked.address), 202)
        minutes = max(1, math.ceil(asked.wait.total_seconds() / 60))
        text = f"Many people sign up at the moment. Please try again in {minutes} minutes."
        response = page(self._pages.message("Please try again later", text), 429)
        response.headers["Retry-After"] = str(math.ceil(asked.wait.total_seconds()))
        return response


def _topics(sent: FormData | QueryParams) -> list[str]:
    """Repeated, or joined by commas, as in a link to the form."""
    return [topic for value in sent.getlist("topics") for topic in str(value).split(",") if topic]


def _frequency(text: str) -> Frequency | None:
    try:
        return Frequency(text)
    except ValueError:
        return None
