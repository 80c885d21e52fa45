"""The published files over HTTP, as feed readers ask for them."""

from __future__ import annotations

import feedparser
import pytest
from starlette.testclient import TestClient

from publisher.app import App


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html"),
        ("/topics/environment/", "text/html"),
        ("/feeds/environment.atom", "application/atom+xml"),
        ("/feeds/all.rss", "application/rss+xml"),
        ("/feeds/all.json", "application/feed+json"),
        ("/feeds.opml", "text/x-opml"),
        ("/assets/style.css", "text/css"),
        ("/issues/weekly-1/", "text/html"),
    ],
)
def test_each_kind_of_document_has_its_media_type(client: TestClient, path: str, media_type: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(media_type)


def test_a_feed_reader_can_subscribe_to_what_a_topic_page_announces(client: TestClient, app: App) -> None:
    page = client.get("/topics/environment/").text
    announced = page.split('type="application/atom+xml"', 1)[1].split('href="', 1)[1].split('"', 1)[0]
    assert announced == app.links.feed("environment")
    feed = feedparser.parse(client.get(announced.removeprefix("http://127.0.0.1:8000")).content)
    assert not feed.bozo
    assert len(feed.entries) == 2


def test_an_unchanged_feed_is_answered_304_by_its_etag(client: TestClient) -> None:
    first = client.get("/feeds/all.atom")
    again = client.get("/feeds/all.atom", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_the_etag_decides_even_when_the_date_says_otherwise(client: TestClient) -> None:
    first = client.get("/feeds/all.atom")
    headers = {"If-None-Match": '"another"', "If-Modified-Since": first.headers["last-modified"]}
    assert client.get("/feeds/all.atom", headers=headers).status_code == 200


def test_head_tells_the_same_as_get(client: TestClient) -> None:
    full, head = client.get("/feeds/all.atom"), client.head("/feeds/all.atom")
    assert head.content == b""
    for name in ("etag", "last-modified", "content-length", "content-type"):
        assert head.headers[name] == full.headers[name]


def test_an_address_without_a_file_gets_the_sites_own_page(client: TestClient) -> None:
    answer = client.get("/topics/no-such-topic/")
    assert answer.status_code == 404
    assert "Page not found" in answer.text


@pytest.mark.parametrize("path", ["/.drafts/lock", "/../config.toml", "/%2e%2e/config.toml", "/..%2fconfig.toml"])
def test_nothing_but_published_documents_can_be_read(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_health_says_ok(client: TestClient) -> None:
    assert client.get("/healthz").json()["status"] == "ok"
