"""The links of a confirmation letter: a page on GET, the act on POST by a person. Floor: `web`.

    /confirm/{token}          confirm the digest
    /confirm/{token}/again    a new letter in the place of one that is too old
    /not-me/{token}           never write to me again

Scanners open every link, some run scripts, some send each form they find. So nothing here acts without the value of the
one button, which a script that sends the form leaves out, without the page's own stamp, and not within a second; and a
page of another site cannot press it. The new letter alone asks for less: it changes nothing, and has its limits.
"""

from __future__ import annotations

from datetime import timedelta

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from publisher.app import App
from publisher.errors import NotFound, TokenError, UsageError
from publisher.flows.confirm import (
    Confirmed,
    ask_again,
    check_not_me,
    confirm_by_link,
    find_sign_up,
    is_expired,
    never_write_again,
)
from publisher.flows.forecast import next_letter
from publisher.model import SignUpState
from publisher.readers.form import Filled, how_filled
from publisher.readers.gate import Ruling
from publisher.tokens import CONFIRM, NOT_ME, PREFERENCES
from publisher.web.origin import comes_from_elsewhere
from publisher.web.responses import MAX_FIELDS, page, path_of

_BROKEN = "Part of the address is missing. Please open the link in the letter again, or copy it whole."
_PRESS_IT = "Please press the button once more."
_AT_LEAST = timedelta(seconds=1)
_LATER = "Many people sign up at the moment. Please try again in an hour."


def routes(app: App) -> list[Route]:
    links = _Links(app)
    return [
        Route("/confirm/{token}", links.ask, methods=["GET", "HEAD"]),
        Route("/confirm/{token}", links.confirm, methods=["POST"]),
        Route("/confirm/{token}/again", links.again, methods=["POST"]),
        Route("/not-me/{token}", links.ask_never, methods=["GET", "HEAD"]),
        Route("/not-me/{token}", links.never, methods=["POST"]),
    ]


def welcome(app: App, confirmed: Confirmed) -> Response:
    """What comes next, and when."""
    pages, reader = app.sign_up_pages, confirmed.reader
    if confirmed.again:
        return page(pages.confirmed_already())
    with app.store.read() as tx:
        coming = next_letter(tx, app.settings, reader, terms=app.terms, now=app.clock())
    preferences = app.links.preferences(app.signer.token(PREFERENCES, reader.id))
    return page(pages.stays("You get the digest", coming, preferences=preferences))


class _Links:
    def __init__(self, app: App) -> None:
        self._app = app
        self._pages = app.sign_up_pages

    async def ask(self, request: Request) -> Response:
        return await run_in_threadpool(self._shown, request.path_params["token"])

    async def confirm(self, request: Request) -> Response:
        token = request.path_params["token"]
        answer, stamp = await _pressed(request)
        if comes_from_elsewhere(request, self._app.links.base_url):
            return await run_in_threadpool(self._shown, token, problem=_PRESS_IT)
        host = request.client.host if request.client else ""
        return await run_in_threadpool(self._confirmed, token, answer, stamp, host)

    async def again(self, request: Request) -> Response:
        """Asks for no more than what the form does, under the same limits."""
        token = request.path_params["token"]
        host = request.client.host if request.client else ""

        def asked() -> Response:
            try:
                sign_up = find_sign_up(self._app.sign_up, token)
                ruled = ask_again(self._app.sign_up, sign_up.id, host=host)
            except TokenError:
                return self._broken()
            except NotFound:
                return page(self._pages.too_old(), 410)
            except UsageError as error:
                return page(self._pages.message("This choice is not there any more", str(error)), 410)
            if ruled.ruling in {Ruling.OVERALL, Ruling.DOMAIN, Ruling.NETWORK}:
                return page(self._pages.message("Please try again later", _LATER), 429)
            return page(self._pages.asked(ruled.address), 202)

        if comes_from_elsewhere(request, self._app.links.base_url):
            return await run_in_threadpool(self._shown, token)
        response = await run_in_threadpool(asked)
        self._app.mail_room.wake()
        return response

    async def ask_never(self, request: Request) -> Response:
        return await run_in_threadpool(self._never_shown, request.path_params["token"])

    async def never(self, request: Request) -> Response:
        token = request.path_params["token"]
        answer, stamp = await _pressed(request)
        if comes_from_elsewhere(request, self._app.links.base_url):
            return await run_in_threadpool(self._never_shown, token, problem=_PRESS_IT)
        return await run_in_threadpool(self._never, token, answer, stamp)

    def _never_shown(self, token: str, *, stamp: str = "", problem: str = "") -> Response:
        try:
            address = check_not_me(self._app.sign_up, token)
        except TokenError:
            return self._broken()
        stamp = stamp or self._app.signer.stamp(_purpose(NOT_ME, address), self._app.clock())
        return page(self._pages.not_me(stamp=stamp, problem=problem), 422 if problem else 200)

    def _never(self, token: str, answer: str, stamp: str) -> Response:
        try:
            address = check_not_me(self._app.sign_up, token)
        except TokenError:
            return self._broken()
        filled = self._filled(_purpose(NOT_ME, address), stamp)
        if answer != "yes" or filled is not Filled.WELL:
            return self._never_shown(token, stamp=stamp if filled is Filled.TOO_FAST else "", problem=_PRESS_IT)
        never_write_again(self._app.sign_up, address)
        return page(self._pages.never_again())

    def _shown(self, token: str, *, stamp: str = "", problem: str = "") -> Response:
        """The page for the wish of `token`, as it stands now."""
        try:
            sign_up = find_sign_up(self._app.sign_up, token)
        except TokenError:
            return self._broken()
        except NotFound:
            return page(self._pages.too_old(), 410)
        now = self._app.clock()
        if sign_up.state is SignUpState.CONFIRMED:
            return page(self._pages.confirmed_already())
        if is_expired(sign_up, now):
            return page(self._pages.too_old(path_of(self._app.links.confirm(token)) + "/again"), 410)
        stamp = stamp or self._app.signer.stamp(_purpose(CONFIRM, sign_up.id), now)
        content = self._pages.confirm(topics=sign_up.topics, frequency=sign_up.frequency, stamp=stamp, problem=problem)
        return page(content, 422 if problem else 200)

    def _confirmed(self, token: str, answer: str, stamp: str, host: str) -> Response:
        try:
            sign_up = find_sign_up(self._app.sign_up, token)
            if sign_up.state is SignUpState.WAITING and not is_expired(sign_up, self._app.clock()):
                filled = self._filled(_purpose(CONFIRM, sign_up.id), stamp)
                if answer != "yes" or filled is not Filled.WELL:
                    return self._shown(token, stamp=stamp if filled is Filled.TOO_FAST else "", problem=_PRESS_IT)
            return welcome(self._app, confirm_by_link(self._app.sign_up, sign_up.id, host=host))
        except TokenError as error:
            return self._shown(token) if error.expired else self._broken()
        except NotFound:
            return page(self._pages.too_old(), 410)

    def _filled(self, purpose: str, stamp: str) -> Filled:
        try:
            shown = self._app.signer.stamped(purpose, stamp)
        except TokenError:
            return Filled.TOO_OLD
        return how_filled(shown, self._app.clock(), _AT_LEAST)

    def _broken(self) -> Response:
        return page(self._pages.message("This link is incomplete", _BROKEN), 404)


async def _pressed(request: Request) -> tuple[str, str]:
    """The value of the button, and the stamp of its page."""
    async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
        return str(form.get("answer", "")), str(form.get("shown", ""))


def _purpose(link: str, about: object) -> str:
    return f"{link} page {about}"
