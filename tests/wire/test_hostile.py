"""Whatever a relay does at whatever moment: every reader's letter ends in a state that is true."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from wire.eight_letters import READERS, Ledger
from wire.hostile import FAULTS, STAGES, Fault, HostileRelay, hostile_relay
from wire.servers import letter_bytes

from publisher.model import DeliveryState
from publisher.smtp.postman import deliver_all

pytestmark = pytest.mark.anyio
ACCEPTED, DEFERRED, REJECTED = DeliveryState.ACCEPTED, DeliveryState.DEFERRED, DeliveryState.REJECTED
UNCERTAIN, PLANNED = DeliveryState.UNCERTAIN, DeliveryState.PLANNED
VICTIM = READERS[3]
OPENING = STAGES[:4]


@pytest.fixture(params=[False, True], ids=["tasks", "lane"], autouse=True)
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything here holds for letters that are waited for by tasks, and for those that go by the lane."""
    monkeypatch.setattr(Ledger, "quick", request.param)


def assert_true(ledger: Ledger, relay: HostileRelay) -> None:
    """What is written down is what happened."""
    took = Counter(relay.taken)
    assert all(took[reader] == 1 for reader in ledger.readers(ACCEPTED)), "accepted letters arrived, once"
    assert all(took[reader] <= 1 for reader in ledger.readers(UNCERTAIN)), "nobody knows"
    assert not any(took[reader] for reader in ledger.readers(REJECTED, DEFERRED, PLANNED)), "these did not arrive"
    if not ledger.stopped:
        assert sorted(ledger.verdicts) == READERS, "everybody has a result"
    assert all(content == [letter_bytes(f"<{reader}>", ".\n..x\n").replace(b"\n.", b"\n..")] * len(content)
               for reader, content in relay.seen.items())  # fmt: skip
    assert ledger.claimed_at_once <= 2, "no more in hand than connections"
    assert not any(verdict.bounced for verdict in ledger.verdicts.values()), "no fault of ours kills an address"


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("pipelining", [True, False], ids=["groups", "stages"])
async def test_a_fault_at_any_stage_ends_every_letter_in_a_true_state(
    stage: str, kind: str, pipelining: bool, server_tls: ssl.SSLContext, ca_file: Path
) -> None:
    """In the opening it strikes the first two connections; in a letter's stages one reader, whenever."""
    opening = stage in {*OPENING, "quit"}
    fault = Fault(stage, kind, times=2) if opening else Fault(stage, kind, recipient=VICTIM)
    relay = HostileRelay([fault], pipelining=pipelining)
    if stage in {"starttls", "auth"}:
        relay.tls, relay.login = server_tls, True
    async with hostile_relay(relay):
        endpoint = relay.endpoint
        if relay.tls:
            endpoint = replace(endpoint, security="starttls", ca_file=ca_file, username="u", password="secret")
        ledger = Ledger()
        await asyncio.wait_for(ledger.deliver(endpoint), 20)
    assert_true(ledger, relay)
    if stage in {"mail", "rcpt", "data", "content"} and not ledger.stopped:
        others = [reader for reader in READERS if reader != VICTIM]
        assert ledger.readers(ACCEPTED) in ([*others], [*READERS]), "nobody else is harmed"
    if stage == "quit":
        assert ledger.readers(ACCEPTED) == READERS


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "content"])
@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("4xx", {DEFERRED}, {DEFERRED}),
        ("5xx", {REJECTED, DEFERRED}, {REJECTED}),
        ("421", {DEFERRED}, {DEFERRED}),
        ("close", {DEFERRED}, {UNCERTAIN}),
        ("reset", {DEFERRED}, {UNCERTAIN}),
        ("hang", {DEFERRED}, {UNCERTAIN}),
        ("late", {DEFERRED}, {UNCERTAIN}),
        ("drip", {ACCEPTED}, {ACCEPTED}),
        ("garbage", {DEFERRED}, {UNCERTAIN}),
        ("stray", {DEFERRED}, {ACCEPTED}),
    ],
)
async def test_the_reader_struck_is_in_doubt_after_the_content_alone(
    stage: str, kind: str, before: set[DeliveryState], after: set[DeliveryState]
) -> None:
    relay = HostileRelay([Fault(stage, kind, recipient=VICTIM)])
    async with hostile_relay(relay):
        ledger = Ledger()
        await asyncio.wait_for(ledger.deliver(relay.endpoint), 20)
    expected = after if stage == "content" else before
    if stage == "mail":
        expected = expected | {ACCEPTED}  # the fault is found by the letter whose group the relay sees
    assert ledger.verdicts[VICTIM].state in expected


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("pipelining", [True, False], ids=["groups", "stages"])
async def test_cancelled_at_any_stage_it_leaves_one_letter_in_doubt_at_most_and_no_answer_for_another(
    stage: str, pipelining: bool, server_tls: ssl.SSLContext, ca_file: Path
) -> None:
    """The relay falls silent there; who cancelled sends the rest later, and the late answer is nobody's."""
    fault = Fault(stage, "late", recipient=VICTIM if stage in _BY_READER else "", times=1)
    relay = HostileRelay([fault], pipelining=pipelining, tls=server_tls, login=True)
    ledger = Ledger()
    async with hostile_relay(relay):
        endpoint = replace(relay.endpoint, security="starttls", ca_file=ca_file, username="u", password="secret")
        patient = replace(endpoint, timeout_s=60, final_timeout_s=60)
        run = asyncio.create_task(ledger.deliver(patient, connections=1))
        await asyncio.wait_for(_struck(fault), 10)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        in_doubt = ledger.claimed - ledger.verdicts.keys()
        assert in_doubt == ({VICTIM} if stage == "content" else set())
        assert ledger.readers(ACCEPTED) == sorted(ledger.verdicts)
        relay.faults.clear()
        ledger.done = set(ledger.claimed)
        await asyncio.wait_for(ledger.deliver(endpoint, connections=1), 10)
    assert ledger.readers(ACCEPTED) == [reader for reader in READERS if reader not in in_doubt]
    assert Counter(relay.taken) == Counter(READERS), "each once"


