"""The first page: what ran and runs next, what came in, who reads it, how the letters fared. Floor: `web`."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from publisher.flows.gist import gist
from publisher.flows.overview import overview
from publisher.model import DeliveryState, Issue, IssueSum
from publisher.pages import charts
from publisher.web.admin.desk import Desk, Visit, guarded

STATES = tuple(DeliveryState)


def routes(desk: Desk) -> list[Route]:
    async def show(visit: Visit) -> Response:
        app = desk.app
        seen = await run_in_threadpool(overview, app.store, app.settings, app.clock())
        most = max((sum(line.readers.values()) for line in seen.topics), default=0)
        values = {
            "seen": seen,
            "runs": [(run, gist(run.report)) for run in seen.runs],
            "every_minutes": app.settings.feeds.every_minutes,
            "months": charts.columns(_named(seen.months, seen.everything.by_month)),
            "topics": [
                (line, charts.spark(line.by_month), charts.stacked({str(f): n for f, n in line.readers.items()}, most))
                for line in seen.topics
            ],
            "issues": balances(seen.issues),
            "states": _met(seen.issues),
        }
        return visit.page("dashboard", "Overview", values, here="")

    return [guarded(desk, "/", show)]


def _named(months: Sequence[str], counts: Sequence[int]) -> dict[str, int]:
    """Twelve months by their short names; never by the process's locale, which feedgen sets."""
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    return {names[int(month[5:]) - 1]: count for month, count in zip(months, counts, strict=True)}


def _met(issues: Sequence[tuple[Issue, IssueSum]]) -> list[DeliveryState]:
    """The states that some letter of these issues is in: the columns that say something. Accepted is always one."""
    return [
        state
        for state in STATES
        if state is DeliveryState.ACCEPTED or any(total.states.get(state) for _, total in issues)
    ]


def balances(issues: Sequence[tuple[Issue, IssueSum]]) -> list[tuple[Issue, IssueSum, tuple[charts.Piece, ...]]]:
    """Each issue with its sum, and that as the parts of a bar."""
    return [
        (
            issue,
            total,
            charts.stacked({str(state): total.states.get(state, 0) for state in STATES}, total.selected),
        )
        for issue, total in issues
    ]
