"""Front matter: the quick way to read it never says anything else than the thorough one."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.sources import frontmatter
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
