"""JSON text -> the texts of its objects, found by their braces, one in memory at a time. Floor: lowest of `sources`.

An object that is broken inside, or too large, is one piece and the next one is found all the same.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from publisher.sources.lines import too_large

_CHUNK = 65536
_BETWEEN = re.compile(r"[\s,\[\]]*")
_BRACE_OR_QUOTE = re.compile(r'[{}"]')
_QUOTE_OR_ESCAPE = re.compile(r'["\\]')


@dataclass(frozen=True, slots=True)
class Piece:
    """One object's text and the line it starts at, or the `problem` at that line."""

    line: int
    text: str = ""
    problem: str = ""


def objects_of(stream: BinaryIO, limit: int) -> Iterator[Piece]:
    """The objects of UTF-8 JSON text, alone, after each other or in a list; each at most `limit` bytes."""
    scanner = _Scanner(limit)
    done = 0  # bytes decoded
    pending = b""  # a character cut by the end of a chunk
    while not scanner.stopped:
        raw = stream.read(_CHUNK)
        pending += raw
        try:
            text, used = codecs.utf_8_decode(pending, "strict", not raw)
        except UnicodeDecodeError as error:
            yield from scanner.feed(pending[: error.start].decode())
            at = done + error.start + 1
            yield Piece(scanner.line, problem=f"not UTF-8 at byte {at} of the file; save the file as UTF-8")
            return
        yield from scanner.feed(text if done else text.removeprefix("\ufeff"))
        if not raw:
            break
        done += used
        pending = pending[used:]
    yield from scanner.end()


class _Scanner:
    """Where we are in the text: between objects (depth 0), in one, or in a string inside one."""

    def __init__(self, limit: int) -> None:
        self.line = 1
        self.stopped = False
        self._limit = limit
        self._depth = 0
        self._string = False
        self._escaped = False
        self._start = 1
        self._parts: list[str] = []
        self._size = 0

    def feed(self, text: str) -> Iterator[Piece]:
        position = 0
        while position < len(text):
            if self._depth == 0:
                following = self._between(text, position)
                if following is None:
                    self.stopped = True
                    yield Piece(self.line, problem="not JSON: expected '{'; what follows is not read")
                    return
                position = following
                continue
            start, position = position, self._inside(text, position)
            self._keep(text[start:position])
            if self._depth == 0:
                yield self._piece()

    def end(self) -> Iterator[Piece]:
        if self._depth and not self.stopped:
            yield Piece(self._start, problem="not JSON: the object that starts here has no end")

    def _between(self, text: str, position: int) -> int | None:
        """The position after the next object's brace, or the end of `text`; None if something else comes."""
        match = _BETWEEN.match(text, position)
        after = match.end() if match else position
        self.line += text.count("\n", position, after)
        if after == len(text):
            return after
        if text[after] != "{":
            return None
        self._start = self.line
        self._depth = 1
        self._keep("{")
        return after + 1

    def _inside(self, text: str, position: int) -> int:
        """The position after the object's end, or the end of `text`."""
        while position < len(text):
            if self._escaped:
                self._escaped = False
                position += 1
                continue
            match = (_QUOTE_OR_ESCAPE if self._string else _BRACE_OR_QUOTE).search(text, position)
            if not match:
                return len(text)
            position = match.end()
            mark = match.group()
            if mark == '"':
                self._string = not self._string
            elif mark == "\\":
                self._escaped = True
            else:
                self._depth += 1 if mark == "{" else -1
                if self._depth == 0:
                    return position
        return position

    def _keep(self, text: str) -> None:
        self.line += text.count("\n")
        self._size += len(text.encode())
        if self._size <= self._limit:
            self._parts.append(text)
        else:
            self._parts.clear()

    def _piece(self) -> Piece:
        text, size = "".join(self._parts), self._size
        self._parts.clear()
        self._size = 0
        if size > self._limit:
            return Piece(self._start, problem="the article is " + too_large(self._limit))
        return Piece(self._start, text)
