"""One conversation with the relay, open and secured (`connect`): letters are handed over. Floor: `smtp`.

    (begin -> opened -> send -> taken)* -> quit

Where the relay offers PIPELINING
(RFC 2920), MAIL, RCPT and DATA go out together, and behind the content of the letter before them: one round trip for a
letter instead of four. Elsewhere each command waits for its answer.

    us     MAIL RCPT DATA           content . MAIL RCPT DATA                 RSET MAIL RCPT DATA
    relay                250 250 354                        250, 250 550 503                    250, 250 250 354

Three rules keep each answer with its reader. Whatever ends a step otherwise than by a whole answer (time-out,
cancellation, a lost connection, an answer that makes no sense) closes the connection at once. Bytes that nobody
asked for close it too, for they would be taken for the next answer. And from the moment the content is written, no
answer means doubt, before it means "not handed over".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, cast

from aiosmtplib import SMTP

from publisher.errors import Refused, RelayUnavailable
from publisher.mail.replies import Stage, enhanced_status, without_addresses
from publisher.smtp.endpoint import Endpoint
from publisher.smtp.envelope import Abilities, Content, Envelope
from publisher.smtp.wire import Answer, Wire, WireBroken

IDLE_S = 15.0
"""A session unused for longer is asked whether it still stands before a letter is begun on it."""
_QUIT_TIMEOUT_S = 5.0
_CLOSING = 421
_GOODBYE = 221
_OUT_OF_STEP = frozenset({_CLOSING, 500, 502, 503})
"""After one of these the relay is leaving, or does not understand what we say: the connection is not used again."""
_FINAL_DOT = b".\r\n"


class Reply(NamedTuple):
    """An answer of the relay; `text` without addresses, one line."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


@lru_cache(maxsize=256)  # many relays say the same to every letter
def _reply(answer: Answer) -> Reply:
    return Reply(answer.code, without_addresses(answer.text))


def _goes_on(stage: Stage, code: int) -> bool:
    """Whether `code` says yes at `stage`. Its first digit decides, for relays make up the others (RFC 5321 §4.3.2). But
    a goodbye is no answer to any part of a letter, and leaves it in doubt."""
    return code // 100 == (3 if stage is Stage.DATA else 2) and code != _GOODBYE


