"""A run's record as lines for people; the same for `publish`, `deliver` and `runs show`. Floor: `cli`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import typer

from publisher.cli.show import complain, number, say

Record = Mapping[str, Any]
"""What `flows.records.as_json` makes of a RunReport: plain JSON values."""

Aside = Callable[[str], None]
"""Where a refusal or a problem is told."""

_PATHS = 12  # documents named one by one in a plan


def tell_run(record: Record, *, plan: bool = False, aside: Aside = complain) -> None:
    """All of a run. `plan`: nothing has happened yet, this is what would. What went wrong is told to `aside`."""
    _tell_ingest(record["ingest"], aside)
    _tell_site(record["site"], plan, aside)
    for issue in record["issues"]:
        _tell_issue(issue, plan)
    if not record["issues"]:
        say("digests", "none due")
    if not plan:
        _tell_pings(record.get("pings", {}), aside)
        tell_delivery(record["delivery"], aside)


def _tell_ingest(ingest: Record, aside: Aside) -> None:
    say("articles", counts(ingest) + _unread(ingest["skipped_files"]))
    filed = ", ".join(f"{topic} {count:,}" for topic, count in ingest["filed"].items() if topic != "all")
    if filed:
        say("filed", filed)
    if ingest["leaving"]:
        listed = number(len(ingest["leaving"]), "filing")
        say("leaving", f"{listed} that the rules no longer make, kept; `publisher topics refile` lists them")
    tell_refused(ingest, aside)


def counts(ingest: Record) -> str:
    """``2 new, 0 changed, 8 unchanged, 1 refused``."""
    shown = (("new", "new"), ("changed", "changed"), ("unchanged", "unchanged"), ("refused_count", "refused"))
    return ", ".join(f"{ingest[name]:,} {word}" for name, word in shown)


def tell_refused(ingest: Record, aside: Aside = complain) -> None:
    """Each refused item by file, line and reason, and each key that was passed over."""
    for refused in ingest["refused"]:
        aside(f"refused: {_place(refused)}: {refused['reason']}")
    unnamed = ingest["refused_count"] - len(ingest["refused"])
    if unnamed:
        aside(f"refused: {unnamed:,} more")
    for unread in ingest.get("unread", ()):
        also = f" and {number(unread['items'] - 1, 'more article')}" if unread["items"] > 1 else ""
        aside(f"warning: {_place(unread)}{also}: unknown key {unread['key']!r} is passed over")


def _place(record: Record) -> str:
    line = "" if record["line"] is None else f":{record['line']}"
    return ("standard input" if record["place"] == "-" else str(record["place"])) + line


def tell_delivery(delivery: Record, aside: Aside = complain) -> None:
    states = ", ".join(f"{count:,} {state}" for state, count in delivery["states"].items())
    say("letters", states or ("none sent" if delivery["waiting"] else "nothing to send"))
    service = ", ".join(f"{count:,} {state}" for state, count in delivery.get("service", {}).items())
    if service:
        say("confirming", service)
    if delivery["outbox"] and (states or service):
        say("outbox", delivery["outbox"])
    if delivery["waiting"]:
        outlook = delivery.get("outlook") or {}
        say("waiting", _waiting(delivery["waiting"], outlook))
        for name, waits in _held_back(outlook):
            say(name, waits)
    approval = (delivery.get("outlook") or {}).get("approval", 0)
    if approval:
        wait = "waits" if approval == 1 else "wait"
        say("approval", f"{number(approval, 'letter')} {wait} for it; `publisher issues approve` lets them go")
    paused = (delivery.get("outlook") or {}).get("paused", 0)
    if paused:
        say("paused", f"{number(paused, 'letter')} of an issue that is paused; `publisher issues resume` goes on")
    if delivery["problem"]:
        aside(delivery["problem"])


def _waiting(letters: int, outlook: Record) -> str:
    """``12 letters still to be sent, from 2026-03-02 10:00:36Z on, not all before ...; `publisher deliver` ...``."""
    text = f"{number(letters, 'letter')} still to be sent"
    if outlook.get("goes_on"):
        text += f", the next at {_time(outlook['goes_on'])}"
    if outlook.get("done_by") and outlook["done_by"] != outlook.get("goes_on"):
        text += f", not all before {_time(outlook['done_by'])}"
    return f"{text}; `publisher deliver` sends what is due"


def _held_back(outlook: Record) -> Iterator[tuple[str, str]]:
    """Each relay and domain that letters wait for, and why."""
    for relay in outlook.get("relays", ()):
        used = [_limit(limit) for limit in relay["limits"] if limit["used"] >= limit["letters"] - limit.get("kept", 0)]
        if relay["open_until"]:
            yield "relay", f"{relay['name']}: out until {_time(relay['open_until'])}"
        elif relay["begins"]:
            yield "relay", f"{relay['name']}: begins on {relay['begins'][:10]}"
        elif used:
            yield "relay", f"{relay['name']}: {', '.join(used)}, goes on at {_time(relay['goes_on'])}"
    for domain in outlook.get("domains", ()):
        why = f"{number(domain['letters'], 'letter')} until {_time(domain['open_until'])}: {domain['reason']}"
        yield "domain", f"{domain['name']}: {why}"


def _limit(limit: Record) -> str:
    span = {1: "a second", 3600: "an hour", 86400: "24 hours"}[limit["seconds"]]
    return f"{limit['used']:,} of {limit['letters']:,} letters in {span}"


def _time(moment: str) -> str:
    return moment.replace("T", " ")[:19] + "Z"


def _tell_pings(pings: Record, aside: Aside) -> None:
    told = [
        f"{pings[name]:,} {word}" for name, word in (("accepted", "told"), ("waiting", "waiting")) if pings.get(name)
    ]
    if told:
        say("hubs", ", ".join(told))
    for problem in pings.get("problems", ()):
        aside(problem)


def _unread(files: int) -> str:
    return f"; {number(files, 'file')} as read before" if files else ""


def _tell_site(site: Record, plan: bool, aside: Aside) -> None:
    verb = "would change" if plan else "written"
    removed = f", {len(site['removed'])} {'would go' if plan else 'removed'}" if site["removed"] else ""
    unchanged = f", {site['unchanged']:,} unchanged" if site["unchanged"] else ""
    say("site", f"{number(site['written_count'], 'document')} {verb}{unchanged}{removed}")
    if plan:
        for path in site["written"][:_PATHS]:
            typer.echo(f"              {path}")
        if site["written_count"] > _PATHS:
            typer.echo(f"              and {site['written_count'] - _PATHS:,} more")
    for problem in site["problems"]:
        aside(problem)


def _tell_issue(issue: Record, plan: bool) -> None:
    if not issue["name"]:
        say(issue["frequency"], f"{'would be ' if plan else ''}skipped: {issue['reason']}")
        return
    parts = [
        f"{number(issue['articles'], 'article')} for {issue['letters']:,} of {number(issue['readers'], 'reader')}",
        number(issue["editions"], "edition"),
        f"{_sizes(issue['letter_bytes'])} a letter",
    ]
    if issue["held_back"]:
        parts.append(f"{number(issue['held_back'], 'article')} held back as old")
    waits = issue.get("waiting")
    fate = "waits for approval" if waits and not plan else "would wait for approval" if waits else "would be sent"
    say(issue["name"], ", ".join(parts) + (f" ({fate})" if plan or waits else ""))


def _sizes(sizes: list[int]) -> str:
    if not sizes:
        return "no size"
    least, most = f"{min(sizes) / 1000:.1f}", f"{max(sizes) / 1000:.1f}"
    return f"{least} kB" if least == most else f"{least} to {most} kB"
