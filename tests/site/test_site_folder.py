"""The output folder: what is written, what is left alone, what is refused."""

from __future__ import annotations

import gzip
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.errors import SiteError
from publisher.model import Document, PublishedDocument
from publisher.site import SiteFolder, WriteReport

NOW = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
PAGE = b"<p>" + b"customs " * 200 + b"</p>"


def known(report: WriteReport) -> dict[str, PublishedDocument]:
    return {published.path: published for published in report.written}


def state(root: Path) -> dict[str, tuple[int, int]]:
    """Time and inode of each file: a rewritten file has another inode, even with the same time."""
    files = [path for path in root.rglob("*") if path.is_file() and ".drafts" not in path.parts]
    return {str(path.relative_to(root)): (path.stat().st_mtime_ns, path.stat().st_ino) for path in files}


def test_a_document_is_written_with_its_time_and_packed_siblings(tmp_path: Path) -> None:
    report = SiteFolder(tmp_path / "site").write([Document("topics/a/index.html", PAGE)], {}, NOW)
    file = tmp_path / "site/topics/a/index.html"
    packed = [file.with_name("index.html.gz"), file.with_name("index.html.br")]
    assert file.read_bytes() == PAGE
    assert [gzip.decompress(packed[0].read_bytes()), brotli.decompress(packed[1].read_bytes())] == [PAGE, PAGE]
    assert all(datetime.fromtimestamp(each.stat().st_mtime, UTC) == NOW for each in (file, *packed))
    assert [(p.path, p.size, p.first_written) for p in report.written] == [("topics/a/index.html", len(PAGE), NOW)]


NAMES = st.from_regex(r"[a-z]{1,3}[0-9]?\.(html|atom|json)", fullmatch=True)
PATHS = st.builds("/".join, st.tuples(st.sampled_from(["feeds", "topics/x", "é"]), NAMES)) | NAMES
CONTENTS = st.binary(max_size=40) | st.binary(min_size=1, max_size=9).map(lambda piece: piece * 400)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(PATHS, CONTENTS, max_size=12))
def test_a_second_write_of_the_same_documents_touches_nothing(contents: dict[str, bytes]) -> None:
    documents = [Document(path, content) for path, content in contents.items()]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        first = SiteFolder(root).write(documents, {}, NOW)
        before = state(root)
        second = SiteFolder(root).write(documents, known(first), NOW + timedelta(hours=1))
        assert second == WriteReport((), len(documents))
        assert state(root) == before
        assert all((root / path).read_bytes() == content for path, content in contents.items())
        assert SiteFolder(root).missing(known(first)) == ()


