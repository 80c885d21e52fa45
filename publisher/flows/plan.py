"""Plans: what a run would do, what that depends on, and a run that keeps to its plan. Floor: `flows`.

    plan: sources, compose, site in a transaction that is rolled back -> report + fingerprint
    run to plan: the lock -> the same fingerprint again -> refused where a part of it differs, else the run

A plan says what was there when somebody looked at it. Its parts have names, so that a refusal can say what changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from publisher.config import Settings
from publisher.errors import PlanOutdated, UsageError
from publisher.flows.publish_site import publish_site
from publisher.flows.reports import IngestReport, IssueReport, RunReport
from publisher.flows.run import Order, Parts, compose_due, read_sources
from publisher.model import Frequency, ImportOutcome, IssueState
from publisher.store import Transaction, Trial

_SHOWN = ("digest", "site", "feeds", "topics")  # the settings that a plan depends on
_IN_WORDS = {
    "settings": "the settings or templates",
    "sources": "what the sources hold",
    "store": "the articles or issues of the store",
    "audience": "the readers or what they get",
    "digests": "which digests are due",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """SHA-256 of each part of what a plan depends on. `audience` is that of the digests which the plan sends."""

    settings: str
    sources: str
    store: str
    audience: str
    digests: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    order: Order
    report: RunReport
    fingerprint: Fingerprint


def make_plan(parts: Parts, order: Order) -> Plan:
    """What `publish` would do now, found by doing it in a transaction that is rolled back; nothing is changed."""
    now = parts.clock()
    with parts.store.trial() as trial:
        report, fingerprint = _tried(parts, trial, order, now)
        site = publish_site(trial, parts.folder, parts.press, now=now, rebuild=order.rebuild, dry_run=True)
    report = RunReport(ingest=report.ingest, site=site, issues=report.issues)
    return Plan(order=order, report=report, fingerprint=fingerprint)


def keep_to(parts: Parts, order: Order, expected: Fingerprint) -> None:
    """Raises PlanOutdated unless `order` would still do what it would have done when it was planned. The caller holds
    the run's lock."""
    with parts.store.trial() as trial:
        _, found = _tried(parts, trial, order, parts.clock())
    changed = [part.name for part in fields(Fingerprint) if getattr(found, part.name) != getattr(expected, part.name)]
    if changed:
        raise PlanOutdated([_IN_WORDS[name] for name in changed])


def as_values(plan: Plan) -> dict[str, Any]:
    """What `read_plan` reads, as plain JSON values."""
    order = {"forced": list(plan.order.forced), "digests": plan.order.digests, "rebuild": plan.order.rebuild}
    return {"order": order, "fingerprint": asdict(plan.fingerprint)}


def read_plan(text: str) -> tuple[Order, Fingerprint]:
    """What `publish --dry-run --json` printed. Raises UsageError for anything else."""
    try:
        values = json.loads(text)
        order = Order(
            forced=tuple(Frequency(name) for name in values["order"]["forced"]),
            digests=bool(values["order"]["digests"]),
            rebuild=bool(values["order"]["rebuild"]),
        )
        return order, Fingerprint(**{part.name: str(values["fingerprint"][part.name]) for part in fields(Fingerprint)})
    except (ValueError, TypeError, LookupError):
        raise UsageError("this is no plan; `publisher publish --dry-run --json` prints one") from None


def _tried(parts: Parts, trial: Trial, order: Order, now: datetime) -> tuple[RunReport, Fingerprint]:
    """Sources and digests, tried; what they met on the way."""
    with trial.read() as tx:
        store = _store(tx)
    ingested = read_sources(parts, trial, now)
    with trial.read() as tx:
        sources = _sources(tx, ingested)
    composed = compose_due(parts, trial, order, now)
    with trial.read() as tx:
        fingerprint = Fingerprint(
            settings=_settings(parts.settings, parts.press.fingerprint),
            sources=sources,
            store=store,
            audience=_audience(tx, composed),
            digests=_hash((str(one.frequency), one.name, one.reason) for one in composed),
        )
    return RunReport(ingest=ingested, issues=tuple(composed)), fingerprint


def _settings(settings: Settings, press: str) -> str:
    return _hash([press, settings.model_dump_json(include=set(_SHOWN))])


def _store(tx: Transaction) -> str:
    """Every filing and every change of an article takes a number of a counter; issues that are open may change."""
    open_issues = [
        (issue.name, str(issue.state), tx.deliveries.pending(issue.id))
        for state in (IssueState.SENDING, IssueState.PAUSED, IssueState.WAITING)
        for issue in tx.issues.list(1000, state=state)
    ]
    return _hash([tx.filings.last_seq(), tx.articles.last_touched(), tx.issues.last_id(), *open_issues])


def _sources(tx: Transaction, report: IngestReport) -> str:
    """What would come in; the keys of new articles are minted anew each time, so their texts stand for them."""
    changed = [item for item in report.items if item.outcome is not ImportOutcome.UNCHANGED]
    articles = tx.articles.filed([item.key for item in changed])
    lines = [
        (str(item.outcome), item.title, articles[item.key].article.body, articles[item.key].topics)
        for item in changed
        if item.key in articles
    ]
    return _hash([*sorted(lines), *sorted(str(refusal) for refusal in report.refused)])


def _audience(tx: Transaction, composed: Iterable[IssueReport]) -> str:
    """Who would get what: each letter of the issues that were tried, with what it holds, by title: keys that were
    minted in the trial are never the same twice."""
    digest = hashlib.sha256()
    for one in composed:
        if not one.name:
            continue
        issue = tx.issues.by_name(one.name)
        editions = tx.issues.editions(issue.id)
        articles = tx.articles.filed({key for edition in editions for key in edition.article_keys})
        held = {
            edition.id: _hash(
                (part.topic, sorted(articles[key].article.title for key in part.articles)) for part in edition.sections
            )
            for edition in editions
        }
        for row in tx.deliveries.of_issue(issue.id):
            digest.update(f"{row.subscriber_id} {row.state} {held.get(row.edition_id or 0, '')}\n".encode())
    return digest.hexdigest()


def _hash(parts: Iterable[object]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(json.dumps(part, default=str).encode() + b"\n")
    return digest.hexdigest()
