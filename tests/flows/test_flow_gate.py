"""The publish gate: what breaks a rule of its format never replaces what readers have."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flows.house import FEEDS_ONLY, House

from publisher.feeds import opml
from publisher.feeds.value import Feed
from publisher.flows import publish_site

MISTAKES = {
    "atom": (b"<updated>", b"<updated>on ", "RFC 4287, 4.1.2"),
    "rss": (b"<pubDate>Mon,", b"<pubDate>Tue,", "RSS 2.0, pubDate"),
    "json": (b'"url": "https:', b'"url": "', "JSON Feed 1.1, url"),
}


def mistaken(render: Callable[[Feed], bytes], old: bytes, new: bytes) -> Callable[[Feed], bytes]:
    """The real renderer with a mistake in it: `new` in the place of the last `old`."""
    return lambda feed: new.join(render(feed).rsplit(old, 1))


@pytest.mark.parametrize("extension", MISTAKES)
def test_a_format_with_a_mistake_keeps_its_last_good_version_and_the_others_go_on(
    house: House, monkeypatch: pytest.MonkeyPatch, extension: str
) -> None:
    house.article("First")
    house.publish(FEEDS_ONLY)
    before = house.site_files()
    old, new, rule = MISTAKES[extension]
    broken = [(name, mistaken(render, old, new) if name == extension else render) for name, render in (
        publish_site.FORMATS
    )]  # fmt: skip
    monkeypatch.setattr(publish_site, "FORMATS", broken)
    house.clock.forward(days=7)
    house.article("Second")
    _, report = house.publish(FEEDS_ONLY)
    after = house.site_files()
    for topic in ("all", "environment"):
        path = f"feeds/{topic}.{extension}"
        assert after[path] == before[path]
        (told,) = [problem for problem in report.site.problems if problem.startswith(path)]
        assert rule in told
        assert "entry tag:publisher.example,2026:article/key" in told
    for name, _ in publish_site.FORMATS:
        if name != extension:
            assert after[f"feeds/all.{name}"] != before[f"feeds/all.{name}"]
    monkeypatch.undo()
    _, report = house.publish(FEEDS_ONLY)
    assert report.site.problems == ()
    assert b"Second" in house.site_files()[f"feeds/all.{extension}"][0]


def test_a_list_of_feeds_with_a_mistake_keeps_its_last_good_version(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.article("First")
    house.publish(FEEDS_ONLY)
    before = house.site_files()["feeds.opml"]
    render = opml.render
    monkeypatch.setattr(opml, "render", lambda *values: render(*values).replace(b'type="rss"', b'type="link"'))
    house.clock.forward(days=1)
    house.article("Second")
    _, report = house.publish(FEEDS_ONLY)
    assert house.site_files()["feeds.opml"] == before
    assert ["OPML 2.0, outline" in problem for problem in report.site.problems] == [True]


def test_a_document_with_many_mistakes_is_told_in_few_words(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(12):
        house.article(f"Article {number}")
    broken = [
        (name, lambda feed, render=render: render(feed).replace(b"<pubDate>Mon,", b"<pubDate>Tue,"))
        for name, render in publish_site.FORMATS
    ]
    monkeypatch.setattr(publish_site, "FORMATS", broken)
    _, report = house.publish(FEEDS_ONLY)
    told = [problem for problem in report.site.problems if problem.startswith("feeds/all.rss")]
    assert len(told) == 1
    assert told[0].endswith("; and 9 more")
