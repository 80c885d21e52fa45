"""What a run publishes: the same bytes from the same store, and no feed stopped by one article."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import feedparser
import pytest
from flows.house import FEEDS_ONLY, WEEKLY, House, files_below
from wire.servers import Relay

from publisher.flows.run import Order
from publisher.model import Frequency

FORMATS = ("atom", "rss", "json")


def newsroom(house: House) -> None:
    house.article("Waste", "Waste on environment.", date="2026-02-27")
    house.article("Seizure", "A seizure of drugs.", date="2026-02-28T10:00:00Z")
    house.article("Undated", "On environment and data.")
    for name in ("alice", "bob"):
        house.reader(name)


def test_a_second_run_with_nothing_new_changes_no_byte_and_sends_no_letter(
    posting_anywhere: House, relay: Relay
) -> None:
    house = posting_anywhere
    newsroom(house)
    assert house.publish()[1].delivery.states
    files, letters = house.site_files(), list(relay.taken)
    assert "issues/weekly-1/index.html" in files and "articles/waste/index.html" in files
    for pause in (timedelta(seconds=1), timedelta(days=40)):
        house.clock.now += pause
        _, report = house.publish(Order())
        assert report.site.written == () and report.site.removed == ()
        assert not report.delivery.states
    _, report = house.publish(WEEKLY)  # asked for by hand, with nothing new
    assert [issue.name for issue in report.issues] == [""]
    house.publish(Order(digests=False, rebuild=True))
    assert house.site_files() == files
    assert relay.taken == letters


def test_a_change_writes_only_what_shows_it(house: House) -> None:
    newsroom(house)
    house.publish(FEEDS_ONLY)
    before = house.site_files()
    house.clock.forward(hours=1)
    house.article("Seizure", "A large seizure of drugs.", date="2026-02-28T10:00:00Z")
    written = set(house.publish(FEEDS_ONLY)[1].site.written)
    assert {f"feeds/{slug}.{form}" for slug in ("all", "drugs") for form in FORMATS} <= written
    assert "articles/seizure/index.html" in written
    assert not any("environment" in path or "waste" in path for path in written)
    after = house.site_files()
    assert {path for path in after if before.get(path) != after[path] and not path.endswith((".gz", ".br"))} == written


def test_the_same_store_gives_the_same_bytes_in_every_time_zone(tmp_path: Path) -> None:
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles" / "waste.md").write_text("---\ntitle: Waste\ndate: 2026-03-29 01:30\n---\nOn environment.\n")
    (tmp_path / "config.toml").write_text(
        '[[source]]\npath = "articles"\n[store]\nurl = "sqlite:///store.db"\nsecret_file = "secret.key"\n'
        '[site]\noutput = "site"\n[topics.environment]\nlabel = "Environment"\nwords = ["environment"]\nthreshold = 1\n'
    )
    published = []
    for number, zone in enumerate(("UTC", "Asia/Kathmandu", "America/St_Johns")):
        site = f"site{number}"
        environ = {**os.environ, "TZ": zone, "LC_ALL": "C.UTF-8", "PUBLISHER_SITE_OUTPUT": site}
        command = [sys.executable, "-m", "publisher", "publish", "--rebuild", "--no-digest"]
        subprocess.run(command, cwd=tmp_path, env=environ, check=True, capture_output=True, timeout=60)
        published.append({name: content for name, (content, _) in files_below(tmp_path / site).items()})
    assert "feeds/environment.atom" in published[0]
    assert published[0] == published[1] == published[2]


class TestAnEntryThatBreaksTheFormat:
    """A source that is no web address, put into the store behind the back of the sources, which refuse it."""

    @pytest.fixture
    def broken(self, house: House) -> House:
        newsroom(house)
        house.publish(FEEDS_ONLY)
        house.article("Broken", "Broken words on environment.")
        house.clock.forward(hours=1)
        from publisher.flows.run import read_sources

        read_sources(house.app.parts, house.app.store, house.clock())
        house.corrupt("Broken")
        return house

    def test_is_left_out_and_named_while_the_feed_goes_on(self, broken: House) -> None:
        broken.article("Newer", "Newer words on environment.")
        run, report = broken.publish(FEEDS_ONLY)
        assert run.state == "done"
        environment = feedparser.parse(broken.site / "feeds/environment.atom")
        assert not environment.bozo
        assert [entry.title for entry in environment.entries] == ["Newer", "Undated", "Waste"]
        problems = [problem for problem in report.site.problems if problem.startswith("feed environment:")]
        (problem,) = problems
        assert "the source is not a web address" in problem and broken.key_of("Broken") in problem
        assert run.report["site"]["problems"] == list(report.site.problems)

    def test_is_named_again_by_every_run_until_it_is_mended(self, broken: House) -> None:
        first = broken.publish(FEEDS_ONLY)[1].site.problems
        files = broken.site_files()
        again = broken.publish(FEEDS_ONLY)[1].site
        assert again.problems == first != ()
        assert again.written == () and broken.site_files() == files
        broken.article("Broken", "Mended words on environment.")
        assert broken.publish(FEEDS_ONLY)[1].site.problems == ()
        assert broken.publish(FEEDS_ONLY)[1].site.unchanged == 0, "nothing is rendered when nothing is new"

    def test_does_not_stop_the_letters(self, broken: House) -> None:
        run, report = broken.publish()
        assert run.state == "done"
        assert sum(report.delivery.states.values()) == 2
        assert len(list(broken.outbox.glob("*.eml"))) == 2


def test_a_format_that_cannot_be_made_keeps_its_last_good_version(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from publisher.errors import FeedError
    from publisher.feeds import atom, jsonfeed, rss
    from publisher.flows import publish_site

    newsroom(house)
    house.publish(FEEDS_ONLY)
    before = house.site_files()

    def refuse(feed: object) -> bytes:
        raise FeedError("environment", "no good")

    formats = (("atom", atom.render), ("rss", refuse), ("json", jsonfeed.render))
    monkeypatch.setattr(publish_site, "FORMATS", formats)
    house.article("Newer", "Newer words on environment.")
    house.clock.forward(hours=1)
    run, report = house.publish(FEEDS_ONLY)
    assert run.state == "done"
    after = house.site_files()
    assert after["feeds/environment.rss"] == before["feeds/environment.rss"]
    assert after["feeds/environment.atom"] != before["feeds/environment.atom"]
    assert any(p.startswith("feeds/environment.rss keeps its last good version") for p in report.site.problems)
    monkeypatch.setattr(
        publish_site, "FORMATS", (("atom", atom.render), ("rss", rss.render), ("json", jsonfeed.render))
    )
    house.publish(Order(digests=False))
    assert b"newer" in (house.site / "feeds/environment.rss").read_bytes()


class TestADryRun:
    @pytest.mark.parametrize("order", [WEEKLY, FEEDS_ONLY, Order(forced=tuple(Frequency)), Order(rebuild=True)])
    def test_changes_nothing_and_foretells_the_run(self, posting_anywhere: House, relay: Relay, order: Order) -> None:
        house = posting_anywhere
        newsroom(house)
        house.publish(FEEDS_ONLY)
        house.clock.forward(hours=1)
        house.article("Waste", "Corrected on environment.", date="2026-02-27")
        house.article("Fresh", "Fresh on data and environment.")
        house.article("Bad", topics="[nowhere]")
        stored, files = house.dump(), house.site_files()
        foretold = house.plan(order)
        assert house.dump() == stored
        assert house.site_files() == files
        assert relay.taken == []
        _, report = house.publish(order)
        assert [(item.outcome, item.title, item.origin) for item in foretold.ingest.items] == [
            (item.outcome, item.title, item.origin) for item in report.ingest.items
        ]
        assert foretold.ingest.refused == report.ingest.refused
        assert foretold.ingest.filed == report.ingest.filed
        assert foretold.issues == report.issues
        assert set(foretold.site.written) == set(report.site.written)
        assert foretold.site.removed == report.site.removed

    def test_foretells_the_pages_that_go_with_a_topic(self, house: House) -> None:
        newsroom(house)
        house.publish(FEEDS_ONLY)
        topics = dict(house.app.settings.model_dump()["topics"])
        topics.pop("data")
        house.rebuild(topics=topics)
        foretold = house.plan(FEEDS_ONLY)
        assert "feeds/data.atom" in foretold.site.removed
        assert (house.site / "feeds/data.atom").exists()
        _, report = house.publish(FEEDS_ONLY)
        assert (foretold.site.removed, foretold.site.written) == (report.site.removed, report.site.written)
        assert not (house.site / "feeds/data.atom").exists()
        assert not list(house.site.glob("feeds/data.*"))


def test_a_feed_that_somebody_removed_comes_back(house: House) -> None:
    newsroom(house)
    house.publish(FEEDS_ONLY)
    before = {path: content for path, (content, _) in house.site_files().items()}
    (house.site / "feeds/environment.atom").unlink()
    house.publish(FEEDS_ONLY)
    assert {path: content for path, (content, _) in house.site_files().items()} == before
