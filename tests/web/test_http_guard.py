"""What holds for every answer: headers, limits of requests, whom to believe, and a log without secrets."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
import uvicorn
from starlette.testclient import TestClient

from publisher.app import App, build
from publisher.config import from_values, load
from publisher.errors import ConfigError
from publisher.flows.new_site import make_site
from publisher.web import connection, guard
from publisher.web.connection import PatientProtocol
from publisher.web.guard import EVERYWHERE, everywhere, without_secrets
from publisher.web.representation import absent
from publisher.web.responses import MAX_BODY
from publisher.web.server import make_asgi

EVERY_PATH = ["/", "/feeds/all.atom", "/feeds.opml", "/assets/style.css", "/nowhere", "/healthz", "/feeds/build",
              "/unsubscribe/x", "/preferences/x", "/feeds/private/x.atom", "/topics/environment"]  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Iterator[App]:
    """A site without articles, at an address with https and a path."""
    make_site(tmp_path, with_articles=False, with_templates=False)
    environ = {"PUBLISHER_SITE_BASE_URL": "https://customs.example/news/", "PUBLISHER_WEB_ACCESS_LOG": "true"}
    app = build(load(tmp_path / "config.toml", {**environ, "PUBLISHER_WEB_TRUSTED_PROXIES": "10.0.0.0/8"}))
    yield app
    app.close()


def test_every_answer_has_the_headers_and_none_a_cookie(client: TestClient) -> None:
    for path, method in product(EVERY_PATH, ("GET", "HEAD", "POST", "OPTIONS", "DELETE")):
        headers = client.request(method, path).headers
        for name, _ in EVERYWHERE:
            assert headers.get(name.decode()), (path, method, name)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert "set-cookie" not in headers
        assert "strict-transport-security" not in headers  # readers reach this site by http


def test_a_site_with_https_is_reached_by_nothing_else_afterwards(site: App) -> None:
    for path in ("/news/healthz", "/news/nowhere", "/healthz"):
        answer = TestClient(make_asgi(site)).get(path)
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_a_body_that_is_too_large_is_refused_with_and_without_its_length(client: TestClient) -> None:
    for path in EVERY_PATH:
        assert client.post(path, content=b"x" * (MAX_BODY + 1)).status_code == 413
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post("/unsubscribe/x", content=iter([b"x" * MAX_BODY, b"x"]), headers=form)
    assert answer.status_code == 413
    assert "x-frame-options" in answer.headers
    assert client.post("/unsubscribe/x", content=iter([b"x" * 100]), headers=form).status_code == 200


def test_a_length_that_is_no_number_is_refused(client: TestClient) -> None:
    assert client.post("/unsubscribe/x", headers={"Content-Length": "-5"}).status_code == 400


def test_errors_are_pages_for_people_and_one_line_for_programs(client: TestClient) -> None:
    person = client.put("/unsubscribe/x", headers={"Accept": "text/html"})
    assert (person.status_code, person.headers["content-type"]) == (405, "text/html; charset=utf-8")
    assert "This cannot be done here" in person.text
    program = client.put("/unsubscribe/x", headers={"Accept": "*/*"})
    assert (program.status_code, program.text.count("\n")) == (405, 1)
    assert program.headers["allow"] == person.headers["allow"]


def test_a_bug_is_a_page_that_says_nothing_of_what_is_inside(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> bytes:
        raise RuntimeError("secret detail")

    asgi = make_asgi(app)
    monkeypatch.setattr(type(app.web_pages), "unsubscribed", broken)
    answer = TestClient(asgi, raise_server_exceptions=False).post("/unsubscribe/x")
    assert answer.status_code == 500
    assert "Something went wrong here" in answer.text
    assert "secret detail" not in answer.text
    assert "x-frame-options" in answer.headers


def test_who_asks_too_often_sees_a_page_if_they_are_people(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("publisher.web.published.time", SimpleNamespace(monotonic=lambda: 7.0))  # however slow we are
    client = TestClient(make_asgi(app), client=("203.0.113.7", 1))
    for _ in range(app.settings.web.burst):
        client.get("/feeds/all.atom")
    person = client.get("/", headers={"Accept": "text/html,*/*"})
    assert (person.status_code, person.headers["content-type"]) == (429, "text/html; charset=utf-8")
    assert int(person.headers["retry-after"]) >= 1
    assert "Too many requests" in person.text
    assert client.get("/").headers["content-type"].startswith("text/plain")


# --- whom to believe ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "said", "believed"),
    [
        ("10.1.2.3", "203.0.113.9", "203.0.113.9"),
        ("10.1.2.3", "198.51.100.1, 203.0.113.9", "203.0.113.9"),  # what the client itself said stands first
        ("10.1.2.3", "203.0.113.9, 10.9.9.9", "203.0.113.9"),  # two proxies of ours
        ("203.0.113.4", "198.51.100.1", "203.0.113.4"),
        ("127.0.0.1", "198.51.100.1", "127.0.0.1"),  # not configured here
    ],
)
def test_only_configured_proxies_say_who_the_client_is(site: App, peer: str, said: str, believed: str) -> None:
    seen: list[Any] = []
    asgi: Any = make_asgi(site)

    async def look(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["client"][0], scope["scheme"]))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    asgi.app = look
    headers = {"X-Forwarded-For": said, "X-Forwarded-Proto": "https"}
    TestClient(asgi, client=(peer, 1), base_url="http://customs.example").get("/", headers=headers)
    assert seen == [(believed, "https" if believed != peer else "http")]


def test_a_proxy_that_is_no_address_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"web\.trusted_proxies"):
        from_values({"web": {"trusted_proxies": ["proxy.example"]}}, {}, root=Path())


# --- the log -----------------------------------------------------------------------------------------------------


def test_the_log_has_a_line_for_each_request_and_no_secret(site: App) -> None:
    token = "S" * 28
    with structlog.testing.capture_logs() as lines:
        client = TestClient(make_asgi(site), client=("203.0.113.7", 1))
        for path in (
            f"/news/preferences/{token}/data?x={token}",
            f"/unsubscribe/{token}",
            f"/feeds/private/{token}.atom",
        ):
            client.get(path)
        client.get("/nowhere")
    asked = [line for line in lines if line["event"] == "request"]
    assert [line["path"] for line in asked] == [
        "/news/preferences/.../data",
        "/unsubscribe/...",
        "/feeds/private/...",
        "/nowhere",
    ]
    assert [line["status"] for line in asked] == [404] * 4
    assert token not in str(lines)
    assert "203.0.113.7" not in str(lines)


def test_what_is_no_secret_stays_readable() -> None:
    assert without_secrets("/articles/confirm/") == "/articles/confirm/"
    assert without_secrets("/confirm/abc") == "/confirm/..."


@pytest.mark.parametrize("path", ["/admin/sign-in", "/api/v1/runs"])
def test_no_cookie_holds_up_the_others(app: App, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr("http.cookies._unquote", lambda value: read.append(value) or value)
    cookies = r'theirs="{\"a\":1\054}"; publisher=abc; other="' + "\\" * 60_000 + '"'
    TestClient(make_asgi(app)).get(path, headers={"Cookie": cookies})
    assert "abc" in read and "\\" not in "".join(read)  # what old Pythons read in time by the square of it


# --- time ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def served(behind: Any) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(behind, http=PatientProtocol, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


def told(port: int, *pieces: bytes | int) -> bytes:
    """What the server says to these pieces, sent one after the other, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
        for piece in pieces:
            with contextlib.suppress(ConnectionError):
                wire.sendall(piece if isinstance(piece, bytes) else bytes([piece]))
            time.sleep(0.3)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while part := wire.recv(65536):
                answer += part
        return answer


def test_who_does_not_say_what_they_want_is_cut_off(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEADERS_S", 0.5)
    monkeypatch.setattr(guard, "BODY_S", 0.5)
    with served(make_asgi(app)) as port:
        assert told(port) == b""
        assert told(port, b"GET / HT", b"TP/1.1\r\n", b"X-Slow: 1\r\n", b"X-Slower: 1\r\n") == b""
        head = b"POST /unsubscribe/x HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n"
        form = b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        assert told(port, head + form, b"List").startswith(b"HTTP/1.1 408")
        assert told(port, head + b"\r\n", *b"drips").startswith(b"HTTP/1.1 200")  # a body that nobody reads
        whole = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        assert told(port, whole).startswith(b"HTTP/1.1 200")


def test_a_header_that_the_app_set_stays_as_it_is() -> None:
    added = absent([(b"Referrer-Policy", b"no-referrer")], everywhere(https=True))
    assert b"referrer-policy" not in dict(added)
    assert len(added) == len(EVERYWHERE)
