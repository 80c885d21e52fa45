"""Past issues: each has a page, the list of them is cut so that it hardly changes, and the digest is a feed."""

from __future__ import annotations

import feedparser
import pytest
from flows.house import FEEDS_ONLY, House
from lxml import html

from publisher.errors import NotFound
from publisher.flows import past_issues
from publisher.flows.past_issues import full_pages
from publisher.flows.run import Order
from publisher.flows.withdraw import withdraw
from publisher.model import Frequency


def send(house: House, name: str, *frequencies: Frequency) -> tuple[str, ...]:
    """Publish an issue with one new article; gives the documents it wrote."""
    house.clock.forward(days=1)
    house.article(name)
    return house.publish(Order(forced=frequencies or (Frequency.WEEKLY,)))[1].site.written


def links(house: House, path: str) -> list[str]:
    page = html.document_fromstring((house.site / path / "index.html").read_bytes())
    return [str(href) for href in page.xpath("//ul[@class='past']//h3/a/@href")]


@pytest.mark.parametrize(("issues", "pages"), [(0, 0), (50, 0), (99, 0), (100, 1), (149, 1), (150, 2), (5000, 99)])
def test_the_first_page_is_never_short_and_the_others_are_full(issues: int, pages: int) -> None:
    assert full_pages(issues) == pages
    assert issues - pages * past_issues.PER_PAGE >= min(issues, past_issues.PER_PAGE)


def test_before_the_first_issue_the_list_says_so_and_there_is_no_feed(house: House) -> None:
    house.publish(FEEDS_ONLY)
    assert "No digest has been sent yet" in (house.site / "issues/index.html").read_text()
    assert not list((house.site / "issues").glob("*.atom"))


def test_every_issue_stands_once_on_the_pages_and_a_new_one_changes_few(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_issues, "PER_PAGE", 2)
    house.reader("alice")
    house.reader("bob", frequency=Frequency.DAILY)
    for number in range(4):
        written = send(house, f"Article {number}", Frequency.WEEKLY, Frequency.DAILY)
    pages = ["issues", "issues/page-3", "issues/page-2", "issues/page-1"]
    # two issues came at once: the last full page learns that there is a newer one, and that one is new
    assert {path for path in written if "issues/page-" in path} == {f"issues/page-{n}/index.html" for n in (2, 3)}
    listed = [link.rpartition("/issues/")[2].strip("./") for path in pages for link in links(house, path)]
    assert listed == [f"{kind}-{n}" for n in (4, 3, 2, 1) for kind in ("daily", "weekly")]
    for path, name, target in (
        ("issues", "prev", "page-3/"),
        ("issues/page-2", "next", "../../issues/page-3/"),
        ("issues/page-3", "next", "../../issues/"),
        ("issues/page-2", "prev", "../../issues/page-1/"),
    ):
        page = html.document_fromstring((house.site / path / "index.html").read_bytes())
        assert page.xpath(f"//nav[@class='pager']/a[@rel='{name}']/@href")[0].endswith(target)
    before = house.site_files()
    house.publish(FEEDS_ONLY)
    assert house.site_files() == before


def test_the_digest_is_a_feed_of_its_issues_that_passes_the_gate(house: House) -> None:
    house.reader("alice")
    house.article("Waste & more", "News on environment <b>now</b>.", title="Waste <b>& more")
    written = [*send(house, "One"), *send(house, "Two")]
    feed = feedparser.parse((house.site / "issues/weekly.atom").read_bytes())
    assert not feed.bozo
    assert feed.feed.title == "Customs news: weekly digest"
    assert [entry.link for entry in feed.entries] == [f"https://news.example/issues/weekly-{n}/" for n in (2, 1)]
    assert feed.entries[0].published == "2026-03-04T09:00:00Z"
    assert "https://news.example/articles/one/" in feed.entries[1].content[0].value
    assert "Waste <b>" not in feed.entries[1].content[0].value
    assert {"issues/weekly.atom", "issues/weekly.rss", "issues/weekly.json"} <= set(written)
    assert not (house.site / "issues/daily.atom").exists()
    home = html.document_fromstring((house.site / "issues/index.html").read_bytes())
    assert "https://news.example/issues/weekly.atom" in home.xpath("//link[@rel='alternate']/@href")


def test_a_withdrawn_article_leaves_the_page_of_its_issue(house: House) -> None:
    house.reader("alice")
    house.article("Kept")
    send(house, "Secret")
    assert "Secret" in (house.site / "issues/weekly-1/index.html").read_text()
    with pytest.raises(NotFound):
        withdraw(house.app.store, "No such title", reason="wrong", now=house.clock())
    (house.articles / "Secret.md").unlink()
    withdraw(house.app.store, "Secret", reason="wrong", now=house.clock())
    written = house.publish(FEEDS_ONLY)[1].site.written
    assert "issues/weekly-1/index.html" in written
    page = html.document_fromstring((house.site / "issues/weekly-1/index.html").read_bytes())
    assert page.xpath("//main//h3/a/text()") == ["Kept"]
    everywhere = [path for path, (content, _) in house.site_files().items() if b"Secret" in content]
    assert [path for path in everywhere if path.startswith("issues/")] == []
    feed = feedparser.parse((house.site / "issues/weekly.atom").read_bytes())
    assert feed.entries[0].title == "Weekly digest no. 1" and feed.entries[0].updated > feed.entries[0].published


def test_an_issue_of_which_everything_was_withdrawn_keeps_its_place_and_is_no_problem(house: House) -> None:
    house.reader("alice")
    send(house, "Secret")
    (house.articles / "Secret.md").unlink()
    house.clock.forward(hours=1)
    withdraw(house.app.store, "Secret", reason="wrong", now=house.clock())
    assert house.publish(FEEDS_ONLY)[1].site.problems == ()
    feed = feedparser.parse((house.site / "issues/weekly.atom").read_bytes())
    assert [entry.summary for entry in feed.entries] == ["The articles of this issue were withdrawn."]


def test_what_a_run_changes_of_past_issues_is_what_a_rebuild_would_make(house: House) -> None:
    house.reader("alice")
    send(house, "One")
    send(house, "Two")
    house.clock.forward(hours=1)
    house.article("One", "News on environment, put right.", title="One, corrected")
    withdraw(house.app.store, "Two", reason="wrong", now=house.clock())
    house.publish(FEEDS_ONLY)
    before = house.site_files()
    assert house.publish(Order(digests=False, rebuild=True))[1].site.written == ()
    assert house.site_files() == before


def test_a_lost_page_comes_back(house: House) -> None:
    house.reader("alice")
    send(house, "One")
    for path in ("issues/index.html", "issues/weekly.json"):
        (house.site / path).unlink()
        assert path in house.publish(FEEDS_ONLY)[1].site.written
