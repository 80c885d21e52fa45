"""Archives of a topic's feed as JSON Feed, which leads from one to the next by `next_url`. Floor: `web`.

    /feeds/environment/archive-3.json

The archive itself is an Atom document and a file. Few programs walk a JSON Feed, so its pages are not kept beside each
archive; they are made of the same lines when somebody asks for them.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from publisher.app import App
from publisher.errors import NotFound
from publisher.feeds.value import Feed
from publisher.flows.feed_history import closed_archive
from publisher.links import archive_path
from publisher.model import Topic
from publisher.store import Transaction
from publisher.web.missing import Missing
from publisher.web.on_demand import OnDemand


def routes(app: App, on_demand: OnDemand, missing: Missing) -> list[Route]:
    """`missing` answers for what is no archive: topics that moved or were closed, and numbers not cut yet."""
    topics = {topic.slug: topic for topic in app.press.feeds}

    def is_there(slug: str, number: int) -> bool:
        with app.store.read() as tx:
            return slug in topics and number <= tx.archives.closed().get(slug, (0, 0))[0]

    async def archive(request: Request) -> Response:
        slug, number = request.path_params["outer"], request.path_params["number"]
        if not await run_in_threadpool(is_there, slug, number):
            return await run_in_threadpool(missing.response, request.scope)
        name = archive_path(slug, number, "json").removeprefix("feeds/").removesuffix(".json")
        return await on_demand.answer(request, name, "json", lambda tx: _feed(tx, topics[slug], number, app))

    return [Route("/feeds/{outer:outer}/archive-{number:stamp}.json", archive, methods=["GET", "HEAD"])]


def _feed(tx: Transaction, topic: Topic, number: int, app: App) -> Feed:
    feed = closed_archive(tx, topic, number, app.press)
    if feed is None:
        raise NotFound("archive", f"{topic.slug} {number}")
    return feed
