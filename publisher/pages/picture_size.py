"""Width and height of a picture, read from the head of its file: PNG, GIF and JPEG. Floor: pure.

A library for pictures is much code that sees strange bytes; these few fields stand at known places.
"""

from __future__ import annotations

import struct

_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The markers SOF0 to SOF15, without those between them that mean something else (ITU T.81, table B.1)."""
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers that no length follows."""


def size_of(content: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None if they are not found, as in a file that is cut short, or are nothing."""
    try:
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            size = _png(content)
        elif content.startswith((b"GIF87a", b"GIF89a")):
            size = struct.unpack_from("<HH", content, 6)
        else:
            size = _jpeg(content) if content.startswith(b"\xff\xd8\xff") else None
    except (struct.error, IndexError):
        return None
    return (size[0], size[1]) if size and all(size) else None


def _png(content: bytes) -> tuple[int, ...] | None:
    name, *size = struct.unpack_from(">4sII", content, 12)
    return tuple(size) if name == b"IHDR" else None


def _jpeg(content: bytes) -> tuple[int, int] | None:
    at = 2
    while content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # a marker may have several of them before it
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", content, at + 5)
            return width, height
        else:
            at += 2 + max(2, struct.unpack_from(">H", content, at + 2)[0])
    return None
