"""`import`, `publish` and `deliver`. Floor: `cli`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

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
    from publisher.flows.reports import DeliverReport, IngestReport, IssueReport, RunReport, SiteReport

T = TypeVar("T")


def register(app: typer.Typer) -> None:
    app.command("import")(import_)
    app.command()(publish)
    app.command()(deliver)


def import_(
    places: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files or folders; - is standard input.")],
    form: Annotated[str, typer.Option("--format", help="auto, text, markdown or jsonl.", metavar="FORMAT")] = "auto",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Bring articles into the store; prints which are new, changed, unchanged or refused, and why.

    Example: publisher import news/ notes.md initiatives.txt
    """
    from publisher.flows.import_places import import_places
    from publisher.model import ImportOutcome

    with opened(config) as app:
        report = import_places(app.parts, places, form)
    if as_json:
        echo_json([*report.items, *({"outcome": "refused", **as_plain(refusal)} for refusal in report.refused)])
    else:
        table(
            ["outcome", "key", "title", "from"],
            [(item.outcome, item.key, item.title, item.origin) for item in report.items],
        )
        counts = ", ".join(f"{report.count(outcome)} {outcome}" for outcome in ImportOutcome)
        typer.echo(f"{counts}, {len(report.refused)} refused")
    _tell_refused(report)
    if report.refused:
        raise typer.Exit(1)


def publish(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would happen; change nothing.")] = False,
    digest: Annotated[
        list[str] | None, typer.Option("--digest", metavar="FREQ", help="Send this digest now, due or not; repeatable.")
    ] = None,
    no_digest: Annotated[bool, typer.Option("--no-digest", help="Feeds and pages only.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Render every document, changed or not.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """A manual publish run: read the sources, publish feeds and pages, send the digests that are due.

    Example: publisher publish --dry-run --digest weekly
    """
    from publisher.errors import UsageError
    from publisher.flows.records import as_json as record
    from publisher.flows.run import Order, plan
    from publisher.flows.run import publish as run

    if digest and no_digest:
        raise UsageError("--digest and --no-digest contradict each other")
    order = Order(
        forced=tuple(dict.fromkeys(frequency_of(name) for name in digest or [])),
        digests=not no_digest,
        rebuild=rebuild,
    )
    with opened(config) as app:
        if dry_run:
            report = plan(app.parts, order)
            _show(report, as_json=as_json, extra={"dry_run": True}, plan=True, record=record(report))
            return
        with progress_shown(quiet=as_json) as progress:
            done, report = asyncio.run(_stoppable(lambda stop: run(app.parts, order, progress=progress, stop=stop)))
        extra = {"run": done.id, "state": str(done.state)}
        _show(report, as_json=as_json, extra=extra, plan=False, record=record(report))
    if report.delivery.problem:
        raise typer.Exit(1)


def deliver(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Send what is still to be delivered: planned, deferred and due again, or interrupted letters.

    Example: publisher deliver
    """
    from publisher.flows.run import deliver_only

    with opened(config) as app, progress_shown(quiet=as_json) as progress:
        _, report = asyncio.run(_stoppable(lambda stop: deliver_only(app.parts, progress=progress, stop=stop)))
    if as_json:
        echo_json(report)
    else:
        _tell_delivery(report)
    if report.problem:
        if as_json:
            complain(report.problem)
        raise typer.Exit(1)


async def _stoppable(work: Callable[[asyncio.Event], Awaitable[T]]) -> T:
    """Run `work(stop)`; SIGTERM and Ctrl-C set `stop`, so that letters in hand are finished and recorded."""
    import signal

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    try:
        return await work(stop)
    finally:
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(name)


def _show(report: RunReport, *, as_json: bool, extra: dict[str, object], plan: bool, record: dict[str, object]) -> None:
    if as_json:
        echo_json({**extra, **record})
        return
    _tell_ingest(report.ingest)
    _tell_site(report.site, plan)
    for issue in report.issues:
        _tell_issue(issue, plan)
    if not report.issues:
        typer.echo("digests     none due")
    if not plan:
        _tell_delivery(report.delivery)


def _tell_ingest(report: IngestReport) -> None:
    from publisher.model import ImportOutcome

    counts = [f"{report.count(outcome)} {outcome}" for outcome in ImportOutcome]
    skipped = f", {number(report.skipped_files, 'file')} not changed since the last run" if report.skipped_files else ""
    typer.echo(f"articles    {', '.join(counts)}, {len(report.refused)} refused{skipped}")
    filed = {topic: count for topic, count in report.filed.items() if topic != "all"}
    if filed:
        listed = ", ".join(f"{topic} {count}" for topic, count in sorted(filed.items()))
        typer.echo(f"filed       {listed}")
    if report.leaving:
        typer.echo(
            f"leaving     {number(len(report.leaving), 'filing')} that the rules no longer make, kept; "
            "`publisher topics refile` lists them"
        )
    _tell_refused(report)


def _tell_refused(report: IngestReport) -> None:
    for refusal in report.refused:
        complain(f"refused: {refusal}")


def _tell_site(report: SiteReport, plan: bool) -> None:
    verb = "would change" if plan else "written"
    removed = f", {len(report.removed)} removed" if report.removed else ""
    typer.echo(f"site        {number(len(report.written), 'document')} {verb}, {report.unchanged} unchanged{removed}")
    if plan:
        for path in report.written[:20]:
            typer.echo(f"              {path}")
        if len(report.written) > 20:
            typer.echo(f"              and {len(report.written) - 20} more")
    for problem in report.problems:
        complain(problem)


def _tell_issue(issue: IssueReport, plan: bool) -> None:
    if not issue.name:
        typer.echo(f"{issue.frequency:<11} skipped: {issue.reason}")
        return
    sizes = issue.letter_bytes
    size = (
        f"{min(sizes) / 1000:.1f}" if min(sizes) == max(sizes) else f"{min(sizes) / 1000:.1f}-{max(sizes) / 1000:.1f}"
    )
    held = f"; {number(issue.held_back, 'article')} held back as old" if issue.held_back else ""
    typer.echo(
        f"{issue.name:<11} {number(issue.articles, 'article')} for {number(issue.letters, 'reader')}"
        f" of {issue.readers}, {number(issue.editions, 'edition')}, {size} kB a letter{held}"
        + (" (would be sent)" if plan else "")
    )


def _tell_delivery(report: DeliverReport) -> None:
    states = ", ".join(f"{count} {state}" for state, count in report.states.items()) or "nothing to send"
    typer.echo(f"letters     {states}")
    if report.outbox and report.states:
        typer.echo(f"outbox      {report.outbox}")
    if report.waiting:
        typer.echo(f"waiting     {number(report.waiting, 'letter')} deferred; `publisher deliver` tries again")
    if report.problem:
        complain(report.problem)
