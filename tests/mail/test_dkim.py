"""What we sign, dkimpy verifies; what somebody changed on the way, it does not."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from dkim.canonicalization import CanonicalizationPolicy
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.mail.dkim import (
    SEALED,
    SIGNED,
    DkimKey,
    DkimSigner,
    canonical_body,
    canonical_header,
    new_key,
    read_key,
)

DOMAIN = "customs.example"
WHEN = datetime(2026, 3, 2, 7, 0, 4, tzinfo=UTC)
RSA = DkimKey("mail2026", read_key(new_key("rsa")))
ED25519 = DkimKey("mail2026-ed", read_key(new_key("ed25519")))
RECORDS = {f"{name}.": value for name, value in (key.record(DOMAIN) for key in (RSA, ED25519))}
SIGNER = DkimSigner(DOMAIN, [RSA, ED25519])
GOLDEN = Path(__file__).parents[1] / "golden" / "letter-weekly.eml"
RELAXED: Any = CanonicalizationPolicy.from_c_value(b"relaxed/relaxed")


def golden() -> bytes:
    return GOLDEN.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def verifies(letter: bytes, number: int = 0) -> bool:
    def look_up(name: bytes, timeout: int = 5) -> str | None:
        return RECORDS.get(name.decode())

    try:
        return bool(dkim.DKIM(letter).verify(idx=number, dnsfunc=look_up))
    except dkim.DKIMException:
        return False


def signatures(letter: bytes) -> list[dict[str, str]]:
    values = message_from_bytes(letter, policy=policy.compat32).get_all("DKIM-Signature", [])
    return [
        {name.strip(): "".join(value.split()) for name, _, value in (tag.partition("=") for tag in header.split(";"))}
        for header in values
    ]


SIGNED_LETTER = SIGNER.sign(golden(), WHEN)


def test_both_signatures_verify() -> None:
    assert verifies(SIGNED_LETTER, 0)
    assert verifies(SIGNED_LETTER, 1)
    assert SIGNED_LETTER.endswith(golden())
    assert max(map(len, SIGNED_LETTER[: -len(golden())].split(b"\r\n"))) <= 78


def test_the_signature_says_what_the_rules_of_the_trade_want() -> None:
    first, second = signatures(SIGNED_LETTER)
    assert (first["a"], second["a"]) == ("rsa-sha256", "ed25519-sha256")
    assert (first["s"], second["s"]) == ("mail2026", "mail2026-ed")
    for tags in (first, second):
        assert tags["c"] == "relaxed/relaxed"
        assert tags["d"] == DOMAIN
        assert tags["t"] == str(int(WHEN.timestamp()))
        assert "l" not in tags
        named = tags["h"].split(":")
        there = message_from_bytes(golden(), policy=policy.compat32)
        for name in SIGNED:
            assert named.count(name) == len(there.get_all(name, [])) + (name in SEALED), name
    assert {"List-Unsubscribe", "List-Unsubscribe-Post", "From"} <= SEALED


def test_the_same_letter_is_signed_with_the_same_bytes() -> None:
    assert SIGNER.sign(golden(), WHEN) == SIGNED_LETTER


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"/unsubscribe/AAAA", b"/unsubscribe/AAAB"),
        (b"\r\nList-Unsubscribe: <", b"\r\nList-Unsubscribe: <https://evil.example/>\r\nList-Unsubscribe: <"),
        (b"\r\nList-Unsubscribe-Post:", b"\r\nList-Unsubscribe-Post: No\r\nList-Unsubscribe-Post:"),
        (b"\r\nTo: alice@", b"\r\nTo: bob@"),
        (b"\r\nDate: Mon, 02", b"\r\nDate: Tue, 03"),
        (b"\r\nFeedback-ID: ", b"\r\nFeedback-ID: x"),
        (b"Content-Type: multipart/alternative;", b"Content-Type: multipart/mixed;"),
        (b"Plastic", b"Elastic"),
    ],
)
def test_a_letter_changed_on_the_way_does_not_verify(was: bytes, becomes: bytes) -> None:
    changed = SIGNED_LETTER.replace(was, becomes)
    assert changed != SIGNED_LETTER
    assert not verifies(changed, 0)
    assert not verifies(changed, 1)


@pytest.mark.parametrize(
    "name",
    [
        *("From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "Content-Type"),  # what readers see
        *("List-Unsubscribe", "List-Unsubscribe-Post"),  # RFC 8058 section 4
    ],
)
def test_nobody_may_add_another_header_of_those_that_count(name: str) -> None:
    more = f"{name}: <https://evil.example/>\r\n".encode()
    head, _, body = SIGNED_LETTER.partition(b"\r\n\r\n")
    assert not verifies(more + SIGNED_LETTER)
    assert not verifies(head + b"\r\n" + more + b"\r\n" + body)


@pytest.mark.parametrize("name", ["MIME-Version", "List-Id", "Feedback-ID"])
def test_what_lists_and_relays_add_of_their_own_leaves_the_signature_whole_and_ours_stays_ours(name: str) -> None:
    more = f"{name}: theirs\r\n".encode()
    assert verifies(more + SIGNED_LETTER)
    ours = f"\r\n{name}: ".encode()
    assert ours in SIGNED_LETTER
    assert not verifies(SIGNED_LETTER.replace(ours, ours + b"x"))


def test_what_relays_do_to_letters_leaves_the_signature_whole() -> None:
    head, _, body = SIGNED_LETTER.partition(b"\r\n\r\n")
    moved = b"Received: from us (us [192.0.2.1])\r\n\tby relay; Mon, 2 Mar 2026 07:00:05 +0000\r\n" + head
    assert verifies(moved + b"\r\n\r\n" + body + b"\r\n\r\n")
    assert verifies(SIGNED_LETTER.replace(b"\r\nList-Unsubscribe: <", b"\r\nList-Unsubscribe:\r\n  <"))


def test_a_letter_that_is_stuffed_for_the_wire_is_signed_as_readers_see_it() -> None:
    head = golden().partition(b"\r\n\r\n")[0]
    plain = head + b"\r\n\r\n.one\r\n..two\r\nthree.\r\n.\r\nend\r\n"
    stuffed = head + b"\r\n\r\n..one\r\n...two\r\nthree.\r\n..\r\nend\r\n"
    signed = SIGNER.sign(stuffed, WHEN, stuffed=True)
    assert signed == SIGNER.sign(plain, WHEN).replace(plain, stuffed)
    assert verifies(signed.replace(stuffed, plain))


blank = st.text(alphabet=" \tab.:;", max_size=8)
lines = st.lists(blank, max_size=6)


PIECES = st.lists(
    st.sampled_from(
        [b"", b"a", b" ", b"\t ", b".", b"..", b"\r\n", b"\r\n\r\n", b"=\r\n", b"From: a@b.example\r\n", b"To: ",
         b" \r\n.. c", b"x" * 300 + b"  y \r\n", b"\r\n\r\n" + b"..z \t\r\n" * 60, b"..w" * 100]
    ),
    max_size=12,
)  # fmt: skip


@given(PIECES)
@settings(max_examples=400)
def test_a_letter_in_pieces_gets_the_signatures_that_it_gets_as_a_whole(pieces: list[bytes]) -> None:
    signer = DkimSigner(DOMAIN, [ED25519])
    letter = b"".join(pieces)
    assert signer.signatures(pieces, WHEN) + letter == signer.sign(letter, WHEN, stuffed=True)


@given(body=lines)
@settings(max_examples=300)
def test_the_canonical_body_is_the_one_that_dkimpy_makes(body: list[str]) -> None:
    text = "".join(line + "\r\n" for line in body).encode()
    assert canonical_body(text) == RELAXED.canonicalize_body(text)


@given(name=st.sampled_from(["Subject", "subject ", "LIST-ID"]), value=lines)
@settings(max_examples=200)
def test_the_canonical_header_is_the_one_that_dkimpy_makes(name: str, value: list[str]) -> None:
    folded = "\r\n ".join(value)
    ((there_name, there_value),) = RELAXED.canonicalize_headers([(name.encode(), folded.encode() + b"\r\n")])
    assert canonical_header(f"{name}:{folded}".encode()) + b"\r\n" == there_name + b":" + there_value


def pem(key: Any, lock: Any = None) -> bytes:
    data: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock or NoEncryption())
    return data


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key"),
        (pem(rsa.generate_private_key(65537, 1024)), "1024 bits; 2048"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "neither an RSA nor an Ed25519 key"),
        (pem(ED25519.private, BestAvailableEncryption(b"pass")), "passphrase"),
    ],
)
def test_a_key_of_no_use_is_refused_with_the_reason(content: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_key(content)


def test_the_record_is_cut_into_strings_that_the_dns_can_hold() -> None:
    record = RSA.record(DOMAIN)
    assert record.name == "mail2026._domainkey.customs.example"
    strings = record.zone_line.split('"')[1::2]
    assert "".join(strings) == record.value
    assert len(strings) == 2
    assert max(map(len, strings)) <= 255
