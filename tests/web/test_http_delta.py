"""226 IM Used: a reader with an earlier version is sent what is new, and nothing else."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import feedparser
import pytest
from starlette.testclient import TestClient

from publisher.app import App, build
from publisher.flows.run import Order, publish
from publisher.web.server import make_asgi

ASK = {"A-IM": "feed", "Accept-Encoding": "identity"}
NEWS = """---
title: Plastic waste found in a port
topics: [environment]
---
Officers found plastic waste in twelve containers and sent them back.
"""


def add_article(app: App, name: str = "news") -> App:
    """The site an hour later, with one more article; the same store."""
    source = app.settings.root / "data/articles" / f"{name}.md"
    source.write_text(NEWS.replace("a port", f"a port, {name}"))
    later = build(app.settings, clock=lambda: app.clock() + timedelta(hours=1))
    asyncio.run(publish(later.parts, Order(digests=False)))
    later.close()
    return app


@pytest.mark.parametrize("extension", ["atom", "rss"])
@pytest.mark.parametrize("coding", ["identity", "gzip", "br"])
def test_a_known_version_gets_only_what_is_new(client: TestClient, app: App, extension: str, coding: str) -> None:
    path = f"/feeds/all.{extension}"
    known = client.get(path, headers={"Accept-Encoding": coding}).headers["etag"]
    add_article(app)
    full = client.get(path, headers={"Accept-Encoding": "identity"})
    news = client.get(path, headers=ASK | {"If-None-Match": known})
    assert (news.status_code, news.headers["im"]) == (226, "feed")
    assert news.headers["cache-control"] == "no-store, im"
    assert {name.strip() for name in news.headers["vary"].split(",")} == {"A-IM", "If-None-Match", "Accept-Encoding"}
    for name in ("etag", "last-modified", "content-type", "access-control-allow-origin"):
        assert news.headers[name] == full.headers[name]
    feed = feedparser.parse(news.content)
    assert not feed.bozo
    assert [entry.title for entry in feed.entries] == ["Plastic waste found in a port, news"]
    assert feed.feed.title == feedparser.parse(full.content).feed.title


def test_after_a_delta_the_reader_holds_the_present_version(client: TestClient, app: App) -> None:
    known = client.get("/feeds/all.atom").headers["etag"]
    add_article(app)
    news = client.get("/feeds/all.atom", headers={"A-IM": "feed", "If-None-Match": known})
    for accepted in ("identity", "gzip", "br, gzip"):
        headers = {"A-IM": "feed", "Accept-Encoding": accepted, "If-None-Match": news.headers["etag"]}
        assert client.get("/feeds/all.atom", headers=headers).status_code == 304


def test_a_delta_is_packed_for_who_takes_gzip_and_has_headers_only_for_head(client: TestClient, app: App) -> None:
    known = client.get("/feeds/all.atom").headers["etag"]
    for name in ("one", "two", "three"):
        add_article(app, name)
    headers = {"A-IM": "gzip;q=0.1, feed", "If-None-Match": f'"unknown", {known}', "Accept-Encoding": "gzip, br"}
    news = client.get("/feeds/all.atom", headers=headers)
    assert (news.status_code, news.headers["content-encoding"]) == (226, "gzip")
    assert len(feedparser.parse(news.content).entries) == 3
    head = client.head("/feeds/all.atom", headers=headers)
    assert (head.status_code, head.headers, head.content) == (226, news.headers, b"")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # unconditional
        ({"If-None-Match": '"' + "0" * 32 + '"'}, 200),
        ({"If-None-Match": '"foreign"'}, 200),
        ({"If-None-Match": "KNOWN", "A-IM": "feed;q=0"}, 200),
        ({"If-None-Match": "KNOWN", "A-IM": "vcdiff"}, 200),
        ({"If-None-Match": "KNOWN", "Range": "bytes=0-9"}, 206),
        ({"If-None-Match": "KNOWN"}, 226),
    ],
)
def test_everybody_else_gets_the_whole_feed(client: TestClient, app: App, headers: dict[str, str], status: int) -> None:
    known = client.get("/feeds/all.atom").headers["etag"]
    add_article(app)
    sent = ASK | {name: value.replace("KNOWN", known) for name, value in headers.items()}
    assert client.get("/feeds/all.atom", headers=sent).status_code == status


def test_a_feed_that_did_not_change_is_still_304_and_json_is_always_whole(client: TestClient, app: App) -> None:
    known = client.get("/feeds/all.atom", headers=ASK).headers["etag"]
    assert client.get("/feeds/all.atom", headers=ASK | {"If-None-Match": known}).status_code == 304
    known = client.get("/feeds/all.json").headers["etag"]
    add_article(app)
    assert client.get("/feeds/all.json", headers=ASK | {"If-None-Match": known}).status_code == 200


def test_without_the_database_the_whole_feed_is_the_answer(app: App, tmp_path: Path) -> None:
    with TestClient(make_asgi(app)) as client:
        known = client.get("/feeds/all.atom").headers["etag"]
        add_article(app)
        app.close()
        for database in (app.settings.root / "data").glob("publisher.db*"):
            database.unlink()
        assert client.get("/feeds/all.atom", headers=ASK | {"If-None-Match": known}).status_code == 200
