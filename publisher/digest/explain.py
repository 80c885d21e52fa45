"""Why a reader did or did not get an article, and when they will. Floor: a pure room.

a letter with it ─> got it | may have it | it is on its way | it failed, and comes again
no letter        ─> the article or the reader is out of it | it lies before what they have | the next slot
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from publisher.model import ALL, DeliveryState, Filing, IssueState, SubscriberState


class Verdict(StrEnum):
    GOT = "got it"
    MAYBE = "may have got it"
    WILL = "will get it"
    WILL_NOT = "will not get it"


class Why(StrEnum):
    ACCEPTED = "accepted"
    UNCERTAIN = "uncertain"
    WITHDRAWN = "withdrawn"
    UNFILED = "filed nowhere"
    OTHER_TOPICS = "other topics"
    NOT_CONFIRMED = "not confirmed"
    LEFT = "left"
    BOUNCED = "bounced"
    PAUSED = "paused"
    SWITCHED_OFF = "switched off"
    HELD_BACK = "held back"
    BEFORE_START = "before their start"
    PASSED = "passed"
    WAITS_FOR_APPROVAL = "waits for approval"
    ISSUE_PAUSED = "issue paused"
    BEING_SENT = "being sent"
    DEFERRED = "deferred"
    REJECTED = "rejected"
    NEXT = "next issue"


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFact:
    """A letter of an issue to the reader that holds, or held, the article."""

    issue: str
    issue_state: IssueState
    state: DeliveryState
    changed: datetime | None = None
    next_attempt: datetime | None = None
    said: str = ""  # what the relay said, or why it ended so


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known. `letters`: the newest issue first; `filings` are the article's present ones, without those under
    `all` alone counting as a topic of its own. `next_slot` is that of the reader's frequency, None where it is off;
    `wakes` is when their pause ends by itself."""

    withdrawn: datetime | None
    held_back: bool
    filings: Sequence[Filing]
    topics: Sequence[str]
    state: SubscriberState
    frequency: str
    created: datetime
    watermark: int
    letters: Sequence[LetterFact]
    next_issue: str
    next_slot: datetime | None
    passed_by: str = ""  # the last issue of the frequency that covers what the reader's watermark covers
    wakes: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """`text` is one sentence; `issue` the one that brought it or will, `at` when it was accepted, is tried again, or
    its slot."""

    verdict: Verdict
    why: Why
    text: str
    issue: str = ""
    at: datetime | None = None


def explain(facts: Facts) -> Explanation:
    """The one reason that decides, the strongest first."""
    letter = _letter(facts)
    if letter is not None:
        return letter
    out = _article_is_out(facts) or _reader_is_out(facts)
    if out is not None:
        return out
    failed = next((one for one in facts.letters if one.state in _FAILED), None)
    if failed is not None:
        said = f": {failed.said}" if failed.said else ""
        text = f"the letter of {failed.issue} was not delivered ({failed.state}{said}); the article comes again"
        return _next(facts, Why.REJECTED, text)
    return _next(facts, Why.NEXT, "it is new to them")


_FAILED = {DeliveryState.REJECTED, DeliveryState.EXPIRED, DeliveryState.SUPPRESSED}


def _letter(facts: Facts) -> Explanation | None:
    """What a letter says that arrived, may have, or is on its way."""
    for one in facts.letters:
        if one.state is DeliveryState.ACCEPTED:
            text = f"in {one.issue}, which the relay accepted"
            return Explanation(verdict=Verdict.GOT, why=Why.ACCEPTED, text=text, issue=one.issue, at=one.changed)
    for one in facts.letters:
        if one.state in {DeliveryState.UNCERTAIN, DeliveryState.HANDING_OVER}:
            text = f"{one.issue} was handed to the relay, whose answer was lost or has not come yet"
            return Explanation(
                verdict=Verdict.MAYBE, why=Why.UNCERTAIN, text=text, issue=one.issue, at=one.next_attempt or one.changed
            )
    waiting = next((one for one in facts.letters if one.state in {DeliveryState.PLANNED, DeliveryState.DEFERRED}), None)
    if waiting is None or facts.state is not SubscriberState.ACTIVE:
        return None
    why, text = _on_its_way(waiting)
    return Explanation(verdict=Verdict.WILL, why=why, text=text, issue=waiting.issue, at=waiting.next_attempt)


