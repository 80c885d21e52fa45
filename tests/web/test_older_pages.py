"""Older pages of feeds made when they are asked for: their addresses, and that a whole feed comes together of them."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient
from web.conftest import NOW

from publisher.app import App, build
from publisher.config import load
from publisher.feeds.check import check
from publisher.feeds.glance import relations
from publisher.feeds.walker import walk
from publisher.flows.private_feed import feed_token
from publisher.flows.run import Order, publish
from publisher.flows.subscribe import find_subscriber
from publisher.web.server import make_asgi

BASE = "http://127.0.0.1:8000"
ENTRIES = 2


@pytest.fixture(scope="module")
def small_folder(published_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo site, published with room for two articles in a feed; tests get copies of it."""
    folder = tmp_path_factory.mktemp("small") / "site"
    shutil.copytree(published_site, folder)
    app = small_app(folder)
    asyncio.run(publish(app.parts, Order(digests=False)))
    app.close()
    return folder


def small_app(folder: Path) -> App:
    settings = load(folder / "config.toml", {})
    feeds = settings.feeds.model_copy(update={"entries": ENTRIES})
    return build(settings.model_copy(update={"feeds": feeds}), clock=lambda: NOW)


@pytest.fixture
def small(small_folder: Path, tmp_path: Path) -> Iterator[tuple[App, TestClient]]:
    app = small_app(shutil.copytree(small_folder, tmp_path, dirs_exist_ok=True))
    with TestClient(make_asgi(app), base_url=BASE, follow_redirects=False) as client:
        yield app, client
    app.close()


def private(app: App) -> str:
    with app.store.read() as tx:
        reader = find_subscriber(tx, "alice@customs.example")
        return f"private/{feed_token(tx, app.signer, reader.id)}"


def fetch(client: TestClient, url: str) -> bytes:
    answer = client.get(urlsplit(url).path)
    assert answer.status_code == 200
    return answer.content


@pytest.mark.parametrize("kind", ["atom", "rss", "json"])
@pytest.mark.parametrize(
    "name", ["all", "environment+trade-facilitation", "region-asia-pacific/capacity-building", "private"]
)
def test_a_whole_feed_comes_together_of_its_pages(small: tuple[App, TestClient], kind: str, name: str) -> None:
    app, client = small
    path = f"/feeds/{private(app) if name == 'private' else name}.{kind}"
    found = walk(BASE + path, lambda url: fetch(client, url))
    with app.store.read() as tx:
        of = {topic: {f.article.entry_id for f in tx.articles.newest(topic, 99)} for topic in ("all", *app.topic_order)}
    expected = {
        "all": of["all"],
        "environment+trade-facilitation": of["environment"] | of["trade-facilitation"],
        "region-asia-pacific/capacity-building": of["region-asia-pacific"] & of["capacity-building"],
        "private": of["environment"] | of["partnerships"],
    }[name]
    assert found.entries.keys() == expected
    assert len(expected) > ENTRIES
    for url in found.documents:
        answer = client.get(urlsplit(url).path)
        assert check(url, answer.content, self_url=url, now=app.clock()) == []
        if name == "private":
            assert answer.headers["cache-control"].startswith("private")
            assert answer.headers["x-robots-tag"] == "noindex"


def test_a_page_has_one_address_whatever_the_order_of_its_topics(small: tuple[App, TestClient]) -> None:
    _, client = small
    older = urlsplit(relations(client.get("/feeds/environment+trade-facilitation.atom").content)["next"]).path
    assert re.fullmatch(r"/feeds/environment\+trade-facilitation/before-[0-9]+\.atom", older)
    turned = client.get(older.replace("environment+trade-facilitation", "trade-facilitation+environment"))
    assert (turned.status_code, turned.url.join(turned.headers["location"]).path) == (301, older)
    narrow = urlsplit(relations(client.get("/feeds/region-asia-pacific/capacity-building.atom").content)["next"]).path
    turned = client.get(
        narrow.replace("region-asia-pacific/capacity-building", "capacity-building/region-asia-pacific")
    )
    assert (turned.status_code, turned.url.join(turned.headers["location"]).path) == (301, narrow)
    first = client.get(older)
    assert client.get(older, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert "hub" not in relations(first.content)


@pytest.mark.parametrize(
    "path",
    [
        "environment/archive-99.json",
        "environment/archive-0.json",
        "environment/archive-01.json",
        "never/archive-1.json",
        "environment/before-9.atom",
        "environment+partnerships/before-0.atom",
        f"environment+partnerships/before-{10**19}.atom",
        "environment+never/before-9.atom",
        "private/x/before-9.atom",
    ],
)
def test_what_is_no_page_is_not_found(small: tuple[App, TestClient], path: str) -> None:
    assert small[1].get(f"/feeds/{path}").status_code == 404


def test_the_pages_of_a_json_feed_end_and_say_where_they_are(small: tuple[App, TestClient]) -> None:
    _, client = small
    page = json.loads(client.get("/feeds/all.json").content)
    numbers = []
    while "next_url" in page:
        url = page["next_url"]
        numbers.append(int(url.rpartition("-")[2].removesuffix(".json")))
        page = json.loads(fetch(client, url))
        assert page["feed_url"] == url
    assert numbers == list(range(len(numbers), 0, -1)) and numbers
