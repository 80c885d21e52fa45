"""Sources: each thing that can be wrong is refused with its file, its line and what to do."""

from __future__ import annotations

import io
import json
import os
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from publisher.errors import SourceError
from publisher.model import RawArticle, Refusal
from publisher.sources import Admission, Format, read

ADMISSION = Admission(
    now=datetime(2026, 3, 1, 12, tzinfo=UTC), topics=frozenset({"environment", "region-mena"}), max_item_bytes=2000
)


def read_bytes(content: bytes, form: Format | None = None) -> list:
    return list(read("-", admission=ADMISSION, form=form, stream=io.BytesIO(content)))


def only_refusal(content: bytes, form: Format | None = None) -> Refusal:
    (refusal,) = read_bytes(content, form)
    assert isinstance(refusal, Refusal)
    return refusal


def markdown(front: str, body: str = "Text.") -> bytes:
    return f"---\nid: x\n{front}\n---\n{body}\n".encode()


@pytest.mark.parametrize(
    ("front", "line", "words"),
    [
        ("summary: x", 1, "no title"),
        ("title: ''", 1, "no title"),
        (f"title: {'x' * 301}", 3, "title: has 301 characters"),
        ("title: a: b", 3, "put the value in quotes"),
        ("title: [a", 3, "broken front matter"),
        ("title: T\ntopics: [a, b", 4, "broken front matter"),
        ("title: T\ntitle: U", 4, "title: stands here a second time"),
        ("title: T\ntopics: &a [environment]", 4, "anchors"),
        ("title: &a T\nsummary: *a", 3, "anchors"),
        (f"title: T\nx: {'[' * 50}{']' * 50}", 4, "nested too deeply"),
        ("title: T\nsummary: a\x07b", 4, "control character"),
        ("title:\n  sub: T", 3, "title: expected text, found an object"),
        ("titel: T", 3, "did you mean 'title'?"),
        ("title: T\ntopic: environment", 4, "did you mean 'topics'?"),
        ("title: T\nlang: fr", 4, "did you mean 'language'?"),
        ("title: T\ndescription: fr", 4, "did you mean 'summary'?"),
        ("title: T\ntopics: [enviroment]", 4, "no topic 'enviroment'; did you mean 'environment'?"),
        ("title: T\ntopics: Region MENA", 4, "did you mean 'region-mena'?"),
        ("title: T\ntopics: quite another", 4, "the topics are environment, region-mena"),
        ("title: T\ntopics: all", 4, "leave it out"),
        ("title: T\ntopics: {a: b}", 4, "expected a list of topics"),
        ("title: T\ndate: 26.1.2021", 4, "is no date; write 2021-01-26"),
        ("title: T\ndate: 2026-03-03", 4, "in the future"),
        ("title: T\ndate: 9999-12-31T23:59:59-14:00", 4, "in the future"),
        ("title: T\ndate: 0001-01-01T00:00:00+14:00", 4, "before 1900"),
        ("title: T\ndate: 1899-12-31", 4, "before 1900"),
        ("title: T\ndate: 2021-01-01\npublished: 2021-01-02", 5, "keep one"),
        ("title: T\nlanguage: english", 4, "no language tag"),
        ("title: T\nlanguage: en_GB", 4, "no language tag"),
        ("title: T\nsource: www.example.org", 4, "no web address"),
        ("title: T\nsource: javascript:alert(1)", 4, "no web address"),
        ("title: T\nsource: 'https://[x'", 4, "no web address"),
        ("title: T\nsource: ftp://example.org/", 4, "no web address"),
        ("title: T\nurl: https://me:secret@example.org/", 4, "holds a login"),
        ("title: T\nsource: mailto:secret@example.org", 4, "no web address"),
        ("title: T\ndraft: true", 4, "draft"),
        ("title: T\ndraft: maybe", 4, "draft: expected true or false, found 'maybe'; write one of them"),
        ("title: T\nminor: [true]", 4, "minor: expected true or false, found a list"),
        ("- a\n- b", 3, "broken front matter"),
    ],
)
def test_front_matter_is_refused_by_its_line(front: str, line: int, words: str) -> None:
    refusal = only_refusal(markdown(front))
    assert words in refusal.reason
    assert refusal.origin.line == line
    assert "secret" not in refusal.reason


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"", None, "empty"),
        (b"\n \n", None, "empty"),
        (b"---\ntitle: T\n", 1, "no '---' after"),
        (b"# Title only\n", 1, "no text under the title"),
        (b"---\ntitle: T\n---\n<script>x</script>", 1, "no text under the title"),
        (b"---\ntitle: T\n---\n![only a picture](https://e.example/i.png)", 1, "no text under the title"),
        (b"---\n" + b"x: " + b"a\n " * 30_000 + b"\n---\n", 1, "larger than"),
        (b"# T\n\n" + b"word \n" * 500, 1, "larger than 2,000 bytes"),
        (b"# T\n\ncaf\xe9\n", 3, "not UTF-8 at byte 4 of the line"),
        (b"Title alone", 1, "no text under the title"),
        (b"x" * 301 + b"\n\nbody", 1, "title: has 301 characters"),
        (b"T\n\nT\n\n" + b"word \n" * 500, 1, "larger than 2,000 bytes"),
        (b"T\n\nT\n\nb\xff", 5, "not UTF-8 at byte 2"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", None, "binary"),
        ("Titel".encode("utf-16"), None, "UTF-16"),
        (b'{"title": "T"', 1, "not JSON"),
        (b'{"title": "T"}', 1, "no text under the title"),
        (b'{"text": "x"}', 1, "no title"),
        ('{"title": "\u200b \u200b", "text": "x"}'.encode(), 1, "no title"),
        (b'{"title": ["T"], "text": "x"}', 1, "title: expected text, found a list"),
        (b'{"title": true, "text": "x"}', 1, "title: expected text, found true"),
        (b'{"title": "T", "text": "x", "body": "y"}', 1, "keep one of them"),
        (b'{"title": "T", "text": 3}', 1, "text: expected text, found a number"),
        (b'{"title": "T", "content_html": "x"}', 1, "did you mean 'body_html'?"),
        (b'{"title": "T", "text": "x", "published_at": "2021-01-01"}', 1, "did you mean 'date'?"),
        (b'{"title": "T", "text": "x", "draft": true}', 1, "draft"),
        (b'{"title": "T", "text": "x", "draft": "maybe"}', 1, "draft: expected true or false, found 'maybe'"),
        (b'{"title": "T", "text": "x", "draft": 0}', 1, "draft: expected true or false, found a number"),
        (b'{"title": "T", "text": "x", "minor": [1]}', 1, "minor: expected true or false, found a list"),
        (b'{"title": "T", "text": "x", "correction": 5}', 1, "correction: expected text, found a number"),
        (b'{"title": "T", "text": "x", "date": 1611619200}', 1, "is no date"),
        (b'{"title": "T", "text": "x", "id": "' + b"7" * 201 + b'"}', 1, "id: has 201 characters"),
        (b'{"title": "T", "text": "x", "n": ' + b"[" * 900 + b"}", 1, "not JSON"),
        (b'{"title": "T", "n": ' + b"9" * 1900 * 3 + b"}", 1, "larger than 2,000 bytes"),
    ],
)
def test_an_item_is_refused_by_its_line(content: bytes, line: int | None, words: str) -> None:
    refusal = only_refusal(content)
    assert words in refusal.reason
    assert refusal.origin.line == line


