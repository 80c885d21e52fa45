"""Eight letters for a relay that may do anything, and what must be true of each of them at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from wire.servers import SENDER, letter_bytes

from publisher.errors import RelayUnavailable
from publisher.mail.replies import Verdict
from publisher.model import DeliveryState
from publisher.smtp.lane import Told
from publisher.smtp.postman import Handed, Letter, deliver_all

READERS = [f"reader{number}@a.example" for number in range(8)]


class Ledger:
    """Eight letters, their claims, and what became of each. `done`: these are not sent (again). `quick`: letters may
    go by the lane."""

    quick = False

    def __init__(self) -> None:
        self.waiting = iter(READERS)
        self.by_lane = 0
        self.verdicts: dict[str, Verdict] = {}
        self.claimed: set[str] = set()
        self.refused: set[str] = set()
        self.done: set[str] = set()
        self.claimed_at_once = 0
        self.stopped = ""

    async def letters(self):
        while (letter := self.at_once()) is not None:
            yield letter

    def at_once(self) -> Letter[str] | None:
        reader = next((reader for reader in self.waiting if reader not in self.done), None)
        return reader and Letter(reader, SENDER, reader, letter_bytes(f"<{reader}>", ".\n..x\n"))

    def swap(self, handed: Handed[str], reader: str, told: Told) -> None:
        self.by_lane += 1
        self.record(handed).close()
        claimed = asyncio.ensure_future(self.claim(reader))
        claimed.add_done_callback(lambda done: told(done.exception() or done.result()))

    @property
    def ways(self) -> dict[str, Any]:
        """How `deliver_all` is to go about it."""
        ways = {"claim": self.claim, "on_result": self.record}
        return {**ways, "at_once": self.at_once, "swap": self.swap} if self.quick else ways

    async def claim(self, reader: str) -> bool:
        await asyncio.sleep(0)
        assert reader not in self.claimed, "claimed once"
        if reader in self.refused:
            return False
        self.claimed.add(reader)
        self.claimed_at_once = max(self.claimed_at_once, len(self.claimed - self.verdicts.keys()))
        return True

    def record(self, handed: Handed[str]) -> Coroutine[Any, Any, None]:
        assert handed.ref not in self.verdicts, "one result each"
        self.verdicts[handed.ref] = handed.verdict
        return asyncio.sleep(0)

    async def deliver(self, endpoint, *, connections=2, letters_per_connection=100) -> None:
        self.waiting = iter(READERS)
        try:
            await deliver_all(
                endpoint,
                self.letters(),
                connections=connections,
                letters_per_connection=letters_per_connection,
                pauses_s=(0.01, 0.01),
                **self.ways,
            )
        except RelayUnavailable as error:
            self.stopped = str(error)

    def readers(self, *states: DeliveryState) -> list[str]:
        return sorted(reader for reader, verdict in self.verdicts.items() if verdict.state in states)
