from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.errors import UsageError
from publisher.readers.address import address_key, checked_address, mail_domain


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" alice@CUSTOMS.example\n", "alice@customs.example"),
        ("Bob@customs.example", "Bob@customs.example"),  # the relay may care for the case of a local part
        ("u\u0308x@bücher.example", "üx@bücher.example"),
        ("charlie@xn--bcher-kva.example", "charlie@bücher.example"),
    ],
)
def test_an_address_is_kept_in_one_spelling(text: str, address: str) -> None:
    assert checked_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice",
        "alice@",
        "@customs.example",
        "alice@localhost",
        "alice@[127.0.0.1]",
        "Alice <alice@customs.example>",
        "alice@customs.example, bob@customs.example",
        "alice@customs.example\r\nBcc: bob@customs.example",
        "alice\0@customs.example",
        '"a b"@customs.example',
        "alice@customs.example" + "x" * 300,
        "\udcff@customs.example",
        "=?utf-8?q?x?=@customs.example",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(UsageError, match="not an e-mail address: ") as caught:
        checked_address(text)
    assert "alice" not in str(caught.value)
    assert "bob" not in str(caught.value)


@pytest.mark.parametrize(
    "other",
    ["ALICE@Customs.Example", "alice@customs.EXAMPLE", "Alice@customs.example"],
)
def test_letter_case_makes_no_second_mailbox(other: str) -> None:
    assert address_key(other) == address_key("alice@customs.example") == "alice@customs.example"


def test_both_ways_of_writing_a_domain_are_one_mailbox() -> None:
    assert address_key("a@Bücher.example") == address_key("a@xn--bcher-kva.example") == "a@xn--bcher-kva.example"
    assert address_key("a@straße.example") != address_key("a@strasse.example")  # two domains, RFC 5891


@pytest.mark.parametrize("text", ["a@ü..example", "a\0@customs.example", "\udcff@customs.example"])
def test_a_key_of_what_cannot_be_an_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        address_key(text)


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20))
def test_every_spelling_of_a_local_part_has_the_same_key(local: str) -> None:
    keys = {
        address_key(f"{unicodedata.normalize(form, local)}@customs.example")
        for form in ("NFC", "NFD")
    }  # fmt: skip
    assert len(keys) == 1


@pytest.mark.parametrize("email", ["a@B\u00dcCHER.Example", "a@XN--bcher-kva.example", '"a@b"@xn--bcher-kva.example'])
def test_the_domain_of_an_address_is_written_one_way(email: str) -> None:
    assert mail_domain(email) == "xn--bcher-kva.example"
