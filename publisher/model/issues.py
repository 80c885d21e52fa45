"""Issues, their editions, and what happens to each letter. Floor: `model`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from publisher.model.readers import Frequency


class IssueState(StrEnum):
    WAITING = "waiting"  # composed, and kept until the editor approves it (setting digest.approval)
    REFUSED = "refused"  # the editor did not want it: nobody got it, its articles come with the next one
    SENDING = "sending"  # some delivery is still planned, handed over, deferred or to be sent again
    PAUSED = "paused"  # the operator stopped it for now: nothing is handed over until it is resumed
    CANCELLED = "cancelled"  # the operator stopped it for good; who had not got it reads its articles in the next one
    FINISHED = "finished"  # nothing is pending and the sum is right
    SKIPPED = "skipped"  # its slot came, nobody had anything new; carries no number


class DeliveryState(StrEnum):
    PLANNED = "planned"
    HANDING_OVER = "handing over"  # claimed; written before the letter's data goes out
    ACCEPTED = "accepted"
    DEFERRED = "deferred"  # a temporary no; tried again at `next_attempt`
    REJECTED = "rejected"
    SUPPRESSED = "suppressed"  # selected, but no letter was due: nothing new, or the reader left meanwhile
    UNCERTAIN = "uncertain"  # handed over, the final reply was lost
    EXPIRED = "expired"  # still deferred when given up, or a newer issue took over its articles


PENDING_STATES = frozenset({DeliveryState.PLANNED, DeliveryState.HANDING_OVER, DeliveryState.DEFERRED})
"""A delivery in one of these still has something to happen to it."""


OVER = frozenset({IssueState.FINISHED, IssueState.CANCELLED, IssueState.REFUSED, IssueState.SKIPPED})
"""No letter of an issue in one of these is tried again by itself, also none in doubt."""

UNPUBLISHED = frozenset({IssueState.WAITING, IssueState.REFUSED})
"""Issues in these states are nobody's to read: they have no page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One numbered sending of the digest of one frequency. `slot` is the time of the timetable it belongs to, None
    for one forced by hand. It covers filings up to `upto_seq`. `composed` is the Date of its letters."""

    id: int
    frequency: Frequency
    number: int | None
    slot: datetime | None
    state: IssueState
    composed: datetime
    upto_seq: int
    reason: str = ""

    @property
    def name(self) -> str:
        """The name of its web page and of people: ``weekly-12``."""
        return f"{self.frequency}-{self.number}"

    @property
    def title(self) -> str:
        """What it is called where no letter of it has a subject."""
        return f"{self.frequency.capitalize()} digest no. {self.number}"


@dataclass(frozen=True, slots=True)
class Section:
    """A topic's part of an edition: article keys, newest first. Each key stands in one section of an edition."""

    topic: str
    articles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One version of an issue; readers who get the same articles in the same sections share it."""

    id: int
    issue_id: int
    language: str
    sections: tuple[Section, ...]

    @property
    def article_keys(self) -> tuple[str, ...]:
        return tuple(key for section in self.sections for key in section.articles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What happened to one reader's letter of one issue. `reply` is the relay's last answer, without addresses."""

    issue_id: int
    subscriber_id: int
    edition_id: int | None
    state: DeliveryState
    reason: str = ""
    attempts: int = 0
    next_attempt: datetime | None = None
    reply: str = ""
    changed: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueSum:
    """The sum of promise 3: `selected` readers and how many deliveries are in each state."""

    selected: int
    states: Mapping[DeliveryState, int]

    @property
    def pending(self) -> int:
        return sum(self.states.get(state, 0) for state in PENDING_STATES)

    @property
    def balances(self) -> bool:
        return self.selected == sum(self.states.values())
