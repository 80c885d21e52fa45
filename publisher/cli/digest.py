"""`digest`. Floor: `cli`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from publisher.cli.show import DEFAULT_CONFIG, ConfigOption, JsonOption, echo_json, frequency_of, opened


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="See a digest before anybody else does.", no_args_is_help=True)
    group.command()(preview)
    group.command()(test)
    app.add_typer(group, name="digest")


def preview(
    frequency: Annotated[str, typer.Argument(metavar="FREQ", help="daily, weekly or monthly.")],
    for_: Annotated[str | None, typer.Option("--for", metavar="EMAIL", help="As this reader would get it.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Show the HTML in a browser.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show the next digest as it would go out now. Sends nothing.

    The text goes to the screen, the HTML to a file under data/. Without --for it is the digest that a reader of
    everything would get.

    Example: publisher digest preview weekly --open
    """
    from publisher.flows.preview import preview as flow

    with opened(config) as app:
        shown = flow(app.parts, frequency_of(frequency), email=for_)
        target = app.settings.path(Path("data")) / f"preview-{frequency}.html"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(shown.html, encoding="utf-8")
    if as_json:
        echo_json(shown)
    else:
        typer.echo(f"Subject: {shown.subject}\n\n{shown.text}")
        typer.echo(f"\nHTML: {target}", err=True)
    if open_:
        typer.launch(str(target))


def test(
    frequency: Annotated[str, typer.Argument(metavar="FREQ", help="daily, weekly or monthly.")],
    to: Annotated[str, typer.Option("--to", metavar="EMAIL", help="Where the test letter goes.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Send the next digest to one address as a test.

    Nothing is recorded, no reader's place moves.

    Example: publisher digest test weekly --to editor@customs.example
    """
    from publisher.flows.preview import send_test

    with opened(config) as app:
        where = asyncio.run(send_test(app.parts, frequency_of(frequency), to))
    typer.echo(f"test letter accepted: {where}")
