"""What was read, what the store keeps of it, where it is filed, and what was published. Floor: `model`.

Moments in an article's life have a value each: `RawArticle` (a source read it) -> `Article` (the store keeps it)
-> `FiledArticle` (with the topics it is filed under).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an item was read: a path, a URL or "-" (standard input), and the line its item starts at (from 1)."""

    place: str
    line: int | None = None

    def __str__(self) -> str:
        return self.place if self.line is None else f"{self.place}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawArticle:
    """One good item as a source gave it; nothing in it has been compared with the store yet.

    `body` is sanitised HTML, `text` the same as plain text (paragraphs parted by a blank line), both non-empty.
    `topics` is None where the source names none (rules then decide), else the slugs it names, which win; of a topic
    that was renamed it may be a former one. When it changes an article, `correction` says what for, and `minor` that
    readers need not hear of it. `unread` are the keys that mean nothing here, each with its place.
    """

    title: str
    body: str
    text: str
    origin: Origin
    summary: str = ""
    published: datetime | None = None
    topics: tuple[str, ...] | None = None
    language: str | None = None
    author: str | None = None
    source_url: str | None = None
    external_id: str | None = None
    correction: str = ""
    minor: bool = False
    unread: tuple[tuple[str, Origin], ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """One bad item: where it is, why it stays out, and what to do; `title` if one was found."""

    origin: Origin
    reason: str
    title: str = ""

    def __str__(self) -> str:
        return f"{self.origin}: {self.reason}"


class ImportOutcome(StrEnum):
    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One item of the store.

    `key`, `entry_id` (the tag URI in every feed, RFC 4151) and `slug` (its page) are minted once and never change.
    `published` is the date the source gives, else the time first seen. `updated` moves only when the content
    changed, and no two articles share one second if it can be avoided. `stamp` grows with every such change in the
    whole store: feeds are cut by it, so that a back-dated or corrected article is never cut off unseen.

    A correction moves `corrected` and may say in words what it mends (`correction`); a minor edit moves neither that
    nor `updated` nor `stamp`. `withdrawn`: since when a notice with the reason `withdrawal` stands in its place.
    """

    key: str
    entry_id: str
    slug: str
    title: str
    summary: str
    body: str
    text: str
    author: str | None
    language: str
    source_url: str | None
    published: datetime
    first_seen: datetime
    updated: datetime
    revision: int
    stamp: int
    explicit_topics: tuple[str, ...] | None = None
    corrected: datetime | None = None
    correction: str = ""
    withdrawn: datetime | None = None
    withdrawal: str = ""


class DepartureState(StrEnum):
    """What a feed says of an article that left it."""

    NOTICE = "notice"  # withdrawn: a notice stands in its place
    TOMBSTONE = "tombstone"  # deleted (RFC 6721)
    OVER = "over"  # nothing any more


@dataclass(frozen=True, slots=True)
class Filing:
    """The fact that an article entered a topic. `seq` only grows over the whole store; `rule` says why, in words."""

    article_key: str
    topic: str
    seq: int
    rule: str
    filed_at: datetime


@dataclass(frozen=True, slots=True)
class FiledArticle:
    """An article with the slugs of its topics, in the order of config.toml, without `all`."""

    article: Article
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One file to publish: `path` below the output folder, with "/" as separator, and its whole content."""

    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class PublishedDocument:
    """What the store knows of a published file: `sha256` of its bytes (hex), their number, and when *these* bytes
    were first written (UTC), which is what Last-Modified may say."""

    path: str
    sha256: str
    size: int
    first_written: datetime
