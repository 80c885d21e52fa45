"""A reader's own feed by its secret address: their topics, without a login. Floor: `web`.

It lives on when the letters stop. An address that was made anew, made up, or of a forgotten reader gets one and the
same answer.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from publisher.app import App
from publisher.errors import TokenError
from publisher.flows.combine import private_feed
from publisher.flows.private_feed import feed_identity, feed_token, reader_of_feed
from publisher.links import private_feed_name
from publisher.model import Subscriber
from publisher.pages.web import WebPages
from publisher.store import Transaction
from publisher.web.on_demand import OnDemand
from publisher.web.responses import page


def routes(app: App, pages: WebPages, on_demand: OnDemand) -> list[Route]:
    def reader(token: str) -> Subscriber:
        with app.store.read() as tx:
            return reader_of_feed(tx, app.signer, token)

    async def feed(request: Request) -> Response:
        token, kind = request.path_params["token"], request.path_params["kind"]
        try:
            of = await run_in_threadpool(reader, token)
        except TokenError:
            return page(pages.message("There is no such feed", _NO_FEED), 404)
        name = private_feed_name(token)
        identity = feed_identity(app.signer, of.id)
        before = request.path_params.get("before")
        return await on_demand.answer(
            request,
            f"{name} {' '.join(of.topics)} {before or ''}",
            kind,
            lambda tx: private_feed(tx, of.topics, name, identity, app.press, before=before),
            private=True,
        )

    methods = ["GET", "HEAD"]
    return [
        Route("/feeds/private/{token}.{kind:kind}", feed, methods=methods),
        Route("/feeds/private/{token}/before-{before:stamp}.{kind:kind}", feed, methods=methods),
    ]


_NO_FEED = (
    "Its address may have been made anew. The page with your settings, linked in each letter, has the present one."
)


def private_feed_url(app: App, tx: Transaction, subscriber_id: int) -> str:
    """Where the reader's own feed is (Atom). Raises NotFound."""
    return app.links.feed(private_feed_name(feed_token(tx, app.signer, subscriber_id)))
