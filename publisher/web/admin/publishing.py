"""Publish now: the plan first, then the run with its progress; and the record of runs. Floor: `web`."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from publisher.errors import RunInProgress, UsageError
from publisher.flows.crossing import across
from publisher.flows.gist import gist
from publisher.flows.plan import make_plan
from publisher.flows.records import as_json
from publisher.flows.run import Order
from publisher.model import Frequency, Run, RunState, RunTrigger
from publisher.web.admin.desk import Desk, Visit, guarded
from publisher.web.admin.pages import HEADERS
from publisher.web.run_desk import Progress

SHOWN = 50
REFRESH_S = 2
"""How often a page that shows a run renews itself where scripts are switched off."""


def routes(desk: Desk) -> list[Route]:
    app = desk.app

    def running() -> Run | None:
        with app.store.read() as tx:
            return tx.runs.current()

    async def ask(visit: Visit) -> Response:
        values = {"current": await run_in_threadpool(running), "frequencies": tuple(Frequency)}
        return visit.page("publish", "Publish", values, here="publish")

    async def publish(visit: Visit) -> Response:
        order = order_of(visit.form)
        if visit.field("act") != "publish":
            report = as_json((await across(make_plan, app.parts, order)).report)
            values = {"report": report, "order": order, "what": visit.field("what"), "forced": order.forced}
            return visit.page("plan", "What would happen", values, here="publish")
        try:
            run = await desk.runs.start(order)
        except RunInProgress:
            current = await run_in_threadpool(running)
            return visit.to(f"runs/{current.id}" if current else "publish", done="under-way")
        await visit.note("run started", f"run {run.id}", order_in_words(order))
        return visit.to(f"runs/{run.id}")

    async def runs(visit: Visit) -> Response:
        before = number_of(visit.asked("before"))

        def read() -> list[Run]:
            with app.store.read() as tx:
                return tx.runs.list(SHOWN + 1, before=before)

        found = await run_in_threadpool(read)
        older = desk.href("runs", before=found[SHOWN - 1].id) if len(found) > SHOWN else ""
        values = {"runs": [(run, gist(run.report)) for run in found[:SHOWN]], "older": older}
        return visit.page("runs", "Runs", values, here="runs")

    async def show(visit: Visit) -> Response:
        run = await _run(desk, visit)
        goes_on = run.state is RunState.RUNNING
        values = {"run": run, "progress": await _progress(desk, run), "refresh": REFRESH_S if goes_on else 0}
        return visit.page("run", f"Run {run.id}", values, here="runs")

    async def progress(visit: Visit) -> Response:
        return JSONResponse(await _progress(desk, await _run(desk, visit)), headers=HEADERS)

    return [
        guarded(desk, "/publish", ask),
        guarded(desk, "/publish", publish, methods=["POST"]),
        guarded(desk, "/runs", runs),
        guarded(desk, "/runs/{run:number}", show),
        guarded(desk, "/runs/{run:number}/progress", progress),
    ]


def order_of(form: FormData) -> Order:
    """What the form asks for: `what` is due, chosen (with `digest`, repeated) or none."""
    what = form.get("what", "due")
    names = [str(name) for name in form.getlist("digest")] if what == "chosen" else []
    if what == "chosen" and not names:
        raise UsageError("No digest was chosen; choose at least one, or send what is due.")
    if not set(names) <= set(Frequency):
        raise UsageError("There is no such digest; it is daily, weekly or monthly.")
    forced = tuple(Frequency(name) for name in dict.fromkeys(names))
    return Order(trigger=RunTrigger.ADMIN, forced=forced, digests=what != "none", rebuild=form.get("rebuild") == "yes")


def order_in_words(order: Order) -> str:
    digests = ", ".join(order.forced) or ("what is due" if order.digests else "no digest")
    return digests + (", everything rendered anew" if order.rebuild else "")


def number_of(text: str) -> int | None:
    """A number of the query; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


async def _run(desk: Desk, visit: Visit) -> Run:
    number: int = visit.request.path_params["run"]

    def read() -> Run:
        with desk.app.store.read() as tx:
            return tx.runs.get(number)

    return await run_in_threadpool(read)


async def _progress(desk: Desk, run: Run) -> dict[str, Any]:
    """What a run is doing; one that another process does says so every few seconds."""

    def pending() -> int:
        with desk.app.store.read() as tx:
            return tx.deliveries.pending()

    known = desk.runs.progress(run.id) or Progress(run.step, run.done, run.total)
    return {
        "state": str(run.state),
        "step": known.step,
        "done": known.done,
        "total": known.total,
        "pending": await run_in_threadpool(pending) if run.state is RunState.RUNNING else 0,
    }
