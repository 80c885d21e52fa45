"""Feeds of several topics, and the page on which people put one together. Floor: `web`.

    /feeds/environment+partnerships.atom           filed under any of the topics
    /feeds/region-asia-pacific/environment.atom    filed under both
    /feeds/environment+partnerships/before-700.atom    what is in it besides that; the page before names it
    /feeds/build?topic=environment&topic=...       the address of such a feed, and what is in it

Any other order, a repetition, and a topic's former name are sent on to the one address of the feed. Where one of the
topics was closed, so is the feed: 410, and readers stop asking.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from starlette.concurrency import run_in_threadpool
from starlette.convertors import register_url_convertor
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from publisher.app import App
from publisher.errors import NotFound, UsageError
from publisher.feeds.selection import NARROWING, UNION, Match, Selection, select
from publisher.flows.combine import combined_feed, newest_in
from publisher.links import BUILDER, feed_path
from publisher.model import FiledArticle
from publisher.pages.web import WebPages
from publisher.web.hub import link_headers
from publisher.web.on_demand import OnDemand, PathText
from publisher.web.responses import page

SHOWN = 5
"""Articles on the page of the builder, so that people see what their choice brings."""


class _Union(PathText):
    regex = r"[^/+]*(?:\+[^/+]*)+"


class _Outer(PathText):
    regex = "[a-z0-9-]+"


class _Inner(PathText):
    regex = r"(?!archive-[0-9]+\.)[a-z0-9-]+"  # archives are files


register_url_convertor("union", _Union())
register_url_convertor("outer", _Outer())
register_url_convertor("inner", _Inner())


def routes(app: App, pages: WebPages, on_demand: OnDemand, closed: Callable[[], Collection[str]]) -> list[Route]:
    """`closed` gives the topics that had a feed once and have none now; it may ask the database."""
    topics = {topic.slug: topic for topic in app.press.feeds}
    renamed = app.settings.renamed_topics
    links = link_headers(app)

    async def feed(request: Request, name: str, slugs: Sequence[str], match: Match) -> Response:
        present = [renamed.get(slug, slug) for slug in slugs]
        try:
            selection = select(present, match, topics)
        except (NotFound, UsageError):
            unknown = {slug for slug in present if slug not in topics}
            if unknown and unknown <= set(await run_in_threadpool(closed)):
                return page(pages.message("This feed was closed", _CLOSED, link=_choose(app)), 410)
            return page(pages.message("There is no such feed", _NO_FEED, link=_choose(app)), 404)
        kind, before = request.path_params["kind"], request.path_params.get("before")
        page_of = "" if before is None else f"/before-{before}"
        if selection.name != name:
            return _moved(name + page_of, selection.name + page_of, kind)
        return await on_demand.answer(
            request,
            selection.name + page_of,
            kind,
            lambda tx: combined_feed(tx, selection, app.press, before=before),
            links=links(feed_path(selection.name + page_of, kind)),
        )

    async def union(request: Request) -> Response:
        name = request.path_params["name"]
        return await feed(request, name, name.split(UNION), Match.ANY)

    async def narrowing(request: Request) -> Response:
        slugs = (request.path_params["outer"], request.path_params["inner"])
        return await feed(request, NARROWING.join(slugs), slugs, Match.ALL)

    async def build(request: Request) -> Response:
        chosen = tuple(dict.fromkeys(request.query_params.getlist("topic")))
        match = Match.ALL if request.query_params.get("match") == Match.ALL else Match.ANY
        if not chosen:
            return page(pages.feed_builder(match=match))
        try:
            selection = select(chosen, match, topics)
        except NotFound:
            problem = "One of these topics does not exist any more. Please choose again."
        except UsageError as error:
            problem = str(error)
        else:
            articles = await run_in_threadpool(_newest, app, selection)
            return page(_built(pages, selection, articles))
        return page(pages.feed_builder(chosen=chosen, match=match, problem=problem), 422)

    methods = ["GET", "HEAD"]
    return [
        Route(f"/{BUILDER}", build, methods=methods),
        Route("/feeds/{name:union}.{kind:kind}", union, methods=methods),
        Route("/feeds/{name:union}/before-{before:stamp}.{kind:kind}", union, methods=methods),
        Route("/feeds/{outer:outer}/{inner:inner}.{kind:kind}", narrowing, methods=methods),
        Route("/feeds/{outer:outer}/{inner:inner}/before-{before:stamp}.{kind:kind}", narrowing, methods=methods),
    ]


_CLOSED = "There will be no more articles under one of its topics. Put a feed together from the topics there are now."
_NO_FEED = "One of its topics does not exist, or there are too many. Put the feed together anew to get its address."


def _choose(app: App) -> tuple[str, str]:
    return "Build a feed", app.links.to(BUILDER)


def _newest(app: App, selection: Selection) -> list[FiledArticle]:
    with app.store.read() as tx:
        return [filed for filed in newest_in(tx, selection, SHOWN) if filed.article.withdrawn is None]


def _built(pages: WebPages, selection: Selection, articles: Sequence[FiledArticle]) -> bytes:
    return pages.feed_builder(
        chosen=selection.slugs, match=selection.match, name=selection.name, label=selection.label, articles=articles
    )


def _moved(name: str, to: str, kind: str) -> Response:
    """For good, but not for ever: kept for a day, so that no program holds on to an order of names that changed.

    The address is relative: it holds behind a proxy that puts the site below another path.
    """
    up = "../" * name.count(NARROWING)
    path = feed_path(to, kind).removeprefix("feeds/")
    return RedirectResponse(up + path, 301, {"Cache-Control": "public, max-age=86400"})
