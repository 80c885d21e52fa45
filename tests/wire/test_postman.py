"""All letters of a run: one result each, and a failure touches those it speaks of and nobody else."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from wire.servers import DROP, SENDER, Relay, letter_bytes, relay_server, scripted_server

from publisher.errors import RelayUnavailable
from publisher.mail.replies import Scope
from publisher.model import DeliveryState
from publisher.smtp.postman import IN_A_ROW, Handed, Letter, deliver_all

pytestmark = pytest.mark.anyio
ACCEPTED, DEFERRED, REJECTED = DeliveryState.ACCEPTED, DeliveryState.DEFERRED, DeliveryState.REJECTED
UNCERTAIN, PLANNED = DeliveryState.UNCERTAIN, DeliveryState.PLANNED
QUICK = (0.01, 0.01, 0.02)


def reader(number: int) -> str:
    return f"reader{number}@a.example"


def letters_to(*recipients: str) -> list[Letter[str]]:
    return [Letter(to, SENDER, to, letter_bytes(f"<{to}>")) for to in recipients]


class Ledger:
    """The letters of a run and the results they got."""

    def __init__(self, letters: list[Letter[str]]) -> None:
        self.letters = letters
        self.results: list[Handed[str]] = []
        self.read = 0

    async def source(self):
        for letter in self.letters:
            self.read += 1
            yield letter

    async def record(self, handed: Handed[str]) -> None:
        await asyncio.sleep(0)
        self.results.append(handed)

    async def deliver(self, endpoint, *, connections=1, letters_per_connection=100, stop=None) -> None:
        await deliver_all(
            endpoint,
            self.source(),
            connections=connections,
            letters_per_connection=letters_per_connection,
            on_result=self.record,
            stop=stop,
            pauses_s=QUICK,
        )

    @property
    def states(self) -> dict[str, DeliveryState]:
        assert len(self.results) == len({handed.ref for handed in self.results}) == self.read
        return {handed.ref: handed.verdict.state for handed in self.results}


def to_readers(count: int) -> Ledger:
    return Ledger(letters_to(*(reader(n) for n in range(count))))


async def test_each_letter_comes_once_over_as_many_connections_as_asked_for():
    ledger = to_readers(60)
    async with relay_server() as relay:
        await ledger.deliver(relay.endpoint, connections=4)
    assert Counter(relay.recipients) == Counter({reader(n): 1 for n in range(60)})
    assert set(ledger.states.values()) == {ACCEPTED}
    assert relay.connections == relay.open_most == 4
    assert {result.reply for result in ledger.results} == {"250 2.0.0 taken"}


async def test_more_connections_than_letters_is_no_error():
    ledger = to_readers(2)
    async with relay_server() as relay:
        await ledger.deliver(relay.endpoint, connections=20)
    assert set(ledger.states.values()) == {ACCEPTED}
    assert relay.connections <= 2


async def test_without_letters_nobody_is_called():
    ledger = Ledger([])
    async with relay_server() as relay:
        await ledger.deliver(relay.endpoint, connections=3)
    assert relay.connections == 0


async def test_a_connection_is_renewed_after_its_letters():
    ledger = to_readers(7)
    async with relay_server() as relay:
        await ledger.deliver(relay.endpoint, letters_per_connection=3)
    assert [taken.connection for taken in relay.taken] == [1, 1, 1, 2, 2, 2, 3]


async def test_a_relay_that_takes_fewer_letters_per_connection_than_we_send_defers_nobody():
    ledger = to_readers(10)
    async with relay_server(Relay(per_connection=3)) as relay:
        await ledger.deliver(relay.endpoint)
    assert relay.recipients == [reader(n) for n in range(10)]
    assert set(ledger.states.values()) == {ACCEPTED}


async def test_each_reader_gets_the_verdict_of_the_own_letter():
    relay = Relay(
        rcpt={reader(1): "550 5.1.1 <reader1@a.example> unknown", reader(3): "450 4.7.1 greylisted"},
        content={reader(5): "554 5.7.1 spam", reader(7): DROP},
    )
    ledger = to_readers(9)
    async with relay_server(relay):
        await ledger.deliver(relay.endpoint, connections=2)
    assert ledger.states == {
        reader(0): ACCEPTED,
        reader(1): REJECTED,
        reader(2): ACCEPTED,
        reader(3): DEFERRED,
        reader(4): ACCEPTED,
        reader(5): REJECTED,
        reader(6): ACCEPTED,
        reader(7): UNCERTAIN,
        reader(8): ACCEPTED,
    }
    by_ref = {handed.ref: handed for handed in ledger.results}
    assert by_ref[reader(1)].verdict.bounced
    assert by_ref[reader(1)].reply == "550 5.1.1 <(address)> unknown"
    assert by_ref[reader(3)].verdict.greylisted
    assert by_ref[reader(7)].reply == ""
    assert sorted(relay.recipients) == [to for to, state in sorted(ledger.states.items()) if state is ACCEPTED]


@pytest.mark.parametrize("stage", ["mail", "rcpt"])
async def test_a_connection_lost_before_the_content_is_replaced_and_the_letter_sent_once(stage):
    answers = iter(["250 ok", "250 ok", DROP])
    relay = Relay(**{stage: {"*": lambda: next(answers, "250 ok")}})
    ledger = to_readers(5)
    async with relay_server(relay):
        await ledger.deliver(relay.endpoint)
    assert relay.recipients == [reader(n) for n in range(5)]
    assert set(ledger.states.values()) == {ACCEPTED}
    assert relay.connections == 2


async def test_a_letter_that_kills_every_connection_is_put_off_and_stops_no_other():
    relay = Relay(rcpt={reader(2): DROP})
    ledger = to_readers(6)
    async with relay_server(relay):
        await ledger.deliver(relay.endpoint)
    assert ledger.states == {reader(n): DEFERRED if n == 2 else ACCEPTED for n in range(6)}


async def test_an_uncertain_letter_is_not_sent_again_by_us():
    asked = []

    def drop() -> str:
        asked.append(1)
        return DROP

    relay = Relay(content={reader(1): drop})
    ledger = to_readers(3)
    async with relay_server(relay):
        await ledger.deliver(relay.endpoint)
    assert ledger.states[reader(1)] is UNCERTAIN
    assert len(asked) == 1


async def test_a_refused_sender_stops_the_run_and_blames_no_reader():
    ledger = to_readers(20)
    async with relay_server(Relay(mail={"*": "550 5.7.1 not yours"})) as relay:
        with pytest.raises(RelayUnavailable, match="refuses our sender address") as caught:
            await ledger.deliver(relay.endpoint, connections=3)
    assert not caught.value.transient
    assert set(ledger.states.values()) <= {DEFERRED, PLANNED}
    assert ledger.read <= 6
    assert not any(handed.verdict.bounced for handed in ledger.results)


async def test_a_refused_login_gives_every_letter_back(server_tls, ca_file):
    ledger = to_readers(20)
    async with relay_server(tls_context=server_tls, password="secret") as relay:
        endpoint = replace(relay.endpoint, security="starttls", ca_file=ca_file, username="u", password="wrong")
        with pytest.raises(RelayUnavailable, match=r"check smtp\.username"):
            await ledger.deliver(endpoint, connections=3)
    assert set(ledger.states.values()) == {PLANNED}
    assert relay.connections == 1, "a wrong password is not tried again"


async def test_a_relay_that_is_not_there_gives_every_letter_back_after_some_attempts():
    knocks = []
    ledger = to_readers(20)
    async with relay_server(Relay(greeting=lambda number: knocks.append(number) or "421 4.3.2 busy")) as relay:
        with pytest.raises(RelayUnavailable, match="421") as caught:
            await ledger.deliver(relay.endpoint, connections=3)
    assert caught.value.transient
    assert set(ledger.states.values()) == {PLANNED}
    assert len(knocks) == len(QUICK) + 1


async def test_a_relay_that_is_busy_for_a_moment_is_waited_for():
    ledger = to_readers(5)
    async with relay_server(Relay(greeting=lambda number: "421 4.3.2 busy" if number < 3 else None)) as relay:
        await ledger.deliver(relay.endpoint, connections=2)
    assert set(ledger.states.values()) == {ACCEPTED}


async def test_a_relay_that_takes_fewer_connections_than_asked_for_gets_all_letters_over_those():
    async def slowly() -> str:
        await asyncio.sleep(0.01)  # in all longer than anybody would knock in vain
        return "250 2.0.0 taken"

    relay = Relay(content={"*": slowly})
    relay.greeting = lambda number: "421 4.7.0 too many connections" if relay.open_now > 2 else None
    ledger = to_readers(40)
    async with relay_server(relay):
        await ledger.deliver(relay.endpoint, connections=6, letters_per_connection=10)
    assert Counter(relay.recipients) == Counter({reader(n): 1 for n in range(40)})
    assert set(ledger.states.values()) == {ACCEPTED}


async def test_too_many_broken_connections_in_a_row_stop_the_run():
    ledger = to_readers(30)
    async with relay_server(Relay(rcpt={"*": DROP})) as relay:
        with pytest.raises(RelayUnavailable, match="in a row"):
            await ledger.deliver(relay.endpoint)
    states = Counter(ledger.states.values())
    assert states == {DEFERRED: IN_A_ROW[Scope.CONNECTION]}
    assert ledger.read == IN_A_ROW[Scope.CONNECTION]


async def test_a_relay_that_refuses_letter_after_letter_for_its_content_stops_the_run():
    ledger = to_readers(50)
    async with relay_server(Relay(content={"*": "554 5.7.1 spam"})) as relay:
        with pytest.raises(RelayUnavailable, match="in a row"):
            await ledger.deliver(relay.endpoint, connections=1)
    assert Counter(ledger.states.values()) == {REJECTED: IN_A_ROW[Scope.LETTER]}


async def test_dead_addresses_never_stop_a_run_however_many():
    ledger = to_readers(50)
    async with relay_server(Relay(rcpt={"*": "550 5.1.1 unknown"})) as relay:
        await ledger.deliver(relay.endpoint, connections=2)
    assert Counter(ledger.states.values()) == {REJECTED: 50}


async def test_asked_to_stop_the_letters_in_hand_are_finished_and_no_more_is_read():
    stop, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> str:
        stop.set()
        await go_on.wait()
        return "250 2.0.0 taken"

    ledger = to_readers(20)
    async with relay_server(Relay(content={reader(3): slowly})) as relay:
        run = asyncio.create_task(ledger.deliver(relay.endpoint, stop=stop))
        await stop.wait()
        await asyncio.sleep(0.05)
        assert not run.done()
        go_on.set()
        await asyncio.wait_for(run, 5)
    assert ledger.states == {reader(n): ACCEPTED for n in range(4)}


async def test_letters_that_turn_up_when_the_others_had_ended_are_taken_over_new_connections_too():
    first, *late = letters_to(*(reader(n) for n in range(4)))
    ledger, ended = Ledger([first]), False

    async def source():
        nonlocal ended
        yield first
        ended = True

    def at_once() -> Letter[str] | None:
        return late.pop(0) if ended and late else None

    async with relay_server() as relay:
        await deliver_all(
            relay.endpoint, source(), connections=2, letters_per_connection=1, on_result=ledger.record,
            pauses_s=QUICK, at_once=at_once,
        )  # fmt: skip
    assert sorted(relay.recipients) == [reader(n) for n in range(4)]
    assert len(ledger.results) == 4


async def test_asked_to_stop_while_waiting_for_the_relay_it_leaves_at_once():
    stop = asyncio.Event()
    ledger = to_readers(3)
    async with relay_server(Relay(greeting=lambda number: "421 4.3.2 busy")) as relay:
        run = asyncio.create_task(
            deliver_all(
                relay.endpoint,
                ledger.source(),
                connections=2,
                letters_per_connection=9,
                on_result=ledger.record,
                stop=stop,
                pauses_s=(60,),
            )
        )
        await asyncio.sleep(0.1)
        stop.set()
        await asyncio.wait_for(run, 5)
    assert set(ledger.states.values()) == {PLANNED}


async def test_cancelled_it_leaves_no_connection_and_no_result_for_letters_in_hand():
    asked = asyncio.Event()

    async def never() -> str:
        asked.set()
        await asyncio.Event().wait()
        return ""

    ledger = to_readers(5)
    async with relay_server(Relay(content={reader(2): never})) as relay:
        run = asyncio.create_task(ledger.deliver(relay.endpoint))
        await asyncio.wait_for(asked.wait(), 5)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        for _ in range(100):
            await asyncio.sleep(0.01)
            if not relay.open_now:
                break
        assert relay.open_now == 0
    assert [handed.ref for handed in ledger.results] == [reader(0), reader(1)]


@pytest.mark.parametrize("broken", ["source", "record"])
async def test_an_error_of_the_ledger_stops_the_run_and_is_raised_as_it_is(broken):
    ledger = to_readers(20)

    async def source():
        async for letter in ledger.source():
            if broken == "source" and letter.ref == reader(4):
                raise KeyError("the ledger broke")
            yield letter

    async def record(handed):
        if broken == "record" and handed.ref == reader(4):
            raise KeyError("the ledger broke")
        await ledger.record(handed)

    async with relay_server() as relay:
        with pytest.raises(KeyError, match="the ledger broke"):
            await deliver_all(
                relay.endpoint, source(), connections=3, letters_per_connection=100, on_result=record, pauses_s=QUICK
            )
    assert ledger.read < 20
    assert {handed.verdict.state for handed in ledger.results} == {ACCEPTED}


async def test_the_next_letter_is_read_only_when_the_last_result_is_recorded():
    ledger = to_readers(12)
    open_letters: list[int] = []

    async def record(handed):
        await asyncio.sleep(0.001)
        open_letters.append(ledger.read - len(ledger.results))
        await ledger.record(handed)

    async with relay_server() as relay:
        await deliver_all(relay.endpoint, ledger.source(), connections=3, letters_per_connection=100, on_result=record)
    assert max(open_letters) <= 3


async def test_a_stray_answer_reaches_no_other_reader():
    """A relay that answers one letter twice: the second answer, a refusal, must not meet the next letter."""
    seen = []

    async def script(s):
        await s.hello()
        while True:
            for answer in ["250 ok", "250 ok", "354 go on"]:
                line = await s.hear(answer)
                if line.startswith(b"RCPT"):
                    seen.append(line.decode().strip())
            await s.hear_letter("250 taken", "550 5.1.1 no such reader")

    ledger = to_readers(4)
    async with scripted_server(script) as (endpoint, _):
        await ledger.deliver(endpoint)
    assert ledger.states == {reader(n): ACCEPTED for n in range(4)}
    assert seen == [f"RCPT TO:<{reader(n)}>" for n in range(4)]


async def test_when_one_connection_is_in_the_others_are_made_side_by_side() -> None:
    knocking = 0
    all_knock = asyncio.Event()

    async def script(s) -> None:
        nonlocal knocking
        knocking += 1
        if knocking == 4:
            all_knock.set()
        if knocking > 1:
            await asyncio.wait_for(all_knock.wait(), 4)  # nobody is let in before all have knocked
        await s.hello()
        while True:
            await s.hear("250 ok")  # MAIL
            await s.hear("250 ok")
            await s.hear("354 go on")
            await s.hear_letter("250 taken")

    ledger = to_readers(40)
    async with scripted_server(script) as (endpoint, _):
        await ledger.deliver(endpoint, connections=4)
    assert set(ledger.states.values()) == {ACCEPTED}
    assert knocking == 4
