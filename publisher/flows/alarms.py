"""Alarms: look, tell the operator by letter and webhook, once and then rarely. Floor: `flows`.

    facts -> alarms -> one transaction: what was told, the letter, the call that waits -> call, again if it fails

The letter goes the way of service letters, so it is sent until it is accepted; the call is tried again with each look.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any, cast

from publisher.clock import Clock
from publisher.config import Settings
from publisher.errors import HubError
from publisher.flows.backup import last_backup
from publisher.flows.crossing import across
from publisher.flows.late_log import log
from publisher.flows.run import Parts
from publisher.flows.service_press import ALARM_LETTER
from publisher.flows.vital_signs import free_bytes, overdue
from publisher.health.alarms import Sent, Watched, alarms, to_tell
from publisher.health.site import OVERDUE
from publisher.hubs import HubClient
from publisher.logs import bare
from publisher.model import DeliveryState, Frequency, Issue, IssueState, IssueSum, Run, RunState
from publisher.store import Transaction
from publisher.websub.callback import parse_callback
from publisher.websub.exchange import Taken

_TOLD, _CALL = "alarms", "alarm call"
_GIVE_UP = timedelta(days=1)
_BEFORE = 4
"""Issues that the newest one is compared with."""
_BACK, _AT_ONCE = 1000, 10
"""So many runs back is looked, and so many are read together."""
_JSON = {"Content-Type": "application/json"}


async def watch(parts: Parts, client: HubClient) -> str:
    """Look once; says in a few words what was told. Raises as the store does."""
    lines = await across(_look, parts)
    problem = await _call(parts, client)
    return "; ".join([*lines, *([problem] if problem else [])])


def _look(parts: Parts) -> list[str]:
    settings, now = parts.settings, parts.clock()
    again = timedelta(hours=settings.alarm.every_hours)
    with parts.store.write() as tx:
        found = alarms(_watched(tx, settings, now), rejected_percent=settings.alarm.rejected_percent)
        holding = {name: bare(line) for name, line in found}
        said = json.loads(tx.meta.get(_TOLD) or "{}")
        told = {name: datetime.fromisoformat(moment) for name, moment in said.items()}
        lines, kept = to_tell(now, holding, told, again)
        if kept != told:
            tx.meta.set(_TOLD, json.dumps({name: moment.isoformat() for name, moment in kept.items()}))
        if lines:
            _write(tx, parts, lines, now)
    for line in lines:
        log("alarm").warning("alarm", says=line)
    return lines


def _watched(tx: Transaction, settings: Settings, now: datetime) -> Watched:
    failed = _failed(tx)
    backup = last_backup(tx)
    return Watched(
        run_failed=(_problem(failed) or _letters_problem(failed) or "see its record") if failed else "",
        run_id=failed.id if failed else 0,
        overdue=overdue(tx, settings, now),
        gate=_kept_back(tx),
        issues=_issues(tx),
        backup_late=now - backup - OVERDUE if backup and settings.backup.enabled else None,
        free=free_bytes(settings),
    )


def _failed(tx: Transaction) -> Run | None:
    """The run whose failure lasts. One that only sent letters ends the failure of letters, and no other: it did not
    try what failed there. One that was interrupted ends none."""
    sent = False
    for run in _newest_first(tx):
        if run.state is RunState.INTERRUPTED:
            continue
        healed = sent and not _problem(run) and _letters_problem(run)
        if run.state is RunState.FAILED and not healed:
            return run
        if not run.report.get("letters_only"):
            return None
        sent = True
    return None


def _kept_back(tx: Transaction) -> Sequence[str]:
    """What the last run that came as far as the site says was kept back; each names again what still is."""
    for run in _newest_first(tx):
        came_far = run.state is not RunState.INTERRUPTED and not _problem(run)
        if came_far and not run.report.get("letters_only"):
            return list(_part(run, "site").get("problems", ()))
    return []


def _newest_first(tx: Transaction) -> Iterator[Run]:
    """Runs that ended, as far back as anybody looks; a few are read at a time, for mostly the first is enough."""
    before = None
    for _ in range(_BACK // _AT_ONCE):
        runs = tx.runs.list(_AT_ONCE, before=before)
        yield from (run for run in runs if run.state is not RunState.RUNNING)
        if not runs:
            return
        before = runs[-1].id


def _problem(run: Run) -> str:
    """What ended it early, "" if nothing did."""
    return str(run.report.get("problem", ""))


def _letters_problem(run: Run) -> str:
    return str(_part(run, "delivery").get("problem", ""))


def _part(run: Run, name: str) -> Mapping[str, Any]:
    """A part of its report; one that was interrupted may have none."""
    return cast(Mapping[str, Any], run.report.get(name, {}))


def _issues(tx: Transaction) -> list[Sent]:
    found = []
    for frequency in Frequency:
        issue = tx.issues.last(frequency)
        if issue is not None and issue.number is not None:
            total = tx.deliveries.sum(issue.id)
            finished = issue.state is IssueState.FINISHED
            sent = Sent(issue.name, finished, total.selected, sum(total.states.values()), *_answers(total))
            found.append(_compared(tx, issue, sent) if sent.is_noticed else sent)
    return found


def _compared(tx: Transaction, issue: Issue, sent: Sent) -> Sent:
    """`sent` with what became of the letters of the issues before it: to count them takes a while."""
    former = tx.issues.list(_BEFORE, frequency=issue.frequency, state=IssueState.FINISHED, before=issue.id)
    answers = [_answers(tx.deliveries.sum(one.id)) for one in former]
    return replace(
        sent,
        accepted_before=sum(accepted for accepted, _ in answers),
        rejected_before=sum(rejected for _, rejected in answers),
    )


def _answers(total: IssueSum) -> tuple[int, int]:
    return total.states.get(DeliveryState.ACCEPTED, 0), total.states.get(DeliveryState.REJECTED, 0)


def _write(tx: Transaction, parts: Parts, lines: list[str], now: datetime) -> None:
    settings = parts.settings.alarm
    if settings.mail is not None:
        address = parseaddr(settings.mail)[1]
        tx.service_letters.add(
            ALARM_LETTER,
            email=address,
            address=parts.mail_room.addresses(address)[0],
            language=parts.settings.site.language,
            facts={"alarms": lines},
            written=now,
            expires=now + _GIVE_UP,
        )
    if settings.webhook.get_secret_value():
        said = {"site": parts.settings.site.title, "at": now.isoformat(), "alarms": lines}
        tx.meta.set(_CALL, json.dumps(said, ensure_ascii=False))


async def _call(parts: Parts, client: HubClient) -> str:
    """Make the call that waits, if there is one; gives the problem. What is newer takes the place of what waits."""

    def waiting() -> str:
        with parts.store.read() as tx:
            return tx.meta.get(_CALL) or ""

    content = await across(waiting)
    settings = parts.settings.alarm
    webhook = settings.webhook.get_secret_value()
    if not content or not webhook:
        return ""
    try:
        target = parse_callback(webhook, allow_private=settings.allow_private)
    except HubError as error:
        problem = str(error).replace("hub.callback", "alarm.webhook")
        log("alarm").error("alarm.webhook", problem=problem)
        return problem
    answer = await client.push(target, content.encode(), _JSON)
    old = _too_old(content, parts.clock)
    if answer.taken is Taken.ACCEPTED or old:
        await across(_called, parts, content)
    if answer.taken is Taken.ACCEPTED:
        return ""
    log("alarm").warning("alarm.webhook", problem=str(answer), given_up=old)
    return f"the webhook {answer}"


def _too_old(content: str, clock: Clock) -> bool:
    return clock() - datetime.fromisoformat(json.loads(content)["at"]) > _GIVE_UP


def _called(parts: Parts, content: str) -> None:
    with parts.store.write() as tx:
        if tx.meta.get(_CALL) == content:
            tx.meta.set(_CALL, "")
