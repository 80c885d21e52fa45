"""`feeds`. Floor: `cli`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from publisher.cli.show import DEFAULT_CONFIG, ConfigOption, JsonOption, echo_json, number, table

if TYPE_CHECKING:
    from publisher.flows.check_feeds import Checked


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The published feeds.", no_args_is_help=True)
    group.command()(check)
    app.add_typer(group, name="feeds")


def check(
    places: Annotated[
        list[str] | None, typer.Argument(metavar="PATH|URL", help="Files, folders or addresses; default: the site.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--walk", help="Also read all archives and pages before the feed at each URL.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Check published feeds against the rules of their formats.

    Every run does the same before it publishes. Without PATH or URL the whole published site: every feed and archive,
    the list of feeds, and that what they link to is there. An address, such as https://customs.example/feeds/all.atom,
    is asked as a reader would: media type, compression, 304; with --walk all that is linked before it is read too, and
    its articles are counted. Exit code 1 with findings.

    Example: publisher feeds check
    """
    checked = [one for place in places for one in _checked(place, whole=whole)] if places else _site(config)
    findings = sum(len(one.findings) for one in checked)
    if as_json:
        echo_json(checked)
    else:
        table(["document", "result", "rule", "entry"], [row for one in checked for row in _rows(one)])
        typer.echo(f"{number(len(checked), 'document')}, {number(findings, 'finding')}", err=True)
    if findings:
        raise typer.Exit(1)


def _checked(place: str, *, whole: bool) -> list[Checked]:
    from publisher.cleantext import shown_path
    from publisher.clock import system_clock
    from publisher.errors import UsageError

    scheme, colon, address = place.partition("://")
    if colon and scheme.lower() in {"http", "https"}:
        from publisher.flows.check_address import check_address, walk_address

        place = f"{scheme.lower()}://{address}"  # as the feed names itself
        return [check_address(place, now=system_clock()), *([walk_address(place)] if whole else [])]
    if colon and not Path(place).exists():
        raise UsageError(f"{shown_path(place)}: only addresses of http and https are asked")
    from publisher.flows.check_feeds import check_files

    return check_files(Path(place), now=system_clock())


def _site(config: Path) -> list[Checked]:
    from publisher.clock import system_clock
    from publisher.config import load
    from publisher.flows.check_feeds import check_site
    from publisher.links import Links

    site = (settings := load(config)).site
    return check_site(settings.path(site.output), Links(site.base_url), now=system_clock())


def _rows(one: Checked) -> list[tuple[str, str, str, str]]:
    if not one.findings:
        return [(one.document, f"ok ({number(one.entries, 'entry', 'entries')})" if one.entries else "ok", "", "")]
    return [(one.document, finding.text, finding.rule, finding.entry_id) for finding in one.findings]
