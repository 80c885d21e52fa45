"""A run's report as plain JSON values, for the store, for `--json` and for the API. Floor: `flows`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from publisher.flows.reports import DeliverReport, IngestReport, IssueReport, PingReport, RunReport, SiteReport
from publisher.model import ImportOutcome

LISTED = 1_000  # items named one by one in a record; counts are always whole


def as_json(report: RunReport) -> dict[str, Any]:
    return {
        **({"letters_only": True} if report.letters_only else {}),
        "ingest": _ingest(report.ingest),
        "site": _site(report.site),
        "pings": _pings(report.pings),
        "issues": [_issue(issue) for issue in report.issues],
        "delivery": _delivery(report.delivery),
    }


def _ingest(report: IngestReport) -> dict[str, Any]:
    return {
        **{str(outcome): report.count(outcome) for outcome in ImportOutcome},
        "refused": [
            {"place": refusal.origin.place, "line": refusal.origin.line, "reason": refusal.reason}
            for refusal in report.refused[:LISTED]
        ],
        "refused_count": len(report.refused),
        "skipped_files": report.skipped_files,
        "unread": [
            {"key": unread.key, "items": unread.items, "place": unread.first.place, "line": unread.first.line}
            for unread in report.unread
        ],
        "filed": dict(sorted(report.filed.items())),
        "leaving": [
            {"article": leaving.article_key, "topic": leaving.topic, "rule": leaving.rule}
            for leaving in report.leaving[:LISTED]
        ],
    }


def _site(report: SiteReport) -> dict[str, Any]:
    return {
        "written": list(report.written[:LISTED]),
        "written_count": len(report.written),
        "unchanged": report.unchanged,
        "removed": list(report.removed),
        "problems": list(report.problems),
    }


def _pings(report: PingReport) -> dict[str, Any]:
    return {"accepted": report.accepted, "waiting": report.waiting, "problems": list(report.problems)}


def _issue(report: IssueReport) -> dict[str, Any]:
    return {
        "frequency": str(report.frequency),
        "name": report.name,
        "reason": report.reason,
        "readers": report.readers,
        "letters": report.letters,
        "editions": report.editions,
        "articles": report.articles,
        "held_back": report.held_back,
        "letter_bytes": list(report.letter_bytes),
        "waiting": report.waiting,
    }


def _delivery(report: DeliverReport) -> dict[str, Any]:
    states: Mapping[str, int] = {str(state): count for state, count in report.states.items()}
    return {
        "states": dict(sorted(states.items())),
        "service": dict(sorted((str(state), count) for state, count in report.service.items())),
        "problem": report.problem,
        "outbox": report.outbox,
        "relays": dict(report.relays),
        "waiting": report.waiting,
        "outlook": report.outlook.as_json() if report.outlook else None,
    }
