"""When the feeds were looked after last, and when they will be next: what a file cannot say of itself. Floor: `web`.

/feeds/times
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from publisher.app import App
from publisher.feeds.notes import day
from publisher.links import TIMES
from publisher.model import RunState
from publisher.pages.web import WebPages
from publisher.web.responses import page

_LOOKED_AT = 50  # runs: the last that ended well is among them, or something is wrong


def routes(app: App, pages: WebPages, next_run: Callable[[], datetime | None]) -> list[Route]:
    """`next_run`: see `freshness.NextRun`."""

    def last_run() -> datetime | None:
        with app.store.read() as tx:
            runs = tx.runs.list(_LOOKED_AT)
        return next((run.finished for run in runs if run.state is RunState.DONE), None)

    async def times(_: Request) -> Response:
        last, zone = await run_in_threadpool(last_run), app.settings.zone
        upcoming = next_run()
        now = app.clock()
        paragraphs = [f"Last look for news: {_moment(last, zone)}." if last else "Nobody has looked for news yet."]
        if upcoming is None:
            paragraphs.append("Nobody knows here when the next one is.")
        else:
            when = _moment(upcoming, zone) if upcoming > now else "at this moment"
            paragraphs.append(f"The next one: {when}.")
        return page(pages.message("When we look for news", paragraphs, link=("All feeds", f"{app.links.home()}#feeds")))

    return [Route(f"/{TIMES}", times, methods=["GET", "HEAD"])]


def _moment(moment: datetime, zone: tzinfo) -> str:
    there = moment.astimezone(zone)
    return f"{day(moment, zone)}, {there:%H:%M} {there.tzname()}"
