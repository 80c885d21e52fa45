"""A text as a row of words that compare equal whatever their case, accents, plural or spelling. Floor: topics."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

MAX_CHARACTERS = 50_000
"""A longer text is read up to here: a newsroom item has a tenth of it, and a rule must not become a burden."""

COMMA = ","
STOP = "."

# A word with its possessive ending, or a mark that parts words: a phrase does not reach over it.
_TOKEN = re.compile(r"[^\W_][\w\u0300-\u036f]*(?:['’ʼ]s\b)?|&|[,:()\[\]\"“”«»](?!\d)|[.;!?…](?=[\s\"”)\]]|$)|\n\s*\n")
_INVISIBLE = dict.fromkeys([0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF])
_LETTERS = str.maketrans({"ı": "i", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"})
_SPELLINGS = (("isation", "ization"), ("ising", "izing"), ("ised", "ized"), ("ise", "ize"), ("tre", "ter"))
_SENTENCE_ENDS = frozenset(".;!?…")


@dataclass(frozen=True, slots=True)
class Words:
    """`raws` are the words and marks as they stand in `text` (normalised, cut), `keys` what they are compared by."""

    text: str
    raws: tuple[str, ...]
    keys: tuple[str, ...]

    def spans(self) -> list[tuple[int, int]]:
        """Start and end of each word in `text`, in characters; only needed once something has matched."""
        return [found.span() for found in _TOKEN.finditer(self.text)]


def read(text: str) -> Words:
    """`text` as words; never fails, whatever the text."""
    text = text[:MAX_CHARACTERS]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_INVISIBLE))
    raws = _TOKEN.findall(text)
    return Words(text, tuple(raws), tuple(map(key, raws)))


@lru_cache(maxsize=100_000)
def key(raw: str) -> str:
    """What a word is compared by: no case, accent, possessive or plural, one spelling of -ise and -re."""
    if not raw[0].isalnum():
        return "and" if raw == "&" else STOP if raw[0] in _SENTENCE_ENDS or raw.isspace() else COMMA
    if not raw.isascii():
        decomposed = unicodedata.normalize("NFKD", raw.casefold())
        raw = "".join(c for c in decomposed if not unicodedata.combining(c)).translate(_LETTERS).casefold()
    word = raw.lower()
    if word[-2:] in {"'s", "’s", "ʼs"}:
        word = word[:-2]
    return _one_spelling(_singular(word))


def is_acronym(raw: str) -> bool:
    """All capitals (and digits), two letters at least: AEO, HS2022, A1B. Such a word keeps its case in rules."""
    return raw.isupper() and sum(map(str.isalpha, raw)) > 1


def _singular(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word.endswith("ss"):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1]


def _one_spelling(word: str) -> str:
    if word == "programme":
        return "program"
    for british, american in _SPELLINGS:
        if word.endswith(british) and len(word) > len(british) + 1:
            return word[: -len(british)] + american
    return word