class Session:
    """An open connection, owned by one task at a time. Make it with `connect` or `open_session`."""

    def __init__(self, client: SMTP, endpoint: Endpoint, *, pipelining: bool) -> None:
        self._client = client
        self._endpoint = endpoint
        self._abilities = Abilities.of(client.esmtp_extensions)
        if client.protocol is None or client.transport is None or client.protocol._buffer:
            raise ConnectionError("it closed the connection, or said more than it was asked")
        self._wire = Wire(cast(asyncio.Transport, client.transport))
        self._begun: Envelope | None = None
        self._letters = 0
        self._reset_due = False
        self.pipelining = pipelining and self._abilities.pipelining
        self.lied = False
        """It offered PIPELINING, and then its answers did not fit: such a relay is spoken to stage by stage."""

    @property
    def usable(self) -> bool:
        """Whether another letter may be handed over here."""
        return self._wire.whole

    @property
    def silent(self) -> bool:
        """Whether the relay has not answered yet, and may."""
        return self._wire.silent

    @property
    def abilities(self) -> Abilities:
        """What the relay offered."""
        return self._abilities

    def envelope(self, sender: str, recipient: str, content: Content) -> Envelope:
        """Raises Refused, without a word to the relay, for what it cannot take anyway."""
        return self._abilities.envelope(sender, recipient, content)

    async def hand_over(self, sender: str, recipient: str, letter: bytes) -> Reply:
        """Hand over one letter; it reaches the relay byte by byte as given. Returns the relay's final answer.

        Raises Refused with the stage, when the relay says no (the session stays usable unless it says so), and
        RelayUnavailable, when the connection broke; its `handed_over` is true if the relay may have taken the
        letter. A task cancelled in here leaves the connection closed; in stage content that means doubt, too.
        """
        if not self.usable:
            self.drop()
            raise RelayUnavailable(f"relay {self._endpoint}: the connection is closed")
        self.begin(self.envelope(sender, recipient, letter))
        self.send(await self.opened())
        return await self.taken()

    # --- the steps of a letter ------------------------------------------------------------------------------------

    def begin(self, envelope: Envelope) -> None:
        """Start the next letter. Where answers may be owed, its commands go out at once; else `opened` says them."""
        self._begun = envelope
        if self.pipelining and self._reset_due:
            self._write(Stage.MAIL, [b"RSET\r\n", envelope.commands], 4)
        elif self.pipelining:
            self._write(Stage.MAIL, [envelope.commands], 3)

    def opened_already(self) -> bool:
        """Whether the relay is known to want the content of the letter begun; else `opened` finds out."""
        if not self.pipelining or self._reset_due or self._wire.agreed(250, 250, 354) is None:
            return False
        self._begun = None
        return True

    async def opened(self) -> Envelope:
        """Wait until the relay wants the content of the letter begun. Raises as `hand_over`, never in doubt."""
        envelope, self._begun = self._begun, None
        if envelope is None:
            raise ValueError("no letter was begun")
        if self.pipelining:
            if self._reset_due or self._wire.agreed(250, 250, 354) is None:
                await self._opened_together()
        else:
            await self._opened_stepwise(envelope)
        return envelope

    def send(self, envelope: Envelope, following: Envelope | None = None) -> None:
        """Write the content that `opened` asked for, and `following`'s commands behind it. Raises RelayUnavailable if
        the connection broke meanwhile: nothing of the content is out then."""
        if following is not None and self.pipelining:
            self._write(Stage.DATA, [*envelope.content, _FINAL_DOT + following.commands], 4)
        else:
            self._write(Stage.DATA, [*envelope.content, _FINAL_DOT], 1)
        self._begun = following

    async def taken(self) -> Reply:
        """The relay's final answer to the content sent; from `send` on, no answer is doubt. Raises as `hand_over`."""
        answer = await self._hear(Stage.CONTENT, self._endpoint.final_timeout_s)
        self._letters += 1
        if answer.code != 250:  # the usual yes costs no call
            self._check(Stage.CONTENT, answer)
        return _reply(answer)

    def turned(self) -> Reply | None:
        """The relay's answer, where it took the content sent and is known to want that of the letter begun behind it;
        None where `taken` and `opened` have to find out."""
        if self._begun is None or self._reset_due:
            return None
        answer = self._wire.agreed(250, 250, 250, 354)
        if answer is None:
            return None
        self._begun = None
        self._letters += 1
        return _reply(answer)

    def listen(self, heard: Callable[[], None] | None) -> None:
        """As `Wire.listen`: for one who asks `turned` whenever something came."""
        self._wire.listen(heard)

    def expect(self) -> None:
        """The answer to the content sent has its time from now on."""
        self._wire.expect(self._endpoint.final_timeout_s)

    async def stands(self) -> bool:
        """Whether the connection still stands; asks the relay (NOOP) where it has been idle for long."""
        if self.usable and asyncio.get_running_loop().time() - self._wire.last_used > IDLE_S:
            try:
                self._write(Stage.MAIL, [b"NOOP\r\n"], 1)
                if not _goes_on(Stage.MAIL, (await self._hear(Stage.MAIL)).code):
                    self.drop()
            except RelayUnavailable:
                return False
        return self.usable

    async def quit(self) -> None:
        """Say goodbye if the connection still stands and nothing is half said, and close it. Never raises, never
        waits long."""
        try:
            if self.usable and not self._wire.owed and self._begun is None:
                self._wire.write([b"QUIT\r\n"], 1)
                await self._wire.answer(min(_QUIT_TIMEOUT_S, self._endpoint.timeout_s))
        except WireBroken:
            pass  # nothing is owed to a relay that is gone
        finally:
            self.drop()

    def drop(self) -> None:
        """Close the connection at once; what is still unsent stays unsent."""
        self._wire.abort()
        self._client.close()

    # --- within ---------------------------------------------------------------------------------------------------

    def _write(self, stage: Stage, pieces: list[bytes], answers: int) -> None:
        try:
            self._wire.write(pieces, answers)
        except WireBroken as error:
            self.drop()
            raise self._lost(stage, error) from error

    async def _opened_together(self) -> None:
        """The answers to MAIL, RCPT and DATA, all three, for the next letter's come behind them."""
        if self._reset_due:
            self._reset_due = False
            self._check(Stage.MAIL, await self._hear(Stage.MAIL))
        refusal: Refused | None = None
        try:
            for stage in (Stage.MAIL, Stage.RCPT, Stage.DATA):
                answer = await self._hear(stage)
                try:
                    if refusal is None:
                        self._check(stage, answer)
                except Refused as no:
                    refusal = no
                    self.lied = self.lied or no.code in _OUT_OF_STEP - {_CLOSING}
                    if not self.usable:
                        raise
            if refusal is not None:
                await self._forget_the_group(answer)
        except RelayUnavailable as lost:
            # a relay that closes between two letters is within its rights; one that closes on a group is not
            silent = isinstance(lost.__cause__, WireBroken) and lost.__cause__.silent
            self.lied = self.lied or silent or stage is not Stage.MAIL or not self._letters
            if refusal is None:
                raise
        if refusal is not None:
            raise refusal

    async def _forget_the_group(self, to_data: Answer) -> None:
        """Bring the relay back to where a letter can begin, after one command of a group was refused."""
        if to_data.code == _CLOSING:
            self.drop()
        elif _goes_on(Stage.DATA, to_data.code):  # RFC 2920 §3.1: it waits for a content, without a reader
            self._write(Stage.DATA, [_FINAL_DOT], 1)
            await self._hear(Stage.DATA)
        self._reset_due = True

    async def _opened_stepwise(self, envelope: Envelope) -> None:
        mail, rcpt, data = envelope.commands.splitlines(keepends=True)
        await self._ask(Stage.MAIL, mail)
        try:
            await self._ask(Stage.RCPT, rcpt)
            await self._ask(Stage.DATA, data)
        except Refused:
            await self._reset()
            raise

    async def _ask(self, stage: Stage, command: bytes) -> None:
        self._write(stage, [command], 1)
        self._check(stage, await self._hear(stage))

    async def _reset(self) -> None:
        """Forget the half-made envelope (RSET), or the connection if the relay won't."""
        if not self.usable:
            self.drop()
            return
        try:
            self._write(Stage.MAIL, [b"RSET\r\n"], 1)
            if not _goes_on(Stage.MAIL, (await self._hear(Stage.MAIL)).code):
                self.drop()
        except RelayUnavailable:
            pass  # the refusal we have is what matters

    async def _hear(self, stage: Stage, timeout_s: float | None = None) -> Answer:
        """The next answer; whatever comes in its place closes the connection."""
        try:
            return await self._wire.answer(timeout_s or self._endpoint.timeout_s)
        except WireBroken as error:
            self.lied = self.lied or (self.pipelining and error.nonsense)
            self.drop()
            raise self._lost(stage, error) from error
        except BaseException:
            self.drop()
            raise

    def _check(self, stage: Stage, answer: Answer) -> None:
        """Raises Refused or RelayUnavailable unless `answer` says to go on from `stage`."""
        code = answer.code
        if _goes_on(stage, code):
            return
        text = without_addresses(answer.text)
        if 400 <= code < 600:
            enhanced = enhanced_status(text)
            if code in _OUT_OF_STEP or enhanced.startswith("5.5."):
                self.drop()
            raise Refused(stage, code, enhanced, text.removeprefix("#").removeprefix(enhanced).lstrip())
        self.lied = self.pipelining
        self.drop()
        raise self._lost(stage, WireBroken(f"its answer makes no sense: {code} {text}"))

    def _lost(self, stage: Stage, error: WireBroken) -> RelayUnavailable:
        problem = f"relay {self._endpoint}: {without_addresses(str(error))} (stage {stage})"
        return RelayUnavailable(problem, handed_over=stage is Stage.CONTENT)
