"""Real subscribers and hubs of others: HTTP servers on loopback that keep what they were sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit


@dataclass
class Received:
    """One request, as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


Reply = tuple[int, bytes]
Behaviour = Callable[[Received], Reply]


def confirms(request: Received) -> Reply:
    """Says the challenge back, and takes every push."""
    return 200, request.query.get("hub.challenge", "").encode()


@dataclass
class Subscriber:
    """A server at `url`; `behaviour` may be changed while it runs."""

    url: str
    behaviour: Behaviour = confirms
    received: list[Received] = field(default_factory=list)

    @property
    def asked(self) -> list[Received]:
        return [request for request in self.received if request.method == "GET"]

    @property
    def pushed(self) -> list[Received]:
        return [request for request in self.received if request.method == "POST"]


@contextmanager
def subscriber(behaviour: Behaviour = confirms, path: str = "/callback?reader=1") -> Iterator[Subscriber]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Received(self.command, self.path, headers, self.rfile.read(length))
            here.received.append(request)
            status, body = here.behaviour(request)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", body.decode())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _serve  # noqa: N815  (the names that http.server looks for)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    here = Subscriber(f"http://127.0.0.1:{server.server_port}{path}", behaviour)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
