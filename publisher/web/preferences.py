"""A reader's own settings by the link of a letter: topics, frequency, pause, their own feed. Floor: `web`.

Whoever gets no letters any more still finds their feed here, and can take its address back.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from publisher.app import App
from publisher.errors import NotFound, TokenError, UsageError
from publisher.flows.private_feed import feed_token, renew_feed
from publisher.flows.subscribe import Wishes, change_preferences
from publisher.model import Frequency, SubscriberState
from publisher.pages import WebPages
from publisher.tokens import PREFERENCES, UNSUBSCRIBE
from publisher.web.responses import MAX_FIELDS, page

_BROKEN = "Part of the address is missing. Please open the link in the letter again, or copy it whole."
_GONE = "There is no subscription behind this link any more."


def routes(app: App, pages: WebPages) -> list[Route]:
    def shown(reader_id: int, *, saved: bool = False, renewed: bool = False, problem: str = "") -> Response:
        with app.store.read() as tx:
            reader = tx.subscribers.get(reader_id)
            token = feed_token(tx, app.signer, reader_id)
        if reader.state not in {SubscriberState.ACTIVE, SubscriberState.PAUSED}:
            own = "" if reader.state is SubscriberState.PENDING else token
            return page(pages.no_letters(feed_token=own, renewed=renewed), 200 if renewed else 410)
        content = pages.preferences(
            topics=reader.topics,
            frequency=reader.frequency,
            frequencies=[f for f in Frequency if app.settings.timetable(f).enabled or f is reader.frequency],
            paused=reader.state is SubscriberState.PAUSED,
            unsubscribe=app.links.unsubscribe(app.signer.token(UNSUBSCRIBE, reader.id)),
            feed_token=token,
            saved=saved,
            renewed=renewed,
            problem=problem,
        )
        return page(content, 422 if problem else 200)

    async def ask(request: Request) -> Response:
        try:
            return await run_in_threadpool(shown, _reader(app, request))
        except TokenError:
            return page(pages.message("This link is incomplete", _BROKEN), 404)
        except NotFound:
            return page(pages.message("Nothing here any more", _GONE), 410)

    async def save(request: Request) -> Response:
        try:
            reader_id = _reader(app, request)
            async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
                if form.get("feed") == "new":
                    await run_in_threadpool(renew_feed, app.store, reader_id, now=app.clock())
                    return await run_in_threadpool(shown, reader_id, renewed=True)
                wishes = _wishes(form)
            await run_in_threadpool(
                change_preferences, app.store, reader_id, wishes, topic_order=app.topic_order, now=app.clock()
            )
        except TokenError:
            return page(pages.message("This link is incomplete", _BROKEN), 404)
        except NotFound:
            return page(pages.message("Nothing here any more", _GONE), 410)
        except UsageError as error:
            return await run_in_threadpool(shown, reader_id, problem=str(error))
        return await run_in_threadpool(shown, reader_id, saved=True)

    path = "/preferences/{token}"
    return [Route(path, ask, methods=["GET", "HEAD"]), Route(path, save, methods=["POST"])]


def _reader(app: App, request: Request) -> int:
    return app.signer.subscriber_id(PREFERENCES, request.path_params["token"])


def _wishes(form: FormData) -> Wishes:
    try:
        frequency = Frequency(str(form.get("frequency", "")))
    except ValueError:
        raise UsageError("Please choose how often the digest comes.") from None
    topics = tuple(str(topic) for topic in form.getlist("topics"))
    return Wishes(topics=topics, frequency=frequency, paused=form.get("paused") == "yes")
