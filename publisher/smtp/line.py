"""One worker's connection: made when needed, renewed when worn, and the letters that go over it. Floor: `smtp`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from publisher.errors import Refused, RelayUnavailable
from publisher.mail.replies import LOST_CONNECTION, LOST_REPLY, Scope, Stage, Verdict, decide
from publisher.model import DeliveryState
from publisher.smtp.envelope import Content, Envelope
from publisher.smtp.session import Reply, Session

if TYPE_CHECKING:
    from publisher.smtp.postman import Postman

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
class _Turn(Generic[R]):
    """A letter on its way over a line: `envelope` is made for the line's session, `begun` says that its commands are
    out there."""

    letter: Letter[R]
    envelope: Envelope | None = None
    begun: bool = False
    claimed: bool = False


class Line(Generic[R]):
    """Carries letters one after the other; where the relay takes groups, the next one is begun behind each, and the
    one after that made ready while the relay is at work."""

    def __init__(self, postman: Postman[R]) -> None:
        self._postman = postman
        self._session: Session | None = None
        self._carried = 0
        self._ahead: _Turn[R] | None = None  # made ready, nothing of it is out
        self._recorded: asyncio.Future[None] | None = None  # of the last letter's result

    async def carry(self, letter: Letter[R]) -> bool:
        """Hand `letter` over, and those that follow it in the same breath. False if there is no connection to be had:
        it was given back."""
        turn: _Turn[R] | None = _Turn(letter)
        while turn is not None:
            before = self._session
            try:
                session = before if turn.begun else await self._ready()
            except BaseException:
                self._postman.give_back(turn.letter)
                raise
            if session is None:
                self._postman.give_back(turn.letter)
                return False
            if session is not before:
                turn.envelope = None  # another session may offer other things
            try:
                turn = await self._step(session, turn)
            finally:
                if turn is None or not turn.begun:
                    self._give_back_ahead()
                    await self._all_recorded()
        return True

    async def close(self) -> None:
        session, self._session, self._carried = self._session, None, 0
        if session is not None:
            self._postman.closed(session)
            await session.quit()

    def cut(self) -> None:
        """Close the connection at once; a letter whose content is out is in doubt."""
        if self._session is not None:
            self._session.drop()

    async def _ready(self) -> Session | None:
        """A session on which a letter can be begun."""
        if self._session is not None and (
            self._carried >= self._postman.letters_per_connection or not await self._session.stands()
        ):
            await self.close()
        if self._session is None:
            self._session = await self._postman.connect()
        return self._session

    async def _step(self, session: Session, turn: _Turn[R]) -> _Turn[R] | None:
        """Carry one letter; gives the next one to carry: the same on another connection, or one begun behind it."""
        worn = self._carried > 0
        following: _Turn[R] | None = None
        try:
            if turn.envelope is None:
                turn.envelope = _envelope(session, turn.letter)
            if not turn.begun:
                session.begin(turn.envelope)
            self._carried += 1
            following, self._ahead = self._ahead or await self._following(session), None
            if not session.opened_already():
                await session.opened()
            if not (turn.claimed or await self._claim(turn)):
                session.drop()  # it waits for a content that it must not get
                await self._without(session, following)
                return None
            if self._recorded is not None:
                await self._all_recorded()
            session.send(turn.envelope, following.envelope if following else None)
            if following:
                following.begun = True
                await self._look_ahead(session)
            reply = await session.taken()
        except Refused as no:
            answer = f"{no.code} {no.enhanced} {no.reply}".replace("  ", " ").strip()
            handed = Handed(turn.letter.ref, decide(Stage(no.stage), no.code, no.enhanced, no.reply), answer)
        except RelayUnavailable as lost:
            handed = Handed(turn.letter.ref, LOST_REPLY if lost.handed_over else LOST_CONNECTION)
        except BaseException:
            session.drop()  # the relay may wait for a content, and would take a goodbye for it
            if following:
                self._postman.give_back(following.letter)
            raise
        else:
            verdict, said = _taken(reply)
            handed = Handed(turn.letter.ref, verdict, said)
            if verdict is _ACCEPTED and self._recorded is None and session.usable and not self._postman.ended:
                self._recorded = asyncio.ensure_future(self._postman.on_result(handed))
                self._postman.went_well()
                return following
        return await self._after(session, turn, handed, following, worn=worn)

    async def _after(
        self, session: Session, turn: _Turn[R], handed: Handed[R], following: _Turn[R] | None, *, worn: bool
    ) -> _Turn[R] | None:
        scope, state = handed.verdict.scope, handed.verdict.state
        if scope is Scope.CONNECTION:
            session.drop()
        if not session.usable:
            await self._without(session, following)
            following = None
        if scope is Scope.CONNECTION and (worn or session.lied) and state is not DeliveryState.UNCERTAIN:
            # relays close connections that are idle, or have carried enough: a fresh one may take the letter
            return _Turn(turn.letter, claimed=turn.claimed)
        await self._all_recorded()
        self._recorded = asyncio.ensure_future(self._postman.on_result(handed))
        if scope is Scope.READER:
            self._postman.went_well()
        else:
            try:
                await self._all_recorded()
                await self._postman.take_note(handed, turn.letter.recipient)
            except BaseException:
                await self._without(session, following)
                raise
        if self._postman.ended:
            await self._without(session, following)
            return None
        return following

    async def _without(self, session: Session, following: _Turn[R] | None) -> None:
        """Give up what was to follow; with its commands on the wire, or the wire broken, the connection as well."""
        self._give_back_ahead()
        if following is not None:
            self._postman.give_back(following.letter)
            if following.begun:
                session.drop()
        if not session.usable:
            await self.close()

    def _give_back_ahead(self) -> None:
        if self._ahead is not None:
            self._postman.give_back(self._ahead.letter)
            self._ahead = None

    async def _look_ahead(self, session: Session) -> None:
        """Make the letter after the following one ready. What fails is for the run to end with; the letter whose
        content is out has to be finished."""
        try:
            self._ahead = await self._following(session, begun=1)
        except Exception as error:
            self._postman.end(error)

    async def _following(self, session: Session, *, begun: int = 0) -> _Turn[R] | None:
        """The next letter for this session, which has taken on `begun` letters beside those counted as carried."""
        if not session.pipelining or self._carried + begun >= self._postman.letters_per_connection:
            return None
        while (letter := await self._postman.next(wait=False)) is not None:
            try:
                return _Turn(letter, _envelope(session, letter))
            except Refused as no:
                verdict = decide(Stage(no.stage), no.code, no.enhanced, no.reply)
                await self._postman.on_result(Handed(letter.ref, verdict, f"{no.code} {no.enhanced} {no.reply}"))
        return None

    async def _claim(self, turn: _Turn[R]) -> bool:
        turn.claimed = self._postman.claim is None or await self._postman.claim(turn.letter.ref)
        return turn.claimed

    async def _all_recorded(self) -> None:
        recorded, self._recorded = self._recorded, None
        if recorded is not None:
            await recorded


def _envelope(session: Session, letter: Letter[R]) -> Envelope:
    return session.envelope(letter.sender, letter.recipient, letter.content)


_ACCEPTED = decide(Stage.CONTENT, 250, "", "")


@lru_cache(maxsize=256)
def _taken(reply: Reply) -> tuple[Verdict, str]:
    """What follows from the relay's word on a content it took, and that word."""
    return _ACCEPTED if reply.code == 250 else decide(Stage.CONTENT, reply.code, "", reply.text), str(reply)