_BY_READER = {"rcpt", "data", "content"}


async def _struck(fault: Fault) -> None:
    while fault.times:  # noqa: ASYNC110  (the relay knows no events)
        await asyncio.sleep(0.005)


# --- groups -----------------------------------------------------------------------------------------------------------


async def test_a_letter_costs_one_round_trip_where_groups_are_taken() -> None:
    relay = HostileRelay()
    async with hostile_relay(relay):
        ledger = Ledger()
        await ledger.deliver(relay.endpoint, connections=1)
    assert ledger.readers(ACCEPTED) == READERS
    assert ledger.by_lane == (len(READERS) - 1 if ledger.quick else 0), "all but the first"
    assert relay.groups >= 2 * len(READERS), "RCPT and DATA came together with MAIL"
    assert [command.split()[0] for command in relay.commands] == [
        b"EHLO", *[b"MAIL", b"RCPT", b"DATA"] * len(READERS), b"QUIT",
    ]  # fmt: skip


@pytest.mark.parametrize("answer", ["503 5.5.1 need RCPT", "554 5.5.1 no valid recipients", "354 go on"])
async def test_a_refused_reader_in_a_group_harms_nobody_whatever_data_is_answered(answer: str) -> None:
    relay = HostileRelay([Fault("rcpt", "5xx", reader) for reader in READERS[2:5]], data_without_reader=answer)
    async with hostile_relay(relay):
        ledger = Ledger()
        await ledger.deliver(relay.endpoint, connections=1)
    assert ledger.readers(REJECTED) == READERS[2:5]
    assert ledger.readers(ACCEPTED) == READERS[:2] + READERS[5:]
    assert relay.connections == 1
    assert_true(ledger, relay)


