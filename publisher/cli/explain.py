"""`explain`. Floor: `cli`."""

from __future__ import annotations

from typing import Annotated

import typer

from publisher.cli.show import DEFAULT_CONFIG, ConfigOption, JsonOption, as_plain, echo_json, facts, moment, opened


def register(app: typer.Typer) -> None:
    app.command()(explain)


def explain(
    article: Annotated[str, typer.Argument(metavar="ARTICLE", help="Its key, slug or title.")],
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The reader's address.")],
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Say why a reader got an article or not.

    And when they will, in which issue.

    Example: publisher explain saudi-customs-builds-smart-evaluation-on-wco-performance-measures ann@customs.example
    """
    from publisher.flows.explain import explain_article

    with opened(config) as app:
        found, answer = explain_article(app.store, app.settings, app.terms, article, email, now=app.clock())
        zone = app.settings.zone
    if as_json:
        echo_json({"article": found.key, "title": found.title, **as_plain(answer)})
        return
    when = {"got it": "accepted", "will get it": "expected"}.get(answer.verdict, "since")
    at = answer.at
    facts(
        [
            ("article", found.title),
            ("reader", f"{email} {answer.verdict}"),
            ("why", answer.text),
            ("issue", answer.issue),
            (when, at and f"{moment(at)} ({at.astimezone(zone):%A %H:%M %Z})"),
        ]
    )
