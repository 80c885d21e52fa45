"""`status`. Floor: `cli`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from publisher.cli.show import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    as_plain,
    columns_of_terminal,
    echo_json,
    facts,
    number,
    on_terminal,
    opened,
    table,
)

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.flows.outlook import LimitUse
    from publisher.flows.status import Status
    from publisher.model import Run

_EVERY_S = 2.0
_BAR = 24
_SPANS = {1: "a second", 3600: "an hour", 86400: "24 hours"}
_FULL, _HALF, _EMPTY = "█", "▌", "·"


def register(app: typer.Typer) -> None:
    app.command()(status)


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again every two seconds.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show the timetable, the run under way, and what waits.

    Also the relays and what is used of their limits, the age of the feeds, the disk and the versions. Works whether
    or not `publisher serve` is running; what another process is sending is shown too. With --watch and --json one line
    for each look.

    Example: publisher status
    """
    with opened(config) as app:
        if not watch:
            shown = _status(app)
            echo_json(shown) if as_json else _tell(shown)
            return
        try:
            _watch(app, as_json=as_json)
        except KeyboardInterrupt:
            return


def _status(app: App) -> Status:
    import asyncio

    from publisher.flows.status import status as flow
    from publisher.schedule import lines, upcoming

    now = app.clock()
    return flow(app.store, app.settings, now, declared=upcoming(lines(app, asyncio.Event()), now))


def _watch(app: App, *, as_json: bool) -> None:
    import time
    from contextlib import nullcontext

    from rich.console import Console

    with Console().screen() if on_terminal() and not as_json else nullcontext():
        while True:
            shown = _status(app)
            if as_json:
                typer.echo(json.dumps(as_plain(shown), ensure_ascii=False))
            else:
                if on_terminal():
                    typer.echo("\x1b[H\x1b[J", nl=False)
                _tell(shown)
            time.sleep(_EVERY_S)


def _tell(shown: Status) -> None:
    now = shown.now
    facts(
        [
            ("publisher", f"{shown.version}, database {shown.schema}"),
            ("timetable", _keeper(shown)),
            ("run", _current(shown)),
            ("last run", _last(shown.last, now)),
            ("letters", _letters(shown)),
            ("readers", ", ".join(f"{count:,} {state}" for state, count in shown.readers.items() if count) or "none"),
            ("feeds", _feeds(shown)),
            ("disk", _disk(shown)),
        ]
    )
    typer.echo()
    table(
        ["job", "when", "last", "how it went", "next"],
        [
            (
                job.name,
                job.trigger,
                "" if job.fired is None else _ago(job.fired, now),
                _outcome(job.outcome, job.detail) if job.fired else "",
                "" if job.next is None else _soon(job.next, now),
            )
            for job in shown.jobs
        ],
    )
    _tell_relays(shown)
    if shown.queue:
        typer.echo()
        table(
            ["issue", "state", "accepted", "waiting", "next attempt"],
            [
                (
                    line.issue,
                    line.state,
                    f"{line.accepted:,} of {line.letters:,}",
                    f"{line.waiting:,}",
                    "" if line.next_attempt is None else _soon(line.next_attempt, now),
                )
                for line in shown.queue
            ],
        )


def _keeper(shown: Status) -> str:
    who = shown.keeper
    if who is None:
        return "not running; `publisher serve` or `publisher schedule` runs it"
    name = f"process {who.pid} on {who.host}"
    if who.running:
        return f"running, {name}"
    return f"not running; {name} was heard of {_ago(who.heard, shown.now)}"


def _current(shown: Status) -> str:
    run = shown.current
    if run is None:
        return "none under way"
    began = f"no. {run.id} ({run.trigger}), begun {_ago(run.started, shown.now)}"
    if str(getattr(shown.current_process, "value", "")) == "gone":
        return f"{began}, but its process is gone; the next run goes on"
    return f"{began}: {_progress(run)}"


