"""Feeds of several topics over HTTP: one address each, right whatever happens in the store, a page to build them."""

from __future__ import annotations

import asyncio
from itertools import permutations
from urllib.parse import urlsplit

import feedparser
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import html
from starlette.testclient import TestClient

from publisher.app import App
from publisher.feeds.check import check
from publisher.flows.run import Order, publish

FEED = "/feeds/environment+partnerships.atom"
NARROW = "/feeds/region-asia-pacific/environment.atom"
KINDS = {"atom": "application/atom+xml", "rss": "application/rss+xml", "json": "application/feed+json"}


def ids(client: TestClient, path: str) -> set[str]:
    answer = client.get(path)
    assert answer.status_code == 200
    return {entry.id for entry in feedparser.parse(answer.content).entries}


def add_article(app: App, title: str, topics: str) -> None:
    folder = app.settings.path(app.settings.source[0].path)
    text = f"---\ntitle: {title}\ntopics: [{topics}]\n---\nCustoms did something.\n"
    (folder / f"{title.lower().replace(' ', '-')}.md").write_text(text, encoding="utf-8")
    asyncio.run(publish(app.parts, Order()))


def test_a_union_has_what_any_of_its_topics_has_and_a_narrowing_what_both_have(client: TestClient) -> None:
    environment, partnerships = (ids(client, f"/feeds/{slug}.atom") for slug in ("environment", "partnerships"))
    asia = ids(client, "/feeds/region-asia-pacific.atom")
    assert ids(client, FEED) == environment | partnerships
    assert ids(client, NARROW) == environment & asia
    assert environment & asia
    assert environment - partnerships


@pytest.mark.parametrize("path", [FEED, NARROW])
@pytest.mark.parametrize("kind", KINDS)
def test_every_format_passes_the_gate_and_says_where_it_is(client: TestClient, app: App, path: str, kind: str) -> None:
    path = path.replace("atom", kind)
    answer = client.get(path)
    assert answer.headers["content-type"] == f"{KINDS[kind]}; charset=utf-8"
    address = "http://127.0.0.1:8000" + path
    assert check(path, answer.content, self_url=address, now=app.clock()) == []
    assert address.encode() in answer.content


def test_title_id_and_human_page_are_those_of_the_selection(client: TestClient) -> None:
    union, narrow = (feedparser.parse(client.get(path).content).feed for path in (FEED, NARROW))
    assert union.title.endswith("Environment + Partnerships")
    assert narrow.title.endswith("Environment in Asia/Pacific")
    assert union.id == "tag:publisher.example,2026:feed/environment+partnerships"
    assert narrow.id == "tag:publisher.example,2026:feed/region-asia-pacific/environment"
    for feed in (union, narrow):
        parts = urlsplit(feed.link)
        page = client.get(f"{parts.path}?{parts.query}")
        assert page.status_code == 200
        assert feed.title.partition(": ")[2] in page.text


SLUGS = ("environment", "partnerships", "digital-customs", "region-asia-pacific", "region-mena")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(slugs=st.lists(st.sampled_from(SLUGS), min_size=2, max_size=8), kind=st.sampled_from(sorted(KINDS)))
def test_any_order_of_a_union_leads_to_one_address_in_one_step(client: TestClient, slugs: list[str], kind: str) -> None:
    path = f"/feeds/{'+'.join(slugs)}.{kind}"
    answer = client.get(path)
    if answer.status_code == 301:
        moved = client.request("GET", answer.url.join(answer.headers["location"]))
        assert moved.url.path == f"/feeds/{'+'.join(sorted(set(slugs)))}.{kind}"
        answer = moved
    else:
        assert slugs == sorted(set(slugs))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("environment/region-asia-pacific", NARROW),
        ("environment/environment", "/feeds/environment.atom"),
        ("all/environment", "/feeds/environment.atom"),
        ("all+environment", "/feeds/all.atom"),
        ("environment+environment", "/feeds/environment.atom"),
    ],
)
def test_what_is_the_same_feed_has_the_same_address(client: TestClient, asked: str, answered: str) -> None:
    answer = client.get(f"/feeds/{asked}.atom")
    assert answer.status_code == 301
    target = answer.url.join(answer.headers["location"])
    assert target.path == answered
    assert client.get(target.path).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "environment+weather",
        "environment+",
        "+",
        "region-mena/weather",
        "Environment+partnerships",
        "environment/archive-7",
        "environment+partnerships/archive-1",
        "a/b/c",
        "private/partnerships",
    ],
)
def test_what_is_no_feed_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(f"/feeds/{path}.atom").status_code == 404