def test_a_former_name_of_a_topic_is_taken_but_not_proposed() -> None:
    admission = Admission(now=ADMISSION.now, topics=frozenset({"green"}), former=frozenset({"environment"}))
    lines = b'{"title": "T", "text": "x", "topics": "environment"}\n{"title": "U", "text": "x", "topics": "enviroment"}'
    good, refused = read("-", admission=admission, stream=io.BytesIO(lines))
    assert isinstance(good, RawArticle)
    assert isinstance(refused, Refusal)
    assert refused.reason == "topics: no topic 'enviroment'; the topics are green"


def test_markdown_of_brackets_alone_holds_nobody_up_and_many_links_are_taken() -> None:
    admission = Admission(now=ADMISSION.now, topics=frozenset())
    of_links, of_brackets = (
        next(read("-", form=Format.MARKDOWN, admission=admission, stream=io.BytesIO(b"# T\n\n" + text)))
        for text in (b"[a](https://e.example/) " * 2000, b"![" * 110_000)
    )
    assert isinstance(of_links, RawArticle)
    assert isinstance(of_brackets, Refusal)
    assert "110,000 opening brackets" in of_brackets.reason


def test_json_that_is_too_deep_or_holds_too_long_a_number_is_refused() -> None:
    admission = Admission(now=ADMISSION.now, topics=frozenset())
    for value, words in (("[" * 100_000 + "]" * 100_000, "nested too deeply"), ("9" * 5000, "number")):
        content = f'{{"title": "T", "text": "x", "n": {value}}}\n{{"title": "U", "text": "x"}}'.encode()
        refused, good = read("-", admission=admission, stream=io.BytesIO(content))
        assert isinstance(refused, Refusal)
        assert words in refused.reason
        assert isinstance(good, RawArticle)


def test_a_json_value_that_is_no_object_is_refused() -> None:
    refused, good = read_bytes(b'3\n{"title": "U", "text": "x"}', Format.JSONL)
    assert "expected an object in braces, found a number" in refused.reason
    assert isinstance(good, RawArticle)


