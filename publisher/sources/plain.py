"""Plain text: blocks of a title, the same title again, and a body. Floor: above `admission`.

A block starts where a line is followed, with a blank line between, by the same line again (`title_identity`). A file
without such a pair is one article: its first line is the title, the rest the body.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from publisher.cleantext import title_identity
from publisher.htmltext import from_text
from publisher.model import Origin, Refusal
from publisher.sources.admission import Item, refused
from publisher.sources.fields import Inadmissible
from publisher.sources.lines import BadLine, Line, read_lines, too_large

_LONGEST_TITLE_LINE = 1000
"""Characters; a longer line that comes twice is a paragraph that comes twice."""


@dataclass(slots=True)
class _Block:
    """A title (None before the first one) and the lines under it, blank ones as ""."""

    title: str | None
    line: int
    body: list[str] = field(default_factory=list)
    size: int = 0
    problem: tuple[int, str] | None = None

    def add(self, line: Line, limit: int) -> None:
        self.size += len(line.text.encode()) + 1
        if self.size > limit:
            self.problem = self.problem or (self.line, "the article is " + too_large(limit))
            self.body.clear()
        self.body.append(line.text)

    def without_from(self, index: int) -> _Block:
        """The block as it was before its line `index`, which turned out to be the next block's title."""
        return _Block(self.title, self.line, self.body[:index], self.size, self.problem)


def parse(stream: BinaryIO, place: str, limit: int) -> Iterator[Item | Refusal]:
    """The articles of a plain text file; memory is bounded by `limit` (bytes of one article)."""
    block = _Block(None, 1)
    candidate: Line | None = None  # the last line that is not blank, if it may be a title
    at = 0  # its index in the block's body
    after_blank = False
    for line in read_lines(stream, limit):
        if isinstance(line, BadLine):
            block.problem = block.problem or (line.number, line.reason)
            candidate = None
        elif line.blank:
            block.add(Line(line.number, ""), limit)
            after_blank = True
        elif candidate and after_blank and _same(candidate.text, line.text):
            yield from _finished(block.without_from(at), place)
            block, candidate, after_blank = _Block(line.text, candidate.number), None, False
        else:
            block.add(line, limit)
            candidate, at, after_blank = line, len(block.body) - 1, False
    yield from _finished(block, place, alone=block.title is None)


def _same(first: str, second: str) -> bool:
    return max(len(first), len(second)) <= _LONGEST_TITLE_LINE and title_identity(first) == title_identity(second)


def _finished(block: _Block, place: str, *, alone: bool = False) -> Iterator[Item | Refusal]:
    title, body = block.title, block.body
    if block.problem:
        line, reason = block.problem
        yield refused(Origin(place, line), Inadmissible(reason), title or "")
    elif title is not None:
        yield Item(origin=Origin(place, block.line), title=title, html=from_text("\n".join(body)))
    else:
        first = next((index for index, text in enumerate(body) if text), None)
        if first is None:
            if alone:
                yield Refusal(Origin(place), "the file is empty")
        elif alone:
            yield Item(origin=Origin(place, first + 1), title=body[first], html=from_text("\n".join(body[first + 1 :])))
        else:
            yield Refusal(
                Origin(place, first + 1),
                "text before the first title; a title stands on a line of its own, twice, with a blank line between",
            )