def test_only_the_changed_document_is_written_and_a_sibling_it_outgrew_goes(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    first = folder.write([Document("a.html", PAGE), Document("b.html", PAGE)], {}, NOW)
    before = state(tmp_path)
    later = NOW + timedelta(minutes=5)
    second = folder.write([Document("a.html", b"short"), Document("b.html", PAGE)], known(first), later)
    assert [(p.path, p.first_written) for p in second.written] == [("a.html", later)]
    assert second.unchanged == 1
    untouched = ("b.html", "b.html.gz", "b.html.br")
    after = state(tmp_path)
    assert set(after) == {"a.html", *untouched}
    assert [after[name] for name in untouched] == [before[name] for name in untouched]


def test_a_sibling_that_is_gone_or_of_other_bytes_comes_back(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    first = folder.write([Document("a.html", PAGE)], {}, NOW)
    (tmp_path / "a.html.br").unlink()
    assert len(folder.write([Document("a.html", PAGE)], known(first), NOW).written) == 1
    for broken in (gzip.compress(b"other"), b"no gzip at all", b""):
        (tmp_path / "a.html.gz").write_bytes(broken)
        assert len(folder.write([Document("a.html", PAGE)], known(first), NOW).written) == 1
    assert gzip.decompress((tmp_path / "a.html.gz").read_bytes()) == PAGE


def test_packed_siblings_are_the_same_at_any_time(tmp_path: Path) -> None:
    for name, moment in (("one", NOW), ("two", NOW + timedelta(days=400))):
        SiteFolder(tmp_path / name).write([Document("feeds/a.atom", PAGE)], {}, moment)
    for name in ("a.atom.gz", "a.atom.br"):
        one, two = (tmp_path / folder / "feeds" / name for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_an_archive_is_packed_for_the_few_who_fetch_it_and_a_feed_for_many(tmp_path: Path) -> None:
    content = " ".join(f"<p>story {number % 97} of {number}</p>" for number in range(2000)).encode()
    paths = ("feeds/a.atom", "feeds/a/archive-1.atom")
    SiteFolder(tmp_path).write([Document(path, content) for path in paths], {}, NOW)
    feed, archive = ((tmp_path / f"{path}.gz").read_bytes() for path in paths)
    assert gzip.decompress(feed) == gzip.decompress(archive) == content
    assert len(feed) < len(archive) < len(content) / 4
    assert not (tmp_path / "feeds/a/archive-1.atom.br").exists()


def test_an_article_page_has_gzip_only(tmp_path: Path) -> None:
    SiteFolder(tmp_path).write([Document("articles/a/index.html", PAGE)], {}, NOW)
    assert sorted(state(tmp_path)) == ["articles/a/index.html", "articles/a/index.html.gz"]


def test_the_time_of_a_path_rises_by_a_second_even_when_the_clock_stands_or_goes_back(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    first = folder.write([Document("a.atom", b"1")], {}, NOW)
    second = folder.write([Document("a.atom", b"2")], known(first), NOW)
    third = folder.write([Document("a.atom", b"3")], known(second), NOW - timedelta(days=1))
    assert [r.written[0].first_written - NOW for r in (first, second, third)] == [
        timedelta(seconds=s) for s in range(3)
    ]


def test_bytes_nobody_recorded_still_count_as_older(tmp_path: Path) -> None:
    """A run killed after its renames and before its records: the next one must not give the same time again."""
    folder = SiteFolder(tmp_path)
    first = folder.write([Document("a.atom", b"1")], {}, NOW)
    lost = folder.write([Document("a.atom", b"2")], known(first), NOW)
    third = folder.write([Document("a.atom", b"3")], known(first), NOW)
    assert third.written[0].first_written > lost.written[0].first_written


def test_unrecorded_bytes_of_the_same_size_are_not_taken_for_the_known_ones(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    first = folder.write([Document("a.atom", b"1")], {}, NOW)
    folder.write([Document("a.atom", b"2")], known(first), NOW)
    third = folder.write([Document("a.atom", b"1")], known(first), NOW)
    assert (tmp_path / "a.atom").read_bytes() == b"1"
    assert third.written[0].first_written == NOW + timedelta(seconds=2)  # a reader may have seen the lost ones


def test_a_lost_or_cut_file_is_missing_and_comes_back_with_its_old_time(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    documents = [Document("a.html", PAGE), Document("b/c.html", PAGE), Document("d.html", PAGE)]
    first = folder.write(documents, {}, NOW)
    (tmp_path / "a.html").unlink()
    (tmp_path / "b/c.html").write_bytes(PAGE[:10])
    os.utime(tmp_path / "b/c.html", (NOW.timestamp(), NOW.timestamp()))
    assert folder.missing(known(first)) == ("a.html", "b/c.html")
    second = folder.write(documents, known(first), NOW + timedelta(days=1))
    assert [(p.path, p.first_written) for p in second.written] == [("a.html", NOW), ("b/c.html", NOW)]
    assert (tmp_path / "b/c.html").read_bytes() == PAGE


def test_a_copied_site_whose_times_were_lost_is_not_written_again(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    first = folder.write([Document("a.html", PAGE)], {}, NOW)
    for name in ("a.html", "a.html.gz", "a.html.br"):
        os.utime(tmp_path / name, (1, 1))
    assert folder.write([Document("a.html", PAGE)], known(first), NOW).unchanged == 1


def test_removing_takes_the_sibling_and_empty_folders_and_nothing_else(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    folder.write([Document("articles/a/index.html", PAGE), Document("articles/b/index.html", PAGE)], {}, NOW)
    folder.remove(["articles/a/index.html", "articles/never/index.html"])
    assert sorted(state(tmp_path)) == ["articles/b/index.html", "articles/b/index.html.gz"]
    assert not (tmp_path / "articles/a").exists()
    folder.remove(["articles/b/index.html"])
    assert not (tmp_path / "articles").exists()
    assert tmp_path.exists()


BAD_PATHS = ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", "a\\b", ".hidden", "a/.drafts/x", "a\0b", "a\nb",
             "C:/x", "a/", "x.gz", "x.br", "a" * 300]  # fmt: skip


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_that_is_no_documents_is_refused(tmp_path: Path, path: str) -> None:
    folder = SiteFolder(tmp_path / "site")
    with pytest.raises(SiteError, match="not a path for a document"):
        folder.write([Document(path, b"x")], {}, NOW)
    with pytest.raises(SiteError):
        folder.remove([path])
    assert [p.name for p in tmp_path.iterdir()] == ["site"]


def test_a_link_below_the_folder_leads_nobody_out(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "site/articles").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SiteError, match="is a link"):
        SiteFolder(tmp_path / "site").write([Document("articles/a/index.html", b"x")], {}, NOW)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_file_where_a_folder_is_needed_is_named(tmp_path: Path) -> None:
    (tmp_path / "topics").write_text("in the way")
    with pytest.raises(SiteError, match=r"topics/a/index\.html: a file stands where a folder is needed"):
        SiteFolder(tmp_path).write([Document("topics/a/index.html", b"x")], {}, NOW)
    assert (tmp_path / "topics").read_text() == "in the way"


def test_a_path_given_twice_is_a_mistake_that_is_told(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"a\.html was given twice"):
        SiteFolder(tmp_path).write([Document("a.html", b"1"), Document("a.html", b"2")], {}, NOW)
    assert not (tmp_path / "a.html").exists()


def test_documents_get_their_names_in_the_order_given(tmp_path: Path) -> None:
    """A feed that is written last never names a page that is not there yet: here the last one fails."""
    (tmp_path / "z.atom").mkdir()
    (tmp_path / "z.atom/child").touch()
    documents = [Document(f"p{n}.html", b"x") for n in range(30)] + [Document("z.atom", b"x")]
    with pytest.raises(SiteError, match=r"z\.atom"):
        SiteFolder(tmp_path).write(documents, {}, NOW)
    assert all((tmp_path / f"p{n}.html").exists() for n in range(30))
