"""`import`, `publish` and `deliver`. Floor: `cli`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from publisher.cli.report import counts, tell_delivery, tell_refused, tell_run
from publisher.cli.show import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    as_plain,
    complain,
    echo_json,
    frequency_of,
    number,
    opened,
    progress_shown,
    table,
)

if TYPE_CHECKING:
    from publisher.flows.reports import DeliverReport

T = TypeVar("T")


def register(app: typer.Typer) -> None:
    app.command("import")(import_)
    app.command()(publish)
    app.command()(deliver)


def import_(
    places: Annotated[list[str], typer.Argument(metavar="PATH", help="Files or folders; - is standard input.")],
    form: Annotated[str, typer.Option("--format", help="auto, text, markdown or jsonl.", metavar="FORMAT")] = "auto",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Bring articles from files or folders into the store.

    Prints which are new, changed, unchanged or refused, and why. Exit code 1 when something was refused; what is good
    is in the store nevertheless.

    Example: publisher import data/articles
    """
    from publisher.flows.import_places import import_places
    from publisher.flows.records import as_json as record
    from publisher.flows.reports import RunReport

    with opened(config) as app:
        report = import_places(app.parts, places, form)
    ingest = record(RunReport(ingest=report))["ingest"]
    if as_json:
        echo_json([*report.items, *({"outcome": "refused", **as_plain(refusal)} for refusal in report.refused)])
    else:
        table(
            ["outcome", "key", "title", "from"],
            [(item.outcome, item.key, item.title, item.origin) for item in report.items],
        )
        typer.echo(counts(ingest), err=True)
    tell_refused(ingest)
    if report.refused:
        raise typer.Exit(1)


def publish(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would happen; change nothing.")] = False,
    digest: Annotated[
        list[str] | None, typer.Option("--digest", metavar="FREQ", help="Send this digest now, due or not; repeatable.")
    ] = None,
    no_digest: Annotated[bool, typer.Option("--no-digest", help="Feeds and pages only.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Render every document, changed or not.")] = False,
    keep_to: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Keep to this plan or do nothing."),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Publish feeds and pages now, and send what is due.

    With --dry-run nothing is published, sent or stored; a new site gets its empty database and its key. With --dry-run
    --json it prints a plan; --plan does what that says, unless sources, articles, readers or settings changed since:
    then nothing is done.

    A refused article is told on standard error and does not fail the run; letters that could not be sent do.

    Example: publisher publish --dry-run --digest weekly
    """
    from publisher.errors import UsageError
    from publisher.flows.records import as_json as record
    from publisher.flows.run import Order
    from publisher.flows.run import publish as run

    if digest and no_digest:
        raise UsageError("--digest and --no-digest contradict each other")
    order = Order(
        forced=tuple(dict.fromkeys(frequency_of(name) for name in digest or [])),
        digests=not no_digest,
        rebuild=rebuild,
    )
    expected = None
    if keep_to is not None:
        if dry_run or digest or no_digest or rebuild:
            raise UsageError("--plan says itself what to do; leave the other options out")
        from publisher.flows import plan as plans

        order, expected = plans.read_plan(_read(keep_to))
    with opened(config) as app:
        came = 0
        if dry_run:
            from publisher.flows import plan as plans

            made = plans.make_plan(app.parts, order)
            report = made.report
            shown = {"dry_run": True, **record(report), **plans.as_values(made)}
        else:
            check = partial(plans.keep_to, app.parts, order, expected) if expected else None
            with progress_shown(quiet=as_json) as progress:
                (done, report), came = _stoppable(
                    lambda stop: run(app.parts, order, progress=progress, stop=stop, check=check, tell=complain)
                )
            shown = {"run": done.id, "state": str(done.state), **record(report)}
    if as_json:
        echo_json(shown)
        complain(report.delivery.problem)
    else:
        tell_run(shown, plan=dry_run)
    _end(report.delivery, came)


def _read(path: Path) -> str:
    return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8", errors="replace")


def deliver(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Send the letters that are still to be delivered.

    Planned ones, deferred ones whose time has come, and those that an interrupted run left.

    Example: publisher deliver
    """
    from publisher.flows.records import as_json as record
    from publisher.flows.reports import RunReport
    from publisher.flows.run import deliver_only

    with opened(config) as app, progress_shown(quiet=as_json) as progress:
        (_, report), came = _stoppable(
            lambda stop: deliver_only(app.parts, progress=progress, stop=stop, tell=complain)
        )
    shown = record(RunReport(delivery=report))["delivery"]
    if as_json:
        echo_json(shown)
        complain(report.problem)
    else:
        tell_delivery(shown)
    _end(report, came)


def _stoppable(work: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> tuple[T, int]:
    """Run `work(stop)`; SIGTERM and Ctrl-C set `stop`, so that letters in hand are finished and recorded. Gives what
    it gave, and the signal that came, or 0."""
    import signal

    async def until_asked() -> tuple[T, int]:
        stop = asyncio.Event()
        came: list[int] = []
        loop = asyncio.get_running_loop()

        def stopped(name: signal.Signals) -> None:
            came.append(name)
            stop.set()

        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stopped, name)
        try:
            return await work(stop), next(iter(came), 0)
        finally:
            for name in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(name)

    try:
        from uvloop import run  # sends letters a third faster; not everywhere
    except ImportError:
        return asyncio.run(until_asked())
    return run(until_asked())


def _end(delivery: DeliverReport, came: int) -> None:
    """The exit code, where it is not 0: that of a shell for a process that this signal ended, else 1 for a problem."""
    if came:
        remain = f"{number(delivery.waiting, 'letter')} still to be sent, `publisher deliver` sends what is due"
        complain(f"stopped; {remain if delivery.waiting else 'no letter remains to be sent'}")
        raise typer.Exit(128 + came)
    if delivery.problem:
        raise typer.Exit(1)
