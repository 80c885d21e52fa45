"""Sources: what an editor writes in any of the three formats is what comes in."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.cleantext import clean_line, title_identity
from publisher.model import Origin, RawArticle, Refusal
from publisher.sources import Admission, Format, read

ADMISSION = Admission(now=datetime(2026, 3, 1, 12, tzinfo=UTC), topics=frozenset({"environment", "region-mena"}))
SHIPPED = Path(__file__).parents[2] / "data" / "articles"

# Letters and punctuation that no format reads as markup, so that the text is the same in all three.
WORDS = st.text(st.sampled_from("abcXYZ éßЖ中ع0129 ,.?"), min_size=1, max_size=50).map(clean_line)
TITLE = WORDS.filter(lambda title: any(char.isalpha() for char in title) and title[0].isalpha())
PARAGRAPH = WORDS.filter(lambda text: text != "" and text[0].isalpha())
ARTICLES = st.lists(
    st.tuples(TITLE, st.lists(PARAGRAPH, min_size=1, max_size=4)),
    min_size=1,
    max_size=6,
    unique_by=lambda article: title_identity(article[0]),
)


PIECES = [
    *(
        "---\n",
        "title: x\n",
        "topics: [a\n",
        "date: 2021\n",
        "\n",
        "body\n",
        "# h\n",
        "{",
        "}",
        '"',
        "[",
        "]",
        "\\",
        ",",
    ),
    *('{"title": "a", "body": "b"}\n', "\x00", "\xff", "&a ", "*a", ": ", "\x85", "\r", "- "),
]


def read_bytes(content: bytes, form: Format | None = None, admission: Admission = ADMISSION) -> list:
    return list(read("-", admission=admission, form=form, stream=io.BytesIO(content)))


def said(results: list) -> list[tuple[str, str]]:
    assert all(isinstance(result, RawArticle) for result in results), results
    return [(result.title, result.text) for result in results]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@settings(deadline=None)
@given(articles=ARTICLES)
def test_plain_text_blocks_come_in_as_they_were_written(end: str, mark: str, articles: list) -> None:
    # a paragraph followed by itself, or the last one equal to the next title, would read as a title
    bodies = [
        [
            text
            for text, before in zip(body, ["", *body], strict=False)
            if title_identity(text) != title_identity(before)
        ]
        for _, body in articles
    ]
    titles = [title for title, _ in articles]
    for body, following in zip(bodies, titles[1:], strict=False):
        if title_identity(body[-1]) == title_identity(following):
            body.append("The end")
    blocks = ["\n\n".join([title, title, *body]) for title, body in zip(titles, bodies, strict=True)]
    content = mark + "\n\n".join(blocks).replace("\n", end)
    expected = [(title, "\n\n".join(body)) for title, body in zip(titles, bodies, strict=True)]
    assert said(read_bytes(content.encode(), Format.TEXT)) == expected


@settings(deadline=None)
@given(articles=ARTICLES)
def test_json_lines_come_in_as_they_were_written_whichever_key_holds_the_body(articles: list) -> None:
    expected = [(title, "\n\n".join(body)) for title, body in articles]
    objects = [
        [{"title": title, "body": "\n\n".join(body)} for title, body in articles],
        [{"title": title, "text": "\n\n".join(body)} for title, body in articles],
        [{"title": title, "body_html": "".join(f"<p>{text}</p>" for text in body)} for title, body in articles],
    ]
    for values in objects:
        lines = "\n".join(json.dumps(value, ensure_ascii=False) for value in values)
        assert said(read_bytes(lines.encode())) == expected
        assert said(read_bytes(json.dumps(values, indent=2).encode())) == expected
        assert said(read_bytes(json.dumps(values).encode())) == expected


@settings(deadline=None)
@given(articles=ARTICLES)
def test_markdown_comes_in_as_it_was_written_with_the_title_in_either_place(articles: list) -> None:
    for title, body in articles:
        text = "\n\n".join(body)
        front = yaml.safe_dump({"title": title}, allow_unicode=True)
        assert said(read_bytes(f"---\n{front}---\n{text}\n".encode())) == [(title, text)]
        assert said(read_bytes(f"# {title}\n\n{text}\n".encode())) == [(title, text)]
        assert said(read_bytes(f"---\n{front}---\n\n# {title}\n\n{text}\n".encode())) == [(title, text)]


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300), st.sampled_from([None, *Format]))
def test_whatever_bytes_come_there_is_an_answer_for_each_item_and_no_crash(content: bytes, form: Format | None) -> None:
    for result in read_bytes(content, form):
        assert isinstance(result, (RawArticle, Refusal))
        assert str(result.origin).startswith("-")


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.sampled_from(PIECES),
        max_size=25,
    ),
    st.sampled_from([None, *Format]),
)
def test_pieces_of_the_three_formats_in_any_order_never_crash_a_parser(pieces: list[str], form: Format | None) -> None:
    for result in read_bytes("".join(pieces).encode("latin-1"), form):
        assert isinstance(result, (RawArticle, Refusal))


@given(st.lists(st.booleans(), min_size=1, max_size=12))
@settings(deadline=None)
def test_each_bad_item_is_refused_by_its_line_and_the_good_ones_come_in(plan: list[bool]) -> None:
    lines = [json.dumps({"title": f"Title {n}", "text": "x" if good else ""}) for n, good in enumerate(plan)]
    results = read_bytes("\n".join(lines).encode(), Format.JSONL)
    assert [isinstance(result, RawArticle) for result in results] == plan
    assert [result.origin.line for result in results] == list(range(1, len(plan) + 1))
    blocks = [f"Title {n}\n\nTitle {n}\n\n{'x' if good else ''}" for n, good in enumerate(plan)]
    results = read_bytes("\n\n".join(blocks).encode(), Format.TEXT)
    assert [isinstance(result, RawArticle) for result in results] == plan


def test_the_shipped_articles_are_all_good_and_of_readable_length() -> None:
    articles = list(read(SHIPPED, admission=ADMISSION))
    assert len(articles) == 10
    assert all(isinstance(article, RawArticle) and article.external_id and article.summary for article in articles)
    assert all(150 <= len(article.text.split()) <= 260 for article in articles)
    assert [a.published for a in articles if a.published] == [datetime(2021, 1, 26, tzinfo=UTC)]
    assert {a.topics for a in articles} == {None}


def test_ten_blocks_of_the_newsroom_kind_give_ten_articles() -> None:
    blocks = [f"Initiative {n}\n\nInitiative {n}\n\nFirst paragraph of {n}.\n\nSecond one." for n in range(10)]
    results = read_bytes("\n\n".join(blocks).encode())
    assert said(results) == [(f"Initiative {n}", f"First paragraph of {n}.\n\nSecond one.") for n in range(10)]
    assert [result.origin.line for result in results] == [1 + 8 * n for n in range(10)]
    assert all(result.published is None for result in results)


def test_titles_that_differ_in_white_space_and_unicode_form_still_make_a_block() -> None:
    content = "Cafe\u0301  trade \n\n\nCaf\u00e9 trade\n\nBody.\n\nNext\n\nNext\nBody right under it."
    assert said(read_bytes(content.encode())) == [("Café trade", "Body."), ("Next", "Body right under it.")]


def test_a_text_without_a_doubled_title_is_one_article() -> None:
    assert said(read_bytes(b"\nOnly title\nand\nbody\n\nmore")) == [("Only title", "and body\n\nmore")]


def test_every_key_of_front_matter_comes_in() -> None:
    content = b"""---
