"""Regular expressions of config.toml, searched sentence by sentence. Floor: topics.

`config.patterns` refuses those that could run away; none sees more than `MAX_PIECE` characters at once.
"""

from __future__ import annotations

import re

MAX_PIECE = 500

_PIECE = re.compile(rf"(?:[^.!?\n]|[.!?](?!\s)){{1,{MAX_PIECE}}}[.!?]?")


def pieces(text: str) -> list[tuple[int, str]]:
    """The sentences of `text` with the place each starts at, none longer than `MAX_PIECE` characters."""
    return [(found.start(), found.group()) for found in _PIECE.finditer(text)]