def test_text_before_the_first_doubled_title_is_refused_and_the_rest_comes_in() -> None:
    refusal, good = read_bytes(b"\nPreface of the page\n\nT\n\nT\n\nBody")
    assert (refusal.origin.line, good.title, good.origin.line) == (2, "T", 4)
    assert "text before the first title" in refusal.reason


def test_one_bad_block_spoils_no_other() -> None:
    blocks = [b"A\n\nA\n\nbody", b"B\n\nB", b"C\n\nC\n\nb\xff\xfe", b"D\n\nD\n\n" + b"x " * 3000, b"E\n\nE\n\nbody"]
    results = read_bytes(b"\n\n".join(blocks))
    assert [isinstance(result, RawArticle) for result in results] == [True, False, False, False, True]
    assert [result.title for result in results] == ["A", "B", "C", "D", "E"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_an_editor_counts_them(end: str) -> None:
    content = end.join(["---", "title: T", "", "date: never", "---", "x"]).encode()
    assert only_refusal(content, Format.MARKDOWN).origin.line == 4


def test_broken_json_inside_a_list_is_refused_by_its_line_and_the_rest_comes_in() -> None:
    content = (
        b'[\n {"title": "A", "text": "{x}\\""},\n {"title": "B",\n  "text": oops},\n {"title": "C", "text": "x"}\n]'
    )
    first, refused, last = read_bytes(content)
    assert (first.text, last.title) == ('{x}"', "C")
    assert refused.origin.line == 4
    assert "not JSON" in refused.reason


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b'[{"title": "A", "text": "x"},\n{"title": "B"', 2, "has no end"),
        (b'[{"title": "A", "text": "x"},\nnull]', 2, "expected '{'"),
        (b'[{"title": "A", "text": "x"},\n{"title": "\xff"}]', 2, "not UTF-8 at byte 42 of the file"),
        (b'[{"title": "A", "text": "x"},\n{"title": "' + b"x" * 2000 + b'"}]', 2, "larger than 2,000 bytes"),
    ],
)
def test_json_text_with_a_bad_end_gives_what_came_before(content: bytes, line: int, words: str) -> None:
    good, refused = read_bytes(content)
    assert isinstance(good, RawArticle)
    assert refused.origin.line == line
    assert words in refused.reason


@pytest.mark.parametrize("chunk", [1, 2, 3, 7])
def test_json_text_is_the_same_however_the_bytes_arrive(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    content = '\ufeff[{"title": "Zoë \\"中\\" {", "text": "a\\\\"}, {"title": "Ж", "text": "}"}]'.encode()
    whole = read_bytes(content)
    monkeypatch.setattr("publisher.sources.jsontext._CHUNK", chunk)
    assert read_bytes(content) == whole
    assert [result.title for result in whole] == ['Zoë "中" {', "Ж"]


class Endless(io.RawIOBase):
    """A file of `size` bytes made as it is read: `head`, then filler without a line end, then `tail`."""

    def __init__(self, head: bytes, size: int, tail: bytes) -> None:
        self._parts = [head, *[b"x" * 50_000] * (size // 50_000), tail]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        if not self._parts:
            return 0
        part, rest = self._parts[0][: len(buffer)], self._parts[0][len(buffer) :]
        self._parts[:1] = [rest] if rest else []
        buffer[: len(part)] = part
        return len(part)


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        (b'{"title": "big", "text": "', b'"}\n{"title": "good", "text": "x"}\n'),
        (b'[{"title": "big", "text": "', b'"}, {"title": "good", "text": "x"}]'),
        (b"big\n\nbig\n\n", b"\n\ngood\n\ngood\n\nx"),
    ],
)
def test_an_item_of_fifty_megabytes_is_refused_in_little_memory(head: bytes, tail: bytes) -> None:
    stream = io.BufferedReader(Endless(head, 50_000_000, tail))
    tracemalloc.start()
    try:
        refused, good = read("-", admission=ADMISSION, stream=stream)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "larger than 2,000 bytes" in refused.reason
    assert (good.title, good.text) == ("good", "x")
    assert peak < 3_000_000


@pytest.mark.parametrize("limit_reached_with", ["\n", "\r\n", ""])
def test_a_line_of_exactly_the_limit_is_read(limit_reached_with: str) -> None:
    line = json.dumps({"title": "T", "text": "x"})
    line = "\ufeff" + line[:-1] + " " * (2000 - len(line)) + "}" + limit_reached_with
    assert [type(result) for result in read_bytes(line.encode(), Format.JSONL)] == [RawArticle]
    assert "larger" in only_refusal(line.replace("}", " }").encode(), Format.JSONL).reason


def test_the_second_of_two_items_that_are_one_article_is_refused() -> None:
    lines = [
        {"title": "Same  title", "text": "one"},
        {"title": "Same title", "text": "two"},
        {"title": "Same title", "text": "three", "id": "3"},
        {"title": "Another", "text": "four", "id": "3"},
    ]
    results = read_bytes("\n".join(map(json.dumps, lines)).encode())
    assert [isinstance(result, RawArticle) for result in results] == [True, False, True, False]
    assert "the title is that of -:1" in results[1].reason
    assert "the id '3' is that of -:3" in results[3].reason


# --- places


def write(folder: Path, **files: str) -> None:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def test_a_folder_is_read_with_the_folders_below_it_in_order(tmp_path: Path) -> None:
    write(
        tmp_path,
        b_md="# B\n\nx",
        a_txt="A\n\nA\n\nx",
        below__c_jsonl='{"title": "C", "text": "x"}',
        below__d_JSON='{\n"title": "D",\n "text": "x"}',
        README_md="# Not an article\n\nx",
        picture_png="not read",
        notes="not read",
        _hidden_md="# H\n\nx",
        _git__e_md="# E\n\nx",
    )
    results = list(read(tmp_path, admission=ADMISSION))
    assert [result.title for result in results] == ["A", "B", "C", "D"]
    assert results[0].origin.place == str(tmp_path / "a.txt")


def test_a_forced_format_reads_every_file_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path, export_log='{"title": "A", "text": "x"}', b_txt='{"title": "B", "text": "x"}')
    assert [r.title for r in read(tmp_path, admission=ADMISSION, form=Format.JSONL)] == ["B", "A"]


