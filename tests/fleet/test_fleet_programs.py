"""Feed readers that Debian ships, where they are installed: `apt-get install newsboat sfeed`."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet.newsroom import Newsroom, newsroom

from publisher.model import ALL

PATIENCE_S = 30


def installed(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@pytest.fixture
def office(tmp_path: Path, sqlite_url: str) -> Iterator[Newsroom]:
    office = newsroom(tmp_path / "office", sqlite_url)
    office.house.article("Waste & plastics", "Waste on environment.", id=1, date="2026-02-20")
    office.house.article("Seizure", "A seizure of drugs.", id=2, date="2026-02-21")
    office.run()
    yield office
    office.house.app.close()


class Newsboat:
    """newsboat with folders of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        folder.mkdir()
        self.urls, self.cache, self.config = folder / "urls", folder / "cache.db", folder / "config"
        self.urls.write_text(f"{url}\n" if url else "")
        self.config.write_text("")
        self.folder = folder

    def call(self, *arguments: str) -> str:
        return subprocess.run(
            ["newsboat", "-u", self.urls, "-c", self.cache, "-C", self.config, *arguments],
            env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        ).stdout  # fmt: skip

    def reload(self, office: Newsroom) -> None:
        with office.serving():
            self.call("-x", "reload")

    def items(self) -> dict[str, tuple[str, str, int]]:
        """Title, content and whether it is unread, by entry id."""
        with sqlite3.connect(self.cache) as connection:
            rows = connection.execute("SELECT guid, title, content, unread FROM rss_item WHERE deleted = 0").fetchall()
        connection.close()
        return {guid: (title, content, unread) for guid, title, content, unread in rows}

    def read_everything(self) -> None:
        with sqlite3.connect(self.cache) as connection:
            connection.execute("UPDATE rss_item SET unread = 0")
        connection.close()


@installed("newsboat")
@pytest.mark.parametrize("extension", ["atom", "rss"])
def test_newsboat_sees_a_correction_in_place_and_keeps_what_was_read(
    office: Newsroom, tmp_path: Path, extension: str
) -> None:
    newsboat = Newsboat(tmp_path / "newsboat", office.url(f"feeds/all.{extension}"))
    for _ in range(3):  # it asks conditionally from the third time on
        newsboat.reload(office)
    assert {title for title, _, _ in newsboat.items().values()} == {"Waste & plastics", "Seizure"}
    newsboat.read_everything()
    office.answered.clear()
    newsboat.reload(office)
    assert [status for _, _, status in office.answered] == [304]
    office.house.article("Waste & plastics", "Waste on environment, told anew.", title="Waste, corrected", id=1)
    office.run()
    newsboat.reload(office)
    items = newsboat.items()
    assert set(items) == set(office.articles(ALL))
    corrected = [item for item in items.values() if item[0] == "Waste, corrected"]
    assert len(corrected) == 1
    assert "told anew" in corrected[0][1]
    assert {unread for _, _, unread in items.values()} == {0}


@installed("newsboat")
def test_newsboat_imports_the_list_of_feeds(office: Newsroom, tmp_path: Path) -> None:
    newsboat = Newsboat(tmp_path / "newsboat", "")
    newsboat.call("-i", str(office.house.site / "feeds.opml"))
    listed = newsboat.urls.read_text()
    assert office.url("feeds/all.atom") in listed
    assert f'{office.url("feeds/environment.atom")} "Themes"' in listed


@installed("sfeed")
@pytest.mark.parametrize("extension", ["atom", "rss"])
def test_sfeed_reads_both_formats_in_xml(office: Newsroom, extension: str) -> None:
    content = (office.house.site / f"feeds/all.{extension}").read_bytes()
    lines = subprocess.run(["sfeed"], input=content, capture_output=True, timeout=PATIENCE_S, check=True).stdout
    rows = [line.split("\t") for line in lines.decode().splitlines()]
    assert {row[1] for row in rows} == {"Waste & plastics", "Seizure"}
    assert {row[5] for row in rows} == set(office.articles(ALL))
    assert {row[0] for row in rows} == {
        str(int(filed.article.published.timestamp())) for filed in office.articles(ALL).values()
    }
