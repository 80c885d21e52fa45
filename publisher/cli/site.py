"""`demo`, `init` and `db`. Floor: `cli`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from publisher.cli.show import DEFAULT_CONFIG, ConfigOption, JsonOption, echo_json, facts, number, opened, table

TO_EDIT = (
    ("site.title", "the name of your site"),
    ("site.base_url", "where readers will reach it"),
    ("site.tag_authority", "your domain, in the id of every article; before the first import, then never again"),
    ("digest.sender", "the From of your letters"),
    ("digest.list_id", "the name of the mailing list, under your domain"),
    ("digest.postal_address", "at the foot of each letter; the law of many places asks for it"),
    ("smtp.host", "your relay; until then letters are kept in data/outbox"),
)
"""The settings of a new site that nobody but its owner can know."""


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
    """Show the whole path on ten initiatives, in a scratch folder.

    Articles in; feeds, a site and digests out. Nothing leaves the machine, no other folder is touched.

    Example: publisher demo
    """
    from publisher.demo import run_demo

    done = run_demo(folder)
    if as_json:
        echo_json(done.made)
        return
    table(["made", "how many", "where"], [(row.what, row.count, row.place) for row in done.made])
    typer.echo("\nOpen")
    facts((f"  {what}", path) for what, path in done.to_open)
    typer.echo(f"\nOr serve it, with its timetable: publisher serve --config {folder / 'config.toml'}")


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the new site goes.")] = Path(),
    empty: Annotated[bool, typer.Option("--empty", help="Without the ten articles.")] = False,
) -> None:
    """Make a new site: config.toml, templates/ and data/articles/.

    It works at once, without a network. Files that are there already are left alone.

    Example: publisher init my-site
    """
    from publisher.flows.new_site import make_site

    made = make_site(directory, with_articles=not empty)
    for name in ("config.toml", "templates", "data"):
        below = [path for path in made if path.relative_to(directory).parts[0] == name]
        if below:
            typer.echo(
                f"made {directory / name}" + ("" if name == "config.toml" else f" ({number(len(below), 'file')})")
            )
    if not made:
        typer.echo("everything is there already, nothing was changed")
    typer.echo(f"\nThe site works as it is. To make it yours, edit {directory / 'config.toml'}:")
    facts((f"  {key}", why) for key, why in TO_EDIT)
    typer.echo("\nSeveral relays, or limits on letters: a [[relay]] block for each (docs/relays.md).")
    where = "" if directory == Path() else f"cd {directory} && "
    typer.echo(f"\nThen: {where}publisher publish && publisher serve")


def upgrade(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Make the database, or bring it up to this version.

    All of it or nothing. Keep a copy of the database first: an older version of this program cannot read a newer one.

    Example: publisher db upgrade
    """
    with opened(config, upgrade=True) as app:
        kind = app.settings.store.url.split(":")[0].split("+")[0]
    if as_json:
        echo_json(app.upgraded)
        return
    for step in app.upgraded:
        typer.echo(f"{step.revision}  {step.what}")
    if not app.upgraded:
        typer.echo(f"the database is up to date ({kind}); nothing was changed")
    elif app.upgraded[0].revision == "0001":
        typer.echo(f"the database was made ({kind})")
    else:
        typer.echo(f"the database is up to date ({kind}); the way back to the older version is your copy from before")
