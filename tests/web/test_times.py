"""The page that says when the feeds were looked after last, and when they will be."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import pytest
from lxml import html
from starlette.testclient import TestClient

from publisher.app import App
from publisher.web.server import make_asgi
from publisher.web.times import routes


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (timedelta(minutes=25), "The next one: 2 March 2026, 07:25 UTC."),
        (timedelta(0), "The next one: at this moment."),
        (None, "Nobody knows here when the next one is."),
    ],
)
def test_it_tells_the_last_look_for_news_and_the_next(app: App, after: timedelta | None, words: str) -> None:
    (route,) = routes(app, app.web_pages, lambda: None if after is None else app.clock() + after)
    answer = asyncio.run(route.endpoint(SimpleNamespace()))
    text = html.document_fromstring(answer.body).text_content()
    assert "Last look for news: 2 March 2026, 07:00 UTC." in text
    assert words in text
    assert answer.headers["cache-control"] == "no-store"


def test_every_page_about_feeds_links_it(app: App) -> None:
    with TestClient(make_asgi(app), base_url="http://127.0.0.1:8000") as client:
        for path in ("/", "/topics/environment/", "/feeds/build?topic=environment"):
            answer = client.get(path)
            (link,) = html.document_fromstring(answer.content).xpath("//a[contains(@href, 'feeds/times')]/@href")
            there = client.get(str(answer.url.join(link)))
            assert (there.status_code, "When we look for news" in there.text) == (200, True)
