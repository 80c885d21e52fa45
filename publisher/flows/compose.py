"""Compose: filings -> issue -> editions -> planned deliveries. Floor: `flows`.

    audience (streamed) -> class of readers (topics, watermark, language) -> choose -> edition, rendered once
                        -> one delivery row per reader: planned, or suppressed with the reason

One transaction: an issue is there whole, with its letters and all its rows, or not at all. Safe to repeat: a slot has
one issue (a unique row), and what a reader's accepted letters covered is not chosen again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from publisher.digest.choose import WindowFiling, choose, edition_fingerprint
from publisher.flows.letters import Letters
from publisher.flows.reports import IssueReport
from publisher.model import (
    ALL,
    DeliveryState,
    FiledArticle,
    Frequency,
    IssueState,
    Section,
)
from publisher.store import AudienceRow, Transaction, Transactions

NOTHING_NEW = "nothing new"
READERS_AT_ONCE = 5_000  # bounds memory, whatever the number of readers


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings that composing needs."""

    topic_order: tuple[str, ...]
    hold_back: timedelta | None  # articles dated more than this before they came in get no digest; None: all do
    approval: bool = False  # what is composed for a slot waits for the editor


class _NothingNewForAnybodyError(Exception):
    """Rolls the empty issue back; never leaves this module."""

    def __init__(self, readers: int, held_back: int) -> None:
        self.readers = readers
        self.held_back = held_back


def compose(
    store: Transactions, frequency: Frequency, *, slot: datetime | None, now: datetime, terms: Terms, letters: Letters
) -> IssueReport:
    """Compose the next issue of `frequency` for `slot` (None: forced by hand); tells what it holds.

    When nobody has anything new, the slot is recorded as skipped, with the reason and without a number.
    """
    try:
        with store.write() as tx:
            return _Composer(tx, frequency, slot=slot, now=now, terms=terms, letters=letters).compose()
    except _NothingNewForAnybodyError as empty:
        return _skip(store, frequency, slot=slot, now=now, empty=empty)


def _all_of(readers: int) -> str:
    return "the one reader" if readers == 1 else f"any of {readers:,} readers"


def _skip(
    store: Transactions,
    frequency: Frequency,
    *,
    slot: datetime | None,
    now: datetime,
    empty: _NothingNewForAnybodyError,
) -> IssueReport:
    with store.write() as tx:
        last = tx.issues.last(frequency)
        since = f" since {last.name}" if last else ""
        reason = f"{NOTHING_NEW}{since} for {_all_of(empty.readers)}" if empty.readers else "no readers yet"
        if empty.held_back:
            reason += f"; {empty.held_back} {'article' if empty.held_back == 1 else 'articles'} held back as old"
        tx.issues.create(
            frequency=frequency,
            number=None,
            slot=slot,
            state=IssueState.SKIPPED,
            composed=now,
            upto_seq=tx.filings.last_seq(),
            reason=reason,
        )
    return IssueReport(frequency=frequency, name="", reason=reason, readers=empty.readers, held_back=empty.held_back)


@dataclass(slots=True)
class _Class:
    """Readers who chose the same and have got the same so far: they get the same."""

    sections: tuple[Section, ...]
    edition_id: int | None
    refiled: frozenset[str]  # chosen articles that were filed somewhere before: some of these readers may have them


@dataclass(slots=True)
class _Totals:
    readers: int = 0
    letters: int = 0
    articles: set[str] = field(default_factory=set)
    held_back: set[str] = field(default_factory=set)
    letter_bytes: list[int] = field(default_factory=list)