def test_more_than_twelve_topics_are_too_many_for_one_feed(client: TestClient, app: App) -> None:
    slugs = sorted(app.settings.topics)
    assert client.get(f"/feeds/{'+'.join(slugs[:12])}.atom").status_code == 200
    assert client.get(f"/feeds/{'+'.join(slugs[:13])}.atom").status_code == 404


def test_it_is_kept_fresh_and_only_its_own_articles_change_it(client: TestClient, app: App) -> None:
    first = client.get(FEED)
    assert client.get(FEED, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    add_article(app, "Elsewhere", "digital-customs")
    assert client.get(FEED, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert client.get(FEED).headers["last-modified"] == first.headers["last-modified"]
    add_article(app, "In both of them", "environment, partnerships")
    changed = client.get(FEED, headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    titles = [entry.title for entry in feedparser.parse(changed.content).entries]
    assert titles.count("In both of them") == 1
    # the clock of these tests stands still: the date rises all the same, or readers would throw the news away
    assert changed.headers["last-modified"] > first.headers["last-modified"]
    assert ids(client, "/feeds/digital-customs+environment.atom") > ids(client, "/feeds/environment.atom")


def test_head_gzip_and_conditions_are_those_of_every_feed(client: TestClient) -> None:
    plain = client.get(FEED, headers={"Accept-Encoding": "identity"})
    packed = client.get(FEED, headers={"Accept-Encoding": "gzip"})
    assert packed.content == plain.content
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["etag"] != plain.headers["etag"]
    head = client.head(FEED, headers={"Accept-Encoding": "identity"})
    assert head.content == b""
    file = client.get("/feeds/environment.atom", headers={"Accept-Encoding": "identity"})
    assert set(head.headers) == set(plain.headers)
    assert set(file.headers) - set(plain.headers) <= {"link"}
    for name in ("cache-control", "vary", "access-control-allow-origin", "content-type"):
        assert plain.headers[name] == file.headers[name]
    assert client.post(FEED).status_code == 405


def build(client: TestClient, **query: object) -> html.HtmlElement:
    answer = client.get("/feeds/build", params=query)
    tree = html.document_fromstring(answer.content)
    tree.set("data-status", str(answer.status_code))
    return tree


def test_the_form_on_the_index_leads_to_the_address_of_the_chosen_feed(client: TestClient) -> None:
    form = html.document_fromstring(client.get("/").content).xpath("//section[@id='build']//form")[0]
    assert form.get("method") == "get"
    for box in form.xpath(".//input[@value='environment' or @value='partnerships']"):
        box.checked = True
    page = html.document_fromstring(client.get(f"/{form.get('action')}", params=form.form_values()).content)
    assert page.xpath("//textarea[@readonly]/text()") == ["http://127.0.0.1:8000" + FEED]
    feeds = {link.get("href") for link in page.xpath("//link[@rel='alternate']")}
    assert feeds == {"http://127.0.0.1:8000" + FEED.replace("atom", kind) for kind in KINDS}
    assert len(page.xpath("//section[@class='column']//article")) == len(ids(client, FEED))


def test_the_builder_narrows_down_and_takes_one_topic_or_everything_too(client: TestClient) -> None:
    for pair in permutations(("environment", "region-asia-pacific")):
        page = build(client, topic=list(pair), match="all")
        assert page.xpath("//textarea/text()") == ["http://127.0.0.1:8000" + NARROW]
    assert build(client, topic="environment").xpath("//textarea/text()") == [
        "http://127.0.0.1:8000/feeds/environment.atom"
    ]
    assert build(client, topic="all").xpath("//textarea/text()") == ["http://127.0.0.1:8000/feeds/all.atom"]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({}, 200, "Build your own feed"),
        ({"topic": "weather"}, 422, "does not exist"),
        ({"topic": ["environment", "partnerships", "region-mena"], "match": "all"}, 422, "two topics"),
    ],
)
def test_the_builder_explains_what_it_cannot_build(
    client: TestClient, query: dict[str, object], status: int, words: str
) -> None:
    page = build(client, **query)
    assert page.get("data-status") == str(status)
    assert words in page.text_content()
    assert page.xpath("//textarea") == []
    assert page.xpath("//form[@method='get']")
