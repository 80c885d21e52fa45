"""What is answered before any task: the same bytes as the ASGI application's, in order, within the same limits."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import uvicorn
from starlette.responses import Response
from uvicorn.server import ServerState

from publisher.app import App, build
from publisher.config import load
from publisher.web import connection
from publisher.web.connection import AtOnce, PatientProtocol, nothing_at_once
from publisher.web.heads import Head, Heads
from publisher.web.server import Front, make_asgi, make_front

PATIENCE_S = 30
PATHS = ["/", "/feeds/all.atom", "/feeds/all.json", "/assets/style.css", "/assets/style.css?v=0", "/feeds/all%2Eatom",
         "/nowhere", "/feeds/all.atom.gz", "/topics/environment"]  # fmt: skip
ASKED = [
    "",
    "Accept-Encoding: gzip\r\n",
    "Accept-Encoding: br, gzip\r\nIf-None-Match: *\r\n",
    "Accept-Encoding: identity;q=0\r\n",
    'If-None-Match: "old"\r\nIf-Modified-Since: Mon, 02 Mar 2999 07:00:00 GMT\r\n',
    "If-Modified-Since: Mon, 02 Mar 2999 07:00:00 GMT\r\nConnection: keep-alive\r\n",
    'If-Match: "old"\r\n',
    "Range: bytes=0-9\r\n",
    'A-IM: feed\r\nIf-None-Match: "00000000000000000000000000000000"\r\n',
    "Content-Length: 3\r\n",
    "Content-Length: 99999999\r\n",
    "Accept-Encoding: gzip\r\nConnection: close\r\n",
]


@contextmanager
def server(front: Front, **config: Any) -> Iterator[uvicorn.Server]:
    listener = socket.create_server(("127.0.0.1", 0))
    http = cast(Any, partial(PatientProtocol, at_once=front.at_once, heads=Heads()))
    running = uvicorn.Server(uvicorn.Config(front.asgi, http=http, log_level="critical", lifespan="off", **config))
    running.config.port = listener.getsockname()[1]
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield running
    finally:
        running.should_exit = True
        thread.join(PATIENCE_S)
        listener.close()


def connected(running: uvicorn.Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.config.port), timeout=PATIENCE_S)


def everything(wire: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    found = b""
    while part := wire.recv(1 << 20):
        found += part
    return found


def asked(running: uvicorn.Server, request: str) -> bytes:
    """The answer without its date; the end is that of a second request."""
    with connected(running) as wire:
        second = "" if "Connection: close" in request else "GET /feeds.opml HTTP/1.1\r\nConnection: close\r\n\r\n"
        wire.sendall((request + second).encode())  # together: a server that closes resets what it did not read
        return re.sub(rb"\r\ndate: [^\r]*", b"", everything(wire))


@pytest.fixture
def front(app: App) -> Front:
    return make_front(app, nullcontext)


CLIENT = ("203.0.113.7", 1)


def head(*fields: tuple[bytes, bytes], path: str = "/feeds/all.atom") -> Head:
    return Head("GET", path, b"", dict(fields))


@pytest.fixture
def at_once(front: Front) -> AtOnce:
    """With the feed of everything in memory."""
    with server(front) as running:
        asked(running, "GET /feeds/all.atom HTTP/1.1\r\nHost: a\r\n\r\n")
    return front.at_once


def test_it_makes_no_difference_to_the_answer(app: App) -> None:
    answered = []
    documents = make_front(app, nullcontext)

    def noted(*asked: Any) -> Any:
        answer = documents.at_once(*asked)
        answered.append(answer is not None)
        return answer

    with server(Front(documents.asgi, noted)) as quick, server(Front(make_asgi(app), nothing_at_once)) as usual:
        for path in PATHS:
            asked(quick, f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")  # now it is in memory
        answered.clear()
        for path, fields, method in product(PATHS, ASKED, ("GET", "HEAD")):
            body = "abc" if "Length: 3" in fields else ""
            request = f"{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}"
            assert asked(quick, request) == asked(usual, request), request
        old = "GET / HTTP/1.0\r\nConnection: close\r\n\r\n"
        assert asked(quick, old) == asked(usual, old)
    assert answered.count(True) > len(ASKED) * 2


def test_requests_sent_together_are_answered_in_their_order_however_slowly_they_are_read(front: Front) -> None:
    """Some at once, some by a task; most while nobody reads."""
    kinds = {
        "/healthz": "application/json",
        "/feeds/all.atom": "application/atom+xml",
        "/feeds/all.rss": "application/rss+xml",
        "/nowhere": "text/html",
    }
    wanted = [*["/feeds/all.atom"] * 1500, *kinds, *kinds]
    requests = [f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n" for path in wanted]
    with server(front) as running, connected(running) as wire:
        size = len(asked(running, "GET /feeds/all.atom HTTP/1.1\r\nHost: a\r\n\r\n"))
        sender = threading.Thread(target=wire.sendall, args=("".join(requests).encode(),))
        sender.start()
        with connected(running) as other:  # while the first one waits, others are served
            other.sendall(b"GET /feeds/all.atom HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert everything(other).startswith(b"HTTP/1.1 200")
        held = [one.transport.get_write_buffer_size() for one in running.server_state.connections]
        assert max(held) < 2 * size + (1 << 20)
        reader = wire.makefile("rb")
        assert [_kind_of(reader) for _ in wanted] == [kinds[path] for path in wanted]
        sender.join(PATIENCE_S)


def _kind_of(reader: Any) -> str:
    """Read one answer; its media type."""
    fields = {}
    while line := reader.readline().strip():
        name, _, value = line.partition(b": ")
        fields[name] = value
    reader.read(int(fields[b"content-length"]))
    return str(fields[b"content-type"].partition(b";")[0].decode())


def test_a_client_beyond_its_burst_gets_nothing_at_once(app: App, at_once: AtOnce) -> None:
    given = [at_once(head(), CLIENT) for _ in range(app.settings.web.burst + 10)]
    assert [answer is not None for answer in given[: app.settings.web.burst]] == [True] * app.settings.web.burst
    assert given[-1] is None
    assert at_once(head(), ("203.0.113.8", 1)) is not None


@pytest.mark.parametrize("name", [b"x-forwarded-for", b"content-length", b"transfer-encoding", b"a-im", b"range"])
def test_what_somebody_else_has_to_judge_is_not_answered_at_once(at_once: AtOnce, name: bytes) -> None:
    assert at_once(head((b"accept-encoding", b"gzip")), CLIENT) is not None
    assert at_once(head((name, b"bytes=0-1")), CLIENT) is None


def test_where_requests_are_logged_none_is_answered_at_once(app: App) -> None:
    settings = load(app.settings.path(Path("config.toml")), {"PUBLISHER_WEB_ACCESS_LOG": "true"})
    logged = build(settings)
    assert make_front(logged, nullcontext).at_once is nothing_at_once
    logged.close()


@pytest.mark.parametrize("unfinished", [b"", b"GET / HT"])
def test_a_connection_is_closed_when_no_request_follows_an_answer(
    front: Front, monkeypatch: pytest.MonkeyPatch, unfinished: bytes
) -> None:
    monkeypatch.setattr(connection, "HEADERS_S", 1.0)
    with server(front, timeout_keep_alive=1) as running, connected(running) as wire:
        for _ in range(2):
            wire.sendall(b"GET /feeds/all.atom HTTP/1.1\r\nHost: a\r\n\r\n")
            assert _kind_of(wire.makefile("rb")) == "application/atom+xml"
        wire.sendall(unfinished)
        assert everything(wire) == b""


def test_who_takes_nothing_of_an_answer_does_not_keep_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALLED_S", 1.0)
    front = Front(cast(Any, Response(b"x" * (1 << 25))), nothing_at_once)
    with server(front, timeout_keep_alive=1) as running, connected(running) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.recv(8) == b"HTTP/1.1"
        end = time.monotonic() + PATIENCE_S
        while running.server_state.connections and time.monotonic() < end:
            time.sleep(0.05)
        assert not running.server_state.connections


class Hours:
    """A loop in which time passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self._calls: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[[], None]) -> Any:
        self._calls.append((when, call))
        return SimpleNamespace(cancel=lambda: None)

    def forward(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [each for each in self._calls if each[0] <= end]:
            first = min(due, key=lambda each: each[0])
            self._calls.remove(first)
            self.now = max(self.now, first[0])
            first[1]()
        self.now = end


class Narrow:
    """The transport to a client that takes what it wants, when it wants."""

    def __init__(self, unsent: int) -> None:
        self.unsent = unsent
        self.closing = self.aborted = False

    def get_extra_info(self, _name: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.aborted = True


def test_who_takes_a_little_each_minute_gets_all_and_who_stops_is_cut_off_even_while_closing() -> None:
    config = uvicorn.Config(cast(Any, Response()), log_level="critical", ws="none")
    loop, wire = Hours(), Narrow(1000)
    protocol = PatientProtocol(config, ServerState(), {}, cast(Any, loop))
    protocol.connection_made(cast(Any, wire))
    for _ in range(100):
        loop.forward(connection.STALLED_S - 10)
        wire.unsent -= 1
    assert (wire.closing, wire.aborted) == (True, False), "closed, for nothing was asked; what waits is sent still"
    protocol.resume_writing()
    wire.unsent += 5000  # as more is written when less waits
    loop.forward(connection.STALLED_S - 10)
    assert not wire.aborted
    loop.forward(60)
    assert wire.aborted
    loop.forward(3600)