id: 42
title: "Waste: new rules"
date: 2021-01-26 09:30:00+02:00
topics: [environment, region-mena]
language: no
source: https://news.example/waste/
author: The desk
summary: >
  Two
  lines.
layout: ignored
draft: false
---
See [here](more.html) and ![a map](/map.png).
"""
    (article,) = read_bytes(content)
    assert article.title == "Waste: new rules"
    assert article.published == datetime(2021, 1, 26, 7, 30, tzinfo=UTC)
    assert article.topics == ("environment", "region-mena")
    assert (article.language, article.author, article.summary) == ("no", "The desk", "Two lines.")
    assert (article.external_id, article.source_url) == ("42", "https://news.example/waste/")
    assert 'href="https://news.example/waste/more.html"' in article.body
    assert 'src="https://news.example/map.png"' in article.body


def test_every_key_of_json_comes_in_and_foreign_keys_are_passed_over() -> None:
    value = {
        "id": 7,
        "title": "T",
        "published": "2021-01-26T14:00:00Z",
        "topics": "environment, region-mena,environment",
        "language": "fr",
        "url": "https://news.example/t",
        "author": "A",
        "summary": "S",
        "body": "a *b* <script>x</script>",
        "image": {"width": 3},
        "draft": None,
    }
    (article,) = read_bytes(json.dumps(value).encode())
    assert article.body == "<p>a <em>b</em> </p>"
    assert article.topics == ("environment", "region-mena")
    assert (article.published, article.external_id) == (datetime(2021, 1, 26, 14, tzinfo=UTC), "7")


def test_a_foreign_key_is_told_with_its_place() -> None:
    (article,) = read_bytes(b"---\ntitle: T\nlayout: wide\nweight: 3\n---\nx")
    assert article.unread == (("layout", Origin("-", 3)), ("weight", Origin("-", 4)))
    (article,) = read_bytes(b'\n{"title": "T", "body": "x", "layout": 1}')
    assert article.unread == (("layout", Origin("-", 2)),)
    (article,) = read_bytes(b"---\ntitle: T\nbody: not a key of front matter\n---\nx")
    assert [key for key, _ in article.unread] == ["body"]


def test_deeply_nested_markdown_loses_no_text() -> None:
    (article,) = read_bytes(b"# T\n\n" + b"> " * 60 + b"said")
    assert article.text == "said"


def test_a_date_without_a_time_is_midnight_where_the_newsroom_is() -> None:
    admission = Admission(now=ADMISSION.now, topics=frozenset(), zone=ZoneInfo("Asia/Tokyo"))
    (article,) = read_bytes(b"---\ndate: 2021-01-26\n---\n# T\n\nx", admission=admission)
    assert article.published == datetime(2021, 1, 25, 15, tzinfo=UTC)


def test_a_date_up_to_a_day_ahead_is_taken() -> None:
    soon = (ADMISSION.now + timedelta(hours=24)).isoformat()
    (article,) = read_bytes(json.dumps({"title": "T", "text": "x", "date": soon}).encode())
    assert article.published == ADMISSION.now + timedelta(hours=24)


def test_an_article_that_names_no_topic_leaves_them_to_the_rules() -> None:
    for topics in ([], "", None, " , "):
        (article,) = read_bytes(json.dumps({"title": "T", "text": "x", "topics": topics}).encode())
        assert article.topics is None


@pytest.mark.parametrize(
    ("minor", "expected"),
    [("true", True), ("Yes", True), ("on", True), ("false", False), ("NO", False), ("off", False), (None, False)],
)
def test_a_correction_and_a_minor_edit_are_read_from_front_matter_and_from_json(
    minor: str | None, expected: bool
) -> None:
    flag = "" if minor is None else f"minor: {minor}\n"
    front = f"---\ntitle: Ports\ncorrection: Seven ports,   not six.\n{flag}---\nSeven ports.\n".encode()
    item = {"title": "Ports", "correction": "Seven ports, not six.", "minor": expected, "text": "Seven ports."}
    for found in (read_bytes(front, Format.MARKDOWN), read_bytes(json.dumps(item).encode(), Format.JSONL)):
        assert [(raw.correction, raw.minor) for raw in found] == [("Seven ports, not six.", expected)]
