"""What letters that are refused or come back say of their readers, and when it is enough. Floor: `mail`; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from publisher.model import Frequency


class BounceKind(StrEnum):
    """What a message says. The first five are about a letter of ours."""

    DEAD = "dead"  # no such address: no letter goes there any more
    DOUBTFUL = "doubtful"  # refused for good, but it does not say that the address is dead
    SOFT = "soft"  # full, or not reached for days
    OURS = "ours"  # our reputation or our bytes: the reader is not to blame
    COMPLAINT = "complaint"  # the reader called it spam
    DELAYED = "delayed"  # the relay goes on trying, or delivered it
    AUTO_REPLY = "auto-reply"
    UNSUBSCRIBE = "unsubscribe"  # the reader wrote to the address that ends the digest
    UNPARSED = "unparsed"  # no program understands it
    UNMATCHED = "unmatched"  # understood, but nothing proves which letter of ours it is about


ABOUT_A_LETTER = frozenset(
    {BounceKind.DEAD, BounceKind.DOUBTFUL, BounceKind.SOFT, BounceKind.OURS, BounceKind.COMPLAINT}
)
FOR_PEOPLE = frozenset({BounceKind.UNPARSED, BounceKind.UNMATCHED})
"""Those that are kept for people to look at."""


LIMIT = 5
"""From this score on no letter goes to the reader."""
WEIGHT = {BounceKind.DEAD: LIMIT, BounceKind.DOUBTFUL: 3, BounceKind.SOFT: 1}
"""What a letter that came back counts; a doubtful one twice is enough, a soft one five times."""
IN_A_ROW = 10
"""Of so many doubtful refusals in a row, whoever they were for, the next are put down to the relay, not to readers."""
COUNTS_FOR = {
    Frequency.DAILY: timedelta(days=30),
    Frequency.WEEKLY: timedelta(days=60),
    Frequency.MONTHLY: timedelta(days=250),
}
"""So long: a month, or about eight letters where they are rare."""


def score(returned: Sequence[tuple[datetime, int | None, BounceKind]], frequency: Frequency, now: datetime) -> int:
    """The score of a reader of `frequency`, of whose letters `returned` came back: when, of which issue, and how.

    Each issue counts once, by the worst that came back of it; what is old counts no longer. Those whose issue is not
    known count as one."""
    worst: dict[int | None, int] = {}
    for at, issue_id, kind in returned:
        if now - at <= COUNTS_FOR[frequency]:
            worst[issue_id] = max(worst.get(issue_id, 0), WEIGHT.get(kind, 0))
    return sum(worst.values())
