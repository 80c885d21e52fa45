"""What is said on the wire and what an answer means: links, signatures, challenges, outcomes. Floor: in websub."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

FIRST_WAIT = timedelta(seconds=30)
CEILING = timedelta(hours=4)
MAX_FAILURES = 20
"""Pushes in a row that a subscriber may fail to take, about two days, before it is given up."""
PING_LIFE = timedelta(days=1)
"""For so long a configured hub that does not answer is told of a change."""


class Taken(StrEnum):
    """What became of something that was sent."""

    ACCEPTED = "accepted"
    GONE = "gone"  # 410: the subscriber has left (WebSub, 7)
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: an HTTP `status` and the beginning of the `body`, or 0 and the `problem` on the way."""

    status: int
    body: bytes = field(default=b"", repr=False)
    problem: str = ""

    @property
    def taken(self) -> Taken:
        if 200 <= self.status < 300:
            return Taken.ACCEPTED
        return Taken.GONE if self.status == 410 else Taken.FAILED

    def __str__(self) -> str:
        return self.problem or f"answered {self.status}"


def link_header(self_url: str, hubs: Iterable[str]) -> str:
    """The Link header of a feed: each hub, and exactly one self (WebSub, 4)."""
    return ", ".join([*(f'<{hub}>; rel="hub"' for hub in hubs), f'<{self_url}>; rel="self"'])


def signature(secret: str, content: bytes) -> str:
    """The X-Hub-Signature of `content` (WebSub, 7.1): ``sha256=`` and 64 hexadecimal digits."""
    return "sha256=" + hmac.digest(secret.encode(), content, hashlib.sha256).hex()


def is_confirmed(answer: Answer, challenge: str) -> bool:
    """Whether the subscriber meant it: 2xx and the challenge as the whole body, compared in constant time."""
    return answer.taken is Taken.ACCEPTED and hmac.compare_digest(answer.body, challenge.encode())


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts in vain (from 1): 30 seconds, doubled each time, at most four hours."""
    return min(FIRST_WAIT * (1 << min(attempts - 1, 20)), CEILING)


def is_given_up(attempts: int) -> bool:
    """Whether a subscriber that failed so often in a row loses its subscription."""
    return attempts >= MAX_FAILURES


def is_stale(since: datetime, now: datetime) -> bool:
    """Whether a hub has failed to take a ping for too long."""
    return now - since >= PING_LIFE
