"""What docs/conformance.md and docs/relays.md say keeps its word: all rows are there, the tests they name exist."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest
from feed_samples import FIXED, SITE, feed_of
from lxml import etree

from publisher.feeds import atom, rss
from publisher.feeds.grammar import check_atom

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "conformance.md"
ROWS = range(1, 58)
PROOFS = DOCUMENT.read_text() + DOCUMENT.with_name("relays.md").read_text()
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \|$", re.MULTILINE)
REGISTERED = {
    *("self", "alternate", "via", "hub", "related", "enclosure", "license", "replies"),
    *("current", "prev-archive", "next-archive"),
}
"""Link relations (IANA) that the W3C validator knows too."""


def test_every_rule_has_one_row() -> None:
    assert [int(number) for number, _, _ in ROW.findall(DOCUMENT.read_text())] == list(ROWS)


def test_every_row_names_its_proof_or_says_that_there_is_none_yet() -> None:
    for number, says, proof in ROW.findall(DOCUMENT.read_text()):
        assert NAMED.search(proof) or (proof == "none" and says.startswith("Not ")), number


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED.findall(PROOFS)}))
def test_the_proofs_exist(file: str) -> None:
    tree = ast.parse((TESTS / file).read_text())
    there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    named = {name for other, name in NAMED.findall(PROOFS) if other == file}
    assert named <= there


def test_a_published_site_uses_registered_link_relations_only() -> None:
    feed = feed_of(*FIXED, site=replace(SITE, hubs=("https://hub.example/",)))
    for content in (atom.render(feed), rss.render(feed)):
        links = list(etree.fromstring(content).iter("{http://www.w3.org/2005/Atom}link"))
        assert {link.get("rel") for link in links} <= REGISTERED
        assert "self" in {link.get("rel") for link in links}


def test_a_small_topic_says_that_it_is_complete_and_one_with_archives_does_not() -> None:
    feed = feed_of(*FIXED)
    mark = "{http://purl.org/syndication/history/1.0}complete"
    for complete in (True, False):
        root = etree.fromstring(atom.render(replace(feed, complete=complete)))
        assert (root.find(mark) is not None) is complete
        assert check_atom(atom.render(replace(feed, complete=complete))) == []
