"""The quick lane: letters that follow each other on one connection without a hitch, by plain calls. Floor: `smtp`.

    answers came -> taken, and the next one wanted -> swap: outcome and claim, durable together -> told -> content out
                         anything else                                     not ours; none follows
                               └──> the lane ends, and its line goes on from there in its own way <──┘

A task that waits for an answer, a record and a claim is woken three times for a letter; that costs as much as the
letter's way to the relay. Nothing is decided here but that all is well: what to do about the rest is the line's affair.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Generic

from publisher.errors import Refused
from publisher.mail.replies import Stage, Verdict, decide
from publisher.smtp.hand import Hand, Handed, R, Turn
from publisher.smtp.session import Reply, Session

if TYPE_CHECKING:
    from publisher.smtp.postman import Postman

Told = Callable[[bool | Exception], None]
"""Told whether a letter may be sent, or the error that keeps that from being known."""
Swap = Callable[[Handed[R], R, Told], None]
"""`on_result` for a letter that was accepted, and `claim` for the next one; tells when both are durable."""

ACCEPTED = decide(Stage.CONTENT, 250, "", "")


@lru_cache(maxsize=256)  # many relays say the same to every letter
def taken(reply: Reply) -> tuple[Verdict, str]:
    """What follows from the relay's word on a content it took, and that word."""
    return ACCEPTED if reply.code == 250 else decide(Stage.CONTENT, reply.code, "", reply.text), str(reply)


class Lane(Generic[R]):
    """Carries what is in `hand` over `session`: the content of the letter whose turn it is was sent, and another one
    is begun behind it."""

    def __init__(self, postman: Postman[R], swap: Swap[R], session: Session, hand: Hand[R]) -> None:
        self._postman = postman
        self._swap = swap
        self._session = session
        self._hand = hand
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[bool] = self._loop.create_future()
        self._swapping = False

    async def run(self) -> bool:
        """Carry letters while all is well. True: the content of the letter whose turn it is now was sent, and its
        answer is still to be heard. False: that letter must not be sent, though the relay waits for its content.

        Raises RelayUnavailable when the connection broke before that content, and what `swap` tells.
        """
        self._session.listen(self._heard)
        self._session.expect()
        try:
            self._heard()  # it may have come already
            return await self._over
        finally:
            self._session.listen(None)

    def _heard(self) -> None:
        hand = self._hand
        if self._swapping or self._over.done() or self._session.silent:
            return
        reply = None if self._postman.ended else self._session.turned()
        if reply is None or hand.turn is None or hand.following is None:
            self._over.set_result(True)
            return
        handed = Handed(hand.turn.letter.ref, *taken(reply))
        self._postman.went_well()
        hand.turn, hand.following = hand.following, None
        hand.carried += 1
        self._swapping = True
        self._swap(handed, hand.turn.letter.ref, self._told)

    def _told(self, ours: bool | Exception) -> None:
        if self._over.done():  # cancelled meanwhile
            return
        if isinstance(ours, Exception):
            self._over.set_exception(ours)
        elif not ours:
            self._over.set_result(False)
        else:
            try:
                self._send()  # which hears of a connection that broke meanwhile, as of an answer
            except Exception as error:
                self._over.set_exception(error)
            self._swapping = False

    def _send(self) -> None:
        """Send the content of the letter whose turn it is, with the next one's commands behind it."""
        hand = self._hand
        assert hand.turn is not None and hand.turn.envelope is not None
        hand.turn.claimed = True
        if hand.ahead is None:
            hand.ahead = self._next(begun=0)
        self._session.send(hand.turn.envelope, hand.ahead.envelope if hand.ahead else None)
        hand.following, hand.ahead = hand.ahead, None
        if hand.following is None:
            self._over.set_result(True)
            return
        hand.following.begun = True
        self._session.expect()
        self._loop.call_soon(self._look_ahead)  # when the contents of the other lines are out, too

    def _look_ahead(self) -> None:
        """Make the letter after the following one ready while the relay is at work."""
        if self._hand.ahead is None and self._hand.following is not None and not self._over.done():
            self._hand.ahead = self._next(begun=1)

    def _next(self, *, begun: int) -> Turn[R] | None:
        """A letter that is there already, for this connection, which has begun so many beside those carried."""
        postman = self._postman
        if self._hand.carried + begun >= postman.letters_per_connection:
            return None
        try:
            letter = postman.next_at_once()
        except Exception as error:  # for the run to end with; the letter whose content is out has to be finished
            postman.end(error)
            return None
        if letter is None:
            return None
        try:
            return Turn(letter, self._session.envelope(letter.sender, letter.recipient, letter.content))
        except Refused:
            postman.give_back(letter)  # a line that takes it finds the same, and has the time to say so
            return None
