"""A run's record in a few words, for lists. Floor: `flows`."""

from __future__ import annotations


def gist(report: object) -> str:
    """``3 new, 12 documents, weekly-4, 20 accepted``; nothing for a run that has not told yet."""
    if not isinstance(report, dict) or not report:
        return ""
    problem = report.get("problem") or report["delivery"]["problem"]
    words = [f"{report['ingest'][name]:,} {name}" for name in ("new", "changed") if report["ingest"].get(name)]
    if report["ingest"].get("refused_count"):
        words.append(f"{report['ingest']['refused_count']:,} refused")
    if report["site"].get("written_count"):
        words.append(f"{report['site']['written_count']:,} documents")
    words += [issue["name"] or f"{issue['frequency']} skipped" for issue in report["issues"]]
    words += [f"{count:,} {state}" for state, count in report["delivery"]["states"].items()]
    if problem:
        words.append(str(problem))
    return ", ".join(words) or "nothing new"
