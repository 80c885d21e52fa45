"""Bring readers in from a table. Floor: `flows`.

    rows -> batch -> what is known of them -> what happens to each -> one transaction        preview: all but the last

The file is read as it comes, however long it is; a batch is short, so that others who write need not wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from publisher.errors import UsageError
from publisher.flows.compose import order_topics, starting_watermark
from publisher.flows.sign_up import SignUpParts, Wish, request_sign_ups
from publisher.flows.vouch import LEFT, activate, vouched
from publisher.mail.replies import without_addresses
from publisher.model import STAYING, SignUpMethod, SubscriberState, SuppressionReason
from publisher.readers.address import address_key
from publisher.readers.gate import Ruling
from publisher.readers.table import BadRow, Defaults, ReaderRow, read_rows
from publisher.store import NewSubscriber, Transaction

STAYS = "the row says they left, and they are a reader here; `--state unsubscribed`, or `subscribers remove`, ends that"
BATCH = 500
NAMED = 1000
"""Rows that a report names one by one; counts are always whole."""


class RowOutcome(StrEnum):
    """What happens to a row."""

    ADDED = "added"
    ASKED = "asked"  # gets a confirmation letter
    RETURNED = "returned"  # had left, and is added again, as was asked for
    ENDED = "ended"  # a reader until now, and the file is a list of people who left; or one who never confirmed
    KNOWN = "known"  # a reader already; nothing changes
    REPEATED = "repeated"  # stands in the file before
    LEFT = "left"  # kept out: left, bounced, forgotten, or never to be written to
    UNCONFIRMED = "unconfirmed"  # kept out: never confirmed, and not asked now
    WAITING = "waiting"  # had its confirmation letter a short while ago
    REFUSED = "refused"  # kept out: a bad row


@dataclass(frozen=True, slots=True)
class RowNote:
    """A row that was kept out, or whose no was not heeded: its line, and why."""

    line: int
    outcome: RowOutcome
    reason: str


@dataclass(slots=True)
class ReadersReport:
    """How many rows had which outcome, and those of which there is something to tell, the first NAMED by line."""

    counts: Counter[RowOutcome] = field(default_factory=Counter)
    notes: list[RowNote] = field(default_factory=list)
    not_named: int = 0

    def take(self, line: int, outcome: RowOutcome, reason: str = "") -> None:
        self.counts[outcome] += 1
        if reason and len(self.notes) < NAMED:
            self.notes.append(RowNote(line, outcome, reason))
        elif reason:
            self.not_named += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportTerms:
    """`confirm`: new readers get a confirmation letter instead of being active at once. `include_left`: also those who
    left. `from_now`: they get no article that is in the store already. `end`: who left by their row is no reader
    here any more, though known. `dry_run`: only say what would happen."""

    confirm: bool = False
    include_left: bool = False
    from_now: bool = False
    end: bool = False
    dry_run: bool = False


def import_readers(parts: SignUpParts, lines: Iterable[str], defaults: Defaults, terms: ImportTerms) -> ReadersReport:
    """Take in the readers of a table (see readers.table). Safe to repeat: who is known stays as they are. Raises
    SourceError for a file without an `email` column, UsageError for terms that exclude each other."""
    if terms.confirm and terms.from_now:
        raise UsageError("--from-now goes with readers who come in at once, and --confirm asks them first; choose one")
    work = _Import(parts, terms)
    for batch in _batches(read_rows(lines, defaults)):
        work.take(batch)
    work.report.notes.sort(key=lambda note: note.line)
    return work.report


@dataclass(slots=True)
class _Plan:
    """What is to happen to the good rows of a batch."""

    new: list[ReaderRow] = field(default_factory=list)
    asked: list[ReaderRow] = field(default_factory=list)
    again: list[tuple[ReaderRow, int]] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    never: list[Sequence[str]] = field(default_factory=list)  # the address by each of the keys
    ended: list[tuple[ReaderRow, int]] = field(default_factory=list)


class _Import:
    def __init__(self, parts: SignUpParts, terms: ImportTerms) -> None:
        self._parts = parts
        self._terms = terms
        self._seen: set[str] = set()
        self.report = ReadersReport()

    def take(self, batch: Sequence[ReaderRow | BadRow]) -> None:
        rows: dict[str, ReaderRow] = {}
        for row in batch:
            if isinstance(row, BadRow):
                self.report.take(row.line, RowOutcome.REFUSED, row.reason)
            elif (key := address_key(row.email)) in self._seen:
                left = "the row says they left, and the one before counts" if row.state in LEFT else ""
                self.report.take(row.line, RowOutcome.REPEATED, left)
            else:
                self._seen.add(key)
                rows[key] = row
        if not rows:
            return
        if self._terms.dry_run:
            with self._parts.store.read() as tx:
                plan = self._plan(tx, rows)
        else:
            with self._parts.store.write() as tx:
                plan = self._plan(tx, rows)
                self._apply(tx, plan)
        self._ask(plan.asked)

    def _plan(self, tx: Transaction, rows: dict[str, ReaderRow]) -> _Plan:
        plan = _Plan()
        known = tx.subscribers.known(rows)
        hashes = {key: self._parts.addresses(row.email) for key, row in rows.items()}
        suppressed = tx.gate.suppressed([one for some in hashes.values() for one in some])
        for key, row in rows.items():
            number, state = known.get(key, (0, None))
            barred = next((suppressed[one] for one in hashes[key] if one in suppressed), None)
            outcome, reason = self._decide(row, state, barred)
            if row.never and (outcome is RowOutcome.ENDED or state not in STAYING):
                plan.never.append(hashes[key])
            if outcome is RowOutcome.ASKED:
                plan.asked.append(row)
                continue
            self.report.take(row.line, outcome, reason)
            if outcome is RowOutcome.ENDED:
                plan.ended.append((row, number))
            if outcome in {RowOutcome.ADDED, RowOutcome.RETURNED}:
                if number:
                    plan.again.append((row, number))
                else:
                    plan.new.append(row)
                if barred and row.state not in LEFT:
                    plan.released += hashes[key]
        return plan

    def _decide(
        self, row: ReaderRow, state: SubscriberState | None, barred: SuppressionReason | None
    ) -> tuple[RowOutcome, str]:
        """What happens to a row whose reader is in that state, or not known (None); `barred`: never to be added."""
        asked = state is SubscriberState.PENDING  # and did not confirm, so no letters come that somebody chose
        if row.state in LEFT and (asked or (self._terms.end and state in STAYING)):
            return RowOutcome.ENDED, ""
        if state in STAYING or (state in LEFT and row.state in LEFT):
            return RowOutcome.KNOWN, STAYS if state in STAYING and row.state in LEFT else ""
        why = barred or (state if state in LEFT else None)
        # a letter to who said that none may come is no way to ask
        if why and (not self._terms.include_left or (self._terms.confirm and why is SuppressionReason.BLOCKED)):
            return RowOutcome.LEFT, LEFT[why]
        if row.state in LEFT:  # who left elsewhere comes in as one who left
            return RowOutcome.ADDED, ""
        if self._terms.confirm:
            return RowOutcome.ASKED, ""
        if row.state is SubscriberState.PENDING:
            return RowOutcome.UNCONFIRMED, "they never confirmed; --confirm asks them"
        return (RowOutcome.RETURNED if why else RowOutcome.ADDED), ""

    def _apply(self, tx: Transaction, plan: _Plan) -> None:
        now = self._parts.clock()
        order = self._parts.terms.topic_order
        begin = tx.filings.last_seq() if self._terms.from_now else 0
        starts = {row.frequency: max(begin, starting_watermark(tx, row.frequency)) for row in plan.new}
        added = tx.subscribers.add_many(
            [
                NewSubscriber(
                    email=row.email,
                    frequency=row.frequency,
                    language=row.language,
                    topics=order_topics(row.topics, order),
                    state=row.state,
                    watermark=starts[row.frequency],
                )
                for row in plan.new
            ],
            now,
        )
        lines = [(reader.id, row) for reader, row in zip(added, plan.new, strict=True) if row.state not in LEFT]
        for row, number in plan.again:
            tx.subscribers.set_topics(number, order_topics(row.topics, order), now)
            tx.subscribers.set_frequency(number, row.frequency, now)
            tx.subscribers.set_language(number, row.language, now)
            activate(tx, number, row.frequency, now)
            if row.state is SubscriberState.PAUSED:
                tx.subscribers.pause(number, None, now, reason="by the table")
            tx.subscribers.raise_watermark(number, begin)
            lines.append((number, row))
        tx.consents.add_many([(number, vouched(now, SignUpMethod.IMPORT, _said(row))) for number, row in lines])
        for row, number in plan.ended:
            tx.subscribers.set_state(number, row.state, now, reason="by a list of people who left")
        if plan.released:
            tx.gate.release(plan.released)
        for addresses in plan.never:
            tx.gate.suppress(addresses[0], SuppressionReason.BLOCKED, now)
            tx.sign_ups.forget(addresses)
            tx.service_letters.forget(addresses)

    def _ask(self, rows: Sequence[ReaderRow]) -> None:
        """Confirmation letters, by the gate that all go through."""
        if self._terms.dry_run or not rows:
            for row in rows:
                self.report.take(row.line, RowOutcome.ASKED)
            return
        wishes = [
            Wish(
                email=row.email,
                topics=row.topics,
                frequency=row.frequency,
                language=row.language,
                method=SignUpMethod.IMPORT,
            )
            for row in rows
        ]
        for row, asked in zip(rows, request_sign_ups(self._parts, wishes), strict=True):
            granted = asked.ruling is Ruling.LETTER
            self.report.take(row.line, RowOutcome.ASKED if granted else RowOutcome.WAITING)


def _said(row: ReaderRow) -> str:
    return f"the file said: {without_addresses(row.consent)}" if row.consent else ""


def _batches(rows: Iterator[ReaderRow | BadRow]) -> Iterator[list[ReaderRow | BadRow]]:
    batch: list[ReaderRow | BadRow] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