def _progress(run: Run) -> str:
    if not run.total:
        return run.step or "beginning"
    counted = f"{run.step} {run.done:,} of {run.total:,}"
    if not on_terminal() or columns_of_terminal() < 60:
        return counted
    halves = round(2 * _BAR * min(run.done, run.total) / run.total)
    bar = _FULL * (halves // 2) + _HALF * (halves % 2)
    return f"{counted} {bar}{_EMPTY * (_BAR - len(bar))} {100 * run.done // run.total} %"


def _last(run: Run | None, now: datetime) -> str:
    if run is None:
        return "none yet"
    problem = run.report.get("problem") or ""
    return f"no. {run.id} ({run.trigger}) {run.state} {_ago(run.finished or run.started, now)}" + (
        f": {problem}" if problem else ""
    )


def _letters(shown: Status) -> str:
    """``2,400 waiting, the next in 31 min, not all before 2026-03-02 09:00:48Z; 12 wait for approval; through ...``."""
    ahead, relay = shown.outlook, shown.relay
    waiting = f"{ahead.waiting:,} waiting"
    if ahead.goes_on:
        waiting += f", the next {_soon(ahead.goes_on, shown.now)}"
    if ahead.done_by and ahead.done_by != ahead.goes_on:
        waiting += f", not all before {_at(ahead.done_by)}"
    said = [waiting]
    if ahead.approval:
        said.append(f"{ahead.approval:,} wait for approval")
    if ahead.paused:
        said.append(f"{ahead.paused:,} paused")
    if shown.service_letters:
        said.append(f"{number(shown.service_letters, 'confirmation or notice', 'confirmations and notices')} waiting")
    if not relay.host:
        said.append(f"kept in {_near(relay.outbox)}")
    elif len(ahead.relays) > 1:
        said.append(f"through {len(ahead.relays)} relays")
    else:
        said.append(f"through {relay.host}:{relay.port}, {number(relay.connections, 'connection')} at most")
    return "; ".join(said)


def _tell_relays(shown: Status) -> None:
    """Relays with their limits, and the domains that letters wait for; nothing for one relay that has no limits."""
    ahead, now = shown.outlook, shown.now
    if len(ahead.relays) > 1 or any(relay.limits or relay.held for relay in ahead.relays):
        typer.echo()
        table(
            ["relay", "weight", *(f"in {span}" for span in _SPANS.values()), "goes on"],
            [
                (
                    f"{relay.name} ({relay.address})",
                    relay.weight,
                    *(_share(relay.limits, seconds) for seconds in _SPANS),
                    _held(relay.held, relay.goes_on, now),
                )
                for relay in ahead.relays
            ],
        )
    if ahead.domains:
        typer.echo()
        table(
            ["domain", "letters", "goes on"],
            [
                (domain.name, f"{domain.letters:,}", _held(domain.reason, domain.open_until, now))
                for domain in ahead.domains
            ],
        )


def _share(limits: Sequence[LimitUse], seconds: int) -> str:
    return next((f"{limit.used:,} of {limit.letters:,}" for limit in limits if limit.seconds == seconds), "")


def _held(why: str, until: datetime | None, now: datetime) -> str:
    if not why:
        return "now"
    return f"{_soon(until, now)}, {_at(until)}: {why}" if until else why


def _at(moment: datetime) -> str:
    """In UTC, as a run's report tells it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def _near(path: str) -> str:
    """`path` as it is named from the folder we are in, if it lies below that."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _feeds(shown: Status) -> str:
    published = sorted((feed.changed, feed.topic) for feed in shown.feeds if feed.changed is not None)
    if not published:
        return "none published yet"
    (oldest, which), (newest, _) = published[0], published[-1]
    missing = len(shown.feeds) - len(published)
    said = f"{len(published)}, the newest {_ago(newest, shown.now)}, the oldest ({which}) {_ago(oldest, shown.now)}"
    return said + (f"; {missing} not published yet" if missing else "")


def _disk(shown: Status) -> str:
    free = f"{_size(shown.disk.free)} free"
    return free if shown.disk.database is None else f"{free}, database {_size(shown.disk.database)}"


def _outcome(outcome: str, detail: str) -> str:
    return f"{outcome}: {detail}" if outcome and detail and outcome != "done" else detail or outcome or "at work"


def _size(size: int) -> str:
    for unit, step in (("GB", 10**9), ("MB", 10**6)):
        if size >= step:
            return f"{size / step:,.1f} {unit}"
    return f"{size / 1000:,.0f} kB"


def _ago(moment: datetime, now: datetime) -> str:
    seconds = int((now - moment).total_seconds())
    return f"in {_span(-seconds)}" if seconds < 0 else "now" if seconds < 2 else f"{_span(seconds)} ago"


def _soon(moment: datetime, now: datetime) -> str:
    seconds = int((moment - now).total_seconds())
    return "now" if seconds <= 0 else f"in {_span(seconds)}"


def _span(seconds: int) -> str:
    for unit, step in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * step:
            return f"{seconds // step} {unit}"
    return f"{seconds} s"