class _Composer:
    def __init__(
        self,
        tx: Transaction,
        frequency: Frequency,
        *,
        slot: datetime | None,
        now: datetime,
        terms: Terms,
        letters: Letters,
    ) -> None:
        self._tx = tx
        self._frequency = frequency
        self._terms = terms
        self._letters = letters
        self._now = now
        self._totals = _Totals()
        self._windows: dict[int, list[WindowFiling]] = {}
        self._classes: dict[tuple[tuple[str, ...], int, str], _Class] = {}
        self._editions: dict[str, int] = {}
        self._articles: dict[str, FiledArticle] = {}  # of the editions made so far, which share most of them
        self._issue = tx.issues.create(
            frequency=frequency,
            number=tx.issues.next_number(frequency),
            slot=slot,
            state=IssueState.WAITING if terms.approval and slot is not None else IssueState.SENDING,
            composed=now,
            upto_seq=tx.filings.last_seq(),
            reason="",
        )

    def compose(self) -> IssueReport:
        issue, totals = self._issue, self._totals
        self._tx.deliveries.plan(issue.id, self._rows(), self._now)
        if totals.letters == 0:
            raise _NothingNewForAnybodyError(totals.readers, len(totals.held_back))
        self._tx.deliveries.supersede(issue.id, self._now)
        self._drop_taken_over()
        self._tx.deliveries.advance_idle(issue.id)
        return IssueReport(
            frequency=self._frequency,
            name=issue.name,
            readers=totals.readers,
            letters=totals.letters,
            editions=len(self._editions),
            articles=len(totals.articles),
            held_back=len(totals.held_back),
            letter_bytes=tuple(totals.letter_bytes),
            waiting=issue.state is IssueState.WAITING,
        )

    def _drop_taken_over(self) -> None:
        """Nobody need be asked about a waiting issue of which no letter is left: this one brings its articles."""
        for other in self._tx.issues.list(1000, state=IssueState.WAITING):
            if other.id != self._issue.id and self._tx.deliveries.pending(other.id) == 0:
                self._tx.deliveries.refuse(other.id, self._now)
                reason = f"taken over by {self._issue.name}"
                self._tx.issues.set_state(other.id, IssueState.REFUSED, now=self._now, reason=reason)

    def _rows(self) -> Iterator[tuple[int, int | None, DeliveryState, str]]:
        for batch in self._tx.subscribers.audience(self._frequency, batch=READERS_AT_ONCE):
            received = self._received(batch)
            for reader in batch:
                self._totals.readers += 1
                edition_id = self._edition_for(reader, received.get(reader.id, frozenset()))
                if edition_id is None:
                    yield reader.id, None, DeliveryState.SUPPRESSED, NOTHING_NEW
                else:
                    self._totals.letters += 1
                    yield reader.id, edition_id, DeliveryState.PLANNED, ""

    def _received(self, batch: Sequence[AudienceRow]) -> dict[int, set[str]]:
        """Chosen articles that single readers of `batch` have already: only where that is possible at all."""
        suspects: dict[int, frozenset[str]] = {}
        for reader in batch:
            refiled = self._class_of(reader).refiled
            if refiled:
                suspects[reader.id] = refiled
        received: dict[int, set[str]] = {}
        if suspects:
            wanted = frozenset[str]().union(*suspects.values())
            for reader_id, key in self._tx.deliveries.received(list(suspects), wanted):
                received.setdefault(reader_id, set()).add(key)
        return received

    def _class_of(self, reader: AudienceRow) -> _Class:
        identity = (reader.topics, reader.watermark, reader.language)
        group = self._classes.get(identity)
        if group is None:
            sections = self._chosen(reader, ())
            keys = [key for section in sections for key in section.articles]
            refiled = frozenset(self._tx.filings.keys_filed_before(keys, reader.watermark)) if keys else frozenset()
            group = _Class(
                sections, None if not sections or refiled else self._edition(sections, reader.language), refiled
            )
            self._classes[identity] = group
        return group

    def _edition_for(self, reader: AudienceRow, received: Collection[str]) -> int | None:
        group = self._class_of(reader)
        if not group.sections:
            return None
        if not received and group.edition_id is not None:
            return group.edition_id
        sections = self._chosen(reader, received) if received else group.sections
        return self._edition(sections, reader.language) if sections else None

    def _chosen(self, reader: AudienceRow, received: Collection[str]) -> tuple[Section, ...]:
        return choose(
            self._window(reader.watermark), reader.topics, reader.watermark, self._terms.topic_order, received
        )

    def _window(self, watermark: int) -> list[WindowFiling]:
        window = self._windows.get(watermark)
        if window is None:
            window, held_back = fresh_filings(self._tx, watermark, self._issue.upto_seq, self._terms.hold_back)
            self._windows[watermark] = window
            self._totals.held_back |= held_back
        return window

    def _edition(self, sections: tuple[Section, ...], language: str) -> int:
        fingerprint = edition_fingerprint(sections, language)
        edition_id = self._editions.get(fingerprint)
        if edition_id is None:
            edition = self._tx.issues.add_edition(
                self._issue.id, fingerprint=fingerprint, language=language, sections=sections
            )
            missing = [key for key in edition.article_keys if key not in self._articles]
            self._articles.update(self._tx.articles.filed(missing))
            rendered = self._letters.render(self._issue, edition, self._articles)
            self._tx.issues.keep_rendering(
                edition.id,
                language=rendered.language,
                subject=rendered.subject,
                text=rendered.text,
                html=rendered.html,
            )
            self._totals.articles.update(edition.article_keys)
            self._totals.letter_bytes.append(self._letters.size(self._issue, rendered))
            edition_id = self._editions[fingerprint] = edition.id
        return edition_id


def fresh_filings(
    tx: Transaction, watermark: int, upto: int, hold_back: timedelta | None
) -> tuple[list[WindowFiling], set[str]]:
    """The filings after `watermark` up to `upto`, without those of articles that the setting holds back as old; and
    the keys of these."""
    window: list[WindowFiling] = []
    held_back: set[str] = set()
    for row in tx.filings.window(after=watermark, upto=upto):
        if hold_back is not None and row.published < row.first_seen - hold_back:
            held_back.add(row.article_key)
        else:
            window.append(WindowFiling(row.seq, row.topic, row.article_key, row.published))
    return window, held_back


def starting_watermark(tx: Transaction, frequency: Frequency) -> int:
    """Where a new reader starts: where the last issue of their frequency ended, at the beginning if there was none."""
    last = tx.issues.last(frequency)
    return last.upto_seq if last else 0


def order_topics(topics: Collection[str], order: Sequence[str]) -> tuple[str, ...]:
    """`topics` without repetition in the order of config.toml, `all` last; unknown ones are left out."""
    return tuple(topic for topic in (*order, ALL) if topic in set(topics))
