"""One item as a parser found it -> `RawArticle`, or a `Refusal` that says what to mend. Floor: above `fields`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from publisher.cleantext import clean_line
from publisher.htmltext import sanitise, to_plain
from publisher.model import Origin, RawArticle, Refusal
from publisher.sources import fields as check
from publisher.sources.fields import Inadmissible


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What an item is judged by.

    `now` (UTC) bounds dates, `topics` are the slugs of config.toml, `former` those they had before, `language` is that
    of items which name none, `zone` that of dates without one, `max_item_bytes` the size of one item in its file.
    """

    now: datetime
    topics: frozenset[str]
    former: frozenset[str] = frozenset()
    language: str = "en"
    zone: tzinfo = UTC
    max_item_bytes: int = 250_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What a parser found: `html` is not sanitised, `fields` are not checked. `lines`: where a field stands;
    `unread`: the fields that mean nothing here."""

    origin: Origin
    title: str
    html: str
    fields: Mapping[str, object] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


def admit(item: Item, admission: Admission) -> RawArticle | Refusal:
    """Judge one item; the first thing wrong with it is the reason."""
    try:
        return _admitted(item, admission)
    except Inadmissible as problem:
        problem.line = problem.line or item.lines.get(problem.key)
        return refused(item.origin, problem, item.title)


def refused(origin: Origin, problem: Inadmissible, title: str = "") -> Refusal:
    """The refusal of an item at `origin`, or at the line that `problem` names."""
    place = Origin(origin.place, problem.line or origin.line)
    return Refusal(place, str(problem), clean_line(title, check.MAX_TITLE))


def _admitted(item: Item, admission: Admission) -> RawArticle:
    fields = item.fields
    check.refuse_draft(fields)
    title = check.title_of(clean_line(item.title))
    source_url = check.address_of(*check.either(fields, "source", "url"))
    published = check.moment_of(*check.either(fields, "date", "published"), now=admission.now, zone=admission.zone)
    topics = check.topics_of(fields.get("topics"), admission.topics, admission.former)
    language = check.language_of(check.text_of(fields, "language"), admission.language)
    body = sanitise(item.html, source_url)
    text = to_plain(body)
    if not text:
        raise Inadmissible("no text under the title; write the body")
    return RawArticle(
        title=title,
        body=body,
        text=text,
        origin=item.origin,
        summary=clean_line(check.text_of(fields, "summary"), check.MAX_SUMMARY),
        published=published,
        topics=topics,
        language=language,
        author=clean_line(check.text_of(fields, "author"), check.MAX_AUTHOR) or None,
        source_url=source_url,
        external_id=check.id_of(check.text_of(fields, "id")),
        correction=clean_line(check.prose_of(fields, "correction"), check.MAX_CORRECTION),
        minor=check.flag_of(fields, "minor"),
        unread=tuple((check.shown(key), _place_of(key, item)) for key in item.unread),
    )


def _place_of(key: str, item: Item) -> Origin:
    return Origin(item.origin.place, item.lines.get(key, item.origin.line))
