"""The quick look at an element and the whole grammar give the same verdict."""

from __future__ import annotations

import re

import pytest
from feed_samples import FIXED, feed_of, filed
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from publisher.feeds import atom, atom_schema

GOOD = atom.render(feed_of(*FIXED, filed("a", 9), filed("b", 8))).decode()
VALUES = [found.span(1) for found in re.finditer(r'"([^"<>]*)"|>([^<>\s][^<>]*)<', GOOD) if found[1]]
VALUES += [found.span(1) for found in re.finditer(r">([^<>\s][^<>]*)<", GOOD)]
PIECES = (
    "", " ", "\u00a0", "\u2003", "\x85", "\n", "\t", "a", ":", "urn:x", "https://a.example/", "{", "^", "`", "é",
    "\U0001f600",    "2026-03-01T16:00:00Z", "2026-02-30T16:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T16:00:00",
    "2026-03-01T16:00:00+15:00", "2026-03-01t16:00:00.5Z", "٢٠٢٦-03-01T16:00:00Z", "&#10;", "<!-- -->", "<?x?>",
    "<b xmlns='urn:x' href=' '/>", "<uri> </uri>",
)  # fmt: skip


def verdicts(document: str) -> tuple[bool, bool] | None:
    try:
        root = etree.fromstring(document.encode())
    except etree.XMLSyntaxError:
        return None
    return atom_schema._grammar().is_surely_valid(root), bool(atom_schema._grammar().whole.validate(root))


def test_what_we_publish_needs_no_more_than_the_quick_look() -> None:
    assert verdicts(GOOD) == (True, True)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(VALUES), st.sampled_from(PIECES), st.sampled_from((0, 3, None))),
        min_size=1,
        max_size=2,
        unique_by=lambda edit: edit[0],
    )
)
def test_what_the_quick_look_takes_the_whole_grammar_takes(
    edits: list[tuple[tuple[int, int], str, int | None]],
) -> None:
    text = GOOD
    for (start, end), piece, kept in sorted(edits, reverse=True):
        text = (
            text[:start]
            + (text[start:end] if kept is None else text[start : min(end, start + kept)])
            + piece
            + text[end:]
        )
    found = verdicts(text)
    if found is not None:
        quick, whole = found
        assert whole or not quick


@pytest.mark.parametrize(
    "old, new",
    [
        (' href="https://', ' href="https:// '),
        ("<id>tag:", "<id>tag"),
        (">2026-03-01T", ">2026-03-01 "),
        ('scheme="tag:', 'scheme="/'),
        ("<id>", "<icon>a b</icon><id>"),
        ("<name>", "<uri>a b</uri><name>"),
    ],
)
def test_a_value_outside_its_pattern_is_found(old: str, new: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    assert verdicts(text) == (False, False)
    assert atom_schema.faults(etree.fromstring(text.encode()))
