"""TOML front matter, as Hugo has it -> fields with their lines. Floor: above `frontmatter`."""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime, time

from publisher.sources.fields import Inadmissible
from publisher.sources.frontmatter import MAX_BYTES
from publisher.sources.lines import too_large

_KEY = re.compile(r"""\s*(["']?)([\w-]+)\1\s*=""")
_PLACE = re.compile(r" \(at line (\d+), column \d+\)$| \(at end of document\)$")


def parse(text: str, first_line: int) -> tuple[dict[str, object], dict[str, int]]:
    """The fields of `text`, whose first line is number `first_line` of its file, and the line of each.

    A value is a text, true or false, a number, a list, or {} for a table. Raises Inadmissible with the line of what is
    wrong.
    """
    if len(text.encode()) > MAX_BYTES:
        raise Inadmissible("the front matter is " + too_large(MAX_BYTES), line=first_line)
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise Inadmissible("broken front matter: nested too deeply", line=first_line) from None
    except ValueError as error:  # also a number of thousands of digits
        place = _PLACE.search(str(error))
        line = int(place[1]) - 1 if place and place[1] else 0
        problem = _PLACE.sub("", str(error))
        raise Inadmissible(f"broken front matter: not TOML: {problem}", line=first_line + line) from None
    return {key: _value(value) for key, value in values.items()}, _lines(text, first_line)


def _value(value: object) -> object:
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, list):
        return [_value(one) for one in value]
    return {} if isinstance(value, dict) else value


def _lines(text: str, first_line: int) -> dict[str, int]:
    """Where each key of the outermost level stands; those of tables come after all of them."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), first_line):
        if line.startswith("["):
            break
        if match := _KEY.match(line):
            found.setdefault(match[2], number)
    return found
