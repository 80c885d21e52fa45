"""One article written by hand, judged like an item of a file. Floor: above `markdown`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from publisher.htmltext import from_text
from publisher.model import Origin, RawArticle, Refusal
from publisher.sources import markdown
from publisher.sources.admission import Admission, Item, admit, refused
from publisher.sources.fields import Inadmissible
from publisher.sources.lines import too_large

PLACE = "-"
"""Where it was read at: nowhere that anybody could read it again."""


class Form(StrEnum):
    """How a text is written."""

    MARKDOWN = "markdown"
    HTML = "html"
    TEXT = "text"


def judge(
    title: str, body: str, form: Form, fields: Mapping[str, object], admission: Admission
) -> RawArticle | Refusal:
    """`fields` by the keys of docs/articles.md. Without a `title` the first heading of Markdown is it."""
    origin = Origin(PLACE)
    if len(body.encode()) > admission.max_item_bytes:
        return Refusal(origin, "the text is " + too_large(admission.max_item_bytes), title)
    try:
        match form:
            case Form.MARKDOWN:
                title, html = markdown.render(body, title)
            case Form.HTML:
                html = body
            case Form.TEXT:
                html = from_text(body)
    except Inadmissible as problem:
        return refused(origin, problem, title)
    return admit(Item(origin=origin, title=title, html=html, fields=fields), admission)
