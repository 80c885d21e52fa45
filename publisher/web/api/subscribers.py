"""/subscribers: readers, by the one gate. Floor: `web`."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from publisher.errors import NotFound
from publisher.flows.api_tokens import allows
from publisher.flows.personal_data import forget, personal_data
from publisher.flows.reader_desk import ReaderChange, change_reader
from publisher.flows.sign_up import Wish, request_sign_up
from publisher.flows.subscribe import find_subscriber
from publisher.flows.vouch import vouch
from publisher.model import (
    ALL,
    ApiToken,
    Consent,
    Delivery,
    Frequency,
    Scope,
    SignUpMethod,
    Subscriber,
    SubscriberState,
)
from publisher.readers.gate import Ruling
from publisher.store import SubscriberEvent
from publisher.web.api.access import Api, Text, TheApi, needs
from publisher.web.api.paging import NUMBER_OF_PAGE, After, Limit, Number, page_of

router = APIRouter(tags=["subscribers"])

READ = needs(Scope.SUBSCRIBERS_READ)
Writer = Annotated[ApiToken, needs(Scope.SUBSCRIBERS_WRITE)]


class SubscriberFacts(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    email: str
    state: SubscriberState
    frequency: Frequency
    language: str
    topics: list[str]
    watermark: int
    created: datetime
    paused_until: datetime | None


class WholeSubscriber(SubscriberFacts):
    deliveries: list[Delivery]
    events: list[SubscriberEvent]
    consents: list[Consent]


class NewSubscriber(BaseModel):
    """Somebody who wants the digest."""

    model_config = ConfigDict(extra="forbid")

    email: Text = Field(max_length=254)
    topics: list[Text] = Field(["all"], min_length=1, max_length=50, description="slugs; all means everything")
    frequency: Frequency = Frequency.WEEKLY
    language: Text | None = Field(None, max_length=35, description="BCP 47; the site's, if left out")
    vouched: bool = Field(False, description="you vouch that they asked for it: no letter asks them to confirm")


class Asked(BaseModel):
    """If this address can be subscribed, a letter is on its way."""

    status: Literal["asked"] = "asked"


class Change(BaseModel):
    """What is to be another; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    topics: list[Text] | None = Field(None, min_length=1, max_length=50)
    frequency: Frequency | None = None
    language: Text | None = Field(None, max_length=35)
    state: SubscriberState | None = Field(None, description="active, paused or unsubscribed")
    paused_until: AwareDatetime | None = Field(None, description="when the pause ends; with state paused")


@router.get(
    "/subscribers", summary="List readers, by their numbers", response_model=list[SubscriberFacts], dependencies=[READ]
)
def list_subscribers(
    *,
    request: Request,
    response: Response,
    api: TheApi,
    state: SubscriberState | None = None,
    frequency: Frequency | None = None,
    topic: Annotated[Text | None, Query(max_length=100)] = None,
    email: Annotated[Text | None, Query(max_length=254, description="the one reader of this address")] = None,
    limit: Limit = NUMBER_OF_PAGE,
    after: After = 0,
) -> list[Subscriber]:
    with api.app.store.read() as tx:
        if email is not None:
            try:
                return [find_subscriber(tx, email)]
            except NotFound:
                return []
        found = tx.subscribers.list(state=state, frequency=frequency, topic=topic, limit=limit + 1, after_id=after)
    return page_of(found, limit, request, response, after=found[limit - 1].id if len(found) > limit else None)


@router.get("/subscribers/{subscriber}", summary="Show a reader, their letters and events", dependencies=[READ])
def show_subscriber(api: TheApi, subscriber: Number) -> WholeSubscriber:
    return _whole(api, subscriber)


@router.patch(
    "/subscribers/{subscriber}",
    summary="Change a reader",
    responses={409: {"description": "they have left: they come back by signing up again", "x-problem": True}},
)
def change_subscriber(api: TheApi, caller: Writer, subscriber: Number, wanted: Change) -> WholeSubscriber:
    change = ReaderChange(
        topics=api.app.settings.present_topics(wanted.topics),
        frequency=wanted.frequency,
        language=wanted.language,
        state=wanted.state,
        until=wanted.paused_until,
    )
    change_reader(api.app.store, subscriber, change, topic_order=api.app.topic_order, now=api.now())
    api.note(caller, "reader changed", f"reader {subscriber}", ", ".join(sorted(wanted.model_fields_set)))
    return _whole(api, subscriber)


