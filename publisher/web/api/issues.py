"""/issues: the numbered sendings of the digests. Floor: `web`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from publisher.flows import approval, issue_desk
from publisher.mail.scoring import BounceKind
from publisher.model import (
    ApiToken,
    Delivery,
    DeliveryState,
    Edition,
    Frequency,
    Issue,
    IssueState,
    IssueSum,
    Scope,
)
from publisher.web.api.access import Text, TheApi, needs
from publisher.web.api.paging import NUMBER_OF_PAGE, Before, Limit, page_of

router = APIRouter(tags=["issues"])

READ = needs(Scope.ISSUES_READ)
Writer = Annotated[ApiToken, needs(Scope.ISSUES_WRITE)]
Name = Annotated[Text, Path(max_length=40, description="as in weekly-12")]
TROUBLED = 1000
"""Letters that met trouble which are named one by one."""


class IssueLine(BaseModel):
    """An issue and the sum of its letters: selected = the sum of the states."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    frequency: Frequency
    number: int | None
    slot: datetime | None
    state: IssueState
    composed: datetime
    upto_seq: int
    reason: str
    selected: int
    states: dict[DeliveryState, int]
    pending: int
    balances: bool


class WholeIssue(IssueLine):
    editions: list[Edition]
    page: str
    troubled: list[Delivery]
    bounced: dict[BounceKind, int]


class Planned(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    issue: str
    planned: int
    state: IssueState
    reason: Annotated[str, Field(description="why they wait, or why there are none")]


class Waiting(BaseModel):
    issue: str
    waiting: int


class NotSent(BaseModel):
    issue: str
    not_sent: int


@router.get(
    "/issues",
    summary="List issues, skipped slots included, the newest first",
    response_model=list[IssueLine],
    dependencies=[READ],
)
def list_issues(
    *, request: Request, response: Response, api: TheApi, limit: Limit = NUMBER_OF_PAGE,
    before: Before = None,
) -> list[IssueLine]:  # fmt: skip
    with api.app.store.read() as tx:
        found = tx.issues.list(limit + 1, before=before)
        last = found[limit - 1].id if len(found) > limit else None
        shown = page_of(found, limit, request, response, before=last)
        return [IssueLine(**_facts(issue, tx.deliveries.sum(issue.id))) for issue in shown]


@router.get(
    "/issues/{issue}",
    summary="Show an issue and what happened to its letters",
    response_model=WholeIssue,
    dependencies=[READ],
)
def show_issue(api: TheApi, issue: Name) -> WholeIssue:
    with api.app.store.read() as tx:
        found = tx.issues.by_name(issue)
        troubled: list[Delivery] = []
        for state in (DeliveryState.REJECTED, DeliveryState.DEFERRED, DeliveryState.UNCERTAIN):
            troubled += tx.deliveries.of_issue(found.id, state=state)
        editions: Sequence[Edition] = tx.issues.editions(found.id)
        return WholeIssue(
            **_facts(found, tx.deliveries.sum(found.id)),
            editions=list(editions),
            page=api.app.links.issue(found.name),
            troubled=troubled[:TROUBLED],
            bounced=dict(tx.bounces.of_issue(found.id)),
        )


@router.post(
    "/issues/{issue}/retry",
    summary="Plan its failed letters once more",
    response_model=Planned,
    responses={409: {"description": "it was cancelled or refused, or its letters are forgotten", "x-problem": True}},
)
def retry(api: TheApi, caller: Writer, issue: Name) -> Planned:
    again = issue_desk.retry(api.app.store, issue, now=api.now())
    api.note(caller, "issue sent to the remainder", again.issue, f"{again.planned} letters planned")
    return Planned.model_validate(again)


@router.post(
    "/issues/{issue}/pause",
    summary="Hand nothing more of it over",
    response_model=Waiting,
    responses={409: {"description": "it is not being sent", "x-problem": True}},
)
def pause(api: TheApi, caller: Writer, issue: Name) -> Waiting:
    name, waiting = issue_desk.pause(api.app.store, issue, resend=api.app.parts.post.resend)
    api.note(caller, "issue paused", name, f"{waiting} letters waiting")
    return Waiting(issue=name, waiting=waiting)


@router.post(
    "/issues/{issue}/resume",
    summary="Let a paused issue be sent again",
    response_model=Waiting,
    responses={409: {"description": "it is not paused", "x-problem": True}},
)
def resume(api: TheApi, caller: Writer, issue: Name) -> Waiting:
    name, waiting = issue_desk.resume(api.app.store, issue, resend=api.app.parts.post.resend)
    api.note(caller, "issue resumed", name, f"{waiting} letters waiting")
    return Waiting(issue=name, waiting=waiting)


@router.post(
    "/issues/{issue}/cancel",
    summary="End it for good",
    response_model=NotSent,
    responses={409: {"description": "it is over", "x-problem": True}},
)
def cancel(api: TheApi, caller: Writer, issue: Name) -> NotSent:
    name, left = issue_desk.cancel(api.app.store, issue, now=api.now())
    api.note(caller, "issue cancelled", name, f"{left} letters not sent")
    return NotSent(issue=name, not_sent=left)


class Decided(BaseModel):
    issue: str
    state: IssueState


@router.post(
    "/issues/{issue}/approve",
    summary="Let an issue that waits for the editor be sent",
    response_model=Decided,
    responses={409: {"description": "it does not wait", "x-problem": True}},
)
def approve(api: TheApi, caller: Writer, issue: Name) -> Decided:
    done = approval.approve(api.app.store, issue, api.now())
    api.note(caller, "issue approved", done.name)
    return Decided(issue=done.name, state=done.state)


@router.post(
    "/issues/{issue}/refuse",
    summary="Send nothing of an issue that waits for the editor",
    response_model=Decided,
    responses={409: {"description": "it does not wait", "x-problem": True}},
)
def refuse(api: TheApi, caller: Writer, issue: Name) -> Decided:
    done = approval.refuse(api.app.store, issue, api.now())
    api.note(caller, "issue refused", done.name)
    return Decided(issue=done.name, state=done.state)


def _facts(issue: Issue, total: IssueSum) -> dict[str, object]:
    facts = {name: getattr(issue, name) for name in Issue.__dataclass_fields__}
    counts = {"selected": total.selected, "states": total.states, "pending": total.pending}
    return {**facts, **counts, "balances": total.balances}
