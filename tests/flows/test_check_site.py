"""`publisher feeds check` over a published site, files and folders."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from flows.house import FEEDS_ONLY, House

from publisher.cli import run
from publisher.errors import UsageError
from publisher.feeds.check import Kind
from publisher.feeds.glance import pointers, relations
from publisher.flows.check_feeds import Checked, check_files, check_site


@pytest.fixture
def site(house: House) -> House:
    house.article("Waste", "Waste on environment.", date="2026-02-27")
    house.article("Seizure", "A seizure of drugs.", date="2026-02-28T10:00:00Z")
    house.publish(FEEDS_ONLY)
    return house


def check_house(house: House) -> dict[str, Checked]:
    return {one.document: one for one in check_site(house.site, house.app.links, now=house.clock())}


def findings(house: House) -> list[tuple[str, str]]:
    return [(one.document, finding.rule) for one in check_house(house).values() for finding in one.findings]


def edit(path: Path, change: Callable[[str], str]) -> None:
    """Change a document behind the program's back, its siblings too."""
    content = change(path.read_text()).encode()
    path.write_bytes(content)
    for sibling in path.parent.glob(path.name + ".*"):
        sibling.unlink()


def test_a_published_site_has_no_findings(site: House) -> None:
    checked = check_house(site)
    assert {path: one.findings for path, one in checked.items() if one.findings} == {}
    assert "feeds.opml" in checked
    assert checked["feeds/all.rss"].entries == checked["feeds/all.atom"].entries == 2


def test_a_broken_document_is_named_with_rule_and_entry(site: House) -> None:
    edit(site.site / "feeds/all.rss", lambda text: text.replace("<pubDate>Fri,", "<pubDate>Mon,"))
    (finding,) = check_house(site)["feeds/all.rss"].findings
    assert finding.rule == "RSS 2.0, pubDate"
    assert finding.entry_id.startswith("tag:publisher.example,2026:article/")


def test_a_feed_under_anothers_address_is_found(site: House) -> None:
    edit(site.site / "feeds/all.json", lambda text: text.replace("feeds/all.json", "feeds/other.json"))
    assert findings(site) == [("feeds/all.json", "JSON Feed 1.1, feed_url")]


def test_an_entry_whose_page_is_gone_is_found_in_every_feed_that_has_it(site: House) -> None:
    (site.site / "articles/waste/index.html").unlink()
    documents = {document for document, rule in findings(site) if rule == "links"}
    assert documents == {f"feeds/{slug}.{kind}" for slug in ("all", "environment") for kind in ("atom", "rss", "json")}


def test_a_listed_feed_that_is_gone_is_found(site: House) -> None:
    for kind in ("atom", "rss", "json"):
        (site.site / f"feeds/drugs.{kind}").unlink()
    assert findings(site) == [("feeds.opml", "links")]


def test_a_packed_sibling_with_other_bytes_is_found(site: House) -> None:
    for number in range(5):
        site.article(f"More {number}")
    site.clock.forward(days=1)
    site.publish(FEEDS_ONLY)
    path = site.site / "feeds/all.atom.gz"
    path.write_bytes(gzip.compress(b"<feed/>"))
    assert findings(site) == [("feeds/all.atom", "RFC 9110, 8.4")]
    path.write_bytes(b"no gzip")
    assert findings(site) == [("feeds/all.atom", "RFC 9110, 8.4")]


def test_formats_that_list_other_entries_are_found(site: House) -> None:
    path = site.site / "feeds/all.json"
    feed = json.loads(path.read_text())
    dropped = feed["items"].pop()
    edit(path, lambda _: json.dumps(feed))
    (finding,) = check_house(site)["feeds/all.json"].findings
    assert finding.rule == "one feed, three formats"
    assert dropped["id"] in finding.text


