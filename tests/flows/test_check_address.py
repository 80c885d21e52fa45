"""`publisher feeds check URL` against servers with one fault each."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from feeds.feed_samples import NOW, SITE, feed_of, filed

from publisher.cli import run
from publisher.feeds import atom
from publisher.feeds.entry_rules import MAX_BYTES
from publisher.flows.check_address import check_address
from publisher.flows.check_feeds import Checked
from publisher.links import Links

Reply = tuple[int, dict[str, str], bytes]
Answer = Callable[["Asked", bytes], Reply]
TYPE = {"Content-Type": "application/atom+xml"}
GOOD = {**TYPE, "ETag": '"one"', "Vary": "Accept-Encoding", "Content-Encoding": "gzip"}


class Asked:
    """One request as the server sees it."""

    def __init__(self, path: str, headers: dict[str, str]) -> None:
        self.path = path
        self.headers = headers

    @property
    def knows(self) -> bool:
        """Whether the client says that it has this version already."""
        return self.headers.get("if-none-match") == '"one"' or "if-modified-since" in self.headers


def good(asked: Asked, content: bytes) -> Reply:
    return (304, GOOD, b"") if asked.knows else (200, GOOD, gzip.compress(content))


@contextmanager
def serving(answer: Answer, *, path: str = "/feeds/environment.atom") -> Iterator[str]:
    """A server on a free loopback port whose feed names the address it is served at; gives that address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()})
            status, headers, body = answer(asked, content)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_port}"
    site = replace(SITE, links=Links(f"{address}/"))
    content = atom.render(feed_of(*[filed(f"k{number}", number) for number in range(5)], site=site))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield address + path
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def rules(checked: Checked) -> list[str]:
    return [finding.rule for finding in checked.findings]


def test_a_good_server_with_a_good_feed_has_no_findings() -> None:
    with serving(good) as url:
        checked = check_address(url, now=NOW)
    assert (checked.kind, checked.entries, checked.findings) == ("atom", 5, ())


def headers(**changes: str) -> Answer:
    """The good server with other headers; an empty one is left out, and the body is packed only if it is said."""
    changed = {**GOOD, **{name.replace("_", "-"): value for name, value in changes.items()}}
    sent = {name: value for name, value in changed.items() if value}

    def answer(asked: Asked, content: bytes) -> Reply:
        packed = gzip.compress(content) if "Content-Encoding" in sent else content
        return (304, sent, b"") if asked.knows else (200, sent, packed)

    return answer


FAULTS: dict[str, tuple[Answer, list[str]]] = {
    "a media type of pages": (headers(Content_Type="text/html"), ["RFC 9110, 8.3"]),
    "no media type": (headers(Content_Type=""), ["RFC 9110, 8.3"]),
    "another charset": (headers(Content_Type="application/atom+xml; charset=latin1"), ["RFC 9110, 8.3.2"]),
    "no validators": (headers(ETag=""), ["RFC 9110, 8.8"]),
    "a date alone is enough": (headers(ETag="", Last_Modified="Sun, 01 Mar 2026 07:00:00 GMT"), []),
    "not compressed": (headers(Content_Encoding=""), ["RFC 9110, 8.4"]),
    "no Vary": (headers(Vary=""), ["RFC 9110, 12.5.5"]),
    "a cookie": (headers(Set_Cookie="a=b"), ["RFC 9110, 9.2.1"]),
    "never 304": (lambda asked, content: (200, GOOD, gzip.compress(content)), ["RFC 9110, 13.1"]),
    "an ETag that changes with the 304": (
        lambda asked, content: (304, {**GOOD, "ETag": '"two"'}, b"") if asked.knows else good(asked, content),
        ["RFC 9110, 15.4.5"],
    ),
    "a broken document": (
        lambda asked, content: (
            (304, GOOD, b"") if asked.knows else (200, GOOD, gzip.compress(content.replace(b"<author>", b"<a>")))
        ),
        ["XML 1.0"],
    ),
    "nothing there": (lambda asked, content: (404, TYPE, b""), ["HTTP"]),
    "far too long": (lambda asked, content: (200, TYPE, b" " * (MAX_BYTES + 1)), ["HTTP"]),
    "for ever elsewhere": (lambda asked, content: (302, {"Location": asked.path + "x"}, b""), ["HTTP"]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_server_is_found_by_its_rule(name: str) -> None:
    answer, expected = FAULTS[name]
    with serving(answer) as url:
        assert rules(check_address(url, now=NOW)) == expected


@pytest.mark.parametrize(("status", "word"), [(301, "for good"), (308, "for good"), (302, "for the time being")])
def test_a_redirect_is_followed_and_told(status: int, word: str) -> None:
    def answer(asked: Asked, content: bytes) -> Reply:
        if asked.path == "/old.atom":
            return status, {"Location": "/feeds/environment.atom"}, b""
        return good(asked, content)

    with serving(answer, path="/old.atom") as url:
        (finding,) = check_address(url, now=NOW).findings
    assert word in finding.text
    assert finding.text.count("/feeds/environment.atom") == 1


def test_a_feed_that_names_another_address_than_the_one_asked_is_found() -> None:
    with serving(good, path="/feeds/copy.atom") as url:
        assert rules(check_address(url, now=NOW)) == ["RFC 4287, 4.1.1"]


def test_an_address_where_nobody_listens_is_a_finding_and_no_error() -> None:
    with serving(good) as url:
        pass
    (finding,) = check_address(url, now=NOW).findings
    assert finding.text.startswith("no answer: ")
    assert rules(check_address("http:///x", now=NOW)) == ["HTTP"]


@pytest.mark.parametrize("place", ["ftp://customs.example/all.atom", "FILE:///all.atom", "ftp://a\nb"])
def test_an_address_of_another_scheme_is_refused_in_one_line(place: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["feeds", "check", place]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith(": only addresses of http and https are asked")


def test_the_command_asks_an_address(capfd: pytest.CaptureFixture[str]) -> None:
    with serving(good) as url:
        assert run(["feeds", "check", url]) == 0
        assert f"{url}\tok (5 entries)" in capfd.readouterr().out
        assert run(["feeds", "check", url.replace("http://", "HTTP://")]) == 0
    with serving(headers(ETag="")) as url:
        assert run(["feeds", "check", url]) == 1
        assert "RFC 9110, 8.8" in capfd.readouterr().out
