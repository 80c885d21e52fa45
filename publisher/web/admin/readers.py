"""Readers: search, add, show, change, export, erase. Floor: `web`.

An address is looked for with a POST: none stands in the address of a page, which logs and histories keep.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from publisher.app import App
from publisher.errors import NotFound, UsageError
from publisher.flows.personal_data import forget, personal_data
from publisher.flows.reader_desk import SETTABLE, ReaderChange, change_reader
from publisher.flows.sign_up import Wish, request_sign_up, ruling_words
from publisher.flows.vouch import check_not_left, vouch
from publisher.model import ALL, Frequency, SignUpMethod, Subscriber, SubscriberState
from publisher.readers.address import checked_address
from publisher.web.admin.desk import Desk, Visit, guarded
from publisher.web.admin.pages import HEADERS
from publisher.web.admin.publishing import number_of

SHOWN = 50


def routes(desk: Desk) -> list[Route]:
    app = desk.app

    async def listed(visit: Visit, *, search: str = "", problem: str = "") -> Response:
        asked = {name: visit.asked(name) for name in ("state", "frequency", "topic")}
        after = number_of(visit.asked("after")) or 0
        found, counts = await run_in_threadpool(_list, app, asked, search, after)
        values = {
            **asked,
            "search": search,
            "readers": found[:SHOWN],
            "counts": counts,
            "topics": (*app.settings.topic_list, app.everything),
            "states": tuple(SubscriberState),
            "frequencies": tuple(Frequency),
            "older": desk.href("readers", **asked, after=found[SHOWN - 1].id) if len(found) > SHOWN else "",
            "problem": problem,
        }
        return visit.page("readers", "Readers", values, here="readers", status=422 if problem else 200)

    async def list_(visit: Visit) -> Response:
        return await listed(visit)

    async def search(visit: Visit) -> Response:
        return await listed(visit, search=visit.field("search"))

    async def add(visit: Visit) -> Response:
        try:
            number = await _add(app, visit)
        except UsageError as error:
            return await listed(visit, problem=str(error))
        return visit.to(f"readers/{number}", done="vouched") if number else visit.to("readers", done="asked")

    async def show(visit: Visit) -> Response:
        return await _page(app, visit)

    async def change(visit: Visit) -> Response:
        state, frequency = visit.field("state"), visit.field("frequency")
        wanted = ReaderChange(
            topics=[str(topic) for topic in visit.form.getlist("topics")],
            frequency=Frequency(frequency) if frequency in set(Frequency) else None,
            language=visit.field("language") or None,
            state=SubscriberState(state) if state in SETTABLE else None,
        )
        try:
            await run_in_threadpool(
                change_reader, app.store, _number(visit), wanted, topic_order=app.topic_order, now=app.clock()
            )
        except UsageError as error:
            return await _page(app, visit, problem=str(error))
        await visit.note("reader changed", f"reader {_number(visit)}")
        return visit.to(f"readers/{_number(visit)}", done="changed")

    async def export(visit: Visit) -> Response:
        def read() -> dict[str, Any]:
            with app.store.read() as tx:
                return personal_data(tx, _number(visit), now=app.clock())

        content = json.dumps(await run_in_threadpool(read), ensure_ascii=False, indent=2)
        name = {"Content-Disposition": f'attachment; filename="reader-{_number(visit)}.json"'}
        return Response(content, headers={**HEADERS, **name}, media_type="application/json")

    async def erase(visit: Visit) -> Response:
        if visit.field("sure") != "yes":
            return await _page(app, visit, problem="Tick that you are sure: what is erased cannot be brought back.")
        if not await run_in_threadpool(forget, app.store, app.signer, _number(visit), now=app.clock()):
            raise NotFound("subscriber", str(_number(visit)))
        await visit.note("reader erased", f"reader {_number(visit)}")
        return visit.to("readers", done="erased")

    return [
        guarded(desk, "/readers", list_),
        guarded(desk, "/readers", search, methods=["POST"]),
        guarded(desk, "/readers/add", add, methods=["POST"]),
        guarded(desk, "/readers/{reader:number}", show),
        guarded(desk, "/readers/{reader:number}", change, methods=["POST"]),
        guarded(desk, "/readers/{reader:number}/data", export),
        guarded(desk, "/readers/{reader:number}/erase", erase, methods=["POST"]),
    ]


def _list(
    app: App, asked: dict[str, str], search: str, after: int
) -> tuple[list[Subscriber], dict[SubscriberState, int]]:
    state, frequency, topic = asked["state"], asked["frequency"], asked["topic"]
    with app.store.read() as tx:
        if search.strip():
            return tx.subscribers.search(search.strip().replace("\0", ""), SHOWN), tx.subscribers.counts()
        found = tx.subscribers.list(
            state=SubscriberState(state) if state in set(SubscriberState) else None,
            frequency=Frequency(frequency) if frequency in set(Frequency) else None,
            topic=topic if topic in app.settings.topics or topic == ALL else None,
            limit=SHOWN + 1,
            after_id=after,
        )
        return found, tx.subscribers.counts()


async def _add(app: App, visit: Visit) -> int | None:
    """The number of a reader who is active at once; None where a letter asks them first."""
    email, name = visit.field("email"), visit.field("frequency")
    frequency = Frequency(name) if name in set(Frequency) else Frequency.WEEKLY
    topics = [str(topic) for topic in visit.form.getlist("topics")] or [ALL]
    if visit.field("vouched") == "yes":
        topics = [app.present_topic(topic) for topic in topics]
        language = app.settings.site.language
        reader = await run_in_threadpool(
            vouch, app.sign_up, email, topics=topics, frequency=frequency, language=language
        )
        await visit.note("reader added", f"reader {reader.id}", "vouched for")
        return reader.id

    def check() -> None:
        with app.store.read() as tx:
            check_not_left(tx, app.sign_up, checked_address(email))

    await run_in_threadpool(check)
    wish = Wish(email=email, topics=topics, frequency=frequency, method=SignUpMethod.COMMAND)
    asked = await run_in_threadpool(request_sign_up, app.sign_up, wish)
    if words := ruling_words(asked):
        raise UsageError(words)
    app.mail_room.wake()
    await visit.note("reader asked to confirm", "by letter")
    return None


async def _page(app: App, visit: Visit, *, problem: str = "") -> Response:
    def read() -> dict[str, Any]:
        with app.store.read() as tx:
            reader = tx.subscribers.get(_number(visit))
            deliveries = tx.deliveries.of_subscriber(reader.id)
            wordings = tx.consents.wordings()
            return {
                "reader": reader,
                "consents": [(one, wordings.get(one.wording, one.wording)) for one in tx.consents.of(reader.id)],
                "deliveries": [(_name(tx.issues.find(one.issue_id)), one) for one in deliveries[:SHOWN]],
                "events": list(reversed(tx.subscribers.events(reader.id)))[:SHOWN],
            }

    values = await run_in_threadpool(read)
    values |= {
        "topics": (*app.settings.topic_list, app.everything),
        "frequencies": tuple(Frequency),
        "states": SETTABLE,
        "problem": problem,
    }
    return visit.page("reader", f"Reader {_number(visit)}", values, here="readers", status=422 if problem else 200)


def _name(issue: Any) -> str:
    return issue.name if issue is not None else "–"


def _number(visit: Visit) -> int:
    number: int = visit.request.path_params["reader"]
    return number
