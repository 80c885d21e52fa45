"""Postfix's smtp-sink in every setting that makes it misbehave: each answer is classed for what it is."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from wire.eight_letters import READERS, Ledger
from wire.servers import letter_bytes
from wire.sink import needs_sink, smtp_sink

from publisher.mail.replies import Scope
from publisher.mail.scoring import BounceKind
from publisher.model import DeliveryState

pytestmark = [pytest.mark.anyio, needs_sink]
ACCEPTED, DEFERRED, REJECTED = DeliveryState.ACCEPTED, DeliveryState.DEFERRED, DeliveryState.REJECTED
UNCERTAIN, PLANNED = DeliveryState.UNCERTAIN, DeliveryState.PLANNED
CONNECTION, DOMAIN, LETTER, READER, RELAY = Scope.CONNECTION, Scope.DOMAIN, Scope.LETTER, Scope.READER, Scope.RELAY
DEAD, DOUBTFUL, SOFT = BounceKind.DEAD, BounceKind.DOUBTFUL, BounceKind.SOFT
REPLIES = {"r": "soft", "f": "hard", "q": "hangs up", "Q": "421"}


async def delivered(folder: Path, *options: str, patience_s: float = 0.5, connections: int = 2) -> Ledger:
    """What became of eight letters; what is said to have arrived has, once, byte by byte."""
    ledger = Ledger()
    with smtp_sink(folder, *options) as sink:
        endpoint = replace(sink.endpoint, timeout_s=patience_s, final_timeout_s=patience_s)
        await asyncio.wait_for(ledger.deliver(endpoint, connections=connections), 20)
        letters = [one for one in sink.taken if one[1].endswith(b"x\r\n\r\n")]  # it keeps what it refuses, and halves
    copies = Counter(recipient for recipient, _ in letters)
    accepted = ledger.readers(ACCEPTED)
    assert all(copies[reader] == 1 for reader in accepted), "accepted letters arrived, once"
    assert all(content == letter_bytes(f"<{reader}>", ".\n..x\n") for reader, content in letters)
    assert ledger.claimed_at_once <= connections, "no more in hand than connections"
    if not ledger.stopped:
        assert sorted(ledger.verdicts) == READERS, "everybody has a result"
    return ledger


@pytest.mark.parametrize(
    "options",
    [
        "", "-8", "-e", "-P", "-E", "-N", "-a", "-C -F", "-p", "-m 1", "-h relay.example", "-T 1024",
        *(f"-{how} {command}" for how in REPLIES for command in ("RSET", "NOOP", "QUIT")),
    ],
)  # fmt: skip
async def test_whatever_it_does_not_offer_all_letters_arrive(tmp_path: Path, options: str) -> None:
    ledger = await delivered(tmp_path / "sink", *options.split(), patience_s=5)
    assert ledger.readers(ACCEPTED) == READERS


@pytest.mark.parametrize("slow", ["-w 1", "-H 1 -T 1024", *(f"-W {at}:1" for at in ("CONNECT", "EHLO", "RCPT", "."))])
async def test_a_slow_one_is_waited_for(tmp_path: Path, slow: str) -> None:
    one_by_one = "CONNECT" in slow or "EHLO" in slow  # that is how connections are made
    ledger = await delivered(tmp_path / "sink", *slow.split(), patience_s=15, connections=1 if one_by_one else 8)
    assert ledger.readers(ACCEPTED) == READERS


@pytest.mark.parametrize(
    ("slow", "state"), [("-W EHLO:3", PLANNED), ("-W MAIL:3", DEFERRED), ("-w 3", DEFERRED), ("-W .:3", UNCERTAIN)]
)
async def test_one_that_is_too_slow_leaves_doubt_behind_the_content_alone(
    tmp_path: Path, slow: str, state: DeliveryState
) -> None:
    ledger = await delivered(tmp_path / "sink", *slow.split(), connections=8)
    assert ledger.readers(ACCEPTED) == []
    assert ledger.readers(state), "and of these nothing else is known"
    assert {verdict.state for verdict in ledger.verdicts.values()} <= {state, PLANNED}


@pytest.mark.parametrize("how", REPLIES, ids=REPLIES.get)
@pytest.mark.parametrize("command", ["CONNECT", "EHLO,HELO"])
async def test_one_that_lets_nobody_in_gets_no_letter_and_no_reader_is_blamed(
    tmp_path: Path, command: str, how: str
) -> None:
    ledger = await delivered(tmp_path / "sink", f"-{how}", command)
    assert {verdict.state for verdict in ledger.verdicts.values()} == {PLANNED}
    assert f"(stage {command.partition(',')[0].lower()})" in ledger.stopped
    assert ledger.claimed == set()


@pytest.mark.parametrize(
    ("options", "state", "scope", "stopped"),
    [
        ("-r MAIL", DEFERRED, CONNECTION, "in a row"),
        ("-f MAIL", DEFERRED, RELAY, "refuses our sender address"),
        ("-q MAIL", DEFERRED, CONNECTION, "in a row"),
        ("-Q MAIL", DEFERRED, CONNECTION, "in a row"),
        ("-r RCPT", DEFERRED, CONNECTION, "in a row"),
        ("-f RCPT", REJECTED, READER, ""),
        ("-q RCPT", DEFERRED, CONNECTION, "in a row"),
        ("-Q RCPT", DEFERRED, CONNECTION, "in a row"),
        ("-r DATA", DEFERRED, CONNECTION, "in a row"),
        ("-f DATA", REJECTED, LETTER, ""),
        ("-q DATA", DEFERRED, CONNECTION, "in a row"),
        ("-Q DATA", DEFERRED, CONNECTION, "in a row"),
        ("-r .", DEFERRED, CONNECTION, "in a row"),
        ("-f .", REJECTED, LETTER, ""),
        ("-q .", UNCERTAIN, CONNECTION, "in a row"),
        ("-Q .", DEFERRED, CONNECTION, "in a row"),
    ],
)
async def test_a_command_that_always_fails_is_known_for_what_it_is(
    tmp_path: Path, options: str, state: DeliveryState, scope: Scope, stopped: str
) -> None:
    ledger = await delivered(tmp_path / "sink", *options.split())
    found = {(verdict.state, verdict.scope) for verdict in ledger.verdicts.values()}
    assert found - {(PLANNED, RELAY)} == {(state, scope)}
    assert stopped in ledger.stopped and bool(stopped) == bool(ledger.stopped)
    assert not any(verdict.bounced for verdict in ledger.verdicts.values()), "no fault of ours kills an address"


async def test_one_that_refuses_a_content_before_its_end_and_hangs_up_has_refused_it_or_was_not_heard(
    tmp_path: Path,
) -> None:
    ledger = await delivered(tmp_path / "sink", "-A", "0")  # its 550 may be lost with the connection
    found = {(verdict.state, verdict.scope) for verdict in ledger.verdicts.values()}
    assert found - {(PLANNED, RELAY)} <= {(DEFERRED, CONNECTION), (REJECTED, LETTER)}
    assert ledger.readers(DEFERRED, REJECTED) and not ledger.readers(ACCEPTED, UNCERTAIN)
    assert not any(verdict.bounced for verdict in ledger.verdicts.values())


@pytest.mark.parametrize(
    ("command", "reply", "state", "scope", "bounce"),
    [
        ("CONNECT", "554 5.7.1 not from there", PLANNED, RELAY, None),
        ("MAIL", "530 5.7.0 Authentication required", DEFERRED, RELAY, None),
        ("MAIL", "550 5.7.1 sender not yours", DEFERRED, RELAY, None),
        ("MAIL", "552 5.3.4 too big", REJECTED, LETTER, None),
        ("MAIL", "451 4.3.2 shutting down", DEFERRED, CONNECTION, None),
        ("RCPT", "421 4.7.0 too many", DEFERRED, CONNECTION, None),
        ("RCPT", "451 4.7.0 slow down", DEFERRED, CONNECTION, None),
        ("RCPT", "450 4.3.2 not now", DEFERRED, CONNECTION, None),
        ("RCPT", "450 4.7.1 greylisted", DEFERRED, READER, None),
        ("RCPT", "451 4.4.1 no route", DEFERRED, DOMAIN, None),
        ("RCPT", "452 4.2.2 full", DEFERRED, READER, None),
        ("RCPT", "550 5.1.1 nobody here", REJECTED, READER, DEAD),
        ("RCPT", "550 5.1.2 no such domain", REJECTED, READER, DEAD),
        ("RCPT", "501 5.1.3 no address", REJECTED, READER, DEAD),
        ("RCPT", "551 5.1.6 moved", REJECTED, READER, DEAD),
        ("RCPT", "556 5.1.10 null MX", REJECTED, READER, DEAD),
        ("RCPT", "550 5.2.1 disabled", REJECTED, READER, DOUBTFUL),
        ("RCPT", "552 5.2.2 full", REJECTED, READER, SOFT),
        ("RCPT", "552 5.2.3 too large", REJECTED, LETTER, None),
        ("RCPT", "552 5.3.4 too large", REJECTED, LETTER, None),
        ("RCPT", "550 5.7.1 we do not like you", REJECTED, DOMAIN, None),
        ("RCPT", "550 5.7.26 not authenticated", REJECTED, DOMAIN, None),
        ("RCPT", "550 5.7.515 access denied", REJECTED, DOMAIN, None),
        ("RCPT", "550 listed at a blocklist", REJECTED, DOMAIN, None),
        ("RCPT", "554 5.7.1 Relay access denied", DEFERRED, RELAY, None),
        ("RCPT", "550 no", REJECTED, READER, DOUBTFUL),
        ("RCPT", "553 no", REJECTED, READER, DOUBTFUL),
        (".", "421 4.3.2 shutting down", DEFERRED, CONNECTION, None),
        (".", "452 4.3.1 no room", DEFERRED, CONNECTION, None),
        (".", "550 5.1.1 nobody here", REJECTED, READER, DEAD),
        (".", "552 5.2.2 full", REJECTED, READER, SOFT),
        (".", "552 5.3.4 too large", REJECTED, LETTER, None),
        (".", "554 5.5.2 what", REJECTED, LETTER, None),
        (".", "554 5.6.0 bad MIME", REJECTED, LETTER, None),
        (".", "554 5.7.1 spam", REJECTED, LETTER, None),
        (".", "554 no", REJECTED, LETTER, None),
    ],
)
async def test_each_class_of_answer_ends_as_the_table_of_answers_says(
    tmp_path: Path, command: str, reply: str, state: DeliveryState, scope: Scope, bounce: BounceKind | None
) -> None:
    how = ["-r", command, "-b", reply] if reply.startswith("4") else ["-f", command, "-B", reply]
    ledger = await delivered(tmp_path / "sink", *how)
    found = {(verdict.state, verdict.scope, verdict.bounce) for verdict in ledger.verdicts.values()}
    assert found - {(PLANNED, RELAY, None)} == {(state, scope, bounce)} - {(PLANNED, RELAY, None)}
    assert ledger.stopped or sorted(ledger.verdicts) == READERS


async def test_one_that_dies_in_the_middle_leaves_each_letter_in_a_true_state(tmp_path: Path) -> None:
    ledger = await delivered(tmp_path / "sink", "-M", "5")
    assert "smtp.port" in ledger.stopped
    assert len(ledger.readers(ACCEPTED, UNCERTAIN)) <= 6 and len(ledger.readers(UNCERTAIN)) <= 2
    assert len(ledger.readers(ACCEPTED)) >= 3 and ledger.readers(PLANNED, DEFERRED)