def _on_its_way(letter: LetterFact) -> tuple[Why, str]:
    if letter.issue_state is IssueState.WAITING:
        return Why.WAITS_FOR_APPROVAL, f"{letter.issue} waits for the editor's approval"
    if letter.issue_state is IssueState.PAUSED:
        return Why.ISSUE_PAUSED, f"{letter.issue} is paused; `publisher issues resume {letter.issue}` goes on"
    if letter.state is DeliveryState.DEFERRED:
        said = f" ({letter.said})" if letter.said else ""
        return Why.DEFERRED, f"the letter of {letter.issue} was deferred{said} and is tried again"
    return Why.BEING_SENT, f"{letter.issue} is being sent, theirs is still to come"


def _article_is_out(facts: Facts) -> Explanation | None:
    topics = [filing.topic for filing in facts.filings if filing.topic != ALL]
    if facts.withdrawn is not None:
        return _never(Why.WITHDRAWN, "the article was withdrawn", facts.withdrawn)
    if not facts.filings:
        return _never(Why.UNFILED, "the article is filed under no topic")
    if not _wanted(facts):
        under = f"filed under {', '.join(topics)}" if topics else "filed under no topic"
        return _never(Why.OTHER_TOPICS, f"it is {under}; they follow {', '.join(facts.topics) or 'none'}")
    if facts.held_back:
        return _never(Why.HELD_BACK, "it was dated long before it came in: digest.hold_back_days keeps it out")
    if all(filing.seq <= facts.watermark for filing in _wanted(facts)):
        if all(filing.filed_at < facts.created for filing in _wanted(facts)):
            return _never(Why.BEFORE_START, "it was filed before their start: a new reader gets what comes after")
        by = f" by {facts.passed_by}" if facts.passed_by else ""
        return _never(Why.PASSED, f"it was passed{by} while it was in none of their topics, or they had left")
    return None


def _reader_is_out(facts: Facts) -> Explanation | None:
    if facts.state is SubscriberState.PENDING:
        return _never(Why.NOT_CONFIRMED, "they have not confirmed their subscription yet")
    if facts.state is SubscriberState.UNSUBSCRIBED:
        return _never(Why.LEFT, "they have unsubscribed")
    if facts.state is SubscriberState.BOUNCED:
        return _never(Why.BOUNCED, "their mailbox returned letters, so they get none any more")
    if facts.state is SubscriberState.PAUSED and facts.wakes is None:
        return _never(Why.PAUSED, "they paused their digest; it comes with the first issue after their pause")
    if facts.next_slot is None:
        return _never(Why.SWITCHED_OFF, f"the {facts.frequency} digest is switched off (digest.{facts.frequency})")
    if facts.state is SubscriberState.PAUSED:
        return _next(facts, Why.PAUSED, "they paused their digest; it comes with the first issue after their pause")
    return None


def _wanted(facts: Facts) -> Sequence[Filing]:
    """The filings by which the reader is to get the article."""
    if ALL in facts.topics:
        return facts.filings
    return [filing for filing in facts.filings if filing.topic in facts.topics]


def _never(why: Why, text: str, at: datetime | None = None) -> Explanation:
    return Explanation(verdict=Verdict.WILL_NOT, why=why, text=text, at=at)


def _next(facts: Facts, why: Why, text: str) -> Explanation:
    return Explanation(verdict=Verdict.WILL, why=why, text=text, issue=facts.next_issue, at=facts.next_slot)