@pytest.mark.parametrize(
    "content",
    [
        "---\ntitle: T\n---\nx",
        "# T\n\nx",
        '{"title": "T", "text": "x"}',
        '[ {"title": "T", "text": "x"} ]',
        "T\n\nT\n\nx",
    ],
)
def test_a_file_of_unknown_extension_is_told_by_its_content(tmp_path: Path, content: str) -> None:
    (tmp_path / "article").write_text(content, encoding="utf-8")
    (article,) = read(tmp_path / "article", admission=ADMISSION)
    assert (article.title, article.text) == ("T", "x")


def test_an_unreadable_file_in_a_folder_is_a_refusal_and_the_others_come_in(tmp_path: Path) -> None:
    write(tmp_path, b_md="# B\n\nx")
    (tmp_path / "a.md").symlink_to(tmp_path / "gone.md")
    (tmp_path / "self").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.md")
    refused, good = read(tmp_path, admission=ADMISSION)
    assert str(refused) == f"{tmp_path}/a.md: no such file or folder; check the path"
    assert good.title == "B"


def test_a_file_without_permission_is_refused_in_a_folder_and_an_error_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, a_md="# A\n\nx")

    def closed(*_args: object, **_kwargs: object) -> None:  # root opens what chmod closes
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", closed)
    (refused,) = read(tmp_path, admission=ADMISSION)
    assert str(refused) == f"{tmp_path}/a.md: no permission to read it; change its mode or its owner"
    with pytest.raises(SourceError, match="no permission"):
        read(tmp_path / "a.md", admission=ADMISSION)


@pytest.mark.parametrize(
    ("place", "words"),
    [("missing.md", "no such file"), ("a\0b", "cannot be read"), ("https://e.example/feed", "web address")],
)
def test_a_place_that_cannot_be_read_is_an_error_at_once(place: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        read(place, admission=ADMISSION)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (b"caf\xe9.md", r"caf\xe9.md"),
        (b"caf\\xe9.md", r"caf\\xe9.md"),
        (b"a\nb\xe2\x80\xa8\x1b.md", r"a\nb\u2028\x1b.md"),
    ],
)
def test_a_file_name_of_strange_bytes_is_one_line_that_can_be_printed(name: bytes, words: str, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.write_text("no title", encoding="utf-8")
    for place in (tmp_path, path):
        (refused,) = read(place, admission=ADMISSION)
        assert isinstance(refused, Refusal)
        assert refused.origin.place == f"{tmp_path}/{words}"
    path.unlink()
    with pytest.raises(SourceError, match="no such file") as error:
        read(path, admission=ADMISSION)
    assert str(error.value).startswith(f"{tmp_path}/{words}: ")


def test_the_stream_that_was_handed_in_stays_open() -> None:
    stream = io.BytesIO(b"# T\n\nx")
    assert len(list(read("-", admission=ADMISSION, stream=stream))) == 1
    assert not stream.closed


def test_a_value_of_a_megabyte_is_refused_in_a_line_and_keeps_nobody_waiting() -> None:
    """Looked at from each of its letters it would take hours."""
    line = json.dumps({"title": "T", "text": "x", "date": "a" * 1_000_000}).encode()
    (refusal,) = read(
        "-", admission=replace(ADMISSION, max_item_bytes=2_000_000), form=Format.JSONL, stream=io.BytesIO(line)
    )
    assert isinstance(refusal, Refusal) and len(refusal.reason) < 200
