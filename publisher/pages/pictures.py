"""The site's mark as PNG, for feed readers that know no SVG: drawn from the accent colour alone. Floor: pure.

The same picture as ``templates/site/icon.svg``, on a grid of 32: a square with round corners, in it a white quarter of
a disc. Of each line only the pixels on an edge are computed, so that a large picture costs some milliseconds.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from math import sqrt

_GRID = 32
_CORNER = 7.0  # radius of the corners
_CENTRE, _RADIUS = (8.0, 24.0), 16.0  # of the disc; its quarter above and to the right of the centre is seen
_SHARES = 4  # lines that a line of pixels is looked at in: smooth edges
_WHITE = (255, 255, 255)

Colour = tuple[int, int, int]
Span = tuple[float, float]
"""From where to where a line is covered, in pixels; nothing where the second is not larger."""


def icon(accent: str, size: int) -> bytes:
    """A square PNG of `size` pixels; `accent` is ``#rrggbb``."""
    return _png(size, size, [_line(y, size, size, accent) for y in range(size)])


def logo(accent: str, height: int) -> bytes:
    """The same in a field twice as wide as it is high, as RFC 4287 (4.2.8) wants it."""
    return _png(2 * height, height, [_line(y, 2 * height, height, accent) for y in range(height)])


def _line(y: int, width: int, height: int, accent: str) -> bytes:
    """One line of pixels: red, green, blue and opacity of each."""
    colour = (int(accent[1:3], 16), int(accent[3:5], 16), int(accent[5:7], 16))
    unit = height / _GRID
    shift = (width - height) / 2
    heights = [(y + (share + 0.5) / _SHARES) / unit for share in range(_SHARES)]
    field = _covered([_field(line, width, unit) for line in heights], width)
    disc = _covered([_disc(line, unit, shift) for line in heights], width)
    plain, white = bytes((*colour, 255)), bytes((*_WHITE, 255))
    return b"".join(
        white if over == 1 else plain if not over and under == 1 else _mixed(colour, under, over)
        for under, over in zip(field, disc, strict=True)
    )


def _field(line: float, width: int, unit: float) -> Span:
    from_edge = min(line, _GRID - line)
    inset = 0.0
    if from_edge < _CORNER:
        inset = _CORNER - sqrt(_CORNER**2 - (_CORNER - from_edge) ** 2)
    return inset * unit, width - inset * unit


def _disc(line: float, unit: float, shift: float) -> Span:
    down = _CENTRE[1] - line
    if not 0 <= down < _RADIUS:
        return 0.0, 0.0
    start = _CENTRE[0] * unit + shift
    return start, start + sqrt(_RADIUS**2 - down**2) * unit


def _covered(spans: Sequence[Span], width: int) -> list[float]:
    """How much of each pixel of a line the `spans` cover, between 0 and 1."""
    full = (max(int(-(-start // 1)) for start, _ in spans), min(int(end) for _, end in spans))
    some = (min(int(start) for start, _ in spans), max(int(-(-end // 1)) for _, end in spans))
    found = [0.0] * width
    if full[0] < full[1]:
        found[full[0] : full[1]] = [1.0] * (full[1] - full[0])
    for x in (*range(some[0], min(full[0], some[1])), *range(max(full[1], some[0]), min(some[1], width))):
        found[x] = sum(max(0.0, min(end, x + 1) - max(start, x)) for start, end in spans) / len(spans)
    return found


def _mixed(colour: Colour, under: float, over: float) -> bytes:
    parts = (round(one + (white - one) * over) for one, white in zip(colour, _WHITE, strict=True))
    return bytes((*parts, round(255 * max(under, over))))


def _png(width: int, height: int, lines: Sequence[bytes]) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)  # 8 bits a colour, with opacity
    pixels = zlib.compress(b"".join(b"\0" + line for line in lines), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
