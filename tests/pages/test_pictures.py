"""The drawn pictures: PNG that any program reads, of the right size, in the accent colour."""

from __future__ import annotations

import struct
import zlib

import pytest

from publisher.pages import pictures

ACCENT = "#0b5f8a"
Pixel = tuple[int, ...]


def read(content: bytes) -> tuple[int, int, list[list[Pixel]]]:
    """Width, height and the pixels of a PNG of eight bits with opacity, whose lines are not filtered."""
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(content):
        length, name = struct.unpack(">I4s", content[at : at + 8])
        body = content[at + 8 : at + 8 + length]
        assert zlib.crc32(name + body) == int.from_bytes(content[at + 8 + length : at + 12 + length], "big")
        chunks[name] = body
        at += 12 + length
    width, height, depth, kind, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, kind, list(chunks)) == (8, 6, [b"IHDR", b"IDAT", b"IEND"])
    raw = zlib.decompress(chunks[b"IDAT"])
    assert len(raw) == height * (1 + 4 * width)
    lines = [raw[y * (1 + 4 * width) :][: 1 + 4 * width] for y in range(height)]
    assert all(line[0] == 0 for line in lines)
    return width, height, [[tuple(line[1 + 4 * x : 5 + 4 * x]) for x in range(width)] for line in lines]


@pytest.mark.parametrize("size", [16, 33, 144, 256])
def test_the_icon_is_a_square_with_round_corners_and_a_quarter_of_a_disc(size: int) -> None:
    width, height, pixels = read(pictures.icon(ACCENT, size))
    assert (width, height) == (size, size)
    accent, white = (0x0B, 0x5F, 0x8A, 255), (255, 255, 255, 255)
    assert pixels[0][0][3] == pixels[-1][-1][3] == 0 or size < 20
    assert pixels[size // 2][1] == pixels[size // 8][size // 2] == accent
    assert pixels[int(size * 0.6)][int(size * 0.4)] == white
    assert pixels[int(size * 0.3)][int(size * 0.7)] == accent  # beyond the arc
    assert {pixel[3] for line in pixels[size // 4 : size // 2] for pixel in line} == {255}


def test_the_logo_is_twice_as_wide_as_high() -> None:
    width, height, pixels = read(pictures.logo(ACCENT, 64))
    assert (width, height) == (128, 64)
    assert pixels[40][60] == (255, 255, 255, 255)
    assert pixels[32][2] == pixels[32][-3] == (0x0B, 0x5F, 0x8A, 255)


def test_the_same_colour_gives_the_same_bytes() -> None:
    assert pictures.icon(ACCENT, 64) == pictures.icon(ACCENT, 64) != pictures.icon("#ffffff", 64)