def archives(house: House) -> Path:
    """Give the feed of everything two archives, made by hand: what RFC 5005 asks, and no more."""
    feed = (house.site / "feeds/all.atom").read_text()
    base = "https://news.example/feeds/all"
    self_link = f'href="{base}.atom" rel="self"'
    assert self_link in feed
    for number, more in ((2, f'<link rel="prev-archive" href="{base}/archive-1.atom"/>'),
                         (1, f'<link rel="next-archive" href="{base}/archive-2.atom"/>')):  # fmt: skip
        text = feed.replace(self_link, f'href="{base}/archive-{number}.atom" rel="self"')
        head = (
            f'<fh:archive xmlns:fh="http://purl.org/syndication/history/1.0"/><link rel="current" href="{base}.atom"/>'
        )
        path = house.site / f"feeds/all/archive-{number}.atom"
        path.parent.mkdir(exist_ok=True)
        for old in path.parent.glob(path.name + "*"):
            old.unlink()
        path.write_text(text.replace("<generator>", f"{head}{more}<generator>"))
    edit(house.site / "feeds/all.atom", lambda text: text.replace(
        "<generator>", f'<link rel="prev-archive" href="{base}/archive-2.atom"/><generator>'))  # fmt: skip
    return house.site / "feeds/all"


def test_a_whole_chain_of_archives_has_no_findings(site: House) -> None:
    archives(site)
    assert findings(site) == []


BROKEN_CHAINS = {
    "an archive that is gone": ("archive-1.atom", None),
    "an archive that does not say so": ("archive-1.atom", ("fh:archive", "fh:other")),
    "an archive of another feed": ("archive-1.atom", ('rel="current" href="', 'rel="current" href="x')),
    "a wrong next archive": ("archive-1.atom", ("archive-2.atom", "archive-3.atom")),
    "a circle": ("archive-2.atom", ("archive-1.atom", "archive-2.atom")),
}


@pytest.mark.parametrize("name", BROKEN_CHAINS)
def test_a_broken_chain_of_archives_is_found(site: House, name: str) -> None:
    folder = archives(site)
    file, change = BROKEN_CHAINS[name]
    if change is None:
        (folder / file).unlink()
    else:
        text = (folder / file).read_text()
        assert change[0] in text
        (folder / file).write_text(text.replace(*change))
    assert "RFC 5005, 4" in {rule for _, rule in findings(site)}


def test_files_and_folders_are_checked_without_addresses(site: House) -> None:
    (one,) = check_files(site.site / "feeds/all.atom", now=site.clock())
    assert (one.kind, one.entries, one.findings) == ("atom", 2, ())
    found = check_files(site.site, now=site.clock())
    assert len(found) == 13  # four feeds in three formats, and their list
    assert not any(one.findings for one in found)


def test_a_page_is_no_feed_and_says_so(site: House) -> None:
    (one,) = check_files(site.site / "index.html", now=site.clock())
    assert [finding.rule for finding in one.findings] == ["kind of document"]


def test_nothing_to_check_is_a_wrong_use(tmp_path: Path, house: House) -> None:
    for place in (tmp_path / "missing", tmp_path / "articles"):
        with pytest.raises(UsageError, match=place.name):
            check_files(place, now=house.clock())
    with pytest.raises(UsageError, match="publisher publish"):
        check_site(house.site, house.app.links, now=house.clock())


def test_pointers_and_relations_of_what_is_no_document_are_none() -> None:
    for kind in Kind:
        assert pointers(kind, b"<") == []
    assert relations(b"<") == {}
    assert pointers(Kind.JSON, b'{"items": 1}') == []


def test_the_command_says_ok_or_what_is_wrong_and_exits_accordingly(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "made"
    config = ["--config", str(folder / "config.toml")]
    assert run(["init", str(folder)]) == 0
    assert run(["feeds", "check", *config]) == 2
    assert run(["publish", *config]) == 0
    capfd.readouterr()
    assert run(["feeds", "check", *config]) == 0
    told = capfd.readouterr()
    assert "feeds/all.atom\tok (10 entries)" in told.out
    assert "0 findings" in told.err
    feed = folder / "data/site/feeds/all.atom"
    edit(feed, lambda text: text.replace("<author>", "<writer>").replace("</author>", "</writer>"))
    assert run(["feeds", "check", *config, "--json"]) == 1
    (bad,) = [one for one in json.loads(capfd.readouterr().out) if one["findings"]]
    assert (bad["document"], bad["kind"], bad["entries"]) == ("feeds/all.atom", "atom", 10)
    assert {"rule", "text", "entry_id"} == set(bad["findings"][0])
    assert run(["feeds", "check", str(feed)]) == 1
    assert "RFC 4287" in capfd.readouterr().out
    assert run(["feeds", "check", str(feed.parent / "none.atom")]) == 2
