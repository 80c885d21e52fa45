"""Front matter: the quick way to read it never says anything else than the thorough one."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.model import RawArticle, Refusal
from publisher.sources import frontmatter, frontmatter_toml, places
from publisher.sources.admission import Admission
from publisher.sources.fields import Inadmissible

PIECES = [
    "title", "topics:", ":", "\n", "-", "[", "]", "{", "}", ",", "'", '"', "~", "null", "no", "2021-01-01", "#", "|",
    ">", "&x", "*x", "!!str", "!", "?", "%YAML", "---", "...", "é", "\t", "\\n", "\\x41", "@", "`", "\x85", "\u2028",
    "\ufeff", "😀", "=", "<<:", "\x07", " ", "\n  ", "key: value\n", "a: [x, y]\n", "b:\n- 1\n- 2\n",
]  # fmt: skip
ODD = st.lists(st.sampled_from(PIECES), max_size=14)
PLAIN = st.dictionaries(
    st.sampled_from(["title", "date", "topics", "source", "draft"]),
    st.one_of(
        st.none(),
        st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=20),
        st.lists(st.sampled_from(["environment", "null", "2021", "a b"])),
    ),
).map(lambda fields: yaml.safe_dump(fields, allow_unicode=True, sort_keys=False))


@settings(deadline=None, max_examples=500)
@given(st.one_of(ODD.map("".join), ODD.map(lambda pieces: "key: value\n" + "".join(pieces)), PLAIN))
def test_what_is_read_quickly_is_read_as_it_is_thoroughly(text: str) -> None:
    try:
        quickly = frontmatter._plainly(text, 2)
    except (frontmatter._NotPlain, yaml.YAMLError):
        return
    assert quickly == frontmatter._in_full(text, 2)


def test_the_front_matter_of_an_article_is_read_quickly() -> None:
    text = (
        'title: "No: two"\ndate: 2026-03-01\ntopics: [environment, no]\nauthor:\n'
        "source: https://e.example/a\nnotes:\n- a\n"
    )
    fields, lines = frontmatter._plainly(text, 2)
    assert fields == {
        "title": "No: two", "date": "2026-03-01", "topics": ["environment", "no"], "author": None,
        "source": "https://e.example/a", "notes": ["a"],
    }  # fmt: skip
    assert list(lines.values()) == [2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    "text", ["a: &x 1\nb: *x\n", "a: {b: 1}\n", "a: [[1]]\n", "- a\n", "a: 1\na: 2\n", "a: b: c\n"]
)
def test_all_else_is_left_to_the_thorough_way(text: str) -> None:
    with pytest.raises((frontmatter._NotPlain, yaml.YAMLError)):
        frontmatter._plainly(text, 2)


def test_without_libyaml_front_matter_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontmatter, "_QUICK", yaml.SafeLoader)
    assert frontmatter.parse("title: a\n", 2) == ({"title": "a"}, {"title": 2})
    with pytest.raises(Inadmissible):
        frontmatter.parse("a: b: c\n", 2)


def test_toml_says_what_yaml_says_with_the_line_of_each_key() -> None:
    text = (
        'title = "Ports agree: data"\ndate = 2024-05-06T07:08:09+02:00\ndraft = false\ntopics = [\n  "a",\n]\n'
        'day = 2024-05-06\n[menu.main]\ntitle = "Menu"\n'
    )
    fields, lines = frontmatter_toml.parse(text, 2)
    assert fields == {
        "title": "Ports agree: data",
        "date": "2024-05-06T07:08:09+02:00",
        "draft": False,
        "topics": ["a"],
        "day": "2024-05-06",
        "menu": {},
    }
    assert (lines["title"], lines["topics"], lines["day"]) == (2, 5, 8)


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ('title = "x"\ndate = yesterday\n', "not TOML: Invalid value", 3),
        ('title = "x"\ntitle = "y"\n', "not TOML: Cannot overwrite a value", 3),
        ("a = " + "[" * 5000, "nested too deeply", 2),
        ("a = " + "9" * 5000, "not TOML", 2),
        ("a = '" + "x" * 70_000 + "'", "front matter is", 2),
    ],
)
def test_broken_toml_is_told_by_its_line(text: str, reason: str, line: int) -> None:
    with pytest.raises(Inadmissible, match=reason) as problem:
        frontmatter_toml.parse(text, 2)
    assert problem.value.line == line


def test_a_content_folder_of_hugo_is_read_without_the_pages_of_its_sections(tmp_path: Path) -> None:
    bundle = tmp_path / "content" / "news" / "ports"
    bundle.mkdir(parents=True)
    (bundle / "index.md").write_text('+++\ntitle = "Ports"\ndate = 2024-05-06\n+++\nSix ports.\n', encoding="utf-8")
    (bundle.parent / "_index.fr.md").write_text("# Nouvelles\n\nToutes.\n", encoding="utf-8")
    (bundle.parent / "_index.md").write_text('+++\ntitle = "News"\n+++\nAll our news.\n', encoding="utf-8")
    (bundle.parent / "draft.md").write_text('+++\ntitle = "Later"\ndraft = true\n+++\nText.\n', encoding="utf-8")
    (bundle.parent / "bad.md").write_text('+++\ntitle = "Bad"\ndate = 2999-01-01\n+++\nText.\n', encoding="utf-8")
    admission = Admission(now=datetime(2026, 3, 2, tzinfo=UTC), topics=frozenset())
    found = list(places.read(tmp_path / "content", admission=admission))
    (article,) = [one for one in found if isinstance(one, RawArticle)]
    assert (article.title, article.published) == ("Ports", datetime(2024, 5, 6, tzinfo=UTC))
    refusals = {Path(one.origin.place).name: one for one in found if isinstance(one, Refusal)}
    assert set(refusals) == {"bad.md", "draft.md"} and refusals["bad.md"].origin.line == 3
    admitted = places.read("-", admission=admission, stream=io.BytesIO(b'+++\ntitle = "Piped"\n+++\nText.\n'))
    assert [one.title for one in admitted if isinstance(one, RawArticle)] == ["Piped"]
