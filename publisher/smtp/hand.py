"""A letter, what became of it, and what a connection has in hand of them. Floor: `smtp`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from publisher.mail.replies import Verdict
from publisher.smtp.envelope import Content, Envelope

R = TypeVar("R")


class Letter(NamedTuple, Generic[R]):
    """One letter to hand over; `ref` is the caller's name for it and comes back with the result."""

    ref: R
    sender: str
    recipient: str
    content: Content

    def __repr__(self) -> str:
        return f"Letter({self.ref!r})"  # neither address nor content


class Handed(NamedTuple, Generic[R]):
    """What became of a letter. `reply` is the relay's last answer without addresses, or "".

    State PLANNED (verdict NOT_TRIED): it was given back, nothing of it reached the relay; not an attempt.
    """

    ref: R
    verdict: Verdict
    reply: str = ""


@dataclass(slots=True)
class Turn(Generic[R]):
    """A letter on its way over a line: `envelope` is made for the line's session, `begun` says that its commands are
    out there."""

    letter: Letter[R]
    envelope: Envelope | None = None
    begun: bool = False
    claimed: bool = False


@dataclass(slots=True)
class Hand(Generic[R]):
    """What one connection has in hand: the letter whose `turn` it is, the `following` one, whose commands go out
    behind its content, and the one `ahead` of that, made ready, of which nothing is out. `carried` had their turn."""

    turn: Turn[R] | None = None
    following: Turn[R] | None = None
    ahead: Turn[R] | None = None
    carried: int = 0
