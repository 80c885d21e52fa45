"""Who was away for long finds everything in the archives, and what was withdrawn leaves every reader's list of news."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from fleet.clients import FeedparserClient, ReaderClient
from fleet.newsroom import Newsroom, newsroom

from publisher.feeds.glance import relations
from publisher.feeds.walker import Version, Walked, walk
from publisher.flows.check_address import walk_address
from publisher.flows.check_feeds import check_site
from publisher.model import ALL

ENTRIES = 5  # of a feed, so that a month fills some archives


@pytest.fixture
def office(tmp_path: Path, sqlite_url: str) -> Iterator[Newsroom]:
    office = newsroom(tmp_path, sqlite_url, feeds={"entries": ENTRIES})
    yield office
    assert office.problems == []
    checked = check_site(office.house.site, office.house.app.links, now=office.house.clock())
    assert [(one.document, str(finding)) for one in checked for finding in one.findings] == []
    office.house.app.close()


def walked(office: Newsroom, name: str) -> Walked:
    """The whole feed over HTTP, the same from each format."""
    with office.serving(), httpx.Client() as client:
        walks = [
            walk(office.url(f"feeds/{name}.{kind}"), lambda url: client.get(url).raise_for_status().content)
            for kind in ("atom", "rss", "json")
        ]
    for found in walks:
        assert found.problems == ()
        assert titles(found.entries) == titles(walks[0].entries)
    return walks[0]


def titles(entries: dict[str, Version]) -> dict[str, str]:
    return {entry_id: version.title for entry_id, version in entries.items()}


def archives(office: Newsroom) -> dict[str, bytes]:
    folder = office.house.site / "feeds"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("archive-*.atom")}


def test_who_was_away_for_a_month_finds_the_whole_topic_in_its_archives(office: Newsroom) -> None:
    house = office.house
    for day in range(1, 29):
        house.article(f"Day {day}", f"News of day {day} on {'environment' if day % 2 else 'data'}.", id=day)
        if day % 9 == 0:  # of an article that is in an archive already
            house.article(f"Day {day - 8}", f"On environment and data, told anew on day {day}.", id=day - 8)
        if day == 14:
            house.article("Old", "On environment, long ago.", id="old", date="2025-01-01")
        frozen = archives(office)
        office.run()
        assert frozen.items() <= archives(office).items()
        assert ("fh:complete" in (office.house.site / "feeds/all.atom").read_text()) == (day < ENTRIES)
    assert len(archives(office)) >= 8
    for topic in (ALL, "environment", "data"):
        expected = office.articles(topic)
        found = walked(office, topic)
        assert titles(found.entries) == {entry_id: filed.article.title for entry_id, filed in expected.items()}
        for entry_id, version in found.entries.items():
            assert expected[entry_id].article.text in version.content
    both = {topic: office.articles(topic).keys() for topic in ("data", "environment")}
    assert walked(office, "data+environment").entries.keys() == both["data"] | both["environment"]
    assert walked(office, "data/environment").entries.keys() == both["data"] & both["environment"]


def test_the_archives_can_be_walked_from_any_of_them_and_forwards_too(office: Newsroom) -> None:
    for number in range(12):
        office.house.article(f"Article {number}", f"News {number} on environment.", id=number)
    office.run()
    first, current = office.url("feeds/all/archive-1.atom"), office.url("feeds/all.atom")
    with office.serving(), httpx.Client(follow_redirects=True) as client:
        found = walk(first, lambda url: client.get(url).raise_for_status().content)
        assert len(found.entries) == 12 and found.documents[0] == current
        following, forwards = first, []
        while following:
            answer = client.get(following)
            forwards.append(str(answer.url))
            following = relations(answer.content).get("next-archive", "")
        for kind in ("atom", "rss", "json"):
            checked = walk_address(office.url(f"feeds/all.{kind}"))
            assert (checked.entries, checked.findings) == (12, ())
            assert checked.document.endswith("and 2 before it")
        (finding,) = walk_address(office.url("feeds/never.atom")).findings
        assert "answered 404" in finding.text
        (finding,) = walk_address(office.url("index.html")).findings
        assert finding.rule == "RFC 5005"
    assert forwards == [first, office.url("feeds/all/archive-2.atom"), current]


def test_what_was_withdrawn_becomes_a_notice_everywhere_and_leaves_who_reads_the_archives(office: Newsroom) -> None:
    house = office.house
    for number in range(12):
        house.article(f"Article {number}", f"News {number} on environment.", id=number)
    office.run()
    newest, archived = house.key_of("Article 11"), house.key_of("Article 0")
    with office.serving():
        clients = [
            FeedparserClient(office.url("feeds/all.atom")),
            FeedparserClient(office.url("feeds/all.rss")),
            ReaderClient(office.url("feeds/all.atom")),
        ]
        for client in clients:
            client.poll()
    with house.app.store.write() as tx:
        ids = {tx.articles.get(key).entry_id for key in (newest, archived)}
        for key in (newest, archived):
            tx.departures.withdraw(key, house.clock(), "It was not true.")
    for _ in range(3):
        office.run()
        with office.serving():
            for client in clients:
                client.poll()
    for client in clients:
        (shown,) = [item for entry_id, item in client.items.items() if entry_id in ids and "11" in item.title]
        assert "withdrawn" in shown.content
        assert "News 11" not in shown.content
        assert set(client.shown_as_new.values()) == {1}
    left = set(office.articles(ALL)) - ids
    for days in (20, 20, 100, 30):  # the notice becomes a tombstone, that one ends, and it stays so
        office.run(days=days)
        assert set(walked(office, ALL).entries) == left
    for number in range(6):  # an archive more
        house.article(f"Later {number}", "On data.", id=f"later-{number}")
    office.run()
    assert set(walked(office, ALL).entries) == set(office.articles(ALL)) - ids
    for client in clients:
        if isinstance(client, ReaderClient):
            client.close()
