"""The keys that an item may carry, and what their values must be. Floor: lowest of `sources`, above `config`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, tzinfo
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from publisher.cleantext import clean_line, title_identity
from publisher.clock import whole_seconds
from publisher.config import Language
from publisher.model import ALL

KEYS = frozenset(
    {"title", "date", "published", "topics", "language", "source", "url", "author", "summary", "id", "draft"}
) | {"correction", "minor"}
MAX_TITLE = 300
MAX_SUMMARY = 600
MAX_AUTHOR = 200
MAX_CORRECTION = 600
MAX_ID = 200
MAX_URL = 2000
EARLIEST_YEAR = 1900
AHEAD = timedelta(days=1)
"""How far a date may lie in the future: a newsroom's clock and time zone may differ from ours."""

_OFTEN_MEANT = {
    "lang": "language",
    "headline": "title",
    "abstract": "summary",
    "minor_edit": "minor",
    "correction_note": "correction",
    "description": "summary",
    "guid": "id",
    "link": "url",
    "source_url": "url",
    "pubdate": "date",
    "date_published": "date",
    "published_at": "date",
    "content": "body",
    "content_html": "body_html",
    "html": "body_html",
    "content_text": "text",
}
_LANGUAGE: TypeAdapter[str] = TypeAdapter(Language)
_MAIL_ADDRESS = re.compile(r"(?<![^\s@])[^\s@]++@[^\s@]+")  # begun at words only: a value may have 250,000 letters
_WEB_ADDRESS = re.compile(r"https?://[^\s/?#\\\x00-\x20]\S*", re.IGNORECASE)


class Inadmissible(Exception):
    """Why an item stays out, for a person; `key` names the field, `line` the place if it is not the item's own."""

    def __init__(self, reason: str, *, key: str = "", line: int | None = None) -> None:
        self.key = key
        self.line = line
        super().__init__(f"{key}: {reason}" if key else reason)


_YES = frozenset({"true", "yes", "on"})
_NO = frozenset({"false", "no", "off", ""})


def check_keys(given: Iterable[str], known: frozenset[str]) -> tuple[str, ...]:
    """Refuse a key that looks like a known one misspelt or under another usual name. Gives the other unknown keys,
    which are left to the programs they are meant for."""
    unread = []
    for key in given:
        if key in known:
            continue
        meant = _OFTEN_MEANT.get(key.lower())
        if meant not in known:
            meant = next(iter(difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.8)), None)
        if meant:
            raise Inadmissible(f"unknown key; did you mean {meant!r}?", key=shown(key))
        unread.append(key)
    return tuple(unread)


def shown(value: object) -> str:
    """A value of somebody's file in our own text: one line, short, without a mail address."""
    return clean_line(_MAIL_ADDRESS.sub("…@…", str(value)), 60)


def prose_of(fields: Mapping[str, object], key: str) -> str:
    """`text_of` where a number can only be a slip."""
    if isinstance(value := fields.get(key), (int, float)):
        raise Inadmissible(f"expected text, found {kind_of(value)}", key=key)
    return text_of(fields, key)


def text_of(fields: Mapping[str, object], key: str) -> str:
    """The text under `key` on one line, "" if there is none. A number is read as its digits."""
    value = fields.get(key)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Inadmissible(f"expected text, found {kind_of(value)}", key=key)
    return clean_line(str(value))


def kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds = {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number", type(None): "nothing"}
    return kinds.get(type(value), "something else")


def either(fields: Mapping[str, object], first: str, second: str) -> tuple[str, str]:
    """The key in use of two names for the same thing, and its text."""
    one, other = text_of(fields, first), text_of(fields, second)
    if one and other and one != other:
        raise Inadmissible(f"differs from {first!r}, which says the same thing; keep one of them", key=second)
    return (first, one) if one or not other else (second, other)


def title_of(text: str) -> str:
    if not title_identity(text):  # white space and invisible characters are none
        raise Inadmissible("no title; give it one")
    if len(text) > MAX_TITLE:
        raise Inadmissible(f"has {len(text)} characters; shorten it to {MAX_TITLE}", key="title")
    return text


def moment_of(key: str, text: str, *, now: datetime, zone: tzinfo) -> datetime | None:
    """`text` (ISO 8601) as UTC; a date without a time is its midnight in `zone`, as is a time without an offset."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Inadmissible(
            f"{shown(text)!r} is no date; write 2021-01-26, 2021-01-26 14:30 or 2021-01-26T14:30:00+01:00", key=key
        ) from None
    if moment.year < EARLIEST_YEAR:
        raise Inadmissible(f"{shown(text)!r} is before {EARLIEST_YEAR}; correct the year", key=key)
    # The year first: near the end of the calendar the change of zone itself would overflow.
    if moment.year > now.year + 1:
        raise _future(key, text)
    utc = whole_seconds(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    if utc > now + AHEAD:
        raise _future(key, text)
    return utc


def _future(key: str, text: str) -> Inadmissible:
    return Inadmissible(f"{shown(text)!r} is in the future; correct it, or import the article on that day", key=key)


def topics_of(value: object, known: frozenset[str], former: frozenset[str] = frozenset()) -> tuple[str, ...] | None:
    """The slugs of a list or of a text with commas, each once; None if there are none. They may be `former` ones, which
    are not proposed to anybody."""
    names = value.split(",") if isinstance(value, str) else value
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Inadmissible("expected a list of topics, or their names with commas between", key="topics")
    slugs = tuple(dict.fromkeys(slug for name in names if (slug := clean_line(name))))
    for slug in slugs:
        if slug == ALL:
            raise Inadmissible(f"every article is in {ALL!r}; leave it out", key="topics")
        if slug not in known and slug not in former:
            raise Inadmissible(f"no topic {shown(slug)!r}{_suggestion(slug, known)}", key="topics")
    return slugs or None


def _suggestion(slug: str, known: frozenset[str]) -> str:
    close = difflib.get_close_matches("-".join(slug.lower().split()), sorted(known), n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; the topics are {', '.join(sorted(known))}" if known else "; config.toml defines none"


def language_of(tag: str, default: str) -> str:
    if not tag:
        return default
    try:
        return _LANGUAGE.validate_python(tag)
    except ValidationError:
        raise Inadmissible(
            f"{shown(tag)!r} is no language tag; write for example en, fr or pt-BR", key="language"
        ) from None


def address_of(key: str, text: str) -> str | None:
    """An absolute http(s) address without a password, or None."""
    if not text:
        return None
    try:
        parts = urlsplit(text)
        usable = bool(_WEB_ADDRESS.fullmatch(text) and parts.hostname)
    except ValueError:
        usable = False
    if not usable or len(text) > MAX_URL:
        raise Inadmissible(f"{shown(text)!r} is no web address; write https://host/path, or leave it out", key=key)
    if parts.username is not None or parts.password is not None:
        raise Inadmissible("the address holds a login, which would be published; take it out", key=key)
    return text


def id_of(text: str) -> str | None:
    if len(text) > MAX_ID:
        raise Inadmissible(f"has {len(text)} characters; shorten it to {MAX_ID}", key="id")
    return text or None


def flag_of(fields: Mapping[str, object], key: str) -> bool:
    """Whether `key` says yes; front matter has words for it. A slip must not publish a draft."""
    value = fields.get(key)
    if value is None or isinstance(value, bool):
        return value is True
    word = value.strip().lower() if isinstance(value, str) else None
    if word in _YES or word in _NO:
        return word in _YES
    found = repr(shown(value)) if isinstance(value, str) else kind_of(value)
    raise Inadmissible(f"expected true or false, found {found}; write one of them, or take the key out", key=key)


def refuse_draft(fields: Mapping[str, object]) -> None:
    if flag_of(fields, "draft"):
        raise Inadmissible("this is a draft; take the key out to publish it", key="draft")
