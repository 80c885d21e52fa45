"""Regular expressions of config.toml: refused when they could run away. Floor: `config`, beside `kinds`.

Python's `re` has no time limit. An expression is therefore kept to at most `MAX_REPEATS` repeats, none of which
repeats a group that holds another; `topics.patterns` lets it see little at once.
"""

from __future__ import annotations

import re

MAX_REPEATS = 3
MAX_LENGTH = 500

_REPEAT = re.compile(r"[*+]|\{\d*,?\d*\}")


def compiled(pattern: str) -> re.Pattern[str]:
    """`pattern`, case-insensitive (write ``(?-i:AEO)`` for capitals). Raises ValueError with what is wrong with it."""
    if not pattern.strip():
        raise ValueError("is empty")
    if len(pattern) > MAX_LENGTH:
        raise ValueError(f"is longer than {MAX_LENGTH} characters; make it two patterns")
    try:
        result = re.compile(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}") from error
    if result.search(""):
        raise ValueError("matches the empty text, so every article; name at least one letter")
    _refuse_runaway(pattern)
    return result


def _refuse_runaway(pattern: str) -> None:
    repeats = 0
    holds_repeat = [False]  # for each open group, outermost first: a repeat was seen in it
    closed = False  # whether the group that ended just now held one
    place = 0
    while place < len(pattern):
        letter = pattern[place]
        repeat = _REPEAT.match(pattern, place)
        if repeat:
            if closed:
                raise ValueError(f"repeats a group that holds a repeat (at character {place + 1}); write it flat")
            repeats += 1
            holds_repeat[-1] = True
        if letter == "(":
            holds_repeat.append(False)
        closed = letter == ")" and len(holds_repeat) > 1 and holds_repeat.pop()
        holds_repeat[-1] |= closed
        place = repeat.end() if repeat else _after(pattern, place)
    if repeats > MAX_REPEATS:
        raise ValueError(f"has {repeats} repeats, more than {MAX_REPEATS}; make it two patterns")


def _after(pattern: str, place: int) -> int:
    """The place after the letter, escaped letter or [class] at `place`."""
    if pattern[place] == "\\":
        return place + 2
    if pattern[place] != "[":
        return place + 1
    place += 2 if pattern.startswith("[^", place) else 1
    place += 1  # a ] right at the start stands for itself
    while place < len(pattern) and pattern[place] != "]":
        place += 2 if pattern[place] == "\\" else 1
    return place + 1
