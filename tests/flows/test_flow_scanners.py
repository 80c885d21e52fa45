"""Scanners follow every address of every letter before its reader sees it; mail programs press the one button."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from crash.sendings import compose_for, email_of, recording_relay
from flows.house import FEEDS_ONLY, House
from starlette.testclient import TestClient

from publisher.model import SubscriberState
from publisher.web.server import make_asgi

SITE = "https://news.example"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
FORMS: list[dict[str, Any]] = [
    {"data": ONE_CLICK},
    {"files": {name: (None, value) for name, value in ONE_CLICK.items()}},
]
"""As application/x-www-form-urlencoded and as multipart/form-data (RFC 8058 §3.2)."""
_ADDRESS = re.compile(rf"{re.escape(SITE)}[^\s\"'<>]*")


def addresses_in(letter: EmailMessage) -> set[str]:
    """Every address of our site in its headers and its bodies."""
    texts = [str(value) for value in letter.values()]
    texts += [part.get_content() for part in letter.walk() if part.get_content_maintype() == "text"]
    return {urlsplit(found.replace("&amp;", "&")).path or "/" for text in texts for found in _ADDRESS.findall(text)}


def scan_and_leave(root: Path, store_url: str, readers: int) -> None:
    with recording_relay() as relay:
        smtp = {"host": "127.0.0.1", "port": relay.endpoint.port, "security": "none", "connections": 4}
        house = House(root, store_url, {"smtp": smtp})
        compose_for(house, readers)
        house.publish(FEEDS_ONLY)
        letters = {name: message_from_bytes(content, policy=policy.default) for name, (content,) in relay.seen.items()}
    assert len(letters) == readers
    paths = set().union(*(addresses_in(letter) for letter in letters.values()))
    leave = {name: urlsplit(str(letter["List-Unsubscribe"]).strip("<>")).path for name, letter in letters.items()}
    assert {*leave.values()} < paths and len(paths) >= 2 * readers, "to leave, and more"

    client = TestClient(make_asgi(house.app), base_url=SITE, follow_redirects=False)
    before = house.dump()
    for path in sorted(paths):
        for method in ("GET", "HEAD", "OPTIONS") * 3:
            assert client.request(method, path).status_code < 500
    assert house.dump() == before, "nothing was changed by looking"

    for number in range(1, readers + 1):
        for form in FORMS if number % 2 else FORMS[::-1]:  # the second one is a repetition
            answer = client.post(leave[email_of(number)], **form)
            assert answer.status_code == 200
            assert not answer.headers.keys() & {"location", "set-cookie"}
    with house.app.store.read() as tx:
        readers_now = tx.subscribers.list(limit=readers)
    assert {one.state for one in readers_now} == {SubscriberState.UNSUBSCRIBED}
    house.app.close()


def test_scanners_change_nothing_and_one_click_is_enough(tmp_path: Path, store_url: str) -> None:
    scan_and_leave(tmp_path, store_url, 10)


@pytest.mark.slow
def test_scanners_of_1000_letters_change_nothing_and_one_click_is_enough(tmp_path: Path, sqlite_url: str) -> None:
    scan_and_leave(tmp_path, sqlite_url, 1000)
