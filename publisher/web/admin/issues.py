"""Issues: what became of each letter, and what can be done about it; the next one as a preview. Floor: `web`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from publisher.app import App
from publisher.errors import Conflict, NotFound, PublisherError, UsageError
from publisher.flows import approval, issue_desk
from publisher.flows.preview import Preview, preview, send_test
from publisher.model import DeliveryState, Frequency
from publisher.web.admin.dashboard import STATES, balances
from publisher.web.admin.desk import Desk, Visit, guarded
from publisher.web.admin.pages import HEADERS
from publisher.web.admin.publishing import number_of

SHOWN = 30
TROUBLES = 50
_LETTER_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https: data:; sandbox; frame-ancestors 'self'"
)


def routes(desk: Desk) -> list[Route]:
    app = desk.app

    async def list_(visit: Visit) -> Response:
        before = number_of(visit.asked("before"))

        def read() -> dict[str, Any]:
            with app.store.read() as tx:
                found = tx.issues.list(SHOWN + 1, before=before)
                sums = [(issue, tx.deliveries.sum(issue.id)) for issue in found[:SHOWN]]
            older = desk.href("issues", before=found[SHOWN - 1].id) if len(found) > SHOWN else ""
            return {"issues": balances(sums), "states": STATES, "older": older}

        return visit.page("issues", "Issues", await run_in_threadpool(read), here="issues")

    async def show(visit: Visit) -> Response:
        return await _page(app, visit)

    async def act(visit: Visit) -> Response:
        name, word = visit.request.path_params["name"], visit.field("act")
        acts = _acts(app, name)
        if word not in acts:
            raise UsageError("There is no such thing to do with an issue.")
        if word in {"cancel", "refuse"} and visit.field("sure") != "yes":
            return await _page(app, visit, problem="Tick that you are sure: this cannot be undone.")
        try:
            detail = await run_in_threadpool(acts[word])
        except UsageError as error:
            return await _page(app, visit, problem=str(error))
        await visit.note(f"issue: {word}", name, detail)
        return visit.to(f"issues/{name}", done=word)

    async def ask_preview(visit: Visit, *, problem: str = "") -> Response:
        frequency, reader = _frequency(visit), number_of(visit.asked("reader"))
        values: dict[str, Any] = {
            "frequency": frequency,
            "frequencies": tuple(Frequency),
            "reader": reader,
            "nothing": "",
            "problem": problem,
        }
        try:
            values["letter"] = await run_in_threadpool(_preview, app, frequency, reader)
        except NotFound:
            raise
        except PublisherError as error:
            values |= {"letter": None, "nothing": str(error)}
        return visit.page("preview", "The next letter", values, here="preview", status=422 if problem else 200)

    async def send_preview(visit: Visit) -> Response:
        """Send what the page shows to an address of the operator's choice."""
        frequency, reader = _frequency(visit), number_of(visit.asked("reader"))
        try:
            email = await run_in_threadpool(_address, app, reader) if reader else None
            await send_test(app.parts, frequency, visit.field("to"), email=email)
        except NotFound:
            raise
        except PublisherError as error:
            return await ask_preview(visit, problem=str(error))
        await visit.note("test letter sent", f"{frequency} digest", f"as reader {reader} gets it" if reader else "")
        return visit.to("preview", frequency=frequency, reader=reader or "", done="tested")

    async def letter(visit: Visit) -> Response:
        shown = await run_in_threadpool(_preview, app, _frequency(visit), number_of(visit.asked("reader")))
        headers = {**HEADERS, "Content-Security-Policy": _LETTER_POLICY, "X-Frame-Options": "SAMEORIGIN"}
        return Response(shown.html.encode(), 200, headers, media_type="text/html; charset=utf-8")

    return [
        guarded(desk, "/issues", list_),
        guarded(desk, "/issues/{name}", show),
        guarded(desk, "/issues/{name}", act, methods=["POST"]),
        guarded(desk, "/preview", ask_preview),
        guarded(desk, "/preview", send_preview, methods=["POST"]),
        guarded(desk, "/preview/letter", letter),
    ]


def _acts(app: App, name: str) -> dict[str, Callable[[], str]]:
    """What can be done with the issue, by the word of its button; each gives what goes to the log."""

    def counted(done: Callable[[], tuple[str, int]], words: str) -> Callable[[], str]:
        return lambda: f"{done()[1]} letters {words}"

    def retry() -> str:
        again = issue_desk.retry(app.store, name, now=app.clock())
        if not again.planned:
            raise Conflict(f"There is no letter to plan again: {again.reason}.")
        return f"{again.planned} letters planned once more"

    def approve() -> str:
        approval.approve(app.store, name, app.clock())
        return ""

    def refuse() -> str:
        approval.refuse(app.store, name, app.clock())
        return ""

    return {
        "retry": retry,
        "pause": counted(lambda: issue_desk.pause(app.store, name, resend=app.parts.post.resend), "waiting"),
        "resume": counted(lambda: issue_desk.resume(app.store, name, resend=app.parts.post.resend), "waiting"),
        "cancel": counted(lambda: issue_desk.cancel(app.store, name, now=app.clock()), "not sent"),
        "approve": approve,
        "refuse": refuse,
    }


async def _page(app: App, visit: Visit, *, problem: str = "") -> Response:
    def read() -> dict[str, Any]:
        with app.store.read() as tx:
            issue = tx.issues.by_name(visit.request.path_params["name"])
            total = tx.deliveries.sum(issue.id)
            return {
                "issue": issue,
                "total": total,
                "pieces": balances([(issue, total)])[0][2],
                "editions": len(tx.issues.editions(issue.id)),
                "troubles": tx.overview.troubles([issue.id], TROUBLES),
                "again": sum(
                    total.states.get(state, 0)
                    for state in (DeliveryState.REJECTED, DeliveryState.EXPIRED, DeliveryState.UNCERTAIN)
                ),
            }

    values = await run_in_threadpool(read)
    issue = values["issue"]
    values |= {"states": STATES, "url": app.links.issue(issue.name), "problem": problem}
    return visit.page("issue", issue.name, values, here="issues", status=422 if problem else 200)


def _frequency(visit: Visit) -> Frequency:
    name = visit.asked("frequency")
    return Frequency(name) if name in set(Frequency) else Frequency.WEEKLY


def _preview(app: App, frequency: Frequency, reader: int | None) -> Preview:
    return preview(app.parts, frequency, email=None if reader is None else _address(app, reader))


def _address(app: App, reader: int) -> str:
    with app.store.read() as tx:
        return tx.subscribers.get(reader).email
