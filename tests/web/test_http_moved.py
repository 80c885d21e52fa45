"""Addresses that moved, closed or were withdrawn, and one site below a path."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from publisher.app import App, build
from publisher.config import load
from publisher.errors import ConfigError
from publisher.flows.run import Order, publish
from publisher.web.server import make_asgi

BASE = "http://127.0.0.1:8000"


@contextmanager
def reconfigured(app: App, *changes: tuple[str, str]) -> Iterator[TestClient]:
    """The site after its config.toml was changed, published again and served anew."""
    config = app.settings.root / "config.toml"
    text = config.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    again = build(load(config, {}), clock=app.clock)
    asyncio.run(publish(again.parts, Order(digests=False)))
    with TestClient(make_asgi(again), base_url=BASE, follow_redirects=False) as client:
        yield client
    again.close()


RENAMED = ("[topics.environment]\n", '[topics.green-customs]\nformerly = ["environment", "green"]\n')


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/feeds/environment.atom", "/feeds/green-customs.atom"),
        ("/feeds/environment.rss?x=1", "/feeds/green-customs.rss"),
        ("/feeds/green.json", "/feeds/green-customs.json"),
        ("/feeds/environment/archive-2.atom", "/feeds/green-customs/archive-2.atom"),
        ("/topics/environment/", "/topics/green-customs/"),
        ("/topics/environment", "/topics/green-customs/"),
        ("/topics/green/index.html", "/topics/green-customs/"),
    ],
)
def test_the_addresses_of_a_renamed_topic_lead_to_its_new_ones(app: App, old: str, new: str) -> None:
    with reconfigured(app, RENAMED) as client:
        answer = client.get(old)
        assert (answer.status_code, answer.headers["location"]) == (301, new)
        assert client.head(old).status_code == 301


def test_a_closed_topic_is_gone_and_one_that_never_was_is_not_found(app: App) -> None:
    with reconfigured(app, ("[topics.environment]\n", "[topics.nature]\n")) as client:
        for path in (
            "/feeds/environment.atom",
            "/feeds/environment.json",
            "/topics/environment/",
            "/topics/environment",
        ):
            answer = client.get(path)
            assert answer.status_code == 410
            assert "closed" in answer.text
        assert client.get("/feeds/nature.atom").status_code == 200
        for path in ("/feeds/never.atom", "/topics/never/", "/feeds/never/archive-1.atom"):
            assert client.get(path).status_code == 404


CLOSED = ("[topics.environment]\n", "[topics.nature]\n")


@pytest.mark.parametrize("kind", ["atom", "rss", "json"])
def test_a_feed_of_several_topics_moves_and_closes_with_them(app: App, kind: str) -> None:
    union, narrowing = f"/feeds/environment+partnerships.{kind}", f"/feeds/region-mena/environment.{kind}"
    with reconfigured(app, RENAMED) as client:
        for old, new in (
            (union, f"/feeds/green-customs+partnerships.{kind}"),
            (f"/feeds/green+partnerships.{kind}", f"/feeds/green-customs+partnerships.{kind}"),
            (f"/feeds/environment+green.{kind}", f"/feeds/green-customs.{kind}"),
            (narrowing, f"/feeds/region-mena/green-customs.{kind}"),
        ):
            moved = client.get(old)
            assert (moved.status_code, moved.url.join(moved.headers["location"]).path) == (301, new)
            assert client.get(new).status_code == 200
    with reconfigured(app, ('[topics.green-customs]\nformerly = ["environment", "green"]\n', CLOSED[1])) as client:
        for path in (union, narrowing, f"/feeds/environment/partnerships.{kind}", f"/feeds/all+environment.{kind}"):
            answer = client.get(path)
            assert (answer.status_code, "closed" in answer.text) == (410, True), path
            assert client.head(path).status_code == 410
        for path in (f"/feeds/environment+never.{kind}", f"/feeds/never+partnerships.{kind}"):
            assert client.get(path).status_code == 404


def test_the_archive_that_is_not_cut_yet_leads_to_the_current_feed(app: App) -> None:
    archive = app.folder.root / "feeds/environment/archive-1.atom"
    archive.parent.mkdir()
    archive.write_bytes((app.folder.root / "feeds/environment.atom").read_bytes())
    with TestClient(make_asgi(app), base_url=BASE, follow_redirects=False) as client:
        following = client.get("/feeds/environment/archive-2.atom")
        assert (following.status_code, following.headers["location"]) == (307, "/feeds/environment.atom")
        assert following.headers["cache-control"] == "no-store"
        for never in ("environment/archive-3", "partnerships/archive-1", "partnerships/archive-2", "never/archive-2"):
            assert client.get(f"/feeds/{never}.atom").status_code == 404
        for never in (f"environment/archive-{'9' * digits}" for digits in (17, 18, 19, 5000)):
            assert client.get(f"/feeds/{never}.atom").status_code == 404


@pytest.mark.parametrize("former", ["partnerships", "all", "green-customs"])
def test_a_former_name_that_is_taken_is_refused(app: App, former: str) -> None:
    config = app.settings.root / "config.toml"
    config.write_text(config.read_text().replace(RENAMED[0], f'[topics.green-customs]\nformerly = ["{former}"]\n'))
    with pytest.raises(ConfigError, match=rf"topics\.green-customs\.formerly: '{former}' is a name of topic"):
        load(config, {})


def test_the_page_of_a_withdrawn_article_is_gone_whether_or_not_a_notice_stands_there(app: App) -> None:
    slug = next((app.folder.root / "articles").iterdir()).name
    with app.store.read() as tx:
        key = tx.articles.resolve(slug).key
    with TestClient(make_asgi(app), base_url=BASE) as client:
        assert client.get(f"/articles/{slug}/").status_code == 200
    with app.store.write() as tx:
        withdraw(tx, key, app)
    with TestClient(make_asgi(app), base_url=BASE) as client:
        notice = client.get(f"/articles/{slug}/", headers={"If-None-Match": "*"})
        assert notice.status_code == 410
        assert notice.headers["content-type"].startswith("text/html")
        shutil.rmtree(app.folder.root / "articles" / slug)
        assert client.get(f"/articles/{slug}/").status_code == 410
        assert client.get("/articles/never/").status_code == 404


def withdraw(tx, key: str, app: App) -> None:  # type: ignore[no-untyped-def]
    tx.departures.withdraw(key, app.clock())


def test_a_folder_without_its_slash_leads_to_the_page(client: TestClient) -> None:
    answer = client.get("/topics/environment?x=1")
    assert (answer.status_code, answer.headers["location"]) == (301, "/topics/environment/")
    assert client.get("/articles").status_code == 404


def test_a_site_below_a_path_answers_there_and_where_a_proxy_cuts_the_path(app: App, tmp_path: Path) -> None:
    with reconfigured(
        app, ('base_url = "http://127.0.0.1:8000/"', 'base_url = "http://127.0.0.1:8000/news/"')
    ) as client:
        for path in ("/news/feeds/all.atom", "/feeds/all.atom", "/news/", "/"):
            assert client.get(path).status_code == 200
        assert client.get("/news/topics/environment").headers["location"] == "/news/topics/environment/"
        assert client.get("/news/no/such").status_code == 404
        for ask in (client.get, client.head):
            first = ask("/news?x=1")
            assert (first.status_code, first.headers["location"]) == (301, "/news/")
            assert first.headers["cache-control"] == client.get("/news/topics/environment").headers["cache-control"]
        assert client.get("/newsfeeds/all.atom").status_code == 404
