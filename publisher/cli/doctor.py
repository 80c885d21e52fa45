"""`doctor`. Floor: `cli`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from publisher.cli.show import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    echo_json,
    number,
    on_terminal,
    paragraph,
    say,
    table,
)

if TYPE_CHECKING:
    from publisher.health import Finding

_MARKS = {"ok": ("✓", "green"), "notice": ("!", "yellow"), "problem": ("✗", "red")}


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Ask no relay, name server or web server.")] = False,
    links: Annotated[bool, typer.Option("--links", help="Look for dead links in the next issue, too.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Look whether everything is well, and say what to do.

    Configuration, folders, database, clock, timetable, templates, letters and disk; then relays, SPF, DKIM and DMARC,
    the site and its one-click link. Changes nothing and sends nothing. Exit code 1 when something is a problem.

    Example: publisher doctor --offline
    """
    findings = _examined(config, offline=offline, links=links)
    if as_json:
        echo_json(findings)
    else:
        _tell(findings)
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)


def _examined(config: Path, *, offline: bool, links: bool) -> Sequence[Finding]:
    import asyncio

    from publisher.app import build
    from publisher.clock import system_clock
    from publisher.config import load
    from publisher.errors import ConfigError, PublisherError, TemplateError
    from publisher.flows.doctor import Examination, examine
    from publisher.health.findings import problem

    try:
        settings = load(config)
    except ConfigError as error:
        return [problem("configuration", line, "mend it, and ask again") for line in str(error).splitlines()]
    app = None
    try:
        app = build(settings)
        app.furnish()
        of = Examination(
            settings=settings, clock=app.clock, parts=app.parts, signer=app.signer, offline=offline, links=links
        )
    except ConfigError as error:
        return [problem("configuration", str(error), "mend it, and ask again")]
    except TemplateError as error:
        return [problem("templates", str(error), "mend it, and ask again")]
    except PublisherError as error:
        of = Examination(
            settings=settings, clock=system_clock, parts=None, signer=None, trouble=str(error), offline=offline
        )
    try:
        return asyncio.run(examine(of))
    finally:
        if app is not None:
            app.close()


def _tell(findings: Sequence[Finding]) -> None:
    if not on_terminal():
        table(["level", "what", "found", "what to do"], [(f.level, f.check, f.says, f.advice) for f in findings])
        return
    width = max((len(finding.check) for finding in findings), default=0) + 4
    for finding in findings:
        mark, colour = _MARKS[finding.level]
        typer.secho(mark, fg=colour, nl=False)
        say(f" {finding.check}", finding.says, width=width)
        if finding.advice:
            paragraph(f"{'':{width}}→ {finding.advice}", indent=width + 2)
    counts = Counter(str(one.level) for one in findings)
    said = [number(counts["problem"], "problem"), number(counts["notice"], "notice"), f"{counts['ok']} ok"]
    typer.echo(f"\n{', '.join(said)}")
