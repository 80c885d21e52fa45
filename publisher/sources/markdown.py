"""Markdown (CommonMark, tables) with YAML or TOML front matter: one article in a file. Floor: above `admission`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from markdown_it import MarkdownIt
from markdown_it.token import Token

from publisher.cleantext import title_identity
from publisher.htmltext import to_text
from publisher.model import Origin, Refusal
from publisher.sources import frontmatter, frontmatter_toml
from publisher.sources.admission import Item, refused
from publisher.sources.fields import KEYS, Inadmissible, check_keys, text_of
from publisher.sources.lines import BadLine, read_lines, too_large

# HTML passes here and is sanitised with the rest; what is nested deeper than this the parser would drop unsaid.
_MARKDOWN = MarkdownIt("commonmark", {"maxNesting": 100}).enable("table")
MOST_BRACKETS = 10_000
"""Links and images of an article: for each the parser looks at what may be inside it, a quarter of a millisecond."""
_FENCES = {"---": ({"---", "..."}, frontmatter.parse), "+++": ({"+++"}, frontmatter_toml.parse)}
"""What front matter begins with -> what it ends with, and who reads it."""


def parse(stream: BinaryIO, place: str, limit: int) -> Iterator[Item | Refusal]:
    """The one article of a Markdown file of at most `limit` bytes."""
    try:
        yield _item(_read(stream, limit), place)
    except Inadmissible as problem:
        yield refused(Origin(place, 1), problem)


def _read(stream: BinaryIO, limit: int) -> list[str]:
    lines: list[str] = []
    size = 0
    for line in read_lines(stream, limit):
        if isinstance(line, BadLine):
            raise Inadmissible(line.reason, line=line.number)
        size += len(line.text.encode()) + 1
        if size > limit + 1:  # the last line end may be missing
            raise Inadmissible("the article is " + too_large(limit))
        lines.append(line.text)
    if not any(line.strip() for line in lines):
        raise Inadmissible("the file is empty")
    return lines


def _item(lines: list[str], place: str) -> Item:
    fields: dict[str, object] = {}
    at: dict[str, int] = {}
    unread: tuple[str, ...] = ()
    start = next(index for index, line in enumerate(lines) if line.strip())
    body_from = start
    if fence := _FENCES.get(lines[start].rstrip()):
        ends, read_fields = fence
        end = _end_of_front_matter(lines, start, ends)
        fields, at = read_fields("\n".join(lines[start + 1 : end]), start + 2)
        body_from = end + 1
    try:
        unread = check_keys(fields, KEYS)
        title, html = render("\n".join(lines[body_from:]), text_of(fields, "title"))
    except Inadmissible as problem:
        problem.line = problem.line or at.get(problem.key)
        raise
    return Item(origin=Origin(place, start + 1), title=title, html=html, fields=fields, lines=at, unread=unread)


def _end_of_front_matter(lines: list[str], start: int, ends: set[str]) -> int:
    for index in range(start + 1, len(lines)):
        if lines[index].rstrip() in ends:
            return index
    raise Inadmissible(f"broken front matter: no {lines[start].rstrip()!r} after its last line", line=start + 1)


def render(text: str, title: str = "") -> tuple[str, str]:
    """The title and the (not yet sanitised) HTML of Markdown `text`.

    Without a `title` the first `# heading` is it; a first heading that repeats the title goes. Raises Inadmissible.
    """
    if (brackets := text.count("[")) > MOST_BRACKETS:
        raise Inadmissible(f"{brackets:,} opening brackets; more than {MOST_BRACKETS:,} links are no article")
    env: dict[str, object] = {}
    try:
        tokens = _MARKDOWN.parse(text, env)
        index = _heading(tokens, only_first=bool(title))
        if index is not None:
            heading = to_text(_MARKDOWN.renderer.render(tokens[index : index + 3], _MARKDOWN.options, env))
            if not title or title_identity(heading) == title_identity(title):
                title = title or heading
                tokens = tokens[:index] + tokens[index + 3 :]
        return title, str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, env))
    except RecursionError:
        raise Inadmissible("nested too deeply; write it with fewer levels") from None


def _heading(tokens: list[Token], *, only_first: bool) -> int | None:
    candidates = tokens[:1] if only_first else tokens
    for index, token in enumerate(candidates):
        if token.type == "heading_open" and token.tag == "h1" and token.level == 0:
            return index
    return None
