"""The door on real sockets: what is called, by which address and name, and how long it may take."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest
import trustme
from hub_subscriber import Received, Reply, subscriber

from publisher.hubs import HubClient, Resolver
from publisher.websub.callback import parse_callback
from publisher.websub.exchange import Answer


def resolving(*addresses: str) -> Resolver:
    """Every name has these addresses, whatever the system says."""

    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


def ask(client: HubClient, url: str, limit: int = 10) -> Answer:
    callback = parse_callback(url, allow_private=True)
    return asyncio.run(client.ask(callback, callback.target, body_limit=limit))


def push(client: HubClient, url: str) -> Answer:
    return asyncio.run(client.push(parse_callback(url, allow_private=True), b"<feed/>", {"Content-Type": "text/x"}))


@pytest.mark.parametrize(
    "addresses",
    [("127.0.0.1",), ("8.8.8.8", "127.0.0.1"), ("::1",), ("64:ff9b::7f00:1",), ("169.254.169.254",), ("10.0.0.1",), ()],
)
def test_a_name_that_leads_into_a_private_network_is_not_called(addresses: tuple[str, ...]) -> None:
    with subscriber() as target:
        port = urlsplit(target.url).port
        client = HubClient(agent="test", resolve=resolving(*addresses))
        for answer in (
            ask(client, f"http://rebinding.example:{port}/"),
            push(client, f"http://rebinding.example:{port}/"),
        ):
            assert answer.status == 0
            assert answer.problem.startswith("its name")
        assert target.received == []


def test_an_address_that_is_private_is_not_called_even_when_nobody_refused_it_before() -> None:
    with subscriber() as target:
        assert "private network" in ask(HubClient(agent="test"), target.url).problem
        assert target.received == []


def test_the_connection_goes_to_the_address_that_was_judged_with_the_name_in_host() -> None:
    with subscriber(lambda _: (200, b"hello")) as target:
        port = urlsplit(target.url).port
        client = HubClient(agent="publisher (x)", allow_private=True, resolve=resolving("127.0.0.1"))
        assert ask(client, f"http://reader.example:{port}/cb?a=1") == Answer(200, b"hello")
        [request] = target.received
        assert request.target == "/cb?a=1"
        assert request.headers["host"] == f"reader.example:{port}"
        assert request.headers["user-agent"] == "publisher (x)"


def test_the_next_address_of_a_name_is_tried_when_one_takes_no_connection() -> None:
    with subscriber(lambda _: (200, b"hello")) as target:
        port = urlsplit(target.url).port
        client = HubClient(agent="test", allow_private=True, resolve=resolving("127.0.0.2", "127.0.0.1"))
        assert push(client, f"http://reader.example:{port}/").status == 200
        assert target.pushed[0].body == b"<feed/>"


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with subscriber() as inner, subscriber(lambda _: (302, inner.url.encode())) as outer:
        client = HubClient(agent="test", allow_private=True)
        assert ask(client, outer.url).status == 302
        assert push(client, outer.url).status == 302
        assert inner.received == []


def test_a_server_that_never_answers_is_left_after_the_time_limit() -> None:
    over = threading.Event()

    def sleeps(_: Received) -> Reply:
        over.wait(20)
        return 200, b""

    with subscriber(sleeps) as target:
        start = time.monotonic()
        answer = ask(HubClient(agent="test", allow_private=True, timeout_s=0.3), target.url)
        over.set()
    assert answer.status == 0
    assert "answer" in answer.problem
    assert time.monotonic() - start < 3


def test_a_server_that_drips_its_answer_is_left_after_the_time_limit() -> None:
    with _raw_server(_drip) as port:
        start = time.monotonic()
        answer = ask(HubClient(agent="test", allow_private=True, timeout_s=0.5), f"http://127.0.0.1:{port}/", 10_000)
    assert answer.problem == "no answer within 0.5 seconds"
    assert time.monotonic() - start < 3


def test_no_more_of_an_answer_is_read_than_can_matter() -> None:
    with subscriber(lambda _: (200, b"x" * 1_000_000)) as target:
        client = HubClient(agent="test", allow_private=True)
        assert ask(client, target.url, 43).body == b"x" * 44
        assert push(client, target.url).body == b""


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.9\r\n", b"", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_no_http_is_a_problem_and_no_crash(said: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(said)

    with _raw_server(talk) as port:
        answer = push(HubClient(agent="test", allow_private=True), f"http://127.0.0.1:{port}/")
    assert (answer.status, bool(answer.problem)) == (0, True)


def test_a_problem_never_shows_the_callback_which_may_be_secret() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answer = push(HubClient(agent="test", allow_private=True), f"http://127.0.0.1:{port}/capability-1234")
    assert answer.problem == "no connection"


def test_tls_checks_the_certificate_against_the_name_and_not_the_address() -> None:
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("reader.example").configure_cert(context)

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1000)
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    client = HubClient(agent="test", allow_private=True, resolve=resolving("127.0.0.1"), tls=trusting)
    with _raw_server(talk) as port:
        assert ask(client, f"https://reader.example:{port}/") == Answer(200, b"ok")
    with _raw_server(talk) as port:
        assert ask(client, f"https://other.example:{port}/").problem == "no connection"


def test_a_proxy_of_the_environment_is_not_used_for_callbacks(monkeypatch: pytest.MonkeyPatch) -> None:
    with subscriber() as proxy, subscriber() as target:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        assert push(HubClient(agent="test", allow_private=True), target.url).status == 200
        assert (len(proxy.received), len(target.received)) == (0, 1)


def test_a_ping_names_the_feed_as_hubs_of_all_ages_expect() -> None:
    with subscriber(lambda _: (204, b"")) as hub:
        answer = asyncio.run(HubClient(agent="test").ping(hub.url, "https://x.example/feeds/a+b.atom"))
    assert answer.status == 204
    [request] = hub.pushed
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    feed = "https://x.example/feeds/a+b.atom"
    assert request.form == {"hub.mode": "publish", "hub.url": feed, "hub.topic": feed}


@contextmanager
def _raw_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server on loopback that lets `talk` have its connections."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def _drip(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        time.sleep(0.1)
        connection.sendall(b"x")
