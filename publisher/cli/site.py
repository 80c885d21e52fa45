"""`demo`, `init` and `db`. Floor: `cli`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from publisher.cli.show import DEFAULT_CONFIG, ConfigOption, JsonOption, echo_json, opened, table


def register(app: typer.Typer) -> None:
    app.command()(demo)
    app.command()(init)
    group = typer.Typer(help="The database.", no_args_is_help=True)
    group.command()(upgrade)
    app.add_typer(group, name="db")


def demo(
    folder: Annotated[Path, typer.Option("--folder", help="The scratch folder; emptied first.")] = Path("data/demo"),
    as_json: JsonOption = False,
) -> None:
    """The whole path on ten initiatives in a scratch folder: articles in, feeds, site and digests out.

    Example: publisher demo
    """
    from publisher.demo import run_demo

    made = run_demo(folder)
    if as_json:
        echo_json(made)
        return
    table(["what", "how many", "open"], [(row.what, row.count, row.place) for row in made])
    typer.echo(f"\nBrowse it: publisher serve --config {folder / 'config.toml'}")


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the new site goes.")] = Path(),
    empty: Annotated[bool, typer.Option("--empty", help="Without the ten articles.")] = False,
) -> None:
    """Make a new site: config.toml, templates/ and data/articles/.

    Files that are there already are left alone. Example: publisher init my-site
    """
    from publisher.flows.new_site import make_site

    made = make_site(directory, with_articles=not empty)
    for path in made:
        typer.echo(f"made {path}")
    if not made:
        typer.echo("everything is there already")
    where = "" if directory == Path() else f"cd {directory} && "
    typer.echo(f"\nNext: edit config.toml (base_url, sender, your domain), then: {where}publisher publish")


def upgrade(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Make the database, or bring its schema up to this version of the program.

    Example: publisher db upgrade
    """
    with opened(config, upgrade=True) as app:
        typer.echo(f"the database is up to date ({app.settings.store.url.split('://')[0]})")
