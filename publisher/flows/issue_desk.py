"""What an operator does with an issue: send its remainder again, pause, resume, cancel. Floor: `flows`.

The command, the admin page and the API call the same. Each tells the issue's name and how many letters it concerns.
Nothing is sent here: `publisher deliver` or the next run does that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from publisher.errors import Conflict
from publisher.model import DeliveryState, IssueState
from publisher.store import Transaction, Transactions


@dataclass(frozen=True, slots=True)
class Again:
    """What came of a retry: `planned` letters, of an issue now in `state`; `reason`: why they wait, or why there are
    none, "" where the next run sends them."""

    issue: str
    planned: int
    state: IssueState
    reason: str


def retry(store: Transactions, name: str, *, now: datetime) -> Again:
    """Plan the letters once more that were rejected, given up or left uncertain. Raises NotFound, and Conflict if it
    was cancelled or refused, or is so old that its letters are forgotten."""
    with store.write() as tx:
        found = tx.issues.by_name(name)
        planned = tx.deliveries.retry(found.id, now)
        if planned is None:
            raise Conflict(f"{found.name} is over, it is {found.state}; its articles come with the next issue")
        if not tx.issues.has_renderings(found.id):
            raise Conflict(
                f"the texts of {found.name} are forgotten (store.keep_letters_days); it cannot be sent again"
            )
        state = tx.issues.get(found.id).state
        return Again(found.name, planned, state, _HELD.get(state, "") if planned else _why_nothing(tx, found.id))


_HELD = {IssueState.PAUSED: "the issue is paused", IssueState.WAITING: "the issue waits for approval"}


def _why_nothing(tx: Transaction, issue_id: int) -> str:
    states = tx.deliveries.sum(issue_id).states
    failed = (DeliveryState.REJECTED, DeliveryState.EXPIRED, DeliveryState.UNCERTAIN)
    if not any(states.get(state) for state in failed):
        return "none was rejected, given up or left uncertain"
    return "the readers of those that failed are no longer active, or a later letter brings them the articles"


def pause(store: Transactions, name: str, *, resend: bool) -> tuple[str, int]:
    """Hand nothing more over; gives what waits, with what is in doubt where the settings `resend` that. Raises
    NotFound, and Conflict if it is not being sent."""
    with store.write() as tx:
        found = tx.issues.by_name(name)
        if not tx.deliveries.pause(found.id):
            raise Conflict(f"{found.name} is not being sent, it is {found.state}")
        return found.name, tx.deliveries.pending(found.id, include_uncertain=resend)


def resume(store: Transactions, name: str, *, resend: bool) -> tuple[str, int]:
    """Let it be sent again; gives what waits, as `pause` does. Raises NotFound, and Conflict if it is not paused."""
    with store.write() as tx:
        found = tx.issues.by_name(name)
        if not tx.deliveries.resume(found.id):
            raise Conflict(f"{found.name} is not paused, it is {found.state}")
        return found.name, tx.deliveries.pending(found.id, include_uncertain=resend)


def cancel(store: Transactions, name: str, *, now: datetime) -> tuple[str, int]:
    """End it for good; gives how many letters will not be sent. Raises NotFound, and Conflict if it is over."""
    with store.write() as tx:
        found = tx.issues.by_name(name)
        left = tx.deliveries.cancel(found.id, now)
        if left is None:
            raise Conflict(f"{found.name} is over, it is {found.state}")
        return found.name, left
