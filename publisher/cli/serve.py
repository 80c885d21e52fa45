"""`serve`. Floor: `cli`."""

from __future__ import annotations

from typing import Annotated

import typer

from publisher.cli.show import DEFAULT_CONFIG, ConfigOption, opened


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    host: Annotated[str | None, typer.Option("--host", help="Listen on this address; default: web.host.")] = None,
    port: Annotated[int | None, typer.Option("--port", "-p", help="Listen on this port; default: web.port.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Serve the site and publish by the timetable.

    Answers the links of letters, too. Ctrl-C stops it cleanly: letters in hand are finished.

    Example: publisher serve --port 8080
    """
    from publisher.schedule import running
    from publisher.web.server import run_server

    with opened(config) as app:
        run_server(
            app,
            lambda: running(app),
            host=host or app.settings.web.host,
            port=app.settings.web.port if port is None else port,
        )