async def test_an_empty_letter_to_nobody_that_the_relay_takes_counts_for_nobody() -> None:
    refused = Fault("rcpt", "5xx", VICTIM)
    relay = HostileRelay([refused], data_without_reader="354 go on", content_without_reader="250 ok")
    async with hostile_relay(relay):
        ledger = Ledger()
        await ledger.deliver(relay.endpoint, connections=1)
    assert ledger.readers(REJECTED) == [VICTIM]
    assert_true(ledger, relay)


async def test_a_relay_that_forgets_groups_is_spoken_to_stage_by_stage() -> None:
    relay = HostileRelay(loses_groups=True)
    async with hostile_relay(relay):
        ledger = Ledger()
        await ledger.deliver(relay.endpoint, connections=1)
    assert ledger.readers(ACCEPTED) == READERS
    assert relay.connections == 3, "two lies, then the truth"
    assert_true(ledger, relay)


async def test_a_reader_who_left_at_the_last_moment_gets_nothing_though_the_relay_waits_for_it() -> None:
    relay = HostileRelay()
    ledger = Ledger()
    ledger.refused = {VICTIM}
    async with hostile_relay(relay):
        await ledger.deliver(relay.endpoint, connections=1)
    assert sorted(relay.taken) == [reader for reader in READERS if reader != VICTIM]
    assert VICTIM not in ledger.verdicts and VICTIM not in relay.seen
    assert relay.connections == 2


class _Unwritable(Ledger):
    """A ledger that cannot write down who gets the next letter."""

    async def claim(self, reader: str) -> bool:
        if reader == VICTIM:
            raise OSError("the disk is full")
        return await super().claim(reader)


async def test_a_letter_that_could_not_be_claimed_is_not_sent_and_the_run_ends_with_the_reason() -> None:
    relay = HostileRelay()
    ledger = _Unwritable()
    async with hostile_relay(relay):
        with pytest.raises(OSError, match="the disk is full"):
            await asyncio.wait_for(ledger.deliver(relay.endpoint, connections=1), 10)
    assert relay.taken == ledger.readers(ACCEPTED) == READERS[:3]
    assert not relay.seen.keys() - set(READERS[:3]), "and nothing of the letters behind it"


async def test_a_connection_is_renewed_after_its_letters_in_groups_too() -> None:
    relay = HostileRelay()
    async with hostile_relay(relay):
        ledger = Ledger()
        await ledger.deliver(relay.endpoint, connections=1, letters_per_connection=3)
    assert relay.connections == 3
    assert ledger.readers(ACCEPTED) == READERS


async def test_groups_go_over_tls_as_well(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    relay = HostileRelay(tls=server_tls)
    async with hostile_relay(relay):
        ledger = Ledger()
        await ledger.deliver(replace(relay.endpoint, security="starttls", ca_file=ca_file))
    assert ledger.readers(ACCEPTED) == READERS and relay.groups
    assert_true(ledger, relay)


async def test_asked_to_stop_a_relay_that_never_answers_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("publisher.smtp.postman.LEAVE_S", 0.2)
    relay = HostileRelay([Fault("content", "hang", VICTIM)])
    stop = asyncio.Event()
    async with hostile_relay(relay):
        ledger = Ledger()
        run = asyncio.create_task(
            deliver_all(
                replace(relay.endpoint, final_timeout_s=600), ledger.letters(), connections=1,
                letters_per_connection=99, stop=stop, **ledger.ways,
            )
        )  # fmt: skip
        while VICTIM not in relay.seen:  # noqa: ASYNC110  (the relay knows no events)
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.wait_for(run, 5)
    assert ledger.verdicts[VICTIM].state is UNCERTAIN
    assert set(ledger.readers(PLANNED)) <= set(READERS[4:])
    assert ledger.readers(ACCEPTED) == READERS[:3]
