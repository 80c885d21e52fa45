"""The small language of phrases and words in config.toml: ``(funded|financed) by ... Japan``. Floor: topics.

word        matches itself in any case, with or without accents, in singular or plural
AEO         all capitals: matches only in capitals (AEO, AEOs)
a b, a-b    neighbours; white space, hyphens and slashes are alike, a comma or full stop between them is not
(a|b c|)    one of these; an empty one makes it optional
...         up to eight other words of the same sentence
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from publisher.topics.words import COMMA, STOP, Words, is_acronym, read

GAP_WORDS = 8
_GAP_PLACES = GAP_WORDS * 4 + 1
"""So far behind a gap the rest may begin: its words may stand in quotes, with commas between them."""
MAX_VARIANTS = 2000
MAX_GAPS = 2
_GROUP = re.compile(r"\(([^()]*)\)")
_GAP = re.compile(r"\s*(?:\.\.\.|…)\s*")


@dataclass(frozen=True, slots=True)
class Term:
    """One way to write a rule: `runs` of neighbouring keys with a gap between the runs; `capitals` are the words
    that must also stand in the text as they are here, by run and place."""

    runs: tuple[tuple[str, ...], ...]
    capitals: tuple[tuple[int, int, str], ...]

    @property
    def length(self) -> int:
        return sum(map(len, self.runs))

    @property
    def opening(self) -> tuple[str, str]:
        """The first two words of the first run; the second is empty where there is none."""
        first = self.runs[0]
        return first[0], first[1] if len(first) > 1 else ""

    def end(self, words: Words, start: int) -> int | None:
        """Where this term ends if it begins at word `start`: the place after its last word; None if it does not."""
        return self._end(words, 0, start)

    def _end(self, words: Words, run: int, start: int) -> int | None:
        keys = self.runs[run]
        stop = start + len(keys)
        if words.keys[start:stop] != keys or not self._capitals_hold(words.raws, run, start):
            return None
        if run + 1 == len(self.runs):
            return stop
        following = self.runs[run + 1][0]
        if following not in words.keys[stop : stop + _GAP_PLACES]:  # the loop is exact
            return None
        skipped = 0
        for place in range(stop, min(stop + _GAP_PLACES, len(words.keys))):
            if words.keys[place] == following and (end := self._end(words, run + 1, place)) is not None:
                return end
            skipped += words.keys[place] != COMMA
            if words.keys[place] == STOP or skipped > GAP_WORDS:
                return None
        return None

    def _capitals_hold(self, raws: Sequence[str], run: int, start: int) -> bool:
        return all(
            at != run or raws[start + place] in (acronym, acronym + "s", acronym + "'s", acronym + "’s")
            for at, place, acronym in self.capitals
        )


def variants(rule: str) -> tuple[Term, ...]:
    """Every way to write `rule`. Raises ValueError with what is wrong with it."""
    pieces = _GROUP.split(rule)
    outside = "".join(pieces[::2])
    if "(" in outside or ")" in outside or "|" in outside:
        raise ValueError("its brackets do not match; write alternatives as (one|two), not one inside another")
    choices = [piece.split("|") if place % 2 else [piece] for place, piece in enumerate(pieces)]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > MAX_VARIANTS:
        raise ValueError(f"has {count} variants, more than {MAX_VARIANTS}; make it two rules")
    return tuple(dict.fromkeys(_term("".join(chosen)) for chosen in itertools.product(*choices)))


def _term(written: str) -> Term:
    runs: list[tuple[str, ...]] = []
    capitals: list[tuple[int, int, str]] = []
    parts = _GAP.split(written) if "..." in written or "…" in written else [written]
    if len(parts) > MAX_GAPS + 1:
        raise ValueError(f"has more than {MAX_GAPS} gaps (...); make it two rules")
    for run, part in enumerate(parts):
        words = read(part)
        if not any(raw[0].isalnum() for raw in words.raws):
            raise ValueError("is empty, or has no word before or after '...'")
        if not part.islower():
            capitals += [(run, place, raw) for place, raw in enumerate(words.raws) if is_acronym(raw)]
        runs.append(words.keys)
    return Term(tuple(runs), tuple(capitals))
