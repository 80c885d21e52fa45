"""Bytes -> numbered lines of text, with no more of the file in memory than one line may hold. Floor: lowest of
`sources`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its line end; `number` counts from 1."""

    number: int
    text: str

    @property
    def blank(self) -> bool:
        return not self.text.strip()


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be read as text, and why."""

    number: int
    reason: str


def too_large(limit: int) -> str:
    return f"larger than {limit:,} bytes; shorten it"


def read_lines(stream: BinaryIO, limit: int) -> Iterator[Line | BadLine]:
    """The lines of UTF-8 `stream`; LF, CRLF and CR end a line, a byte order mark is skipped.

    A line over `limit` bytes, with a NUL byte or in another encoding comes as a `BadLine`; reading goes on after it.
    """
    number = 1
    while raw := stream.readline(limit + 5):  # five more than the limit: a byte order mark, CR and LF
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if len(raw.rstrip(b"\r\n")) > limit:
            while not raw.endswith(b"\n") and (raw := stream.readline(_CHUNK)):
                pass
            yield BadLine(number, "the line is " + too_large(limit))
            number += 1
            continue
        for part in raw.removesuffix(b"\n").removesuffix(b"\r").split(b"\r"):
            yield _line(number, part)
            number += 1


def _line(number: int, raw: bytes) -> Line | BadLine:
    if b"\0" in raw:
        return BadLine(number, f"a NUL byte at byte {raw.index(0) + 1} of the line; is the file damaged?")
    try:
        return Line(number, raw.decode())
    except UnicodeDecodeError as error:
        return BadLine(number, f"not UTF-8 at byte {error.start + 1} of the line; save the file as UTF-8")
