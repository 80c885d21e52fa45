"""A reader's own settings by the link of a letter: what they get and when, their feed, their data. Floor: `web`.

    /preferences/{token}          topics, frequency, language, pause; the address of their own feed
    /preferences/{token}/address  a letter to a new address, which must be confirmed (see `change_address`)
    /preferences/{token}/data     all that we hold about them, as JSON
    /preferences/{token}/delete   a question with one button; POST erases them

Whoever gets no letters any more still finds their feed here, can take its address back, and can have all deleted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime, time, timedelta

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from publisher.app import App
from publisher.clock import whole_seconds
from publisher.errors import NotFound, TokenError, UsageError
from publisher.flows.change_address import ask_for_change
from publisher.flows.forecast import next_letter
from publisher.flows.personal_data import forget, personal_data
from publisher.flows.preferences import LONGEST_PAUSE, Wishes, change_preferences
from publisher.flows.private_feed import feed_token, renew_feed
from publisher.model import STAYING, Frequency, Subscriber, SubscriberState
from publisher.pages.languages import named
from publisher.pages.web import ReaderSettings, WebPages
from publisher.store import Transaction
from publisher.tokens import PREFERENCES, UNSUBSCRIBE
from publisher.web.responses import HEADERS, MAX_FIELDS, page, path_of

_BROKEN = "Part of the address is missing. Please open the link in the letter again, or copy it whole."
_GONE = "There is no subscription behind this link any more."
_DELETED = "Everything about you is erased. No letter will be sent to you any more."

Answer = Callable[[Request], Awaitable[Response]]


def routes(app: App, pages: WebPages) -> list[Route]:
    def shown(reader_id: int, said: str = "", problem: str = "") -> Response:
        with app.store.read() as tx:
            reader = tx.subscribers.get(reader_id)
            if reader.state in STAYING:
                content = pages.preferences(_settings(app, tx, reader), said=said, problem=problem)
                return page(content, 422 if problem else 200)
            own = "" if reader.state is SubscriberState.PENDING else feed_token(tx, app.signer, reader_id)
        renewed = said == "renewed"
        return page(pages.no_letters(feed_token=own, renewed=renewed), 200 if renewed else 410)

    async def ask(request: Request) -> Response:
        return await run_in_threadpool(shown, _reader(app, request))

    async def save(request: Request) -> Response:
        reader_id = _reader(app, request)
        async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
            if form.get("feed") == "new":
                await run_in_threadpool(renew_feed, app.store, reader_id, now=app.clock())
                return await run_in_threadpool(shown, reader_id, "renewed")
            try:
                await run_in_threadpool(_save, app, reader_id, form)
            except UsageError as error:
                return await run_in_threadpool(shown, reader_id, problem=str(error))
        return await run_in_threadpool(shown, reader_id, "saved")

    async def move(request: Request) -> Response:
        reader_id = _reader(app, request)
        async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
            email = str(form.get("email", ""))
        host = request.client.host if request.client else ""
        try:
            await run_in_threadpool(ask_for_change, app.sign_up, reader_id, email, host=host)
        except UsageError as error:
            return await run_in_threadpool(shown, reader_id, problem=str(error))
        app.mail_room.wake()
        return await run_in_threadpool(shown, reader_id, "asked")

    async def data(request: Request) -> Response:
        def held(reader_id: int) -> Response:
            with app.store.read() as tx:
                content = personal_data(tx, reader_id, now=app.clock())
            return JSONResponse(
                content, headers={**HEADERS, "Content-Disposition": 'attachment; filename="digest.json"'}
            )

        return await run_in_threadpool(held, _reader(app, request))

    async def ask_to_delete(request: Request) -> Response:
        def known(reader_id: int) -> Response:
            with app.store.read() as tx:
                tx.subscribers.get(reader_id)
            return page(pages.delete(_address(app, reader_id)))

        return await run_in_threadpool(known, _reader(app, request))

    async def delete(request: Request) -> Response:
        reader_id = _reader(app, request)
        await run_in_threadpool(forget, app.store, app.signer, reader_id, now=app.clock())
        return page(pages.message("All is deleted", _DELETED))

    def guarded(answer: Answer) -> Answer:
        async def endpoint(request: Request) -> Response:
            try:
                return await answer(request)
            except TokenError:
                return page(pages.message("This link is incomplete", _BROKEN), 404)
            except NotFound:
                return page(pages.message("Nothing here any more", _GONE), 410)

        return endpoint

    path = "/preferences/{token}"
    return [
        Route(path, guarded(ask), methods=["GET", "HEAD"]),
        Route(path, guarded(save), methods=["POST"]),
        Route(path + "/address", guarded(move), methods=["POST"]),
        Route(path + "/data", guarded(data), methods=["GET", "HEAD"]),
        Route(path + "/delete", guarded(ask_to_delete), methods=["GET", "HEAD"]),
        Route(path + "/delete", guarded(delete), methods=["POST"]),
    ]


def _reader(app: App, request: Request) -> int:
    return app.signer.subscriber_id(PREFERENCES, request.path_params["token"])


def _address(app: App, reader_id: int) -> str:
    return path_of(app.links.preferences(app.signer.token(PREFERENCES, reader_id)))


def _settings(app: App, tx: Transaction, reader: Subscriber) -> ReaderSettings:
    now = app.clock()
    today = now.astimezone(app.settings.zone).date()
    return ReaderSettings(
        topics=frozenset(reader.topics),
        frequency=reader.frequency,
        frequencies=[f for f in Frequency if app.settings.timetable(f).enabled or f is reader.frequency],
        paused=reader.state is SubscriberState.PAUSED,
        paused_until=reader.paused_until,
        until_day=_day(app, reader),
        first_day=today + timedelta(days=1),
        last_day=today + LONGEST_PAUSE - timedelta(days=1),
        language=reader.language,
        languages=named(dict.fromkeys((*app.languages, reader.language))),
        coming=next_letter(tx, app.settings, reader, terms=app.terms, now=now),
        here=_address(app, reader.id),
        unsubscribe=path_of(app.links.unsubscribe(app.signer.token(UNSUBSCRIBE, reader.id))),
        feed_token=feed_token(tx, app.signer, reader.id),
    )


def _save(app: App, reader_id: int, form: FormData) -> None:
    with app.store.read() as tx:
        former = tx.subscribers.get(reader_id)
    present = _day(app, former)
    try:
        frequency = Frequency(str(form.get("frequency", "")))
    except ValueError:
        raise UsageError("Please choose how often the digest comes.") from None
    try:
        day = date.fromisoformat(text) if (text := str(form.get("until", "")).strip()) else None
    except ValueError:
        raise UsageError("Please write the end of the pause as year-month-day, such as 2027-01-31.") from None
    language = str(form.get("language", ""))
    if language and language not in {*app.languages, former.language}:
        raise UsageError("Please choose a language from the list.")
    # who picks a day wants the pause, whether they ticked the box or not; who takes the tick away ends it
    paused = form.get("paused") == "yes" or (day is not None and day != present)
    wishes = Wishes(
        topics=tuple(str(topic) for topic in form.getlist("topics")),
        frequency=frequency,
        language=language,
        paused=paused,
        until=_start_of(app, day) if paused and day else None,
    )
    change_preferences(app.store, reader_id, wishes, topic_order=app.topic_order, now=app.clock())


def _day(app: App, reader: Subscriber) -> date | None:
    return reader.paused_until.astimezone(app.settings.zone).date() if reader.paused_until else None


def _start_of(app: App, day: date) -> datetime:
    """The beginning of the day where the site is: a digest of that very day comes. A day that no pause can end on is
    moved to the nearest such day: the first and the last of all days have no beginning in UTC."""
    today = app.clock().astimezone(app.settings.zone).date()
    day = min(max(day, today), today + LONGEST_PAUSE + timedelta(days=1))
    return whole_seconds(datetime.combine(day, time(), app.settings.zone))
