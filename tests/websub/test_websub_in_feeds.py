"""The hubs are named in all three formats, and a feed without hubs says nothing of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import feedparser
import pytest
from lxml import etree

from publisher.config import from_values
from publisher.errors import ConfigError
from publisher.feeds import atom, jsonfeed, rss
from publisher.feeds.value import Feed, FeedSite, build_feed, everything
from publisher.links import Links

SITE = FeedSite(
    links=Links("https://customs.example/"),
    title="Customs",
    description="",
    author="Desk",
    rights="",
    language="en",
    tag_authority="customs.example",
    tag_year=2026,
)
HUBS = ("https://hub.example/?a=1&b=2", "https://customs.example/websub")


def feed(site: FeedSite) -> Feed:
    return build_feed(everything(site), [], {}, site)


@pytest.mark.parametrize("render", [atom.render, rss.render])
def test_xml_feeds_link_to_each_hub_and_once_to_themselves(render: object) -> None:
    site = replace(SITE, hubs=HUBS[:1], own_hub=HUBS[1])
    content = render(feed(site))  # type: ignore[operator]
    links = etree.fromstring(content).findall(".//{http://www.w3.org/2005/Atom}link")
    assert tuple(link.get("href") for link in links if link.get("rel") == "hub") == HUBS
    assert len([link for link in links if link.get("rel") == "self"]) == 1
    parsed = feedparser.parse(content)
    assert [link.href for link in parsed.feed.links if link.rel == "hub"] == list(HUBS)
    assert parsed.feed.link == "https://customs.example/"


def test_json_feeds_list_their_hubs() -> None:
    document = json.loads(jsonfeed.render(feed(replace(SITE, hubs=HUBS))))
    assert document["hubs"] == [{"type": "WebSub", "url": hub} for hub in HUBS]


def test_without_hubs_no_format_speaks_of_them() -> None:
    for render in (atom.render, rss.render, jsonfeed.render):
        assert b"hub" not in render(feed(SITE))


def test_hubs_come_from_the_config_and_from_the_environment() -> None:
    in_file = from_values({"websub": {"hubs": list(HUBS)}}, {}, root=Path())
    by_variable = from_values({}, {"PUBLISHER_WEBSUB_HUBS": " ".join(HUBS)}, root=Path())
    assert in_file.websub.hubs == by_variable.websub.hubs == HUBS


@pytest.mark.parametrize("hub", ["hub.example", "ftp://hub.example/", "https://hub.example/#x", "https://h.example/>"])
def test_a_hub_that_is_no_web_address_is_refused_by_its_key(hub: str) -> None:
    with pytest.raises(ConfigError, match=r"websub\.hubs\[0\]: not a hub's address"):
        from_values({"websub": {"hubs": [hub]}}, {}, root=Path())
