"""A publisher that is served on a loopback port, and how a day passes there."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from flows.house import FEEDS_ONLY, START, House, Time
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from publisher.model import FiledArticle
from publisher.web.server import make_asgi

PATIENCE_S = 10


@dataclass
class Newsroom:
    """One installation, its web server and what that answered: (what the client calls itself, path, status)."""

    house: House
    port: int
    answered: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def run(self, *, days: float = 1.0) -> tuple[str, ...]:
        """Let time pass, then publish; gives the documents written."""
        self.house.clock.forward(days=days)
        _, report = self.house.publish(FEEDS_ONLY)
        self.problems += report.site.problems
        return report.site.written

    def articles(self, topic: str) -> dict[str, FiledArticle]:
        """What the store says is filed under `topic` now, by entry id."""
        with self.house.app.store.read() as tx:
            return {filed.article.entry_id: filed for filed in tx.articles.newest(topic, 10_000)}

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The real application on a real socket, as long as the block lasts."""
        listener = socket.create_server(("127.0.0.1", self.port))
        application = self._noting(make_asgi(self.house.app))
        server = uvicorn.Server(uvicorn.Config(application, log_level="error", access_log=False, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
            listener.close()

    def _noting(self, application: ASGIApp) -> ASGIApp:
        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            async def note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    agent = dict(scope["headers"]).get(b"user-agent", b"").decode().partition("/")[0]
                    self.answered[agent, scope["path"], message["status"]] += 1
                await send(message)

            await application(scope, receive, note)

        return noting


def newsroom(root: Path, store_url: str, **values: Any) -> Newsroom:
    """An installation that knows the address it will be served at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    site = {"title": "Customs news", "base_url": f"http://127.0.0.1:{port}/", **values.pop("site", {})}
    return Newsroom(House(root, store_url, {"site": site, **values}, Time(START)), port)
