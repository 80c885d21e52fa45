"""`serve` and `schedule`. Floor: `cli`."""

from __future__ import annotations

from typing import Annotated

import typer

from publisher.cli.show import DEFAULT_CONFIG, ConfigOption, JsonOption, echo_json, opened, table
from publisher.cli.show import moment as shown


def register(app: typer.Typer) -> None:
    app.command()(serve)
    app.command()(schedule)


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


def schedule(
    as_json: JsonOption = False,
    show: Annotated[bool, typer.Option("--show", help="Show the jobs and when they fire next, and end.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Publish by the timetable, without a web server.

    The same jobs as in `publisher serve`, for a site whose files another web server serves. Ctrl-C stops it cleanly.
    Where both run on one database, each job is done once.

    Example: publisher schedule --show
    """
    import asyncio
    import signal

    from publisher.schedule import lines, run_timetable, upcoming

    async def until_asked() -> None:
        stop = asyncio.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        await run_timetable(app, stop)

    with opened(config) as app:
        if show or as_json:
            jobs = upcoming(lines(app, asyncio.Event()), app.clock())
            if as_json:
                echo_json([{"name": name, "trigger": said, "next": moment} for name, (said, moment) in jobs.items()])
            else:
                table(["job", "trigger", "next"], [(name, said, shown(at)) for name, (said, at) in jobs.items()])
            return
        asyncio.run(until_asked())
