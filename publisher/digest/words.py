"""Words of articles made fit for a letter: one line, nothing hidden, a known length. Floor: a pure room.

Titles and texts come from outside. A line break in one could fake a header or another part of a plain text letter,
a bidirectional override could turn a line around, and a noncharacter could look like a slot (see `render`).
"""

from __future__ import annotations

import re

_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_HIDDEN = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]")
_RIGHT_TO_LEFT = frozenset({"ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})

ELLIPSIS = "…"


def one_line(text: str) -> str:
    """`text` without control characters, overrides of direction (UAX #9), noncharacters and lone surrogates; runs of
    white space become one space."""
    return " ".join(_HIDDEN.sub("", _BREAKS.sub(" ", text)).split())


def shortened(text: str, length: int) -> str:
    """`text`, or as many whole words of it as fit into `length` characters with an ellipsis. Where words are longer
    than half of that (or the script has no spaces) it is cut within one."""
    if len(text) <= length:
        return text
    cut = text[: max(0, length - len(ELLIPSIS))]
    at_word = cut if text[len(cut)].isspace() else cut.rpartition(" ")[0]
    return (at_word if len(at_word) * 2 > length else cut).rstrip(" ,;:.–-") + ELLIPSIS


def direction(language: str) -> str:
    """``rtl`` or ``ltr``: the value of HTML's dir attribute for a BCP 47 tag."""
    return "rtl" if language.partition("-")[0].lower() in _RIGHT_TO_LEFT else "ltr"
