"""The same bytes are read once: nothing that anybody could see depends on it, however they arrive."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pytest
import uvicorn
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from uvicorn.server import ServerState

from publisher.app import App
from publisher.web.connection import PatientProtocol, nothing_at_once
from publisher.web.heads import LONGEST, MAX_HEAD, MAX_TARGET, MOST, Head, Heads
from publisher.web.server import Front, make_front

FEED = b"GET /feeds/all.atom HTTP/1.1\r\nHost: a\r\n\r\n"
PATHS = ["/", "/feeds/all.atom", "/feeds/all.rss", "/feeds/all%2Ejson", "/assets/style.css?v=0", "/feeds/all.atom?a=b"]


class Counted(Heads):
    """How often it knew the bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.hits = 0

    def get(self, data: bytes) -> Head | None:
        head = super().get(data)
        self.hits += head is not None
        return head


class Forgetful(Counted):
    def keep(self, data: bytes, head: Head) -> None:
        pass


class Wire:
    """The transport of one connection, with what was written to it."""

    def __init__(self, client: str) -> None:
        self.written = b""
        self.closed = False
        self._addresses = {"peername": (client, 40000), "sockname": ("127.0.0.1", 80)}

    def get_extra_info(self, name: str) -> Any:
        return self._addresses.get(name)

    def write(self, data: bytes) -> None:
        self.written += data

    def writelines(self, parts: Sequence[bytes]) -> None:
        self.written += b"".join(parts)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    pause_reading = resume_reading = lambda _: None


def with_echo(front: Front) -> Front:
    """With something beside the documents that reads what it is sent."""

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        if request.url.path != "/elsewhere":
            return await front.asgi(scope, receive, send)
        body = await request.body()
        return await PlainTextResponse(f"{request.method} {len(body)}")(scope, receive, send)

    return Front(cast(Any, asgi), front.at_once)


def sent(
    front: Front, heads: Heads, *pieces: bytes, client: str = "127.0.0.1", state: ServerState | None = None
) -> bytes:
    """What one connection says to these pieces, which come one after the other."""

    async def talk() -> bytes:
        known = state or ServerState()
        config = uvicorn.Config(cast(Any, front.asgi), log_level="critical", ws="none")
        wire = Wire(client)
        protocol = PatientProtocol(config, known, {}, at_once=front.at_once, heads=heads)
        protocol.connection_made(cast(asyncio.Transport, wire))
        for piece in pieces:
            if not wire.closed:
                protocol.data_received(piece)
            for _ in range(8):
                await asyncio.sleep(0)
        if wire.closed:  # who waits for more of the request is told
            protocol.connection_lost(None)
        while known.tasks:  # the end of one may begin the next
            await asyncio.wait(known.tasks)
        if not wire.closed:
            protocol.connection_lost(None)
        return wire.written

    return asyncio.run(talk())


@pytest.fixture
def front(app: App) -> Front:
    """With all of PATHS in memory."""
    front = make_front(app, nullcontext)
    client = TestClient(front.asgi, base_url="http://127.0.0.1:8000")
    for path in PATHS:
        assert client.get(path).status_code == 200
    return front


