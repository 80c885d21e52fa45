"""Documents on their way out: in batches, in order, recorded when they are in place."""

from __future__ import annotations

from pathlib import Path

import pytest
from flows.house import START

from publisher.errors import SiteError
from publisher.flows import writer as writers
from publisher.flows.writer import Writer
from publisher.links import Links
from publisher.model import Document
from publisher.site import SiteFolder
from publisher.store import Store

LINKS = Links("https://publisher.example/")


def writer(store: Store, root: Path, *, dry_run: bool = False) -> Writer:
    return Writer(store, SiteFolder(root), LINKS, now=START, problems=[], dry_run=dry_run)


def pages(*names: str) -> list[Document]:
    return [Document(f"{name}.html", f"<p>{name}</p>".encode()) for name in names]


def recorded(store: Store) -> set[str]:
    with store.read() as tx:
        return set(tx.documents.all())


def test_what_was_put_is_in_place_and_recorded_at_the_end_in_the_order_given(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "BATCH", 2)
    with writer(sqlite_store, tmp_path / "site") as out:
        for page in pages("c", "a", "e", "b", "d"):
            out.put(page)
    assert [document.path for document in out.written] == ["c.html", "a.html", "e.html", "b.html", "d.html"]
    assert recorded(sqlite_store) == {path.name for path in (tmp_path / "site").glob("*.html")}
    with writer(sqlite_store, tmp_path / "site") as again:
        for page in pages("c", "a"):
            again.put(page)
    assert (again.written, again.unchanged) == ([], 2)


def test_a_feed_that_is_none_is_kept_back_and_told_while_the_page_beside_it_is_written(
    sqlite_store: Store, tmp_path: Path
) -> None:
    with writer(sqlite_store, tmp_path / "site") as out:
        out.put(Document("feeds/a.atom", b"<feed"))
        out.put(Document("feeds/a/archive-1.atom", b"<feed"))
        out.put(*pages("a"))
    assert [document.path for document in out.written] == ["a.html"]
    current, archive = out.problems
    assert current.startswith("feeds/a.atom keeps its last good version: feed a: not well-formed")
    assert archive.startswith("feeds/a/archive-1.atom cannot be written: feed a: not well-formed")


def test_a_disk_that_refuses_is_told_and_what_was_recorded_before_stays(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "BATCH", 1)
    site = tmp_path / "site"
    (site / "b.html").mkdir(parents=True)
    with pytest.raises(SiteError, match=r"b\.html"), writer(sqlite_store, site) as out:
        for page in pages("a", "b", "c"):
            out.put(page)
    assert recorded(sqlite_store) == {"a.html"}
    assert not (site / "c.html").exists()


def test_a_dry_run_tells_what_would_be_written_and_writes_no_file(sqlite_store: Store, tmp_path: Path) -> None:
    with sqlite_store.trial() as trial, Writer(
        trial, SiteFolder(tmp_path / "site"), LINKS, now=START, problems=[], dry_run=True
    ) as out:  # fmt: skip
        for page in pages("a", "b"):
            out.put(page)
    assert [document.path for document in out.written] == ["a.html", "b.html"]
    assert not (tmp_path / "site").exists()
    assert recorded(sqlite_store) == set()
