"""Charts as numbers that a template draws: places and sizes of bars. Floor: pure.

The template draws them as SVG in the page, in the page's own colours, so they are readable in both schemes. Each stands
beside a table that says the same in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

COLUMN, GAP, HEIGHT = 36, 12, 120
"""Of a column chart, in units of its view box: a column, the space after it, and the highest column."""
_FOOT = 22  # room for the labels
_HEAD = 16  # room for the number above the highest column


@dataclass(frozen=True, slots=True)
class Column:
    """A column with its `label` below and its `value` above; `middle` is where both are centred."""

    label: str
    value: int
    x: float
    y: float
    height: float
    middle: float


@dataclass(frozen=True, slots=True)
class Columns:
    width: int
    height: int
    column: int
    foot: int
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar that is 100 wide; `kind` names its colour."""

    kind: str
    value: int
    x: float
    width: float


def columns(values: Mapping[str, int]) -> Columns:
    """One column for each label, as high as its value is to the highest."""
    most = max(values.values(), default=0) or 1
    drawn = []
    for place, (label, value) in enumerate(values.items()):
        x = place * (COLUMN + GAP)
        height = HEIGHT * value / most
        drawn.append(Column(label, value, x, _HEAD + HEIGHT - height, height, x + COLUMN / 2))
    width = max(len(drawn) * (COLUMN + GAP) - GAP, COLUMN)
    return Columns(width, _HEAD + HEIGHT + _FOOT, COLUMN, _HEAD + HEIGHT, tuple(drawn))


def spark(values: Sequence[int]) -> tuple[Column, ...]:
    """Small columns without labels, each 6 wide on 20 high."""
    most = max(values, default=0) or 1
    heights = [20 * value / most for value in values]
    return tuple(
        Column("", value, place * 8, 20 - height, height, place * 8 + 3)
        for place, (value, height) in enumerate(zip(values, heights, strict=True))
    )


def stacked(parts: Mapping[str, int], whole: int) -> tuple[Piece, ...]:
    """The parts side by side, their widths as shares of `whole`; those of 0 are left out."""
    pieces = []
    x = 0.0
    for kind, value in parts.items():
        width = 100 * value / whole if whole else 0.0
        if value:
            pieces.append(Piece(kind.replace(" ", "-"), value, x, width))
        x += width
    return tuple(pieces)