@router.delete("/subscribers/{subscriber}", summary="Erase a reader", status_code=204)
def delete_subscriber(api: TheApi, caller: Writer, subscriber: Number) -> None:
    if not forget(api.app.store, api.app.signer, subscriber, now=api.now()):
        raise NotFound("subscriber", str(subscriber))
    api.note(caller, "reader erased", f"reader {subscriber}")


@router.get(
    "/subscribers/{subscriber}/data",
    summary="Everything that is kept of a reader",
    response_model=dict[str, Any],
    dependencies=[READ],
)
def export_subscriber(api: TheApi, subscriber: Number) -> dict[str, Any]:
    with api.app.store.read() as tx:
        return personal_data(tx, subscriber, now=api.now())


@router.post(
    "/subscribers",
    summary="Ask somebody whether they want the digest, or add a reader for whom you vouch",
    description="Without `vouched` a letter asks them to confirm (202), whether or not the address is known. With it, "
    "and with the scope subscribers:vouch, they are active at once (201).",
    status_code=202,
    response_model=Asked,
    responses={
        201: {"description": "added at once", "model": SubscriberFacts},
        409: {"description": "with `vouched`: there is a reader of this address, or one who left", "x-problem": True},
    },
)
async def create_subscriber(request: Request, api: TheApi, caller: Writer, wanted: NewSubscriber) -> Any:
    if not wanted.vouched:
        return await _ask(api, caller, wanted, request.client.host if request.client else "")
    if not allows(caller.scopes, Scope.SUBSCRIBERS_VOUCH):
        raise HTTPException(403, f"The token {caller.name!r} has no scope {Scope.SUBSCRIBERS_VOUCH}.")
    reader = await run_in_threadpool(_add, api, caller, wanted)
    headers = {"Location": f"{api.app.links.base_url}api/v1/subscribers/{reader.id}", "Cache-Control": "no-store"}
    return JSONResponse(SubscriberFacts.model_validate(reader).model_dump(mode="json"), 201, headers)


async def _ask(api: Api, caller: ApiToken, wanted: NewSubscriber, host: str) -> Asked:
    """By the gate that everybody goes through, `host` being who calls; the answer is the same for a known and an
    unknown address."""
    topics = () if wanted.topics == [ALL] else tuple(api.app.settings.present_topics(wanted.topics) or ())
    wish = Wish(
        email=wanted.email,
        topics=topics,
        frequency=wanted.frequency,
        language=wanted.language or "",
        method=SignUpMethod.API,
        host=host,
    )
    asked = await run_in_threadpool(request_sign_up, api.app.sign_up, wish)
    if asked.ruling not in {Ruling.LETTER, Ruling.ADDRESS, Ruling.BLOCKED}:
        wait = str(max(1, math.ceil(asked.wait.total_seconds())))
        raise HTTPException(429, "Too many sign-ups at the moment; try again later.", {"Retry-After": wait})
    api.app.mail_room.wake()
    await run_in_threadpool(api.note, caller, "reader asked to confirm", "by letter")
    return Asked()


def _add(api: Api, caller: ApiToken, wanted: NewSubscriber) -> Subscriber:
    reader = vouch(
        api.app.sign_up,
        wanted.email,
        topics=[api.app.present_topic(topic) for topic in wanted.topics],
        frequency=wanted.frequency,
        language=wanted.language or api.app.settings.site.language,
        method=SignUpMethod.API,
    )
    api.note(caller, "reader added", f"reader {reader.id}", f"{reader.frequency}: {', '.join(reader.topics)}")
    return reader


def _whole(api: Api, subscriber_id: int) -> WholeSubscriber:
    with api.app.store.read() as tx:
        facts = SubscriberFacts.model_validate(tx.subscribers.get(subscriber_id))
        deliveries, events = tx.deliveries.of_subscriber(subscriber_id), tx.subscribers.events(subscriber_id)
        consents = tx.consents.of(subscriber_id)
    return WholeSubscriber(**facts.model_dump(), deliveries=deliveries, events=list(events), consents=list(consents))
