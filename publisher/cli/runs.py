"""`runs`. Floor: `cli`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from publisher.cli.report import tell_run
from publisher.cli.show import DEFAULT_CONFIG, MOST, ConfigOption, JsonOption, echo_json, facts, moment, opened, table

if TYPE_CHECKING:
    from publisher.model import Run


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The record of publish runs.", no_args_is_help=True)
    group.command("list")(list_)
    group.command()(show)
    app.add_typer(group, name="runs")


def list_(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=MOST, help="So many, the newest first.")] = 20,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List publish runs, the newest first.

    Example: publisher runs list -n 5
    """
    from publisher.flows.gist import gist

    with opened(config) as app, app.store.read() as tx:
        runs = tx.runs.list(limit=limit)
    if as_json:
        echo_json(runs)
        return
    table(
        ["run", "trigger", "state", "started", "took", "what it did"],
        [(run.id, run.trigger, run.state, moment(run.started), _took(run), gist(run.report)) for run in runs],
        empty="no runs yet; `publisher publish` makes one",
    )


def show(
    run: Annotated[int, typer.Argument(help="Its number in `runs list`.")],
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show one run and what it did.

    Example: publisher runs show 1
    """
    with opened(config) as app, app.store.read() as tx:
        found = tx.runs.get(run)
    if as_json:
        echo_json(found)
        return
    facts(
        [
            ("run", found.id),
            ("trigger", found.trigger),
            ("state", found.state),
            ("started", moment(found.started)),
            ("finished", moment(found.finished)),
            ("by", f"process {found.pid} on {found.host}"),
            ("problem", found.report.get("problem")),
        ]
    )
    if found.report:
        typer.echo()
        tell_run(found.report, aside=typer.echo)


def _took(run: Run) -> str:
    return "" if run.finished is None else f"{(run.finished - run.started).total_seconds():,.0f} s"
