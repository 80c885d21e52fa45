"""JSON lines, one object a line, and JSON text with objects in a list. Floor: above `markdown`.

The body stands under one of three keys, which says how it is written: `body` is Markdown, `body_html` HTML, `text`
plain text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO

from publisher.htmltext import from_text
from publisher.model import Origin, Refusal
from publisher.sources import markdown
from publisher.sources.admission import Item, refused
from publisher.sources.fields import KEYS, Inadmissible, check_keys, kind_of, text_of
from publisher.sources.jsontext import objects_of
from publisher.sources.lines import BadLine, read_lines

_BODIES = ("body", "body_html", "text")


def parse(stream: BinaryIO, place: str, limit: int) -> Iterator[Item | Refusal]:
    """The articles of a file with an object on each line; blank lines are skipped, a bad line spoils no other."""
    for line in read_lines(stream, limit):
        if isinstance(line, BadLine):
            yield Refusal(Origin(place, line.number), line.reason)
        elif not line.blank:
            yield _item(line.text, Origin(place, line.number))


def parse_text(stream: BinaryIO, place: str, limit: int) -> Iterator[Item | Refusal]:
    """The articles of JSON text: one object, objects after each other, or a list of them, over any number of lines."""
    for piece in objects_of(stream, limit):
        if piece.problem:
            yield Refusal(Origin(place, piece.line), piece.problem)
        else:
            yield _item(piece.text, Origin(place, piece.line))


def _item(text: str, origin: Origin) -> Item | Refusal:
    title = ""
    try:
        values = _loaded(text, origin)
        unread = check_keys(values, KEYS.union(_BODIES))
        title = text_of(values, "title")
        title, html = _body(values, title)
    except Inadmissible as problem:
        return refused(origin, problem, title)
    return Item(origin=origin, title=title, html=html, fields=values, unread=unread)


def _loaded(text: str, origin: Origin) -> dict[str, object]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        line = (origin.line or 1) + error.lineno - 1
        raise Inadmissible(f"not JSON: {error.msg} at character {error.colno}", line=line) from None
    except RecursionError:
        raise Inadmissible("not an article: nested too deeply") from None
    except ValueError:  # a number of thousands of digits
        raise Inadmissible("not an article: it holds a number that is too long") from None
    if not isinstance(values, dict):
        raise Inadmissible(f"expected an object in braces, found {kind_of(values)}")
    return values


def _body(values: dict[str, object], title: str) -> tuple[str, str]:
    given = [key for key in _BODIES if values.get(key) not in (None, "")]
    if len(given) > 1:
        raise Inadmissible(f"the body stands under {' and '.join(given)}; keep one of them")
    if not given:
        return title, ""
    key = given[0]
    body = values[key]
    if not isinstance(body, str):
        raise Inadmissible(f"expected text, found {kind_of(body)}", key=key)
    if key == "body":
        return markdown.render(body, title)
    return title, body if key == "body_html" else from_text(body)
