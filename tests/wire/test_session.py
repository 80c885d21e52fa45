"""One conversation, with real and scripted relays: each ending, and no answer for the wrong reader."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire.servers import DROP, SENDER, Relay, letter_bytes, relay_server, scripted_server

from publisher.config import RelaySettings
from publisher.errors import Refused, RelayUnavailable
from publisher.smtp import session as session_module
from publisher.smtp.connect import connect, open_session
from publisher.smtp.endpoint import Endpoint

pytestmark = pytest.mark.anyio
LETTER = letter_bytes()
ALICE, BOB = "alice@a.example", "bob@b.example"


# --- what arrives -----------------------------------------------------------------------------------------------------


async def test_a_letter_arrives_byte_by_byte_as_given():
    letter = letter_bytes(body="\n".join(["a", ".", "..", ".b", "", " c ", "é€", "x" * 900, "=20", "."]))
    async with relay_server() as relay, open_session(relay.endpoint) as session:
        reply = await session.hand_over(SENDER, ALICE, letter)
    assert (reply.code, reply.text) == (250, "2.0.0 taken")
    assert [(taken.sender, taken.recipient, taken.content) for taken in relay.taken] == [(SENDER, ALICE, letter)]
    assert "BODY=8BITMIME" in relay.taken[0].options


def test_any_lines_arrive_unchanged():
    line = st.text(st.sampled_from(".ab é\t"), max_size=12)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.lists(line, max_size=6), min_size=1, max_size=4))
    def check(bodies):
        letters = [letter_bytes(body="\n".join(lines)) for lines in bodies]

        async def send() -> list[bytes]:
            async with relay_server() as relay, open_session(relay.endpoint) as session:
                for letter in letters:
                    await session.hand_over(SENDER, ALICE, letter)
            return [taken.content for taken in relay.taken]

        assert asyncio.run(send()) == letters

    check()


async def test_a_large_letter_arrives_whole():
    letter = letter_bytes(body="\n".join(f".{n} {'y' * 60}" for n in range(40_000)))
    async with relay_server() as relay, open_session(relay.endpoint) as session:
        await session.hand_over(SENDER, ALICE, letter)
    assert relay.taken[0].content == letter


async def test_a_domain_in_other_letters_is_encoded_and_needs_no_smtputf8():
    async with relay_server(smtputf8=False) as relay, open_session(relay.endpoint) as session:
        await session.hand_over(SENDER, "alice@bücher.example", LETTER)
    assert relay.recipients == ["alice@xn--bcher-kva.example"]


async def test_smtputf8_is_asked_for_only_where_the_address_needs_it():
    async with relay_server() as relay, open_session(relay.endpoint) as session:
        await session.hand_over(SENDER, "élise@b.example", LETTER)
        await session.hand_over(SENDER, ALICE, LETTER)
    assert relay.recipients == ["élise@b.example", ALICE]
    assert ["SMTPUTF8" in taken.options for taken in relay.taken] == [True, False]


# --- a no for one letter ----------------------------------------------------------------------------------------------


async def refused(session, recipient=ALICE, letter=LETTER, sender=SENDER) -> Refused:
    with pytest.raises(Refused) as caught:
        await session.hand_over(sender, recipient, letter)
    return caught.value


async def test_a_refused_reader_does_not_touch_the_next_one():
    relay = Relay(rcpt={ALICE: "550 5.1.1 <alice@a.example> unknown"})
    async with relay_server(relay), open_session(relay.endpoint) as session:
        no = await refused(session)
        await session.hand_over(SENDER, BOB, LETTER)
    assert (no.stage, no.code, no.enhanced, no.transient) == ("rcpt", 550, "5.1.1", False)
    assert "alice" not in str(no)
    assert relay.recipients == [BOB]
    assert relay.connections == 1


async def test_each_stage_that_refuses_is_named():
    relay = Relay(
        mail={"bad@publisher.example": "550 5.7.1 not yours"},
        rcpt={ALICE: "450 4.7.1 greylisted"},
        content={BOB: "554 5.7.1 spam"},
    )
    async with relay_server(relay), open_session(relay.endpoint) as session:
        answers = [
            await refused(session, sender="bad@publisher.example"),
            await refused(session, ALICE),
            await refused(session, BOB),
        ]
        assert session.usable
        await session.hand_over(SENDER, "charlie@c.example", LETTER)
    assert [(no.stage, no.code, no.enhanced) for no in answers] == [
        ("mail", 550, "5.7.1"),
        ("rcpt", 450, "4.7.1"),
        ("content", 554, "5.7.1"),
    ]
    assert relay.recipients == ["charlie@c.example"]


async def test_a_refused_data_command_is_told_from_refused_content():
    async def script(s):
        await s.hello()
        await s.hear("250 ok")
        await s.hear("250 ok")
        await s.hear("451 4.3.0 not now")
        await s.hear("250 reset")
        await s.hear("221 bye")

    async with scripted_server(script) as (endpoint, log), open_session(endpoint) as session:
        no = await refused(session)
        assert session.usable
    assert (no.stage, no.code) == ("data", 451)
    assert [line.split()[0] for line in log] == [b"EHLO", b"MAIL", b"RCPT", b"DATA", b"RSET", b"QUIT"]


async def test_a_relay_that_does_not_reset_loses_the_connection_but_the_refusal_stands():
    async def script(s):
        await s.hello()
        await s.hear("250 ok")
        await s.hear("550 5.1.1 unknown")
        await s.hear("500 what?")
        await s.gone()

    async with scripted_server(script) as (endpoint, _), open_session(endpoint) as session:
        assert (await refused(session)).enhanced == "5.1.1"


@pytest.mark.parametrize("stage", ["mail", "rcpt", "content"])
async def test_421_refuses_the_letter_and_ends_the_session(stage):
    relay = Relay(**{stage: {"*": "421 4.3.2 shutting down"}})
    async with relay_server(relay), open_session(relay.endpoint) as session:
        no = await refused(session)
        assert (no.stage, no.code, no.transient) == (stage, 421, True)
        assert not session.usable


async def test_a_letter_above_the_relays_size_is_refused_before_a_word_is_said():
    async with relay_server(data_size_limit=200) as relay, open_session(relay.endpoint) as session:
        no = await refused(session, letter=letter_bytes(body="x" * 300))
        assert (no.stage, no.code, no.enhanced) == ("mail", 552, "5.3.4")
        await session.hand_over(SENDER, BOB, LETTER)
    assert relay.recipients == [BOB]


async def test_an_address_that_needs_smtputf8_is_refused_where_it_is_not_offered():
    async with relay_server(smtputf8=False) as relay, open_session(relay.endpoint) as session:
        no = await refused(session, "élise@b.example")
        assert (no.stage, no.code, no.enhanced) == ("rcpt", 553, "5.6.7")
        await session.hand_over(SENDER, BOB, LETTER)
    assert relay.recipients == [BOB]


async def test_an_8_bit_letter_is_refused_where_the_relay_takes_only_7():
    async def script(s):
        await s.hello("SIZE 0")
        assert (await s.hear("221 bye")).startswith(b"QUIT")

    async with scripted_server(script) as (endpoint, _), open_session(endpoint) as session:
        no = await refused(session, letter=letter_bytes(body="é"))
        assert (no.stage, no.enhanced) == ("content", "5.6.3")


@pytest.mark.parametrize(
    "address",
    [
        "alice@a.example> SIZE=1",
        "alice@a.example\r\nRCPT TO:<eve@e.example>",
        "Alice <alice@a.example>",
        "a@b.example, c@d.example",
        "alice@a.example\0",
        "al ice@a.example",
        "",
    ],
)
async def test_no_address_can_say_more_than_an_address(address):
    async with relay_server() as relay, open_session(relay.endpoint) as session:
        assert (await refused(session, address)).stage == "rcpt"
        await session.hand_over(SENDER, BOB, LETTER)
    assert relay.recipients == [BOB]


@pytest.mark.parametrize("letter", [b"A: b\n\nc\n", b"A: b\r\n\r\nc", b"A: b\r\n\r\nc\r.\r\n", b""])
async def test_a_letter_whose_line_ends_would_be_rewritten_is_refused(letter):
    async with relay_server() as relay, open_session(relay.endpoint) as session:
        assert (await refused(session, letter=letter)).enhanced == "5.6.0"
    assert relay.taken == []


# --- a connection that breaks ----------------------------------------------------------------------------------------


async def lost(session, recipient=ALICE) -> RelayUnavailable:
    with pytest.raises(RelayUnavailable) as caught:
        await session.hand_over(SENDER, recipient, LETTER)
    assert not session.usable
    return caught.value


@pytest.mark.parametrize(("stage", "in_doubt"), [("mail", False), ("rcpt", False), ("content", True)])
async def test_only_a_connection_lost_after_the_content_leaves_doubt(stage, in_doubt):
    relay = Relay(**{stage: {"*": DROP}})
    async with relay_server(relay), open_session(relay.endpoint) as session:
        assert (await lost(session)).handed_over is in_doubt


async def test_a_connection_lost_at_the_data_command_leaves_no_doubt():
    async def script(s):
        await s.hello()
        await s.hear("250 ok")
        await s.hear("250 ok")
        await s.hear()

    async with scripted_server(script) as (endpoint, log), open_session(endpoint) as session:
        assert (await lost(session)).handed_over is False
    assert log[-1] == b"DATA"


@pytest.mark.parametrize("heard", [1, 2, 3, 4])
async def test_a_relay_that_falls_silent_is_left_in_time_and_never_used_again(heard):
    async def script(s):
        await s.hello()
        for answer in ["250 ok", "250 ok", "354 go on"][: heard - 1]:
            await s.hear(answer)
        await (s.hear_letter() if heard == 4 else s.hear())
        await s.gone()

    async with scripted_server(script) as (endpoint, _):
        quick = replace(endpoint, timeout_s=0.2, final_timeout_s=0.3)
        async with open_session(quick) as session:
            assert (await lost(session)).handed_over is (heard == 4)


async def test_the_final_answer_has_a_longer_time_out_than_a_command():
    async def slowly() -> str:
        await asyncio.sleep(0.5)
        return "250 2.0.0 at last"

    relay = Relay(content={"*": slowly})
    async with relay_server(relay), open_session(replace(relay.endpoint, timeout_s=0.2)) as session:
        assert (await session.hand_over(SENDER, ALICE, LETTER)).code == 250


@pytest.mark.parametrize("nonsense", ["garbage", "999 what", "100 hm", "250", "250-endless"])
async def test_an_answer_without_sense_to_a_reader_ends_the_session(nonsense):
    async def script(s):
        await s.hello()
        await s.hear("354 go on" if nonsense == "250" else nonsense)
        await s.gone()

    async with scripted_server(script) as (endpoint, _), open_session(replace(endpoint, timeout_s=0.3)) as session:
        assert (await lost(session)).handed_over is False


@pytest.mark.parametrize(
    ("mail", "rcpt", "data", "final"),
    [
        ("200 fine", "200 fine", "300 go on", "200 fine"),
        ("251 fine", "252 cannot verify, but will try", "354 go on", "251 fine"),
        ("250 ok", "299 fine", "399 go on", "299 fine"),
    ],
)
@pytest.mark.parametrize("offers", [[], ["PIPELINING"]])
async def test_the_first_digit_of_an_answer_says_yes(offers, mail, rcpt, data, final):
    async def script(s):
        await s.hello(*offers)
        for _ in range(2):
            for answer in (mail, rcpt, data):
                await s.hear(answer)
            await s.hear_letter(final)
        await s.hear("221 bye")

    async with scripted_server(script) as (endpoint, log), open_session(endpoint) as session:
        for reader in (ALICE, BOB):
            assert str(await session.hand_over(SENDER, reader, LETTER)) == final
            assert session.usable and not session.lied
    assert log.count(b"<letter>") == 2


@pytest.mark.parametrize("answer", ["354 go on", "334 go on"])
async def test_go_on_is_no_answer_to_a_reader(answer):
    async def script(s):
        await s.hello()
        await s.hear("250 ok")
        await s.hear(answer)
        await s.gone()

    async with scripted_server(script) as (endpoint, _), open_session(endpoint) as session:
        assert (await lost(session)).handed_over is False


@pytest.mark.parametrize("nonsense", ["354 go on?", "221 bye"])
async def test_a_nonsensical_final_answer_leaves_doubt(nonsense):
    async def script(s):
        await s.hello()
        for answer in ["250 ok", "250 ok", "354 go on"]:
            await s.hear(answer)
        await s.hear_letter(nonsense)
        await s.gone()

    async with scripted_server(script) as (endpoint, _), open_session(endpoint) as session:
        assert (await lost(session)).handed_over is True


@pytest.mark.parametrize("extra_after", [0, 1, 2])
async def test_an_answer_too_many_is_never_taken_for_the_next_reader(extra_after):
    async def script(s):
        await s.hello()
        for number, answer in enumerate(["250 ok", "250 ok", "354 go on"]):
            await s.hear(answer, *(["250 stray"] if number == extra_after else []))
        await s.gone()

    async with scripted_server(script) as (endpoint, _), open_session(endpoint) as session:
        assert (await lost(session)).handed_over is False


async def test_an_answer_too_many_after_the_letter_ends_the_session_and_not_the_letter():
    async def script(s):
        await s.hello()
        for answer in ["250 ok", "250 ok", "354 go on"]:
            await s.hear(answer)
        await s.hear_letter("250 taken", "550 5.1.1 stray")
        await s.gone()

    async with scripted_server(script) as (endpoint, _), open_session(endpoint) as session:
        assert (await session.hand_over(SENDER, ALICE, LETTER)).text == "taken"
        assert not session.usable
        assert (await lost(session, BOB)).handed_over is False


# --- a connection that waits for its next letter ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "stands"),
    [
        ("250 ok", True),
        ("250 2.0.0 still here", True),
        ("421 4.4.2 too long", False),
        ("500 what?", False),
        ("", False),
    ],
)
async def test_a_relay_that_was_left_alone_for_long_is_asked_before_its_next_letter(answer, stands, monkeypatch):
    async def script(s):
        await s.hello()
        await s.hear(*([answer] if answer else []))
        if stands:
            await s.hear("221 bye")

    monkeypatch.setattr(session_module, "IDLE_S", -1.0)
    async with scripted_server(script) as (endpoint, log), open_session(endpoint) as session:
        assert await session.stands() is stands
        assert session.usable is stands
    assert log[1:] == [b"NOOP", b"QUIT"][: 1 + stands]


async def test_a_relay_that_was_heard_of_a_moment_ago_is_not_asked():
    async def script(s):
        await s.hello()
        await s.hear("221 bye")

    async with scripted_server(script) as (endpoint, log), open_session(endpoint) as session:
        assert await session.stands()
    assert log[1:] == [b"QUIT"]


async def test_a_closed_connection_takes_no_letter_and_leaves_no_doubt():
    async with relay_server() as relay, open_session(relay.endpoint) as session:
        session.drop()
        assert not await session.stands()
        error = await lost(session)
        assert (error.handed_over, "the connection is closed" in str(error)) == (False, True)
    assert relay.taken == []


@pytest.mark.parametrize("code", ["500", "502", "503"])
async def test_a_relay_that_is_out_of_step_is_left_and_the_refusal_stands(code):
    async def script(s):
        await s.hello()
        await s.hear("250 ok")
        await s.hear(f"{code} what?")
        await s.gone()

    async with scripted_server(script) as (endpoint, _), open_session(endpoint) as session:
        assert ((await refused(session)).code, session.usable) == (int(code), False)


@pytest.mark.parametrize("stage", ["mail", "rcpt", "content"])
async def test_a_task_cancelled_in_mid_command_closes_the_connection(stage):
    asked, answer = asyncio.Event(), asyncio.Event()

    async def late() -> str:
        asked.set()
        await answer.wait()
        return "550 5.1.1 this was for alice"

    relay = Relay(**{stage: {"*": late}})
    async with relay_server(relay), open_session(relay.endpoint) as session:
        task = asyncio.create_task(session.hand_over(SENDER, ALICE, LETTER))
        await asyncio.wait_for(asked.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not session.usable
        answer.set()
        assert (await lost(session, BOB)).handed_over is False
        await _until(lambda: relay.open_now == 0)


async def _until(condition) -> None:
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never came true")


# --- getting in -------------------------------------------------------------------------------------------------------


async def turned_away(endpoint: Endpoint) -> RelayUnavailable:
    with pytest.raises(RelayUnavailable) as caught:
        await connect(endpoint)
    assert not caught.value.handed_over
    return caught.value


async def test_starttls_is_done_before_anything_else(server_tls, ca_file):
    async with (
        relay_server(tls_context=server_tls, require_starttls=True) as relay,
        open_session(replace(relay.endpoint, security="starttls", ca_file=ca_file)) as session,
    ):
        await session.hand_over(SENDER, ALICE, LETTER)
    assert relay.recipients == [ALICE]


async def test_tls_from_the_start(server_tls, ca_file):
    async with (
        relay_server(tls=server_tls) as relay,
        open_session(replace(relay.endpoint, security="tls", ca_file=ca_file)) as session,
    ):
        await session.hand_over(SENDER, ALICE, LETTER)
    assert relay.recipients == [ALICE]


async def test_without_starttls_nothing_is_sent_in_clear_text():
    async with relay_server() as relay:
        endpoint = replace(relay.endpoint, security="starttls", username="u", password="secret")
        error = await turned_away(endpoint)
    assert "offers no STARTTLS" in str(error)
    assert not error.transient


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_for_another_name_is_not_accepted(security, other_name_tls, ca_file):
    options = {"tls": other_name_tls} if security == "tls" else {"tls_context": other_name_tls}
    async with relay_server(**options) as relay:
        error = await turned_away(replace(relay.endpoint, security=security, ca_file=ca_file))
    assert "certificate does not hold" in str(error)
    assert not error.transient


async def test_a_certificate_nobody_vouches_for_is_not_accepted(server_tls):
    async with relay_server(tls_context=server_tls) as relay:
        error = await turned_away(replace(relay.endpoint, security="starttls"))
    assert "certificate does not hold" in str(error)


async def test_tls_to_a_relay_that_speaks_none_says_what_to_set():
    async with relay_server() as relay:
        error = await turned_away(replace(relay.endpoint, security="tls"))
    assert "'starttls' with 587" in str(error)
    assert not error.transient


async def test_a_login_is_made_where_it_is_asked_for(server_tls, ca_file):
    async with relay_server(tls_context=server_tls, password="secret") as relay:
        endpoint = replace(relay.endpoint, security="starttls", ca_file=ca_file, username="u@b.example")
        async with open_session(replace(endpoint, password="secret")) as session:
            await session.hand_over(SENDER, ALICE, LETTER)
        error = await turned_away(replace(endpoint, password="wrong"))
    assert relay.recipients == [ALICE]
    assert "check smtp.username and smtp.password" in str(error)
    assert "(stage auth)" in str(error)
    assert not error.transient
    assert "wrong" not in str(error)


async def test_a_relay_without_login_says_what_to_set():
    async with relay_server() as relay:
        error = await turned_away(replace(relay.endpoint, username="u", password="p"))
    assert "smtp.username" in str(error)
    assert not error.transient


@pytest.mark.parametrize(
    ("greeting", "transient"), [("421 4.3.2 busy", True), ("554 5.7.1 no", False), (DROP, True), ("hello?", False)]
)
async def test_a_greeting_that_turns_us_away(greeting, transient):
    async with relay_server(Relay(greeting=lambda number: greeting)) as relay:
        error = await turned_away(relay.endpoint)
    assert "(stage connect)" in str(error)
    assert error.transient is transient


async def test_a_relay_that_says_nothing_is_given_up_in_time():
    async def script(s):
        await s.gone()

    async with scripted_server(script) as (endpoint, _):
        error = await turned_away(replace(endpoint, timeout_s=0.2))
    assert "no answer within 0.2 s" in str(error)
    assert error.transient


async def test_a_port_where_nobody_listens():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = await turned_away(Endpoint("127.0.0.1", unused.getsockname()[1], security="none"))
    assert "smtp.port" in str(error)
    assert error.transient


async def test_a_name_that_does_not_exist():
    error = await turned_away(Endpoint("relay.invalid", 587, security="none", timeout_s=20))
    assert "check smtp.host" in str(error)


async def test_a_refused_ehlo_names_its_stage():
    async def script(s):
        await s.say("220 ready")
        await s.hear("550 5.7.1 not you")
        await s.gone()

    async with scripted_server(script) as (endpoint, _):
        error = await turned_away(endpoint)
    assert "(stage ehlo)" in str(error)
    assert not error.transient


@pytest.mark.parametrize("answer", ["500 what?", "502 5.5.1 not implemented"])
async def test_a_server_that_knows_helo_alone_gets_its_letter(answer):
    async def script(s):
        await s.say("220 ready")
        for said in [answer, "250 relay", "250 ok", "250 ok", "354 go on"]:
            await s.hear(said)
        await s.hear_letter("250 taken")
        await s.hear("221 bye")

    async with scripted_server(script) as (endpoint, log), open_session(endpoint) as session:
        assert (await session.hand_over(SENDER, ALICE, LETTER)).text == "taken"
    assert [line.split()[0] for line in log[:3]] == [b"EHLO", b"HELO", b"MAIL"]


@pytest.mark.parametrize("need", [{"security": "starttls"}, {"username": "u", "password": "p"}])
async def test_helo_is_no_way_around_starttls_or_a_login(need):
    async def script(s):
        await s.say("220 ready")
        await s.hear("500 what?")
        await s.gone()

    async with scripted_server(script) as (endpoint, log):
        error = await turned_away(replace(endpoint, **need))
    assert "(stage ehlo)" in str(error)
    assert len(log) == 1


def test_an_endpoint_shows_no_login():
    settings = RelaySettings(name="main", host="relay.example", username="me@b.example", password="secret")
    endpoint = Endpoint.from_settings(settings, timeout_s=7)
    assert (endpoint.password, endpoint.timeout_s, endpoint.security) == ("secret", 7, "starttls")
    assert "secret" not in repr(endpoint)
    assert "me@" not in repr(endpoint)
