"""One worker's connection: made when needed, renewed when worn, and the letters that go over it. Floor: `smtp`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic

from publisher.errors import Refused, RelayUnavailable
from publisher.mail.replies import LOST_CONNECTION, LOST_REPLY, Scope, Stage, decide
from publisher.model import DeliveryState
from publisher.smtp.envelope import Envelope
from publisher.smtp.hand import Hand, Handed, Letter, R, Turn
from publisher.smtp.lane import ACCEPTED, Lane, taken
from publisher.smtp.session import Session

if TYPE_CHECKING:
    from publisher.smtp.postman import Postman


class Line(Generic[R]):
    """Carries letters one after the other; where the relay takes groups, the next one is begun behind each, and the
    one after that made ready while the relay is at work. While all goes well there, a `Lane` carries them."""

    def __init__(self, postman: Postman[R]) -> None:
        self._postman = postman
        self._session: Session | None = None
        self._hand: Hand[R] = Hand()
        self._recorded: asyncio.Future[None] | None = None  # of the last letter's result

    async def carry(self, letter: Letter[R]) -> bool:
        """Hand `letter` over, and those that follow it in the same breath. False if there is no connection to be had:
        it was given back."""
        turn: Turn[R] | None = Turn(letter)
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
            self._hand.turn, self._hand.following = turn, None
            try:
                turn = await self._step(session)
            finally:
                if turn is None or not turn.begun:
                    self._give_back_ahead()
                    await self._all_recorded()
        return True

    async def close(self) -> None:
        session, self._session, self._hand.carried = self._session, None, 0
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
            self._hand.carried >= self._postman.letters_per_connection or not await self._session.stands()
        ):
            await self.close()
        if self._session is None:
            self._session = await self._postman.connect()
        return self._session

    async def _step(self, session: Session) -> Turn[R] | None:
        """Carry the letter whose turn it is, and in a lane those that follow; gives the next one to carry: the same on
        another connection, or one begun behind it."""
        hand = self._hand
        begun_with = hand.carried
        try:
            if not await self._sent(session):
                session.drop()  # it waits for a content that it must not get
                await self._without(session)
                return None
            reply = await session.taken()
        except Refused as no:
            answer = f"{no.code} {no.enhanced} {no.reply}".replace("  ", " ").strip()
            handed = Handed(self._ref, decide(Stage(no.stage), no.code, no.enhanced, no.reply), answer)
        except RelayUnavailable as lost:
            handed = Handed(self._ref, LOST_REPLY if lost.handed_over else LOST_CONNECTION)
        except BaseException:
            session.drop()  # the relay may wait for a content, and would take a goodbye for it
            if hand.following is not None:
                self._postman.give_back(hand.following.letter)
            self._give_back_ahead()
            raise
        else:
            handed = Handed(self._ref, *taken(reply))
            if handed.verdict is ACCEPTED and self._recorded is None and session.usable and not self._postman.ended:
                self._recorded = asyncio.ensure_future(self._postman.on_result(handed))
                self._postman.went_well()
                return hand.following
        # one that has carried others before is worn; `carried` counts the letter whose turn it was
        return await self._after(session, handed, worn=begun_with > 0 or hand.carried > 1)

    async def _sent(self, session: Session) -> bool:
        """Send the content of the letter whose turn it is, and begin the next one behind it; then, in a lane, as long
        as all is well, the next one's, and so on. False: the letter whose turn it is by now must not be sent."""
        hand, turn = self._hand, self._hand.turn
        assert turn is not None
        if turn.envelope is None:
            turn.envelope = _envelope(session, turn.letter)
        if not turn.begun:
            session.begin(turn.envelope)
        hand.carried += 1
        hand.following, hand.ahead = hand.ahead or await self._next(session), None
        if not session.opened_already():
            await session.opened()
        if not (turn.claimed or await self._claim(turn)):
            return False
        if self._recorded is not None:
            await self._all_recorded()
        session.send(turn.envelope, hand.following.envelope if hand.following else None)
        if hand.following is None:
            return True
        hand.following.begun = True
        await self._look_ahead(session)
        swap = self._postman.swap
        return swap is None or await Lane(self._postman, swap, session, hand).run()

    @property
    def _ref(self) -> R:
        assert self._hand.turn is not None
        return self._hand.turn.letter.ref

    async def _after(self, session: Session, handed: Handed[R], *, worn: bool) -> Turn[R] | None:
        turn = self._hand.turn
        assert turn is not None
        scope, state = handed.verdict.scope, handed.verdict.state
        if scope is Scope.CONNECTION:
            session.drop()
        if not session.usable:
            await self._without(session)
        if scope is Scope.CONNECTION and (worn or session.lied) and state is not DeliveryState.UNCERTAIN:
            # relays close connections that are idle, or have carried enough: a fresh one may take the letter
            return Turn(turn.letter, claimed=turn.claimed)
        await self._all_recorded()
        self._recorded = asyncio.ensure_future(self._postman.on_result(handed))
        if scope is Scope.READER:
            self._postman.went_well()
        else:
            try:
                await self._all_recorded()
                await self._postman.take_note(handed, turn.letter.recipient)
            except BaseException:
                await self._without(session)
                raise
        if self._postman.ended:
            await self._without(session)
        return self._hand.following

    async def _without(self, session: Session) -> None:
        """Give up what was to follow; with its commands on the wire, or the wire broken, the connection as well."""
        self._give_back_ahead()
        following, self._hand.following = self._hand.following, None
        if following is not None:
            self._postman.give_back(following.letter)
            if following.begun:
                session.drop()
        if not session.usable:
            await self.close()

    def _give_back_ahead(self) -> None:
        if self._hand.ahead is not None:
            self._postman.give_back(self._hand.ahead.letter)
            self._hand.ahead = None

    async def _look_ahead(self, session: Session) -> None:
        """Make the letter after the following one ready. What fails is for the run to end with; the letter whose
        content is out has to be finished."""
        try:
            self._hand.ahead = await self._next(session, begun=1)
        except Exception as error:
            self._postman.end(error)

    async def _next(self, session: Session, *, begun: int = 0) -> Turn[R] | None:
        """The next letter for this session, which has taken on `begun` letters beside those counted as carried."""
        if not session.pipelining or self._hand.carried + begun >= self._postman.letters_per_connection:
            return None
        while (letter := await self._postman.next(wait=False)) is not None:
            try:
                return Turn(letter, _envelope(session, letter))
            except Refused as no:
                verdict = decide(Stage(no.stage), no.code, no.enhanced, no.reply)
                await self._postman.on_result(Handed(letter.ref, verdict, f"{no.code} {no.enhanced} {no.reply}"))
        return None

    async def _claim(self, turn: Turn[R]) -> bool:
        turn.claimed = self._postman.claim is None or await self._postman.claim(turn.letter.ref)
        return turn.claimed

    async def _all_recorded(self) -> None:
        recorded, self._recorded = self._recorded, None
        if recorded is not None:
            await recorded


def _envelope(session: Session, letter: Letter[R]) -> Envelope:
    return session.envelope(letter.sender, letter.recipient, letter.content)
