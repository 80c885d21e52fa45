"""The size of a picture from the head of its file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.pages import pictures
from publisher.pages.picture_size import size_of

PNG = pictures.logo("#0b5f8a", 20)
GIF = b"GIF89a" + (300).to_bytes(2, "little") + (7).to_bytes(2, "little")
APP0 = b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
TABLE = b"\xff\xc4\x00\x05\xff\xc0\x00"  # looks as if it held a size
SIZE = b"\x00\x11\x08" + (50).to_bytes(2, "big") + (100).to_bytes(2, "big")


def jpeg(marker: int) -> bytes:
    return b"\xff\xd8" + APP0 + TABLE + b"\xff\xff" + bytes((marker,)) + SIZE


def test_png_gif_and_jpeg_tell_their_width_and_height() -> None:
    assert size_of(PNG) == (40, 20)
    assert size_of(GIF) == (300, 7)
    assert {size_of(jpeg(marker)) for marker in (0xC0, 0xC1, 0xC2, 0xCF)} == {(100, 50)}


@pytest.mark.parametrize("content", [b"", b"<svg/>", b"GIF88a" + GIF[6:], PNG[:12] + b"IDAT" + PNG[16:], jpeg(0xDA)])
def test_what_tells_no_size_has_none(content: bytes) -> None:
    assert size_of(content) is None


@pytest.mark.parametrize("content", [PNG[:24], GIF, jpeg(0xC0)])
def test_a_file_that_is_cut_short_or_empty_has_no_size(content: bytes) -> None:
    for end in range(len(content)):
        assert size_of(content[:end]) is None
    assert size_of(GIF[:6] + bytes(4)) is None


@given(st.sampled_from([PNG[:8], GIF[:6], b"\xff\xd8\xff"]), st.binary(max_size=200))
def test_no_bytes_break_it(start: bytes, rest: bytes) -> None:
    size = size_of(start + rest)
    assert size is None or min(size) > 0
