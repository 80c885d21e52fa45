"""Characters that can be trusted, lines, titles, slugs. Floor: above `model`.

One rule holds for all text, for it goes into XML, HTML, JSON and mail: NFC, and no character that XML 1.0 (section 2.2)
forbids or discourages, none that the W3C feed validator calls a BadCharacter, none that reorders the text around it.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

# VT and NEL are what office programs write for a new line. That a set comes first lets `re` pass over the rest quickly.
_LINE_ENDS = re.compile("[\r\x0b\x0c\x85\u2028\u2029](?:(?<=\r)\n)?")
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # C0 and C1, without the line ends above
    "\ud800-\udfff"  # lone surrogates
    "\u202a-\u202e\u2066-\u2069"  # bidi embeddings, overrides, isolates
    "\ufeff\ufffd\ufdd0-\ufdef\ufffe\uffff]"  # byte order mark, replacement, noncharacters
)
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_BEYOND_THE_BMP = re.compile("[\U00010000-\U0010ffff]")
_NONCHARACTERS_BEYOND = re.compile(
    "[" + "".join(chr(0x10000 * plane + 0xFFFE + low) for plane in range(1, 17) for low in (0, 1)) + "]"
)

_LEFT_OPEN = " ,;:-–—،؛，、；："  # what promises more than an ellipsis would say
_ZWJ = "\u200d"
_TIED_TO_THE_ONE_BEFORE = re.compile("[\u200c\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")  # skin tones, tags
_VIRAMA = 9  # its combining class: the letter behind it becomes one with the letter before


def clean_text(text: str) -> str:
    """`text` in NFC with LF as line end and without forbidden characters. Not for markup: NFC joins ">" + U+0338."""
    return unicodedata.normalize("NFC", allowed(text))


def allowed(text: str) -> str:
    """`text` without forbidden characters and with LF as line end; fit for markup."""
    if text.replace("\n", "").isprintable() and "\ufffd" not in text:  # nothing else that is printable is forbidden
        return text
    text = _FORBIDDEN.sub("", text)
    if _BEYOND_THE_BMP.search(text):  # rare, and this set is slow: it does not fit the bitmap that `re` makes
        text = _NONCHARACTERS_BEYOND.sub("", text)
    return _LINE_ENDS.sub("\n", text)


def clean_line(text: str, limit: int | None = None) -> str:
    """`clean_text` on one line, white space folded; over `limit` characters it is cut at a word with an ellipsis."""
    line = " ".join(clean_text(text).split())
    return line if limit is None or len(line) <= limit else cut(line, limit)


def cut(line: str, limit: int) -> str:
    """The start of a `line` that is longer than `limit` characters, with an ellipsis: to the end of a word, or where
    none ends in the second half, as in Chinese or in an address, to that of a character as people see it."""
    border = line.rfind(" ", 0, limit)
    if border <= limit // 2:
        border = _character_end(line, limit - 1) or limit - 1
    return line[:border].rstrip(_LEFT_OPEN) + "…"


def _character_end(line: str, end: int) -> int:
    """The last place up to `end` that parts no letter from its marks, no flag, no joined picture and no conjunct."""
    while end > 0 and _is_inside(line, end):
        end -= 1
    return end


def _is_inside(line: str, place: int) -> bool:
    before, behind = line[place - 1], line[place]
    if unicodedata.category(behind).startswith("M") or _TIED_TO_THE_ONE_BEFORE.match(behind):
        return True
    if before == _ZWJ or unicodedata.combining(before) == _VIRAMA:
        return True
    start = place  # two regional indicators are a flag: inside one there is an odd number of them before
    while start > 0 and "\U0001f1e6" <= line[start - 1] <= "\U0001f1ff":
        start -= 1
    return "\U0001f1e6" <= behind <= "\U0001f1ff" and (place - start) % 2 == 1


def shown_path(path: Path | str) -> str:
    """A path as one line that can be printed and stored, whatever bytes its name is made of; no two paths look alike.
    Bytes that are not UTF-8, line breaks and other controls are escaped, and so is the backslash."""
    name = str(path)
    if name.isprintable() and "\\" not in name:
        return name
    text = os.fsencode(name.replace("\\", r"\\")).decode("utf-8", "backslashreplace")
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def title_identity(title: str) -> str:
    """The same key for titles that differ only in white space, Unicode form (NFKC) or invisible characters.

    Case counts: "Who" and "WHO" are two words in this field.
    """
    visible = "".join(char for char in clean_text(title) if unicodedata.category(char) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", visible).split())


_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "'": "", "’": ""}
)


def slugify(title: str, max_length: int = 80) -> str:
    """Whole words of `title` in a-z 0-9 joined by "-", at most `max_length` characters; "article" if none is left."""
    plain = unicodedata.normalize("NFKD", clean_text(title).lower().translate(_LETTERS))
    words = re.findall(r"[a-z0-9]+", plain.encode("ascii", "ignore").decode("ascii"))
    slug = "-".join(words)
    if len(slug) > max_length:
        border = slug.rfind("-", 0, max_length + 1)
        slug = slug[: border if border > 0 else max_length]
    return slug or "article"
