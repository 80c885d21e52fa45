"""Ingest: sources -> articles -> filings. Floor: `flows`.

    read (source) -> refuse what is bad -> known? -> new | changed | unchanged -> classify -> file

Safe to repeat: an item that says nothing new changes nothing. A chunk of items is one transaction, so a killed
import leaves whole articles with their filings, and the next one brings the rest.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

from publisher.cleantext import shown_path, slugify, title_identity
from publisher.config import Settings
from publisher.feeds.value import mint_entry_id
from publisher.flows.filing import put_in_topics
from publisher.flows.reports import MAX_UNREAD, Imported, IngestReport, Leaving, UnreadKey
from publisher.flows.revision import free_seconds, revised
from publisher.htmltext import excerpt
from publisher.model import Article, ImportOutcome, RawArticle, Refusal
from publisher.store import KnownArticle, NewArticle, Transaction, Transactions
from publisher.topics import Classifier

CHUNK = 2_000  # items compared, dated and written in one transaction: bounds memory and the time the lock is held

MintKey = Callable[[], str]


class _Identified(Protocol):
    """What may turn out to be the article that an item is: in the store, or earlier in the same import."""

    @property
    def has_id(self) -> bool: ...


Known = TypeVar("Known", bound=_Identified)


@dataclass(frozen=True, slots=True)
class _Item:
    raw: RawArticle
    identities: tuple[str, ...]
    fingerprint: str

    @property
    def has_id(self) -> bool:
        return self.raw.external_id is not None

    @property
    def place(self) -> str:
        return _absolute(self.raw.origin.place)


@dataclass(frozen=True, slots=True)
class _Change:
    item: _Item
    article: Article
    outcome: ImportOutcome


class Ingest:
    """One import: `take` items from any source, `report` at the end.

    `mint_key` gives a fresh article key; `in_sources` says whether a place is a
    file that runs read by themselves (two of them must not fight over one article).
    """

    def __init__(
        self,
        store: Transactions,
        *,
        classifier: Classifier,
        settings: Settings,
        now: datetime,
        mint_key: MintKey,
        in_sources: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._transactions = store
        self._classifier = classifier
        self._settings = settings
        self._now = now
        self._latest = now
        self._mint_key = mint_key
        self._in_sources = in_sources
        self._seen: dict[str, _Item] = {}
        self._items: list[Imported] = []
        self._refused: list[Refusal] = []
        self._filed: Counter[str] = Counter()
        self._leaving: list[Leaving] = []
        self._unread: dict[str, UnreadKey] = {}

    def take(self, items: Iterable[RawArticle | Refusal]) -> None:
        good = self._good(items)
        while chunk := list(islice(good, CHUNK)):
            with self._transactions.write() as tx:
                self._store(tx, chunk)

    def report(self, *, skipped_files: int = 0) -> IngestReport:
        return IngestReport(
            items=tuple(self._items),
            refused=tuple(self._refused),
            skipped_files=skipped_files,
            filed=dict(self._filed),
            leaving=tuple(self._leaving),
            unread=tuple(self._unread.values()),
        )

    def refused_places(self) -> set[str]:
        return {refusal.origin.place for refusal in self._refused}

    def _good(self, items: Iterable[RawArticle | Refusal]) -> Iterator[_Item]:
        for raw in items:
            if isinstance(raw, Refusal):
                self._refused.append(raw)
                continue
            self._note_unread(raw)
            yield _Item(raw, identities_of(raw), fingerprint_of(raw))

    def _note_unread(self, raw: RawArticle) -> None:
        for key, place in raw.unread:
            known = self._unread.get(key)
            if known is not None:
                self._unread[key] = replace(known, items=known.items + 1)
            elif len(self._unread) < MAX_UNREAD:
                self._unread[key] = UnreadKey(key, 1, place)

    def _is_first(self, item: _Item, match: KnownArticle | None) -> bool:
        """Whether no other item of this import is the same article; one that comes later is noted or refused here.
        The place an article was read at before goes first, wherever in the sources it stands."""
        if match and match.origin != item.place and not _nothing_new(item, match) and self._in_sources(match.origin):
            self._refuse_twin(item, match, match.origin)
            return False
        twin = _match(item, self._seen)
        if twin is None or (match and match.origin == item.place != twin.place):
            self._seen.update(dict.fromkeys(item.identities, item))
            return True
        if twin.fingerprint == item.fingerprint:
            self._items.append(Imported(ImportOutcome.UNCHANGED, "", item.raw.title, item.raw.origin))
        else:
            self._refuse_twin(item, twin, str(twin.raw.origin))
        return False

    def _refuse_twin(self, item: _Item, twin: _Identified, place: str) -> None:
        what = f"id {item.raw.external_id!r}" if item.has_id and twin.has_id else "title"
        reason = f"the same {what} as {place}, with other content: give one of the two an id of its own"
        self._refused.append(Refusal(item.raw.origin, reason, item.raw.title))

    def _store(self, tx: Transaction, chunk: Sequence[_Item]) -> None:
        known = tx.articles.known({identity for item in chunk for identity in item.identities})
        fresh: list[_Item] = []
        changed: list[tuple[_Item, KnownArticle]] = []
        for item in chunk:
            match = _match(item, known)
            if not self._is_first(item, match):
                continue
            if match is None:
                fresh.append(item)
            elif _nothing_new(item, match):
                self._note(ImportOutcome.UNCHANGED, match.key, item.raw)
            else:
                changed.append((item, match))
        times = free_seconds(tx, len(fresh) + len(changed), self._latest)
        self._latest = times[0] if times else self._latest  # a later chunk need not look at what this one took
        changes = self._changes(tx, _oldest_first(fresh), changed, times)
        self._write(tx, changes, set(known))
        self._file(tx, changes)

    def _changes(
        self,
        tx: Transaction,
        fresh: Sequence[_Item],
        changed: Sequence[tuple[_Item, KnownArticle]],
        times: Sequence[datetime],
    ) -> list[_Change]:
        stamps = iter(tx.articles.next_stamps(len(fresh) + len(changed)))
        slugs = _Slugs(tx, [item.raw.title for item in fresh])
        changes = []
        for number, item in enumerate(fresh):
            article = self._new_article(item.raw, slugs.mint(item.raw.title), next(stamps), times[number])
            changes.append(_Change(item, article, ImportOutcome.NEW))
        for (item, match), moment in zip(changed, times[len(fresh) :], strict=True):
            article = self._revised(tx.articles.get(match.key), item.raw, next(stamps), moment)
            changes.append(_Change(item, article, ImportOutcome.CHANGED))
        return changes

    def _new_article(self, raw: RawArticle, slug: str, stamp: int, moment: datetime) -> Article:
        site = self._settings.site
        key = self._mint_key()
        return Article(
            key=key,
            entry_id=mint_entry_id(site.tag_authority, site.tag_year, key),
            slug=slug,
            title=raw.title,
            summary=raw.summary or excerpt(raw.text),
            body=raw.body,
            text=raw.text,
            author=raw.author,
            language=raw.language or site.language,
            source_url=raw.source_url,
            published=raw.published or moment,
            first_seen=moment,
            updated=moment,
            revision=1,
            stamp=stamp,
            explicit_topics=self._settings.present_topics(raw.topics),
        )

    def _revised(self, old: Article, raw: RawArticle, stamp: int, moment: datetime) -> Article:
        new = replace(
            old,
            title=raw.title,
            summary=raw.summary or excerpt(raw.text),
            body=raw.body,
            text=raw.text,
            author=raw.author,
            language=raw.language or self._settings.site.language,
            source_url=raw.source_url,
            published=raw.published or old.published,
            explicit_topics=self._settings.present_topics(raw.topics),
        )
        return revised(old, new, note=raw.correction, minor=raw.minor, stamp=stamp, moment=moment)

    def _write(self, tx: Transaction, changes: Sequence[_Change], taken: set[str]) -> None:
        tx.articles.add(
            [
                NewArticle(
                    change.article,
                    _free(change.item.identities, taken),
                    change.item.fingerprint,
                    _absolute(change.item.raw.origin.place),
                )
                for change in changes
                if change.outcome is ImportOutcome.NEW
            ]
        )
        for change in changes:
            if change.outcome is ImportOutcome.CHANGED:
                origin = _absolute(change.item.raw.origin.place)
                tx.articles.revise(change.article, change.item.fingerprint, origin)
                tx.articles.add_identities(change.article.key, change.item.identities)
            self._note(change.outcome, change.article.key, change.item.raw)

    def _file(self, tx: Transaction, changes: Sequence[_Change]) -> None:
        filed, leaving = put_in_topics(
            tx, [change.article for change in changes], classifier=self._classifier, now=self._now
        )
        self._filed.update(filing.topic for filing in filed)
        self._leaving.extend(leaving)

    def _note(self, outcome: ImportOutcome, key: str, raw: RawArticle) -> None:
        self._items.append(Imported(outcome, key, raw.title, raw.origin))


def identities_of(raw: RawArticle) -> tuple[str, ...]:
    """What the same article is recognised by next time: its id if the source gives one, else its title."""
    title = identity_of_title(raw.title)
    return (f"id:{raw.external_id}", title) if raw.external_id else (title,)


def identity_of_title(title: str) -> str:
    """What an article without an id of its source is recognised by."""
    return "title:" + title_identity(title)


def fingerprint_of(raw: RawArticle) -> str:
    """SHA-256 over everything a source says of an article; another one means a new revision."""
    published = raw.published.isoformat() if raw.published else None
    said = [
        raw.title, raw.body, raw.summary, published, raw.topics, raw.language, raw.author, raw.source_url,
    ]  # fmt: skip
    if raw.correction:
        said.append(raw.correction)
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


def _absolute(place: str) -> str:
    """A place by one name, from whatever folder it was named; standard input has no other name."""
    if place == "-":
        return place
    if not os.path.isabs(place):  # noqa: PTH117  (a third of a Path's time)
        place = f"{shown_path(Path.cwd())}/{place}"
    return os.path.normpath(place)  # pathlib would follow links


def _match(item: _Item, known: Mapping[str, Known]) -> Known | None:
    """The known article an item is. A title alone also finds an article that has an id; an item with an id of its
    own takes over an article of the same title only if that one has none."""
    first, *others = item.identities
    if first in known:
        return known[first]
    for identity in others:
        if identity in known and not known[identity].has_id:
            return known[identity]
    return None


def _free(identities: Sequence[str], taken: set[str]) -> tuple[str, ...]:
    """Those names of a new article that no other has: of two with ids of their own and one title, the first is known
    by the title too. They are `taken` from here on."""
    free = tuple(identity for identity in identities if identity not in taken)
    taken.update(free)
    return free


def _nothing_new(item: _Item, match: KnownArticle) -> bool:
    return match.withdrawn or match.fingerprint == item.fingerprint


def _oldest_first(items: Sequence[_Item]) -> list[_Item]:
    """The order in which new articles enter the store: by date; among undated ones, which a source lists newest
    first, the last comes first. Undated items count as the newest."""
    undated = [item for item in reversed(items) if item.raw.published is None]
    dated = sorted((item for item in items if item.raw.published), key=lambda item: str(item.raw.published))
    return dated + undated


class _Slugs:
    """Mints page names that nobody has yet: ``title``, ``title-2``, ``title-3``."""

    def __init__(self, tx: Transaction, titles: Iterable[str]) -> None:
        self._used = tx.articles.used_slugs({slugify(title) for title in titles})
        self._next: dict[str, int] = {}

    def mint(self, title: str) -> str:
        base = slug = slugify(title)
        number = self._next.get(base, 2)
        while slug in self._used:
            slug = f"{base}-{number}"
            number += 1
        self._next[base] = number
        self._used.add(slug)
        return slug
