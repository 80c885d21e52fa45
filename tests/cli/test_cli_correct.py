"""`articles correct`: what an operator is told, and what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SLUG = "revised-kyoto-convention-review-moves-on-to-draft-texts"


def test_a_title_is_corrected_with_a_note_that_page_and_feed_show(site: Path, publisher: Any) -> None:
    told = publisher("articles", "correct", SLUG, "--note", "It was too long.", "--title", "Drafts")
    assert (told.code, told.out) == (0, "corrected: Drafts; the next `publisher publish` shows it\n")
    assert publisher("publish", "--no-digest").code == 0
    for path in (f"articles/{SLUG}/index.html", "feeds/all.atom"):
        assert "It was too long." in next(site.rglob(path)).read_text()
    assert publisher("import", "data/articles").rows[1][0] == "unchanged"
    assert publisher("articles", "show", SLUG, "--json").json["title"] == "Drafts"


@pytest.mark.parametrize(
    ("name", "text", "body"),
    [
        ("new.md", "A *new* text.", "<p>A <em>new</em> text.</p>"),
        ("new.html", "<p>A <i>new</i> text.</p><script>x</script>", "<p>A <em>new</em> text.</p>"),
        ("new.txt", "A *new* text.", "<p>A *new* text.</p>"),
        ("-", "A *new* text.", "<p>A <em>new</em> text.</p>"),
    ],
)
def test_a_text_comes_from_a_file_or_from_standard_input(
    site: Path, publisher: Any, name: str, text: str, body: str
) -> None:
    if name != "-":
        (site / name).write_text(text)
    told = publisher("articles", "correct", SLUG, "--minor", "--body-file", name, "--json", stdin=text.encode())
    assert (told.code, told.json["outcome"], told.json["corrected"]) == (0, "changed", None)
    assert publisher("articles", "show", SLUG, "--json").json["body"].strip() == body


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--title", "x"), 2, "--minor"),
        (("--note", "x", "--body-file", "none.md"), 1, "none.md: No such file"),
        (("--note", "x", "--body-file", "latin.md"), 1, "not UTF-8"),
        (("--note", "x", "--title", ""), 2, "no title"),
        (("--note", "x"), 0, "unchanged"),
    ],
)
def test_what_cannot_be_corrected_is_said_in_one_line(
    site: Path, publisher: Any, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (site / "latin.md").write_bytes("Zoll für Äpfel".encode("latin-1"))
    told = publisher("articles", "correct", SLUG, *arguments)
    assert told.code == code
    assert words in told.out + told.err
    assert len((told.out + told.err).splitlines()) == 1
