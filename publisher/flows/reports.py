"""What a flow did, as frozen values that commands, pages and the run's record show. Floor: `flows`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from publisher.model import DeliveryState, Frequency, ImportOutcome, Origin, Refusal

if TYPE_CHECKING:
    from publisher.flows.outlook import Outlook

MAX_UNREAD = 100
"""Unknown keys that a report names."""


@dataclass(frozen=True, slots=True)
class Imported:
    """One item that came in, and what that meant for the store."""

    outcome: ImportOutcome
    key: str
    title: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Leaving:
    """A filing that today's rules would not make again; it stays until somebody removes it."""

    article_key: str
    title: str
    topic: str
    rule: str


@dataclass(frozen=True, slots=True)
class UnreadKey:
    """A key of front matter or JSON that means nothing here: in how many items it stands, and where first."""

    key: str
    items: int
    first: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    items: tuple[Imported, ...] = ()
    refused: tuple[Refusal, ...] = ()
    skipped_files: int = 0  # unchanged since they were read last
    filed: Mapping[str, int] = field(default_factory=dict)  # topic -> new filings
    leaving: tuple[Leaving, ...] = ()
    unread: tuple[UnreadKey, ...] = ()  # no more than MAX_UNREAD of them

    def count(self, outcome: ImportOutcome) -> int:
        return sum(item.outcome is outcome for item in self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteReport:
    written: tuple[str, ...] = ()  # paths whose bytes changed, in the order they were written
    unchanged: int = 0  # documents rendered whose bytes were the same
    removed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # what was left out or kept at its last good version, by name and rule


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueReport:
    """One composed (or skipped) issue. `letter_bytes` has the size of one letter per edition, in bytes."""

    frequency: Frequency
    name: str  # weekly-12, or "" when it was skipped
    reason: str = ""  # why it was skipped
    readers: int = 0
    letters: int = 0
    editions: int = 0
    articles: int = 0
    held_back: int = 0
    letter_bytes: tuple[int, ...] = ()
    waiting: bool = False  # for the editor's approval


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverReport:
    """How many letters reached which state in this call, what stopped it if anything did, and what is ahead."""

    states: Mapping[DeliveryState, int] = field(default_factory=dict)
    problem: str = ""
    outbox: str = ""  # the folder the letters are in, when no relay is configured
    service: Mapping[DeliveryState, int] = field(default_factory=dict)  # the same of letters that are no digest
    relays: Mapping[str, int] = field(default_factory=dict)  # letters accepted by each, where there are several
    outlook: Outlook | None = None

    @property
    def waiting(self) -> int:
        """Letters that a later `publisher deliver` sends."""
        return self.outlook.waiting if self.outlook else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PingReport:
    """What the WebSub hubs of others were told. What waits is tried again by later runs and fails none."""

    accepted: int = 0
    waiting: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """`letters_only`: the run sent letters, and looked at nothing else."""

    letters_only: bool = False
    ingest: IngestReport = IngestReport()
    site: SiteReport = SiteReport()
    pings: PingReport = PingReport()
    issues: tuple[IssueReport, ...] = ()
    delivery: DeliverReport = DeliverReport()
