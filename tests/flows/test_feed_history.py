"""A topic's feed through time: corrections, withdrawals, archives that never change, and nobody misses anything."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
from flows import walking
from flows.house import FEEDS_ONLY, TOPICS, House
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from publisher.feeds.grammar import check_atom
from publisher.feeds.names import ATOM, FH, TOMBSTONES
from publisher.flows.publish_site import publish_site
from publisher.flows.refile import refile
from publisher.flows.reports import SiteReport
from publisher.flows.run import Order, read_sources
from publisher.flows.withdraw import restore, withdraw
from publisher.model import ALL, Article, DepartureState
from publisher.store.articles import Articles

BASE = "https://news.example/"
FEEDS = (ALL, *TOPICS)
ENTRIES = 3


def feed_url(topic: str) -> str:
    return f"{BASE}feeds/{topic}.atom"


def archives(site: Path) -> dict[str, bytes]:
    return {str(path.relative_to(site)): path.read_bytes() for path in sorted(site.glob("feeds/*/archive-*.atom"))}


def walked(house: House, name: str, kind: str = "atom") -> dict[str, str]:
    """What a walker finds: id -> updated."""
    found = walking.walked(house, f"feeds/{name}.{kind}").entries
    return {entry_id: rfc3339(version.updated) for entry_id, version in found.items()}


def articles(house: House) -> dict[str, Article]:
    with house.app.store.read() as tx:
        return {filed.article.title: filed.article for filed in tx.articles.iterate()}


def publish(house: House, *, rebuild: bool = False) -> SiteReport:
    """The part of a run that this is about."""
    parts, now = house.app.parts, house.clock()
    read_sources(parts, parts.store, now)
    report = publish_site(parts.store, parts.folder, parts.press, now=now, rebuild=rebuild)
    assert report.problems == ()
    return report


def rfc3339(moment: Any) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def atom(house: House, topic: str) -> etree._Element:
    return etree.fromstring((house.site / f"feeds/{topic}.atom").read_bytes())


def entry(house: House, topic: str, title: str) -> Any:
    """The entry with that title, as a feed reader has it."""
    feed = feedparser.parse((house.site / f"feeds/{topic}.atom").read_bytes())
    assert not feed.bozo
    return next(found for found in feed.entries if found.title == title)


def tombstones(house: House, topic: str) -> dict[str, str]:
    found = atom(house, topic).findall(f"{{{TOMBSTONES}}}deleted-entry")
    return {element.get("ref", ""): element.get("when", "") for element in found}


@pytest.fixture
def small(tmp_path: Path, sqlite_url: str) -> Iterator[House]:
    """An installation whose feeds have room for three entries."""
    house = House(tmp_path, sqlite_url, {"feeds": {"entries": ENTRIES}})
    yield house
    house.app.close()


# --- archives -----------------------------------------------------------------------------------------------------


def test_a_small_topic_is_complete_and_a_full_one_has_an_archive(small: House) -> None:
    for number in range(ENTRIES - 1):
        small.article(f"News {number}")
    publish(small)
    assert atom(small, "environment").find(f"{{{FH}}}complete") is not None
    assert archives(small.site) == {}
    small.article("News 2")
    publish(small)
    root = atom(small, "environment")
    assert root.find(f"{{{FH}}}complete") is None
    links = {link.get("rel"): link.get("href") for link in root.findall(f"{{{ATOM}}}link")}
    assert links["prev-archive"] == f"{BASE}feeds/environment/archive-1.atom"
    archive = etree.fromstring(archives(small.site)["feeds/environment/archive-1.atom"])
    assert archive.find(f"{{{FH}}}archive") is not None
    links = {link.get("rel"): link.get("href") for link in archive.findall(f"{{{ATOM}}}link")}
    assert links["self"] == f"{BASE}feeds/environment/archive-1.atom"
    assert links["current"] == feed_url("environment")
    assert links["next-archive"] == f"{BASE}feeds/environment/archive-2.atom"
    assert "prev-archive" not in links


def test_a_first_import_cuts_all_archives_at_once_oldest_first(small: House) -> None:
    for day in range(1, 12):
        small.article(f"News {day}", date=f"2026-01-{day:02}")
    publish(small)
    own = [name for name in archives(small.site) if "environment" in name]
    assert len(own) == 11 // ENTRIES
    first = feedparser.parse(archives(small.site)["feeds/environment/archive-1.atom"])
    assert {found.title for found in first.entries} == {"News 1", "News 2", "News 3"}
    assert len(walked(small, "environment")) == 11


def test_an_old_article_that_is_filed_later_stands_in_the_current_feed_of_its_new_topic(small: House) -> None:
    small.article("Old", topics="[drugs]")
    publish(small)
    for number in range(8):
        small.clock.forward(hours=1)
        small.article(f"News {number}", topics="[environment]")
    publish(small)
    small.article("Old", topics="[drugs, environment]")
    publish(small)
    assert entry(small, "environment", "Old")
    assert len(walked(small, "environment")) == 9


def test_archives_outlive_a_change_of_settings_and_a_rebuild_and_come_back_when_they_are_lost(small: House) -> None:
    for number in range(7):
        small.article(f"News {number}")
    publish(small)
    before = archives(small.site)
    small.rebuild(site={"title": "Another name", "base_url": BASE}, feeds={"entries": ENTRIES + 1})
    publish(small)
    publish(small, rebuild=True)
    assert archives(small.site) == before
    small.rebuild(site={"title": "Customs news"}, feeds={"entries": ENTRIES})
    publish(small)
    shutil.rmtree(small.site)
    publish(small)
    assert archives(small.site) == before
    assert len(walked(small, ALL)) == 7


def test_a_site_that_moves_to_another_address_leads_through_its_archives_there(small: House) -> None:
    for number in range(7):
        small.article(f"News {number}", f"Words {number} on environment.")
    publish(small)
    small.article("News 0", "Other words on environment.")
    small.clock.forward(days=1)
    publish(small)
    before, found = archives(small.site), walked(small, ALL)
    modified = {path: (small.site / path).stat().st_mtime for path in before}
    elsewhere = "https://elsewhere.example/news/"
    small.rebuild(site={"title": "Customs news", "base_url": elsewhere})
    small.clock.forward(hours=1)
    publish(small)
    after = archives(small.site)
    assert after == {path: content.replace(BASE.encode(), elsewhere.encode()) for path, content in before.items()}
    assert all((small.site / path).stat().st_mtime > moment for path, moment in modified.items())
    assert walked(small, ALL).keys() == found.keys()
    publish(small, rebuild=True)
    assert archives(small.site) == after


def test_a_lost_archive_is_written_again_with_the_texts_of_its_time_but_for_what_was_withdrawn(small: House) -> None:
    for number in range(ENTRIES):
        small.article(f"News {number}", f"Words {number} on environment.")
    publish(small)
    before = archives(small.site)
    small.clock.forward(hours=1)
    small.article("News 1", "Other words on environment.")
    publish(small)
    (small.site / "feeds/environment/archive-1.atom").unlink()
    publish(small, rebuild=True)
    assert archives(small.site) == before
    withdraw(small.app.store, "News 2", reason="wrong", now=small.clock())
    (small.site / "feeds/environment/archive-1.atom").unlink()
    publish(small, rebuild=True)
    again = archives(small.site)["feeds/environment/archive-1.atom"]
    assert b"Words 2" not in again and b"Words 1" in again


def test_the_archives_of_a_topic_go_with_it_and_come_back_with_it(small: House) -> None:
    for number in range(7):
        small.article(f"News {number}")
    publish(small)
    before = archives(small.site)
    topics = small.app.settings.model_dump(mode="json")["topics"]
    small.rebuild(topics={slug: topic for slug, topic in topics.items() if slug != "environment"})
    publish(small)
    assert {name.split("/")[1] for name in archives(small.site)} == {ALL}
    small.rebuild(topics=topics)
    publish(small)
    assert archives(small.site) == before


def test_an_archive_of_a_killed_run_is_written_by_the_next_one(small: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        small.article(f"News {number}")
    read_sources(small.app.parts, small.app.store, small.clock())

    def killed(*_args: object, **_more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(small.app.folder, "write", killed, raising=True)
        with pytest.raises(KeyboardInterrupt):
            publish(small)
    assert archives(small.site) == {}
    publish(small)
    assert len(walked(small, ALL)) == len(walked(small, "environment")) == 7


def test_a_dry_run_cuts_nothing(small: House) -> None:
    for number in range(7):
        small.article(f"News {number}")
    read_sources(small.app.parts, small.app.store, small.clock())
    parts = small.app.parts
    with parts.store.trial() as trial:
        foretold = publish_site(trial, parts.folder, parts.press, now=small.clock(), dry_run=True)
    assert archives(small.site) == {}
    assert foretold.written == publish(small).written
    assert archives(small.site)


def test_long_articles_fill_an_archive_before_the_current_feed_is_too_long(tmp_path: Path, sqlite_url: str) -> None:
    house = House(tmp_path, sqlite_url, {"feeds": {"entries": 200}})
    for number in range(24):
        house.article(f"Long {number}", "On environment, at length. " * 8_000)
    publish(house)
    documents = [*archives(house.site).values(), (house.site / "feeds/environment.atom").read_bytes()]
    assert archives(house.site)
    assert max(map(len, documents)) < 5_000_000
    assert len(walked(house, "environment")) == 24
    house.app.close()


# --- corrections --------------------------------------------------------------------------------------------------


def test_a_correction_keeps_the_id_and_says_when_and_what_for_in_every_format(house: House) -> None:
    house.article("Ports", "Six ports, on environment.", date="2026-02-01")
    publish(house)
    before = articles(house)["Ports"]
    house.clock.forward(days=1, hours=3)
    house.article("Ports", "Seven ports, on environment.", date="2026-02-01", correction="Seven ports, <not> six.")
    publish(house)
    after = articles(house)["Ports"]
    assert (after.entry_id, after.slug, after.published) == (before.entry_id, before.slug, before.published)
    assert after.updated == after.corrected == house.clock()
    found = entry(house, "environment", "Ports")
    assert found.id == before.entry_id and found.updated == rfc3339(house.clock())
    note = "<strong>Corrected on 3 March 2026.</strong> Seven ports, &lt;not&gt; six."
    assert note in found.content[0].value and "Seven ports, on" in found.content[0].value
    rss = feedparser.parse((house.site / "feeds/environment.rss").read_bytes()).entries[0]
    assert (rss.published, rss.updated) == ("Sun, 01 Feb 2026 00:00:00 +0000", rfc3339(house.clock()))
    assert note in rss.content[0].value
    item = json.loads((house.site / "feeds/environment.json").read_bytes())["items"][0]
    assert (item["date_published"], item["date_modified"]) == ("2026-02-01T00:00:00Z", rfc3339(house.clock()))
    assert note in item["content_html"]
    assert b"Corrected on" in (house.site / "articles/ports/index.html").read_bytes()


def test_a_minor_edit_changes_the_text_and_nothing_that_readers_would_notice(house: House) -> None:
    house.article("Ports", "Six prots, on environment.")
    house.article("News", "Other news on environment.")
    publish(house)
    before = entry(house, "environment", "Ports")
    house.clock.forward(days=1)
    house.article("Ports", "Six ports, on environment.", minor="true")
    publish(house)
    after = entry(house, "environment", "Ports")
    assert "Six ports" in after.content[0].value and "Corrected" not in after.content[0].value
    assert (after.id, after.updated, after.published) == (before.id, before.updated, before.published)
    page = (house.site / "articles/ports/index.html").read_bytes()
    assert b"Six ports" in page and b"Corrected" not in page


def test_a_minor_edit_after_a_correction_keeps_its_note_and_a_better_note_is_no_correction(house: House) -> None:
    house.article("Ports", "Six ports, on environment.")
    publish(house)
    house.clock.forward(days=1)
    house.article("Ports", "Seven prots, on environment.", correction="Seven, not sicks.")
    publish(house)
    corrected = articles(house)["Ports"].corrected
    house.clock.forward(days=1)
    house.article("Ports", "Seven ports, on environment.", correction="Seven, not sicks.", minor="true")
    publish(house)
    house.article("Ports", "Seven ports, on environment.", correction="Seven, not six.")
    publish(house)
    after = articles(house)["Ports"]
    assert (after.corrected, after.updated, after.correction) == (corrected, corrected, "Seven, not six.")
    assert "Seven, not six." in entry(house, "environment", "Ports").content[0].value


def test_a_corrected_article_of_an_archive_stands_in_the_current_feed_again(small: House) -> None:
    for number in range(7):
        small.article(f"News {number}", f"Words {number} on environment.")
    publish(small)
    before = archives(small.site)
    small.clock.forward(hours=1)
    small.article("News 0", "Better words on environment.")
    publish(small)
    assert "Better" in entry(small, "environment", "News 0").content[0].value
    assert before.items() <= archives(small.site).items()
    found = walking.walked(small, "feeds/environment.atom").entries[articles(small)["News 0"].entry_id]
    assert "Better" in found.content


# --- withdrawals --------------------------------------------------------------------------------------------------


def test_a_withdrawn_article_is_a_notice_then_a_tombstone_then_nothing(house: House) -> None:
    house.article("Leak", "Secret words on environment.", author="Alice")
    house.article("News")
    publish(house)
    leak = articles(house)["Leak"]
    house.clock.forward(days=1)
    withdraw(house.app.store, "Leak", reason="It was never meant for print.", now=house.clock())
    publish(house)
    withdrawn_at = house.clock()
    for topic in ("environment", ALL):
        notice = entry(house, topic, "Withdrawn: Leak")
        assert notice.id == leak.entry_id and notice.updated == rfc3339(withdrawn_at)
        assert "It was never meant for print." in notice.content[0].value
        for extension in ("atom", "rss", "json"):
            content = (house.site / f"feeds/{topic}.{extension}").read_bytes()
            assert b"Secret" not in content and b"Alice" not in content
            assert b"Withdrawn: Leak" in content
    for page in ("index.html", "topics/environment/index.html"):
        assert b"Leak" not in (house.site / page).read_bytes()
    assert b"never meant" in (house.site / "articles/leak/index.html").read_bytes()
    house.clock.forward(days=13)
    assert publish(house).written == ()
    house.clock.forward(days=1)
    publish(house)
    assert tombstones(house, "environment") == {leak.entry_id: rfc3339(withdrawn_at + timedelta(days=14))}
    assert check_atom((house.site / "feeds/environment.atom").read_bytes(), now=house.clock()) == []
    for extension in ("atom", "rss", "json"):
        content = (house.site / f"feeds/environment.{extension}").read_bytes()
        assert content.count(leak.entry_id.encode()) == 1 and b"Leak" not in content
    house.clock.forward(days=90)
    publish(house)
    for extension in ("atom", "rss", "json"):
        assert leak.entry_id.encode() not in (house.site / f"feeds/environment.{extension}").read_bytes()
    assert publish(house).written == ()
    with house.app.store.read() as tx:
        assert {departure.state for departure in tx.departures.of(leak.key)} == {DepartureState.OVER}
        assert tx.feeds.counts()["environment"] == 1


def test_the_phases_keep_to_the_settings(tmp_path: Path, sqlite_url: str) -> None:
    house = House(tmp_path, sqlite_url, {"feeds": {"withdrawn_notice_days": 0, "tombstone_days": 1}})
    house.article("Leak")
    publish(house)
    leak = articles(house)["Leak"]
    house.clock.forward(hours=1)
    withdraw(house.app.store, "Leak", reason="No.", now=house.clock())
    publish(house)
    assert list(tombstones(house, "environment")) == [leak.entry_id]
    house.clock.forward(days=1)
    publish(house)
    assert tombstones(house, "environment") == {}
    house.app.close()


@pytest.mark.parametrize("days", [0, 1, 20, 200])
def test_a_restored_article_is_newer_than_every_word_of_its_end(small: House, days: int) -> None:
    for number in range(5):
        small.article(f"News {number}")
    publish(small)
    one = articles(small)["News 1"]
    withdraw(small.app.store, one.key, reason="By mistake.", now=small.clock())
    publish(small)
    small.clock.forward(days=days)
    publish(small)
    assert restore(small.app.store, one.key, now=small.clock())[1]
    assert not restore(small.app.store, one.key, now=small.clock())[1]
    publish(small)
    assert one.entry_id in walked(small, "environment") and one.entry_id in walked(small, ALL)
    found = entry(small, "environment", "News 1")
    assert found.updated == rfc3339(articles(small)["News 1"].updated)
    assert tombstones(small, "environment") == {}
    assert b"withdrawn" not in (small.site / "articles/news-1/index.html").read_bytes()


def test_a_restored_article_comes_to_nobody_twice_in_a_digest_and_to_nobody_never(house: House) -> None:
    house.reader("alice")
    house.article("Leak")
    house.publish()
    withdraw(house.app.store, "Leak", reason="By mistake.", now=house.clock())
    house.clock.forward(days=1)
    house.reader("bob")
    house.article("News")
    house.publish()
    restore(house.app.store, "Leak", now=house.clock())
    house.clock.forward(days=1)
    house.article("More")
    house.publish()
    letters = [path.read_bytes() for path in sorted(house.outbox.glob("*.eml"))]
    readers = (b"alice@", b"bob@")
    told = {name: [letter for letter in letters if name in letter] for name in readers}
    assert [sum(b"/articles/leak/" in letter for letter in told[name]) for name in readers] == [1, 1]


def test_an_article_that_leaves_a_topic_and_comes_back_is_found_there_again(small: House) -> None:
    for number in range(5):
        small.article(f"News {number}")
    publish(small)
    one = articles(small)["News 1"]
    small.clock.forward(hours=1)
    small.article("News 1", topics="[drugs]")
    publish(small)
    assert one.entry_id not in walked(small, "environment")
    assert one.entry_id in walked(small, ALL) and one.entry_id in walked(small, "drugs")
    small.clock.forward(hours=1)
    small.article("News 1", topics="[environment]")
    publish(small)
    assert one.entry_id in walked(small, "environment") and one.entry_id not in walked(small, "drugs")


# --- incremental --------------------------------------------------------------------------------------------------


def test_one_new_article_renders_its_topics_alone(house: House) -> None:
    for number in range(3):
        house.article(f"Waste {number}", "On environment.")
        house.article(f"Seizure {number}", "On drugs.")
    publish(house)
    house.clock.forward(hours=1)
    house.article("News", "On data.")
    report = publish(house)
    slugs = {path.split("/")[1].partition(".")[0] for path in report.written if path.startswith(("feeds/", "topics/"))}
    assert slugs == {ALL, "data"}
    assert report.unchanged == 0


def test_a_run_asks_for_no_more_of_a_large_store_than_of_a_small_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = Articles._filed

    def counted(self: Articles, query: Any) -> Any:
        found = real(self, query)
        asked.append(len(found))
        return found

    def articles_of_one_run() -> int:
        house.clock.forward(hours=1)
        house.article(f"News {house.clock()}", "On data.")
        asked.clear()
        publish(house)
        return sum(asked)

    house.rebuild(feeds={"entries": ENTRIES})
    for number in range(25):
        house.article(f"Waste {number}", "On environment and data.")
    publish(house)
    monkeypatch.setattr(Articles, "_filed", counted)
    few = max(articles_of_one_run() for _ in range(ENTRIES))
    for number in range(25, 150):
        house.article(f"Waste {number}", "On environment and data.")
    publish(house)
    assert max(articles_of_one_run() for _ in range(ENTRIES)) <= few


# --- any history --------------------------------------------------------------------------------------------------

OPERATIONS = st.one_of(
    st.tuples(st.just("add"), st.sets(st.sampled_from(TOPICS), max_size=2)),
    st.tuples(st.sampled_from(["correct", "minor", "withdraw", "restore"]), st.integers(0, 30)),
    st.tuples(st.just("move"), st.tuples(st.integers(0, 30), st.sets(st.sampled_from(TOPICS), min_size=1, max_size=2))),
    st.tuples(st.just("wait"), st.sampled_from([1, 20, 200])),
    st.tuples(st.just("publish"), st.none()),
    st.tuples(st.sampled_from(["publish", "publish", "rebuild", "refile", "retitle"]), st.none()),
)


@dataclass
class History:
    """Does operations on an installation and holds what is published against the store."""

    house: House
    written: dict[str, tuple[str, str]] = field(default_factory=dict)  # title -> text, topics
    frozen: dict[str, bytes] = field(default_factory=dict)

    def do(self, name: str, value: Any) -> None:
        self.house.clock.forward(seconds=7)
        match name:
            case "add":
                title = f"News {len(self.written)}"
                self._write(title, f"First words of {title}.", ", ".join(sorted(value)))
            case "correct" | "minor" if self.written:
                title = self._title(value)
                text = f"Words of {self.house.clock()}."
                self._write(title, text, self.written[title][1], minor=str(name == "minor").lower())
            case "move" if self.written:
                number, topics = value
                title = self._title(number)
                self._write(title, self.written[title][0], ", ".join(sorted(topics)))
            case "withdraw" if (title := self._stored(value)) is not None:
                withdraw(self.house.app.store, title, reason="Reasons.", now=self.house.clock())
            case "restore" if (title := self._stored(value)) is not None:
                restore(self.house.app.store, title, now=self.house.clock())
            case "wait":
                self.house.clock.forward(days=value)
            case "retitle":
                self.house.rebuild(site={"title": f"Name of {self.house.clock()}", "base_url": BASE})
            case "refile":
                parts = self.house.app.parts
                refile(parts.store, classifier=parts.classifier, now=self.house.clock(), remove_leaving=True)
            case "publish" | "rebuild":
                publish(self.house, rebuild=name == "rebuild")
                self.check()

    def check(self) -> None:
        now = archives(self.house.site)
        assert self.frozen.items() <= now.items()
        self.frozen = now
        for path in self.house.site.rglob("*.atom"):
            own = BASE + str(path.relative_to(self.house.site))
            assert check_atom(path.read_bytes(), self_url=own, now=self.house.clock()) == []
        with self.house.app.store.read() as tx:
            for topic in FEEDS:
                live = {
                    filed.article.entry_id: rfc3339(filed.article.updated) for filed in tx.articles.list(topic=topic)
                }
                found = walked(self.house, topic)
                notices = {entry_id for entry_id in found if entry_id not in live}
                assert {entry_id: found[entry_id] for entry_id in found.keys() - notices} == live
                root = atom(self.house, topic)
                assert len(root.findall(f"{{{ATOM}}}entry")) <= ENTRIES
                assert (root.find(f"{{{FH}}}complete") is not None) == (f"feeds/{topic}/archive-1.atom" not in now)
                assert tx.feeds.counts().get(topic, 0) == len(live)
                self._check_notices(tx, topic, notices)

    def check_every_walk(self) -> None:
        """Whatever format and feed a walker begins at."""
        every = {topic: walked(self.house, topic) for topic in FEEDS}
        one, other = every["drugs"], every["environment"]
        every |= {"drugs+environment": one | other}
        every |= {"drugs/environment": {entry_id: other[entry_id] for entry_id in one if entry_id in other}}
        for name, expected in every.items():
            for kind in ("atom", "rss", "json"):
                assert walked(self.house, name, kind) == expected, (name, kind)

    def _check_notices(self, tx: Any, topic: str, notices: set[str]) -> None:
        found = walking.walked(self.house, f"feeds/{topic}.atom").entries
        for entry_id in notices:
            assert found[entry_id].title.startswith("Withdrawn: ")
            key = entry_id.rpartition("/")[2]
            states = {departure.topic: departure.state for departure in tx.departures.of(key)}
            assert states[topic] is DepartureState.NOTICE

    def _write(self, title: str, text: str, topics: str, **front: str) -> None:
        self.written[title] = (text, topics)
        self.house.article(title, text, topics=f"[{topics}]", **front)

    def _title(self, number: int) -> str:
        return list(self.written)[number % len(self.written)]

    def _stored(self, number: int) -> str | None:
        """An article that has come in."""
        if not self.written:
            return None
        title = self._title(number)
        with self.house.app.store.read() as tx:
            return title if tx.articles.known([f"title:{title}"]) else None


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(OPERATIONS, min_size=15, max_size=60))
def test_a_walker_finds_every_article_in_its_newest_version_after_any_history(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, operations: list[tuple[str, Any]]
) -> None:
    root = tmp_path_factory.mktemp("history")
    shutil.copy(migrated_sqlite, root / "store.db")
    house = House(root, f"sqlite:///{root / 'store.db'}", {"feeds": {"entries": ENTRIES}})
    history = History(house)
    try:
        for name, value in [*operations, ("publish", None)]:
            history.do(name, value)
        history.check_every_walk()
    finally:
        house.app.close()
        shutil.rmtree(root)


def test_a_run_of_the_command_archives_too(small: House) -> None:
    for number in range(7):
        small.article(f"News {number}")
    small.publish(FEEDS_ONLY)
    small.publish(Order(digests=False, rebuild=True))
    assert len(walked(small, ALL)) == 7
