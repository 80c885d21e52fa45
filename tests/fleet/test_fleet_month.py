"""A month in the life of a newsroom and of the people who read its feeds, each with another program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet.clients import JSON_AGENT, PARSER_AGENT, READER_AGENT, Client, FeedparserClient, JsonClient, ReaderClient
from fleet.newsroom import Newsroom, newsroom
from flows.house import TOPICS, topic_rules

from publisher.feeds.texts import rfc3339
from publisher.flows.check_feeds import check_site
from publisher.model import ALL

FEEDS = (ALL, "environment", "data")


@pytest.fixture
def office(tmp_path: Path, sqlite_url: str) -> Iterator[Newsroom]:
    office = newsroom(tmp_path, sqlite_url)
    yield office
    office.house.app.close()


class Fleet:
    """Every program on every feed."""

    def __init__(self, office: Newsroom) -> None:
        self.office = office
        self.clients: list[tuple[str, Client]] = []
        for topic in FEEDS:
            atom, rss, feed = (office.url(f"feeds/{topic}.{extension}") for extension in ("atom", "rss", "json"))
            for client in (FeedparserClient(atom), FeedparserClient(rss), JsonClient(feed), ReaderClient(atom)):
                self.clients.append((topic, client))
        self.link_of: dict[str, str] = {}

    def poll(self) -> None:
        """Everybody asks once; nobody is ever shown an id with another page, or a page under another id."""
        with self.office.serving():
            for _, client in self.clients:
                client.poll()
        for _, client in self.clients:
            for entry_id, item in client.items.items():
                assert self.link_of.setdefault(entry_id, item.link) == item.link
        assert len(set(self.link_of.values())) == len(self.link_of)

    def check(self) -> None:
        """Everybody has exactly the articles of the topic, with the newest text, and was shown each as new once."""
        for topic, client in self.clients:
            expected = self.office.articles(topic)
            assert set(client.items) == set(expected), (topic, client)
            for entry_id, item in client.items.items():
                article = expected[entry_id].article
                assert item.title == article.title
                assert article.text.splitlines()[0] in item.content
            assert client.shown_as_new == dict.fromkeys(expected, 1), (topic, client)

    def close(self) -> None:
        for _, client in self.clients:
            if isinstance(client, ReaderClient):
                client.close()


@pytest.fixture
def fleet(office: Newsroom) -> Iterator[Fleet]:
    office.house.article("Waste", "Waste on environment.", id=1, date="2026-02-20")
    office.house.article("Seizure", "A seizure of drugs.", id=2, date="2026-02-21")
    office.house.article("Ports", "Ports exchange data.", id=3, date="2026-02-22")
    office.run()
    fleet = Fleet(office)
    fleet.poll()
    fleet.check()
    yield fleet
    fleet.close()
    assert office.problems == []
    checked = check_site(office.house.site, office.house.app.links, now=office.house.clock())
    assert [(one.document, str(finding)) for one in checked for finding in one.findings] == []


def test_after_a_run_with_nothing_new_everybody_is_answered_304(office: Newsroom, fleet: Fleet) -> None:
    assert office.run() == ()
    office.answered.clear()
    fleet.poll()
    statuses = {(agent, status) for agent, _, status in office.answered}
    assert statuses == {(agent, 304) for agent in (PARSER_AGENT, JSON_AGENT, READER_AGENT)}
    assert sum(office.answered.values()) == len(fleet.clients)
    fleet.check()


def test_a_correction_reaches_everybody_and_marks_nothing_unread(office: Newsroom, fleet: Fleet) -> None:
    office.house.article("Waste", "Plastic waste on environment and data.", title="Plastic waste", id=1)
    office.run()
    office.answered.clear()
    fleet.poll()
    fleet.check()
    changed = {path for _, path, status in office.answered if status != 304}
    assert changed == {f"/feeds/{topic}.{extension}" for topic in FEEDS for extension in ("atom", "rss", "json")}
    (waste,) = [filed.article for filed in office.articles("environment").values()]
    assert waste.published.date().isoformat() == "2026-02-20"
    assert rfc3339(waste.updated) == rfc3339(office.house.clock())


def test_a_month_of_runs_ends_with_the_right_articles_everywhere(office: Newsroom, fleet: Fleet) -> None:
    house, deltas = office.house, 0
    for day in range(2, 30):
        match day:
            case 4:
                house.article("Waste", "Waste on environment, told anew.", title="Waste, corrected", id=1)
            case 6:  # a better rule files what is there already
                house.rebuild(topics=topic_rules(data=("ports", "seizure")))
            case 9:  # read elsewhere and brought in late
                house.article("Late", "On environment, long ago.", id=4, date="2025-06-01")
            case 12:  # another name for a topic
                topics = topic_rules(data=("ports", "seizure"))
                house.rebuild(topics={**topics, "environment": {**topics["environment"], "label": "Green customs"}})
            case 15 | 16:  # more in two days than a feed holds
                for number in range(30):
                    house.article(f"Many {day} {number}", "More data on environment.", id=f"{day}-{number}")
            case 20:
                house.article("Ports", "Ports exchange more data.", title="Ports and data", id=3)
            case _ if day % 3 == 0:
                house.article(f"Day {day}", f"News of day {day} on {TOPICS[day % 2 * 2]}.", id=f"day-{day}")
        written = office.run()
        office.answered.clear()
        fleet.poll()
        for agent, path, status in office.answered:
            changed = path.removeprefix("/") in written
            # `reader` forgets the validators of an answer in which nothing changed that it keeps
            assert (status == 304) == (not changed) or (agent == READER_AGENT and not changed), (day, path, status)
            deltas += status == 226
    fleet.check()
    assert deltas  # some were sent only what is new, and put it together
    assert len(office.articles(ALL)) > house.app.settings.feeds.entries