def request(method: str, path: str, fields: Sequence[tuple[str, str]]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()


def cased(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from([name, name.lower(), name.upper()])


def field(name: str, *values: str) -> st.SearchStrategy[tuple[str, str]]:
    return st.tuples(cased(name), st.sampled_from(values))


DAYS = ("Mon, 02 Mar 2020 07:00:00 GMT", "Mon, 02 Mar 2999 07:00:00 GMT", "yesterday")
FIELDS = st.lists(
    st.one_of(
        field("Host", "a", "b.example"),
        field("Accept-Encoding", "gzip", "br, gzip", "gzip;q=0", "identity;q=0", "*", "zstd", ""),
        field("If-None-Match", "*", '"old"', 'W/"old", "older"'),
        field("If-Modified-Since", *DAYS),
        field("If-Match", "*", '"old"'),
        field("If-Unmodified-Since", *DAYS),
        field("Range", "bytes=0-9", "lines=1"),
        field("A-IM", "feed"),
        field("X-Forwarded-For", "127.0.0.1"),
        field("Connection", "keep-alive", "close", "Upgrade"),
        field("Upgrade", "h2c"),
        field("Expect", "100-continue"),
        field("User-Agent", "Reader/1.0 (+https://reader.example)", "x"),
        field("Accept", "*/*"),
    ),
    max_size=6,
)
REQUESTS = st.builds(request, st.sampled_from(["GET", "GET", "GET", "HEAD", "OPTIONS"]), st.sampled_from(PATHS), FIELDS)


def test_whatever_is_asked_the_answer_is_that_of_the_application(front: Front) -> None:
    heads = Counted()
    usual = Front(front.asgi, nothing_at_once)

    @settings(max_examples=60, deadline=None)
    @given(REQUESTS)
    @example(FEED)
    def holds(asked: bytes) -> None:
        first = sent(usual, Heads(), asked)
        for _ in range(2):
            assert sent(front, heads, asked) == first, asked

    holds()
    assert heads.hits, "some were known"


def test_however_the_bytes_are_cut_they_are_answered_the_same(front: Front) -> None:
    heads = Counted()
    other = with_echo(front)
    kinds = [
        FEED,
        b"\r\n" + FEED,
        b"GET /feeds/all.rss HTTP/1.1\r\nAccept-Encoding: gzip\r\nIf-None-Match: *\r\n\r\n",
        b"GET /elsewhere HTTP/1.1\r\n\r\n",
        b"POST /elsewhere HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(FEED) + FEED,
        b"GET /feeds/all.atom HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /feeds/all.atom HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        b"HEAD /feeds/all.atom HTTP/1.1\r\n\r\n",
    ]
    for one in kinds:
        sent(other, heads, one)

    @settings(max_examples=80, deadline=None)
    @given(st.lists(st.sampled_from(kinds), min_size=1, max_size=6), st.data())
    def holds(asked: list[bytes], data: st.DataObject) -> None:
        whole = b"".join(asked)
        ends = [sum(map(len, asked[:n])) for n in range(1, len(asked))]
        places = st.integers(1, len(whole) - 1)
        cuts = sorted({*data.draw(st.lists(places, max_size=4)), *data.draw(st.sets(st.sampled_from(ends or [1])))})
        pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
        assert sent(other, heads, *pieces) == sent(other, Forgetful(), *asked), pieces

    holds()
    assert heads.hits, "some were known"


def test_after_half_a_request_the_known_bytes_are_its_other_half(front: Front) -> None:
    heads = Counted()
    sent(front, heads, FEED)
    other = with_echo(front)
    half = b"POST /elsewhere HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(FEED)
    said = sent(other, heads, half, FEED)
    assert said.endswith(f"POST {len(FEED)}".encode())
    assert said.count(b"HTTP/1.1 ") == 1
    assert heads.hits == 0


@pytest.mark.parametrize(
    "asked",
    [
        FEED.replace(b"Host: a", b"Connection: close"),
        FEED.replace(b"Host: a", b"Connection: Upgrade\r\nUpgrade: h2c"),
        FEED.replace(b"HTTP/1.1", b"HTTP/1.0"),
        FEED.replace(b"GET", b"HEAD"),
        FEED.replace(b"Host: a", b"X-Forwarded-For: 203.0.113.9"),
        FEED.replace(b"Host: a", b"X: " + b"x" * LONGEST),
        FEED + FEED,
        FEED + b"GET",
    ],
)
def test_only_one_whole_simple_request_is_remembered(front: Front, asked: bytes) -> None:
    heads = Counted()
    for _ in range(2):
        assert sent(front, heads, asked).startswith(b"HTTP/1.1 200")
    assert heads.hits == 0


def test_an_address_in_full_is_answered_alike(front: Front) -> None:
    heads = Counted()
    asked = FEED.replace(b"/feeds", b"http://a/feeds", 1)
    said = sent(front, heads, asked)
    assert said.startswith(b"HTTP/1.1 200")
    assert sent(front, heads, asked) == said == sent(Front(front.asgi, nothing_at_once), heads, asked)
    assert heads.hits == 2


def with_fields(size: int) -> bytes:
    """A request whose head has `size` bytes."""
    rest = b"X: %b\r\n" % (b"x" * 1000)
    fields = rest * ((size - len(FEED) - 100) // len(rest))
    return FEED.replace(b"a\r\n", b"a\r\n" + fields + b"Y: " + b"y" * (size - len(FEED) - len(fields) - 5) + b"\r\n")


@pytest.mark.parametrize("piece", [1000, 1 << 18])
def test_a_head_of_more_than_64_kib_is_refused_however_it_is_cut(front: Front, piece: int) -> None:
    for size, status in ((MAX_HEAD, b"200"), (MAX_HEAD + 1, b"431")):
        asked = with_fields(size)
        assert len(asked) == size
        said = sent(front, Heads(), *[asked[at : at + piece] for at in range(0, size, piece)], FEED)
        assert said.startswith(b"HTTP/1.1 " + status)
        assert said.count(b"HTTP/1.1 ") == (2 if status == b"200" else 1), "nothing after a refusal"
    assert b"connection: close\r\n" in said


@pytest.mark.parametrize("piece", [1000, 1 << 18])
def test_an_address_of_more_than_8_kib_is_refused_however_it_is_cut(front: Front, piece: int) -> None:
    for size, status in ((MAX_TARGET, b"200"), (MAX_TARGET + 1, b"414"), (MAX_HEAD * 2, b"414")):
        target = b"/feeds/all.atom?" + b"q" * (size - 16)
        asked = FEED.replace(b"/feeds/all.atom", target)
        said = sent(front, Heads(), *[asked[at : at + piece] for at in range(0, len(asked), piece)])
        assert said.startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(
    ("begun", "told"),
    [
        (FEED[:-2] + b"X: ", b"HTTP/1.1 431"),
        (b"GET /", b"HTTP/1.1 414"),
        (FEED + FEED[:-2] + b"X: ", b"HTTP/1.1 200"),
        (b"GET /feeds/all.rss HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"HTTP/1.1 200"),
        (b"POST /elsewhere HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", b""),
    ],
)
def test_fields_without_an_end_are_not_read_for_ever(front: Front, begun: bytes, told: bytes) -> None:
    """Those of a head, and those that may follow a body."""
    end = b" HTTP/1.1\r\n\r\n" if begun == b"GET /" else b"\r\n\r\n"
    endless = [b"x" * 1000] * (MAX_HEAD // 1000 + 2)
    said = sent(with_echo(front), Heads(), begun, *endless, end, FEED)
    assert said.startswith(told)
    assert said.count(b"HTTP/1.1 200") <= 1, "what follows is not read"


def test_a_large_body_is_no_large_head(front: Front) -> None:
    body = b"x" * (MAX_HEAD * 3)
    head = b"POST /elsewhere HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
    for pieces in ((head + body + FEED,), (head, body, FEED), (head, *[body[:1024]] * (3 * 64), FEED)):
        said = sent(with_echo(front), Heads(), *pieces)
        assert f"POST {len(body)}".encode() in said
        assert said.count(b"HTTP/1.1 200") == 2


def test_the_heads_are_bounded_and_those_that_came_last_stay() -> None:
    heads = Heads()
    said = Head("GET", "/", b"", {})
    heads.keep(b"first", said)
    heads.keep(b"second", said)
    for number in range(MOST - 2):
        heads.keep(b"%d" % number, said)
    assert heads.get(b"first") is said
    heads.keep(b"one more", said)
    assert (heads.get(b"second"), heads.get(b"first")) == (None, said)
    heads.keep(b"x" * (LONGEST + 1), said)
    assert heads.get(b"x" * (LONGEST + 1)) is None


def test_each_answer_counts_against_the_limit_of_its_client(front: Front, app: App) -> None:
    burst = app.settings.web.burst
    heads = Counted()
    begun = time.monotonic()
    said = sent(front, heads, *[FEED] * (burst + 30), client="203.0.113.7")
    refilled = int((time.monotonic() - begun) * app.settings.web.rate) + 1
    served = said.count(b"HTTP/1.1 200")
    assert burst <= served <= burst + refilled
    assert said.count(b"HTTP/1.1 429") == burst + 30 - served
    assert sent(front, heads, FEED, client="203.0.113.8").startswith(b"HTTP/1.1 200"), "known bytes, another client"


def test_each_answer_is_counted_once_and_with_what_it_was(front: Front) -> None:
    state = ServerState()
    unchanged = FEED.replace(b"Host: a", b"If-None-Match: *")
    heads = Counted()
    client = TestClient(front.asgi, base_url="http://127.0.0.1:8000", client=("127.0.0.1", 1))

    def counts() -> dict[tuple[str, ...], float]:
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(client.get("/metrics").text)
            for sample in family.samples
        }

    before = counts()
    for _ in range(5):
        sent(front, heads, FEED, unchanged, unchanged, FEED.replace(b"GET", b"HEAD"), state=state)
    after = counts()
    assert heads.hits == 4 + 9
    assert state.total_requests == 20
    grown = {key: value - before.get(key, 0.0) for key, value in after.items() if "http_request" in key[0]}
    assert grown["publisher_http_requests_total", "GET", "200"] == 5 + 1, "and the first look at the metrics"
    assert grown["publisher_http_requests_total", "GET", "304"] == 10
    assert grown["publisher_http_requests_total", "HEAD", "200"] == 5
    assert (
        grown["publisher_http_request_seconds_count",] == grown["publisher_http_request_seconds_bucket", "+Inf"] == 21
    )


def test_a_known_request_for_a_new_version_gets_the_new_version(front: Front, app: App) -> None:
    heads = Counted()
    old = sent(front, heads, FEED)
    etag = cast(re.Match[bytes], re.search(rb'etag: ("[^"]+")', old))[1]
    again = FEED.replace(b"Host: a", b"If-None-Match: " + etag)
    assert [sent(front, heads, again)[:12] for _ in range(2)] == [b"HTTP/1.1 304"] * 2
    file: Path = app.folder.root / "feeds/all.atom"
    file.write_bytes(file.read_bytes() + b"<!-- corrected -->")
    assert sent(front, heads, again).endswith(b"<!-- corrected -->")
    file.unlink()
    assert sent(front, heads, again).startswith(b"HTTP/1.1 404")
    assert heads.hits == 3
