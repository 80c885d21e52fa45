"""What MAIL and RCPT say of a letter, and what no relay is asked to take."""

from __future__ import annotations

import pytest

from publisher.errors import Refused
from publisher.mail.replies import Scope, Stage, decide
from publisher.smtp.envelope import Abilities

LETTER = b"Subject: x\r\n\r\nx\r\n"
PLAIN = Abilities.of({})
WHOLE = Abilities.of({"smtputf8": "", "8bitmime": "", "size": "", "pipelining": ""})
SENDER, READER = "digest@customs.example", "ann@reader.example"


def commands(abilities: Abilities, sender: str, reader: str, letter: bytes = LETTER) -> list[str]:
    return abilities.envelope(sender, reader, letter).commands.decode().split("\r\n")


def test_a_relay_is_told_no_more_than_it_asked_for() -> None:
    bare = [f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{READER}>", "DATA", ""]
    assert commands(PLAIN, SENDER, READER) == bare
    assert commands(WHOLE, SENDER, READER)[0] == f"MAIL FROM:<{SENDER}> SIZE={len(LETTER)}"
    assert commands(WHOLE, SENDER, READER, "é\r\n".encode())[0].endswith(" SIZE=4 BODY=8BITMIME")


def test_a_letter_of_exactly_the_size_that_a_relay_takes_is_sent() -> None:
    assert commands(Abilities.of({"size": f" {len(LETTER)} "}), SENDER, READER)
    with pytest.raises(Refused) as caught:
        commands(Abilities.of({"size": str(len(LETTER) - 1)}), SENDER, READER)
    no = caught.value
    assert decide(Stage(no.stage), no.code, no.enhanced, no.reply).scope is Scope.LETTER


def test_a_size_of_none_or_that_is_no_number_limits_nothing() -> None:
    for limit in ("", "0", "many", "-1"):
        assert commands(Abilities.of({"size": limit}), SENDER, READER)[0].endswith(f" SIZE={len(LETTER)}")


def test_a_domain_in_other_letters_is_encoded_and_asks_nothing_of_the_relay() -> None:
    mail, rcpt, *_ = commands(PLAIN, "digest@zölle.example", "ann@bücher.example")
    assert (mail, rcpt) == ("MAIL FROM:<digest@xn--zlle-5qa.example>", "RCPT TO:<ann@xn--bcher-kva.example>")


@pytest.mark.parametrize(("sender", "reader"), [("zölle@customs.example", READER), (SENDER, "é@bücher.example")])
def test_a_name_in_other_letters_on_either_side_needs_a_relay_that_takes_it(sender: str, reader: str) -> None:
    mail, rcpt, *_ = commands(WHOLE, sender, reader)
    assert mail.startswith(f"MAIL FROM:<{sender}>") and mail.endswith(" SMTPUTF8")
    assert rcpt == f"RCPT TO:<{reader}>"
    with pytest.raises(Refused, match="SMTPUTF8"):
        commands(PLAIN, sender, reader)


def test_a_letter_that_nobody_is_to_answer_has_no_sender_but_every_letter_has_a_reader() -> None:
    assert commands(PLAIN, "", READER)[0] == "MAIL FROM:<>"
    with pytest.raises(Refused):
        commands(PLAIN, SENDER, "")


@pytest.mark.parametrize(
    "address", ["ann", "ann@", "@reader.example", "a\x7fn@reader.example", "a\x1fn@reader.example", "a@b> x@c.example"]
)
def test_what_could_end_a_command_or_is_no_address_is_refused_on_either_side(address: str) -> None:
    for sender, reader in ((address, READER), (SENDER, address)):
        with pytest.raises(Refused, match="no address that SMTP can carry"):
            commands(WHOLE, sender, reader)


def test_a_name_in_quotes_may_hold_a_blank() -> None:
    assert commands(PLAIN, SENDER, '"ann smith"@reader.example')[1] == 'RCPT TO:<"ann smith"@reader.example>'
