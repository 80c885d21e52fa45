"""The web server of `publisher serve`. Floor: `web`."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, Protocol, cast
from urllib.parse import urlsplit

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from publisher.app import App
from publisher.errors import WebError
from publisher.web import (
    approval,
    change_address,
    combined_feeds,
    confirm,
    errors,
    hub,
    json_archives,
    operations,
    preferences,
    private_feeds,
    sign_up,
    times,
    unsubscribe,
)
from publisher.web.connection import AtOnce, PatientProtocol, nothing_at_once
from publisher.web.guard import Guard, everywhere
from publisher.web.heads import Heads
from publisher.web.late import mounted
from publisher.web.on_demand import OnDemand
from publisher.web.published import Published
from publisher.web.run_desk import RunDesk, RunRequestDesk
from publisher.web.tally import Requests

SHUTDOWN_S = 10
"""After a signal, requests in hand are finished within this time."""

log = structlog.get_logger("publisher.serve")


class Upcoming(Protocol):
    """What knows when documents may change next (see `freshness.NextRun`)."""

    def next_run(self) -> datetime | None: ...


Beside = Callable[[], AbstractAsyncContextManager[Upcoming | None]]
"""What lives as long as the server: the timetable."""


class Front(NamedTuple):
    """The ASGI application, and those of its answers that lie ready."""

    asgi: ASGIApp
    at_once: AtOnce


def make_asgi(app: App, beside: Beside = nullcontext, *, only_answers: bool = False) -> ASGIApp:
    """The ASGI application: published files, leaving, preferences, health; with `beside` open while it runs.

    `only_answers`: runs are left to workers, and so are letters.
    """
    return make_front(app, beside, only_answers=only_answers).asgi


def make_front(app: App, beside: Beside, *, only_answers: bool = False) -> Front:
    """The same with what it can answer at once; nothing where each request is to be logged."""
    base = urlsplit(app.settings.site.base_url)
    prefix = base.path.rstrip("/")
    https = base.scheme == "https"
    published = Published(app, hub.link_headers(app), everywhere(https=https))
    runs = RunRequestDesk(app) if only_answers else RunDesk(app)
    mail = nullcontext if only_answers else app.mail_room.running

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with runs.open(), beside() as timetable, hub.running(app), mail():
            if timetable is not None:
                published.freshness.follow(timetable.next_run)
            yield

    requests = Requests()
    site = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)

    site.router.routes.extend(operations.routes(app, requests))
    for room in (unsubscribe, preferences, change_address, approval):
        site.router.routes.extend(room.routes(app, app.web_pages))
    site.router.routes.extend(sign_up.routes(app, published.limits))
    site.router.routes.extend(confirm.routes(app))
    site.router.routes.extend(hub.routes(app))
    on_demand = OnDemand(app.store, app.clock, published.freshness, published.limits)
    site.router.routes.extend(times.routes(app, app.web_pages, published.freshness.next_run))
    site.router.routes.extend(private_feeds.routes(app, app.web_pages, on_demand))
    site.router.routes.extend(json_archives.routes(app, on_demand, published.missing))
    site.router.routes.extend(combined_feeds.routes(app, app.web_pages, on_demand, published.closed))
    site.router.routes.extend(mounted("admin", lambda: _admin(app, runs), prefix=prefix))
    site.router.routes.extend(mounted("api", lambda: _api(app, runs), prefix=prefix))
    site.mount("/", published.missing)

    errors.handle(site, app.web_pages)
    documents = published.in_front_of(_below(site, prefix), prefix)
    web = app.settings.web
    guard = Guard(documents, https=https, prefix=prefix, logged=web.access_log, saw=requests.saw)
    asgi = cast(ASGIApp, ProxyHeadersMiddleware(cast(Any, guard), list(web.trusted_proxies)))
    return Front(asgi, nothing_at_once if web.access_log else requests.counted(documents.at_once))


def _admin(app: App, runs: RunDesk) -> ASGIApp:
    from publisher.web.admin import make_admin  # noqa: PLC0415  (late: few visit it, and it loads much)

    return make_admin(app, runs)


def _api(app: App, runs: RunDesk) -> ASGIApp:
    from publisher.web.api import make_api  # noqa: PLC0415  (late, for the same reason)

    return make_api(app, runs)


def _below(site: FastAPI, prefix: str) -> FastAPI:
    """Serve under the path of the base URL as well, so that its links hold without a proxy that cuts the path."""
    if not prefix:
        return site

    async def lead(_: Request) -> Response:
        return RedirectResponse(f"{prefix}/", 301, {"Cache-Control": "public, max-age=86400"})

    outer = FastAPI(lifespan=site.router.lifespan_context, openapi_url=None, docs_url=None, redoc_url=None)
    outer.router.routes.append(Route(prefix, lead, methods=["GET", "HEAD"]))
    outer.mount(prefix, site)
    outer.mount("/", site)
    return outer


def run_server(app: App, beside: Beside, *, host: str, port: int, only_answers: bool = False) -> None:
    """Serve until SIGINT or SIGTERM. Raises WebError when the address cannot be had."""
    front = make_front(app, beside, only_answers=only_answers)
    config = uvicorn.Config(
        front.asgi,
        log_level="warning",
        http=cast(Any, partial(PatientProtocol, at_once=front.at_once, heads=Heads())),
        log_config=None,  # its lines go where ours go: see `logs`
        access_log=False,  # tokens in addresses stay out of logs; `Guard` writes one without them
        proxy_headers=False,  # done above, as web.trusted_proxies says
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    with _listening(host, port) as listener:
        name, actual = listener.getsockname()[:2]
        shown = f"[{name}]" if ":" in name else name
        log.info("serving", url=f"http://{shown}:{actual}/", site=str(app.folder.root))
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_Server(config).serve(sockets=[listener]))
    log.info("stopped")


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise WebError(
            f"cannot listen on {host}, port {port}: {reason}; choose another with --host and --port"
        ) from error


class _Server(uvicorn.Server):
    """Stops cleanly when asked; uvicorn itself would send the signal once more when it is done."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, self.handle_exit, name, None)
        try:
            yield
        finally:
            for name in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(name)
