"""`/healthz` and `/metrics`: for what watches over the server. Floor: `web`.

Health is for everybody and says no more than whether; metrics are for this machine, or for who has `web.metrics_token`.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from publisher import __version__
from publisher.app import App
from publisher.errors import PublisherError
from publisher.flows.vital_signs import Signs, signs
from publisher.web.tally import Requests

_NEVER_KEPT = {"cache-control": "no-store"}
HEALTH_S: float = 5
"""How long the database may take to say how it is, in seconds: what watches over the server waits no longer either."""


def routes(app: App, requests: Requests) -> list[Route]:
    registry = CollectorRegistry()
    registry.register(_Collector(app))
    registry.register(requests)
    token = app.settings.web.metrics_token.get_secret_value()

    look = _Look(app)

    async def health(_: Request) -> Response:
        try:
            found = await look()
        except (PublisherError, TimeoutError):
            said = {"status": "failing", "problems": ["the database cannot be used"]}
            return JSONResponse(said, 503, _NEVER_KEPT)
        troubles = found.troubles
        status = "failing" if troubles else "ok"
        return JSONResponse(
            {"status": status, "problems": troubles, **_facts(found)}, 503 if troubles else 200, _NEVER_KEPT
        )

    async def metrics(request: Request) -> Response:
        if not _may_see(request, token):
            return PlainTextResponse("Metrics are for this machine, or with web.metrics_token.\n", 403)
        try:
            text = await run_in_threadpool(generate_latest, registry)
        except PublisherError as error:
            return PlainTextResponse(f"{error}\n", 503)
        return Response(text, media_type=CONTENT_TYPE_LATEST, headers=_NEVER_KEPT)

    return [Route("/healthz", health), Route("/metrics", metrics)]


class _Look:
    """One look at the store for all who ask meanwhile: a database that does not answer holds one thread, not one for
    each time that somebody asks for health."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._looking: asyncio.Task[Signs] | None = None

    async def __call__(self) -> Signs:
        """Raises as the store does, and TimeoutError when it takes too long; the look goes on then."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._see())
        return await asyncio.wait_for(asyncio.shield(self._looking), HEALTH_S)

    async def _see(self) -> Signs:
        return await run_in_threadpool(signs, self._app.store, self._app.settings, self._app.clock())


def _facts(found: Signs) -> dict[str, object]:
    ended = found.last_ended
    return {
        "timetable_lag_s": None if found.lag is None else round(found.lag.total_seconds()),
        "last_run": None
        if found.last_run is None
        else {"id": found.last_run, "state": found.last_state, "finished": ended and ended.isoformat()},
    }


def _may_see(request: Request, token: str) -> bool:
    if token:
        said = request.headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(said.encode(), token.encode())
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


class _Collector(Collector):
    """What the store says at the moment of asking."""

    def __init__(self, app: App) -> None:
        self._app = app

    def describe(self) -> Iterable[Metric]:
        return ()  # else a registry asks the database for the names

    def collect(self) -> Iterable[Metric]:
        found = signs(self._app.store, self._app.settings, self._app.clock())
        yield _labelled("publisher_info", "The program.", ["version"], {(__version__,): 1})
        yield _labelled(
            "publisher_runs",
            "The last 50 runs by how they ended.",
            ["state"],
            {(str(s),): n for s, n in found.runs.items()},
        )
        by_issue = {(str(frequency), str(state)): n for (frequency, state), n in found.letters.items()}
        yield _labelled("publisher_letters", "Letters of the newest issue.", ["frequency", "state"], by_issue)
        service = {(str(state),): n for state, n in found.service.items()}
        yield _labelled("publisher_service_letters", "Letters that are no digest.", ["state"], service)
        yield _labelled("publisher_readers", "Readers.", ["state"], {(str(s),): n for s, n in found.readers.items()})
        ages = {(slug,): age for slug, age in found.feeds.items()}
        yield _labelled("publisher_feed_age_seconds", "Since a feed changed last.", ["feed"], ages)
        yield GaugeMetricFamily("publisher_letters_waiting", "Letters that wait.", value=found.waiting)
        yield GaugeMetricFamily("publisher_disk_free_bytes", "Free where the site is.", value=found.free)
        if found.lag is not None:
            lag = found.lag.total_seconds()
            yield GaugeMetricFamily("publisher_timetable_lag_seconds", "Since the timetable was heard of.", value=lag)
        if found.last_ended is not None:
            ended = found.last_ended.timestamp()
            yield GaugeMetricFamily("publisher_last_run_timestamp_seconds", "When the last run ended.", value=ended)
        if found.backup is not None:
            yield GaugeMetricFamily("publisher_backup_age_seconds", "Since the last backup.", value=found.backup)


def _labelled(name: str, about: str, labels: list[str], values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=labels)
    for names, value in values.items():
        family.add_metric(list(names), value)
    return family
