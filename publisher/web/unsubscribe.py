"""Leaving by the link of a letter: a page with a button on GET, the act on POST (RFC 8058). Floor: `web`.

The one-click POST of a mail provider comes without cookie, Origin or session and must not be redirected. A
token that was made up and one of a forgotten reader get the same receipt; a reader's own also says where their feed
is, which goes on, and has a button that takes it back for a while.

    GET                       asks; of who has left already, the receipt
    POST anything             leaves
    POST instead=monthly      stays, with fewer letters: a button of the page
    POST undo=yes             comes back: a button of the receipt
    POST settings=mail        a letter with the link to the settings: the token that mail providers hold opens none
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from publisher.app import App
from publisher.errors import NotFound, TokenError
from publisher.flows.forecast import next_letter
from publisher.flows.preferences import fewer_letters, less_often, may_undo, undo_leaving
from publisher.flows.private_feed import feed_token
from publisher.flows.settings_link import ask_for_settings
from publisher.flows.subscribe import unsubscribe
from publisher.model import STAYING, Frequency, Subscriber, SubscriberState
from publisher.pages.web import WebPages
from publisher.store import Transaction
from publisher.tokens import UNSUBSCRIBE
from publisher.web.responses import MAX_FIELDS, page, path_of

_BROKEN = "Part of the address is missing. Please open the link in the letter again, or copy it whole."
_ASKED = (
    "A letter with the link to your settings goes to the address that the digest comes to.",
    "One such letter a day can be asked for. The same link stands at the foot of every digest.",
)
_TOO_LATE = "Some time has passed since then. You can subscribe again on the first page."


def routes(app: App, pages: WebPages) -> list[Route]:
    def question(reader_id: int) -> bytes:
        with app.store.read() as tx:
            try:
                reader = tx.subscribers.get(reader_id)
            except NotFound:
                return pages.unsubscribe()
            if reader.state is SubscriberState.UNSUBSCRIBED:  # perhaps by their mail program, which showed them nothing
                return left(tx, reader)
        enabled = [f for f in less_often(reader.frequency) if app.settings.timetable(f).enabled]
        fewer = enabled if reader.state is SubscriberState.ACTIVE else []
        return pages.unsubscribe(fewer=fewer, has_feed=True, has_settings=reader.state in STAYING)

    def end(reader_id: int) -> bytes:
        if not unsubscribe(app.store, reader_id, now=app.clock(), reason="by the link in a letter"):
            return pages.unsubscribed()
        with app.store.read() as tx:
            return left(tx, tx.subscribers.get(reader_id))

    def left(tx: Transaction, reader: Subscriber) -> bytes:
        undo = may_undo(tx, reader, app.clock())
        here = path_of(app.links.unsubscribe(app.signer.token(UNSUBSCRIBE, reader.id)))
        return pages.unsubscribed(feed_token=feed_token(tx, app.signer, reader.id), undo=here if undo else "")

    def stay(reader_id: int, frequency: Frequency) -> bytes:
        reader = fewer_letters(app.store, reader_id, frequency, now=app.clock())
        return receipt(reader, f"You now get the {frequency} digest")

    def come_back(reader_id: int) -> bytes:
        reader = undo_leaving(app.store, reader_id, now=app.clock())
        return receipt(reader, "You are subscribed again")

    def receipt(reader: Subscriber, title: str) -> bytes:
        with app.store.read() as tx:
            coming = next_letter(tx, app.settings, reader, terms=app.terms, now=app.clock())
        return pages.stays(title, coming)

    async def mail_settings(request: Request, reader_id: int) -> Response:
        host = request.client.host if request.client else ""
        await run_in_threadpool(ask_for_settings, app.sign_up, reader_id, host=host)
        app.mail_room.wake()
        return page(pages.message("Please look into your mailbox", _ASKED), 202)

    async def ask(request: Request) -> Response:
        reader = _reader(app, request)
        if reader is None:
            return page(pages.message("This link is incomplete", _BROKEN), 404)
        return page(await run_in_threadpool(question, reader))

    async def act(request: Request) -> Response:
        form = await _form(request)
        reader = _reader(app, request)
        if reader is None:
            return page(pages.unsubscribed())
        instead = str(form.get("instead", ""))
        try:
            if instead in {Frequency.WEEKLY, Frequency.MONTHLY}:
                return page(await run_in_threadpool(stay, reader, Frequency(instead)))
            if form.get("settings") == "mail":
                return await mail_settings(request, reader)
            if form.get("undo") == "yes":
                return page(await run_in_threadpool(come_back, reader))
        except NotFound:
            return page(pages.message("You are not subscribed any more", _TOO_LATE), 410)
        return page(await run_in_threadpool(end, reader))

    path = "/unsubscribe/{token}"
    return [Route(path, ask, methods=["GET", "HEAD"]), Route(path, act, methods=["POST"])]


def _reader(app: App, request: Request) -> int | None:
    try:
        return app.signer.subscriber_id(UNSUBSCRIBE, request.path_params["token"])
    except TokenError:
        return None


async def _form(request: Request) -> FormData:
    """What was sent, if it can be read: whatever a mail provider sends, the token says that the reader leaves."""
    try:
        return await request.form(max_files=0, max_fields=MAX_FIELDS)
    except HTTPException as error:
        if error.status_code != 400:  # it did not come whole
            raise
        return FormData()
