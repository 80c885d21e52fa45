"""Which entries may be said, by rules that hold in every format. Floor: in `feeds`, above `value`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from publisher.errors import FeedError
from publisher.feeds.memo import Memo
from publisher.feeds.texts import has_forbidden
from publisher.feeds.value import EARLIEST_YEAR, Category, Entry, Feed, newest_moment

MAX_BYTES = 5_000_000
"""A longer document fails the W3C feed validator, and readers refuse it."""
LATEST = timedelta(days=1)
"""How far after the present a date may lie before it is taken for a mistake."""
_ENTRY_OVERHEAD = 2000  # bytes of tags and links around an entry's texts, generously
_ESCAPED = ((b"&", 4), (b"<", 3), (b">", 3), (b'"', 5), (b"'", 5))
"""What becomes so many bytes longer when it is escaped, as `html.escape` does it."""
_LONGEST = 6  # bytes of one character: &quot;
ENTRY_ROOM = MAX_BYTES - 100_000  # what entries may take: the rest is for the head of the feed

_ID = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")  # an absolute IRI (RFC 3987)
_WEB_ADDRESS = re.compile(r"https?://[^\s/?#<>\"{}|\\^`]+[^\s<>\"{}|\\^`]*")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")  # RFC 4287, section 2


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule that is broken, by its place in a specification, and the entry that breaks it ("" for the feed)."""

    rule: str
    text: str
    entry_id: str = ""

    def __str__(self) -> str:
        where = f"entry {self.entry_id}: " if self.entry_id else ""
        return f"{where}{self.text} ({self.rule})"


_GOOD: Memo[Entry, bool] = Memo(15_000_000)  # 2,000 articles of 1,000 words


def drop_bad_entries(feed: Feed, *, now: datetime | None = None) -> tuple[Feed, list[Problem]]:
    """`feed` without the entries that no format could publish, and why each of them stays out.

    With `now`, entries dated more than a day after it stay out too. Room is given from the newest entry down: one that
    would make the feed longer than MAX_BYTES stays out. What is left can be rendered in every format.
    """
    good: list[Entry] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    size = 0
    measured = not surely_fit(len(feed.entries), characters_of(feed.entries))
    for entry in feed.entries:
        problem = entry_problem(entry, now=now)
        if problem is None and entry.entry_id in seen:
            problem = Problem("RFC 4287, 4.2.6", "another entry of this feed has the same id", entry.entry_id)
        if problem is None and measured:
            size += entry_size(entry)
            if size > ENTRY_ROOM:
                text = f"left out: the feed would be longer than {MAX_BYTES:,} bytes; publish fewer entries"
                problem = Problem("document size", text, entry.entry_id)
                size -= entry_size(entry)
        if problem is None:
            seen.add(entry.entry_id)
            good.append(entry)
        else:
            problems.append(problem)
    if not problems:
        return replace(feed, judged=True), problems
    # An emptied feed keeps its date: it must not seem older than the one readers have.
    updated = newest_moment(good, feed.tombstones, feed.updated)
    return replace(feed, entries=tuple(good), updated=updated, judged=True), problems


def entry_problem(entry: Entry, *, now: datetime | None = None) -> Problem | None:
    """The first rule that `entry` breaks on its own, or None."""
    if not _GOOD.get(entry):
        problem = _broken(entry)
        if problem is not None:
            return problem
        _GOOD.put(entry, True, characters_of([entry]) + _ENTRY_OVERHEAD)
    for moment in _dates(entry):
        if moment.year < EARLIEST_YEAR or (now is not None and moment > now + LATEST):
            return Problem("RFC 4287, 3.3", f"an implausible date: {moment:%Y-%m-%d}", entry.entry_id)
    return None


def _broken(entry: Entry) -> Problem | None:
    """The same, whatever the time is."""
    words = [word for c in entry.categories for word in (c.term, c.scheme, c.label)]
    texts = (entry.entry_id, entry.title, entry.url, entry.summary, entry.content, *words)
    texts += (entry.author or "", entry.source_url or "")
    checks = (
        ("RFC 4287, 4.2.6", "the id is not an absolute IRI", _ID.fullmatch(entry.entry_id)),
        ("XML 1.0, 2.2", "a text has a character that XML forbids", not has_forbidden("".join(texts))),
        ("RFC 4287, 4.2.14", "the title is empty", entry.title.strip()),
        ("RFC 4287, 4.1.2", "there is neither summary nor content", (entry.summary + entry.content).strip()),
        ("RFC 4287, 4.2.7.1", f"not a web address: {entry.url!r}", _WEB_ADDRESS.fullmatch(entry.url)),
        (
            "RFC 4287, 4.2.7.1",
            f"the source is not a web address: {entry.source_url!r}",
            entry.source_url is None or _WEB_ADDRESS.fullmatch(entry.source_url),
        ),
        ("RFC 4287, 2", f"not a language tag: {entry.language!r}", _LANGUAGE.fullmatch(entry.language)),
        ("RFC 4287, 3.2.1", "the author's name is empty", entry.author is None or entry.author.strip()),
        ("RFC 4287, 4.2.2", "a category without term or scheme", all(map(_is_category, entry.categories))),
        ("RFC 4287, 3.3", "a date without zone or with parts of a second", all(map(_is_exact, _dates(entry)))),
    )
    for rule, text, holds in checks:
        if not holds:
            return Problem(rule, text, entry.entry_id)
    return None


def require_good(feed: Feed) -> None:
    """Raise FeedError naming the entry and rule when a format cannot write `feed`; `drop_bad_entries` sees to it."""
    head = (feed.title, feed.subtitle, feed.author, feed.rights, feed.feed_id)
    if any(map(has_forbidden, head)) or not (feed.title.strip() and feed.author.strip()):
        raise FeedError(feed.slug, "title or author is empty, or the head has a character that XML forbids")
    if not _LANGUAGE.fullmatch(feed.language) or not _is_exact(feed.updated):
        raise FeedError(feed.slug, "the language is no language tag, or the date has no zone or parts of a second")
    for entry in () if feed.judged else feed.entries:
        problem = entry_problem(entry)
        if problem is not None:
            raise FeedError(feed.slug, str(problem))


def entry_size(entry: Entry) -> int:
    """About how many bytes `entry` takes in XML, where markup is escaped."""
    text = (entry.content + entry.summary + entry.title).encode()
    return len(text) + sum(more * text.count(mark) for mark, more in _ESCAPED) + _ENTRY_OVERHEAD


def surely_fit(entries: int, characters: int) -> bool:
    """Whether so many entries with so many characters of text have room in one document even if each character were the
    longest there is. Nearly always; else their sizes have to be taken, which is a hundred times the work."""
    return most_bytes(entries, characters) <= ENTRY_ROOM


def most_bytes(entries: int, characters: int) -> int:
    """What so many entries with so many characters of text can take at the most."""
    return _LONGEST * characters + _ENTRY_OVERHEAD * entries


def characters_of(entries: Iterable[Entry]) -> int:
    """The length of the texts that make up nearly all of a document."""
    return sum(len(entry.content) + len(entry.summary) + len(entry.title) for entry in entries)


def _dates(entry: Entry) -> tuple[datetime, datetime]:
    return entry.published, entry.updated


def _is_exact(moment: datetime) -> bool:
    return moment.tzinfo is not None and not moment.microsecond


def _is_category(category: Category) -> bool:
    return bool(category.term.strip()) and _ID.fullmatch(category.scheme) is not None
