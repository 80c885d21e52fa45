"""Check a feed on the web as a reader meets it: the document, and how the server hands it out. Floor: `flows`.

    GET -> status, redirects, media type, compression, validators -> the gate -> GET with the validators -> 304?

For an operator's own use: any address is asked, one after the other, each for a bounded time and size.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import httpx2 as httpx

from publisher import __version__
from publisher.errors import FeedError
from publisher.feeds.check import Kind, check, kind_of
from publisher.feeds.check_texts import is_web_address
from publisher.feeds.entry_rules import MAX_BYTES, Problem
from publisher.feeds.glance import pointers
from publisher.feeds.walker import walk
from publisher.flows.check_feeds import Checked

TIMEOUT_S = 10.0
"""For one answer, from the first byte sent to the last one read."""
MAX_REDIRECTS = 5
HISTORY = "RFC 5005"
"""The rule that a chain of documents keeps to, or breaks."""

_WORTH_PACKING = 1400  # bytes; a smaller answer travels in one packet anyway
_FOR_GOOD = frozenset({301, 308})
_MEDIA_TYPES = {
    Kind.ATOM: ("application/atom+xml",),
    Kind.RSS: ("application/rss+xml",),
    Kind.JSON: ("application/feed+json", "application/json"),
    Kind.OPML: ("text/x-opml", "text/x-opml+xml"),
}
_HEADERS = {
    "User-Agent": f"publisher/{__version__} (feed check)",
    "Accept": "application/atom+xml, application/rss+xml, application/feed+json, text/x-opml;q=0.9, */*;q=0.5",
    "Accept-Encoding": "gzip",
}


@dataclass(frozen=True, slots=True)
class _Answer:
    """`content` is unpacked; `packed` tells whether it was compressed on its way; `moves` are (code, new address)."""

    url: str
    status: int
    headers: httpx.Headers
    content: bytes
    moves: tuple[tuple[int, str], ...]


class _Unanswered(Exception):
    """No answer that could be judged; the text says why."""


def check_address(url: str, *, now: datetime) -> Checked:
    """The feed at `url` (http or https) and its server. What cannot be had at all is a finding like any other."""
    if not is_web_address(url):
        return Checked(url, "", 0, (Problem("HTTP", "not a web address"),))
    with httpx.Client(timeout=TIMEOUT_S, headers=_HEADERS) as client:
        try:
            answer = _get(client, url, {})
            if answer.status != 200:
                return Checked(url, "", 0, (*_moves(answer), Problem("HTTP", f"answered {answer.status}")))
            kind = kind_of(answer.url, answer.content)
            findings = [
                *_moves(answer),
                *_headers(answer, kind),
                *_not_modified(client, answer),
                *check(answer.url, answer.content, self_url=answer.url, now=now),
            ]
        except _Unanswered as reason:
            return Checked(url, "", 0, (Problem("HTTP", str(reason)),))
    entries = 0 if kind is None or kind is Kind.OPML else len(pointers(kind, answer.content))
    return Checked(url, kind or "", entries, tuple(findings))


def walk_address(url: str) -> Checked:
    """The whole feed at `url`: every document before it, as far as its links lead, and how many entries there are."""
    if not is_web_address(url):
        return Checked(url, "", 0, (Problem("HTTP", "not a web address"),))
    with httpx.Client(timeout=TIMEOUT_S, headers=_HEADERS) as client:

        def fetch(address: str) -> bytes:
            answer = _get(client, address, {})
            if answer.status != 200:
                raise _Unanswered(f"{address} answered {answer.status}")
            return answer.content

        try:
            walked = walk(url, fetch)
        except _Unanswered as reason:
            return Checked(url, "", 0, (Problem("HTTP", str(reason)),))
        except FeedError as error:
            return Checked(url, "", 0, (Problem(HISTORY, str(error)),))
    documents = len(walked.documents)
    name = f"{url} and {documents - 1} before it" if documents > 1 else url
    return Checked(name, "", len(walked.entries), tuple(Problem(HISTORY, text) for text in walked.problems))


def _get(client: httpx.Client, url: str, headers: dict[str, str]) -> _Answer:
    """One GET with its redirects. Raises _Unanswered."""
    end = time.monotonic() + TIMEOUT_S
    moves: list[tuple[int, str]] = []
    try:
        while len(moves) <= MAX_REDIRECTS:
            with client.stream("GET", url, headers=headers) as response:
                target = response.next_request
                if target is None:
                    content = _content(response, end)
                    return _Answer(url, response.status_code, response.headers, content, tuple(moves))
                url = str(target.url)
                moves.append((response.status_code, url))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _Unanswered(f"no answer: {str(error) or type(error).__name__}") from error
    raise _Unanswered(f"more than {MAX_REDIRECTS} redirects")


def _content(response: httpx.Response, end: float) -> bytes:
    content = bytearray()
    for part in response.iter_bytes():
        content += part
        if len(content) > MAX_BYTES:
            raise _Unanswered(f"more than {MAX_BYTES:,} bytes")
        if time.monotonic() > end:
            raise _Unanswered(f"not finished after {TIMEOUT_S:.0f} seconds")
    return bytes(content)


def _moves(answer: _Answer) -> Iterator[Problem]:
    for status, target in answer.moves:
        if status in _FOR_GOOD:
            yield Problem("RFC 9110, 15.4", f"moved for good ({status}): subscribe to {target}")
        else:
            text = f"moved for the time being ({status}) to {target}: readers ask both addresses each time"
            yield Problem("RFC 9110, 15.4", text)


def _headers(answer: _Answer, kind: Kind | None) -> Iterator[Problem]:
    headers = answer.headers
    said = headers.get("content-type", "")
    media_type = said.partition(";")[0].strip().lower()
    if kind is not None and media_type not in _MEDIA_TYPES[kind]:
        yield Problem("RFC 9110, 8.3", f"the media type is {media_type or 'missing'}, not {_MEDIA_TYPES[kind][0]}")
    charset = said.lower().partition("charset=")[2].strip('"; ')
    if charset not in {"", "utf-8", "utf8"}:
        yield Problem("RFC 9110, 8.3.2", f"the charset is {charset}, not utf-8")
    if "etag" not in headers and "last-modified" not in headers:
        yield Problem("RFC 9110, 8.8", "neither ETag nor Last-Modified: readers fetch everything each time")
    if "content-encoding" in headers:
        if "accept-encoding" not in headers.get("vary", "").lower():
            yield Problem("RFC 9110, 12.5.5", "compressed without Vary: Accept-Encoding: caches mix the two up")
    elif len(answer.content) > _WORTH_PACKING:
        yield Problem("RFC 9110, 8.4", f"{len(answer.content):,} bytes that are not compressed for who asks for gzip")
    if "set-cookie" in headers:
        yield Problem("RFC 9110, 9.2.1", "sets a cookie, and a feed has no use for one")


def _not_modified(client: httpx.Client, answer: _Answer) -> Iterator[Problem]:
    """Ask again, as every reader does each hour; nothing has changed, so 304 is the answer."""
    etag, date = answer.headers.get("etag"), answer.headers.get("last-modified")
    name, conditional = (
        ("If-None-Match", {"If-None-Match": etag}) if etag else ("If-Modified-Since", {"If-Modified-Since": date or ""})
    )
    if not (etag or date):
        return
    again = _get(client, answer.url, conditional)
    if again.status != 304:
        yield Problem("RFC 9110, 13.1", f"answers {again.status} and not 304 to its own validator in {name}")
    elif again.content:
        yield Problem("RFC 9110, 15.4.5", "a 304 with a body")
    elif etag and again.headers.get("etag", etag).removeprefix("W/") != etag.removeprefix("W/"):
        yield Problem("RFC 9110, 15.4.5", "a 304 with another ETag")
