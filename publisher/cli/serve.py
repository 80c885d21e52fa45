"""`serve`, `schedule` and `worker`. Floor: `cli`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from publisher.cli.show import DEFAULT_CONFIG, ConfigOption, JsonOption, echo_json, opened, table
from publisher.cli.show import moment as shown

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine


def register(app: typer.Typer) -> None:
    app.command()(serve)
    app.command()(schedule)
    app.command()(worker)


def serve(
    host: Annotated[str | None, typer.Option("--host", help="Listen on this address; default: web.host.")] = None,
    port: Annotated[int | None, typer.Option("--port", "-p", help="Listen on this port; default: web.port.")] = None,
    web_only: Annotated[
        bool, typer.Option("--web-only", help="Only answer; `publisher worker` publishes and sends.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Serve the site and publish by the timetable.

    Answers the links of letters, too. Ctrl-C stops it cleanly: letters in hand are finished.

    Example: publisher serve --port 8080
    """
    from contextlib import nullcontext

    from publisher.schedule import running
    from publisher.web.server import run_server

    with opened(config) as app:
        app.furnish()  # what is wrong is told now, not by the first run that asks for it
        run_server(
            app,
            nullcontext if web_only else lambda: running(app),
            host=host or app.settings.web.host,
            port=app.settings.web.port if port is None else port,
            only_answers=web_only,
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

    from publisher.schedule import lines, run_timetable, upcoming

    with opened(config) as app:
        if show or as_json:
            jobs = upcoming(lines(app, asyncio.Event()), app.clock())
            if as_json:
                echo_json([{"name": name, "trigger": said, "next": moment} for name, (said, moment) in jobs.items()])
            else:
                table(["job", "trigger", "next"], [(name, said, shown(at)) for name, (said, at) in jobs.items()])
            return
        app.furnish()
        _until_asked(lambda stop: run_timetable(app, stop))


def worker(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Do all the work of `serve` but answering.

    The timetable, runs asked for at `publisher serve --web-only`, and letters. For many machines on one PostgreSQL:
    start as many as wanted. They share the work, and go on when one of them is gone. Ctrl-C stops it cleanly.

    Example: publisher worker
    """
    from publisher.schedule import running
    from publisher.worker import run_worker

    with opened(config) as app:
        app.furnish()
        _until_asked(lambda stop: run_worker(app, lambda: running(app), stop))


def _until_asked(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Do `work` until SIGINT or SIGTERM sets the event that it is given."""
    import asyncio
    import signal

    async def until_asked() -> None:
        stop = asyncio.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        await work(stop)

    asyncio.run(until_asked())
