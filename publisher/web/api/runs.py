"""/runs: start a publish run, and look at runs. Floor: `web`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from publisher.errors import Conflict, UsageError
from publisher.flows.crossing import across
from publisher.flows.plan import make_plan
from publisher.flows.records import as_json
from publisher.flows.run import Order
from publisher.model import ApiToken, Frequency, Run, RunTrigger, Scope
from publisher.store import KeptRequest
from publisher.web.api.access import Api, TheApi, needs
from publisher.web.api.paging import NUMBER_OF_PAGE, Before, Limit, Number, page_of

router = APIRouter(tags=["runs"])

READ = needs(Scope.RUNS_READ)
WRITE = needs(Scope.RUNS_WRITE)
Writer = Annotated[ApiToken, WRITE]
IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="Any string of your own. The same request sent again with the same key, within a week, gives the "
        "run of the first one and starts none.",
    ),
]


class RunOrder(BaseModel):
    """What `publisher publish` takes as options."""

    model_config = ConfigDict(extra="forbid")

    digest: list[Frequency] = Field([], max_length=3, description="send these digests now, due or not")
    no_digest: bool = Field(False, description="feeds and pages only")
    rebuild: bool = Field(False, description="render every document, changed or not")

    def order(self) -> Order:
        if self.digest and self.no_digest:
            raise UsageError("digest and no_digest contradict each other")
        forced = tuple(dict.fromkeys(self.digest))
        return Order(trigger=RunTrigger.API, forced=forced, digests=not self.no_digest, rebuild=self.rebuild)


@router.get("/runs", summary="List runs, the newest first", response_model=list[Run], dependencies=[READ])
def list_runs(
    *, request: Request, response: Response, api: TheApi, limit: Limit = NUMBER_OF_PAGE,
    before: Before = None,
) -> list[Run]:  # fmt: skip
    with api.app.store.read() as tx:
        found = tx.runs.list(limit + 1, before=before)
    return page_of(found, limit, request, response, before=found[limit - 1].id if len(found) > limit else None)


@router.post(
    "/runs",
    summary="Start a publish run",
    description="Answers as soon as the run has begun. One runs at a time: while one is under way this is 409.",
    status_code=202,
    response_model=Run,
    responses={
        202: {"headers": {"Location": {"description": "where the run can be followed", "schema": {"type": "string"}}}},
        409: {"description": "a run is under way", "x-problem": True},
    },
)
async def start_run(
    response: Response, api: TheApi, caller: Writer, wanted: RunOrder, idempotency_key: IdempotencyKey = None
) -> Run:
    order = wanted.order()
    sha256 = hashlib.sha256(wanted.model_dump_json().encode()).hexdigest()
    async with api.starting:
        run = await run_in_threadpool(_started_before, api, caller, idempotency_key, sha256)
        if run is None:
            run = await api.runs.start(order)
            await run_in_threadpool(_keep, api, caller, run, idempotency_key, sha256)
    response.headers["Location"] = f"{api.app.links.base_url}api/v1/runs/{run.id}"
    return run


@router.post(
    "/runs/plan",
    summary="Say what a run would do now; nothing is changed",
    response_model=dict[str, Any],
    dependencies=[WRITE],
)
async def plan_run(api: TheApi, wanted: RunOrder) -> dict[str, Any]:
    return {"dry_run": True, **as_json((await across(make_plan, api.app.parts, wanted.order())).report)}


@router.get("/runs/{run}", summary="Show a run and how far it is", response_model=Run, dependencies=[READ])
def show_run(api: TheApi, run: Number) -> Run:
    with api.app.store.read() as tx:
        found = tx.runs.get(run)
    progress = api.runs.progress(run)
    if progress is None:
        return found
    return replace(found, step=progress.step, done=progress.done, total=progress.total)


def _started_before(api: Api, caller: ApiToken, key: str | None, sha256: str) -> Run | None:
    if key is None:
        return None
    with api.app.store.read() as tx:
        kept = tx.api_tokens.request(caller.id, key)
        if kept is None:
            return None
        if kept.sha256 != sha256:
            raise Conflict("this Idempotency-Key was sent with another request; use a new one")
        return tx.runs.get(kept.run_id)


def _keep(api: Api, caller: ApiToken, run: Run, key: str | None, sha256: str) -> None:
    with api.app.store.write() as tx:
        if key is not None:
            tx.api_tokens.keep_request(caller.id, key, KeptRequest(sha256, run.id), api.now())
        api.note_in(tx, caller, "run started", f"run {run.id}")
