"""Why a reader did or did not get an article: each reason, from values alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from publisher.digest.explain import Explanation, Facts, LetterFact, Verdict, Why, explain
from publisher.model import ALL, DeliveryState, Filing, IssueState, SubscriberState

NOW = datetime(2026, 3, 9, 7, tzinfo=UTC)
SLOT = NOW + timedelta(days=7)


def filing(topic: str, seq: int, at: datetime = NOW) -> Filing:
    return Filing("key", topic, seq, "a rule", at)


BASE = Facts(
    withdrawn=None,
    held_back=False,
    filings=[filing(ALL, 10), filing("environment", 11)],
    topics=("environment",),
    state=SubscriberState.ACTIVE,
    frequency="weekly",
    created=NOW - timedelta(days=30),
    watermark=5,
    letters=[],
    next_issue="weekly-12",
    next_slot=SLOT,
)


def letter(state: DeliveryState, *, issue_state: IssueState = IssueState.SENDING, **more: Any) -> LetterFact:
    return LetterFact(issue="weekly-11", issue_state=issue_state, state=state, changed=NOW, **more)


def of(**facts: Any) -> Explanation:
    return explain(replace(BASE, **facts))


PLANNED, DEFERRED = letter(DeliveryState.PLANNED), letter(DeliveryState.DEFERRED, next_attempt=SLOT, said="450 later")
OLD = [filing(ALL, 1, NOW - timedelta(days=90)), filing("environment", 2, NOW - timedelta(days=90))]
CASES: dict[str, tuple[dict[str, Any], Verdict, Why, str]] = {
    "new": ({}, Verdict.WILL, Why.NEXT, "new to them"),
    "accepted": ({"letters": [letter(DeliveryState.ACCEPTED)]}, Verdict.GOT, Why.ACCEPTED, "weekly-11"),
    "uncertain": ({"letters": [letter(DeliveryState.UNCERTAIN)]}, Verdict.MAYBE, Why.UNCERTAIN, "answer was lost"),
    "in hand": ({"letters": [letter(DeliveryState.HANDING_OVER)]}, Verdict.MAYBE, Why.UNCERTAIN, "not come yet"),
    "planned": ({"letters": [PLANNED]}, Verdict.WILL, Why.BEING_SENT, "still to come"),
    "deferred": ({"letters": [DEFERRED]}, Verdict.WILL, Why.DEFERRED, "450 later"),
    "issue paused": (
        {"letters": [letter(DeliveryState.PLANNED, issue_state=IssueState.PAUSED)]},
        Verdict.WILL,
        Why.ISSUE_PAUSED,
        "issues resume weekly-11",
    ),
    "approval": (
        {"letters": [letter(DeliveryState.PLANNED, issue_state=IssueState.WAITING)]},
        Verdict.WILL,
        Why.WAITS_FOR_APPROVAL,
        "editor's approval",
    ),
    "rejected": (
        {"letters": [letter(DeliveryState.REJECTED, said="550 no")]},
        Verdict.WILL,
        Why.REJECTED,
        "rejected: 550 no",
    ),
    "expired": ({"letters": [letter(DeliveryState.EXPIRED)]}, Verdict.WILL, Why.REJECTED, "comes again"),
    "withdrawn": ({"withdrawn": NOW, "filings": []}, Verdict.WILL_NOT, Why.WITHDRAWN, "withdrawn"),
    "unfiled": ({"filings": []}, Verdict.WILL_NOT, Why.UNFILED, "no topic"),
    "other topics": (
        {"topics": ("drugs", "data")},
        Verdict.WILL_NOT,
        Why.OTHER_TOPICS,
        "filed under environment; they follow drugs, data",
    ),
    "filed nowhere but in all": (
        {"filings": [filing(ALL, 10)]},
        Verdict.WILL_NOT,
        Why.OTHER_TOPICS,
        "filed under no topic; they follow environment",
    ),
    "everything": ({"filings": [filing(ALL, 10)], "topics": (ALL,)}, Verdict.WILL, Why.NEXT, "new"),
    "held back": ({"held_back": True}, Verdict.WILL_NOT, Why.HELD_BACK, "digest.hold_back_days"),
    "before their start": ({"filings": OLD}, Verdict.WILL_NOT, Why.BEFORE_START, "before their start"),
    "passed": (
        {"watermark": 20, "passed_by": "weekly-11"},
        Verdict.WILL_NOT,
        Why.PASSED,
        "passed by weekly-11 while",
    ),
    "filed again": ({"filings": [*OLD, filing("environment", 9)]}, Verdict.WILL, Why.NEXT, "new"),
    "pending": ({"state": SubscriberState.PENDING}, Verdict.WILL_NOT, Why.NOT_CONFIRMED, "not confirmed"),
    "left": ({"state": SubscriberState.UNSUBSCRIBED}, Verdict.WILL_NOT, Why.LEFT, "unsubscribed"),
    "left with a letter planned": (
        {"state": SubscriberState.UNSUBSCRIBED, "letters": [PLANNED]},
        Verdict.WILL_NOT,
        Why.LEFT,
        "unsubscribed",
    ),
    "bounced": ({"state": SubscriberState.BOUNCED}, Verdict.WILL_NOT, Why.BOUNCED, "returned letters"),
    "paused": ({"state": SubscriberState.PAUSED}, Verdict.WILL_NOT, Why.PAUSED, "after their pause"),
    "paused until a day": (
        {"state": SubscriberState.PAUSED, "wakes": NOW},
        Verdict.WILL,
        Why.PAUSED,
        "after their pause",
    ),
    "switched off": ({"next_slot": None}, Verdict.WILL_NOT, Why.SWITCHED_OFF, "(digest.weekly)"),
}


@pytest.mark.parametrize("name", CASES)
def test_each_reason_is_told(name: str) -> None:
    facts, verdict, why, words = CASES[name]
    answer = of(**facts)
    assert (answer.verdict, answer.why) == (verdict, why)
    assert words in answer.text


def test_every_reason_has_a_case() -> None:
    assert {why for _, _, why, _ in CASES.values()} == set(Why)


def test_what_will_come_says_in_which_issue_and_when() -> None:
    assert (of().issue, of().at) == ("weekly-12", SLOT)
    deferred = of(letters=[DEFERRED])
    assert (deferred.issue, deferred.at) == ("weekly-11", SLOT)
    got = of(letters=[PLANNED, replace(letter(DeliveryState.ACCEPTED), issue="weekly-9")])
    assert (got.issue, got.at) == ("weekly-9", NOW)
