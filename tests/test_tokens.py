"""Tokens: nobody makes one, none does more than it is for; one key for all processes, for its owner's eyes only."""

from __future__ import annotations

import base64
import hmac
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.errors import ConfigError, TokenError
from publisher.tokens import PREFERENCES, UNSUBSCRIBE, Signer, load_or_make_keys

OLD, NEW, OTHER = b"o" * 32, b"n" * 32, b"x" * 32
ids = st.integers(0, 2**48 - 1)


@given(ids)
def test_a_token_names_its_subscriber_in_28_characters(number: int) -> None:
    signer = Signer([NEW])
    token = signer.token(UNSUBSCRIBE, number)
    assert len(token) == 28
    assert token.replace("-", "").replace("_", "").isalnum()
    assert signer.subscriber_id(UNSUBSCRIBE, token) == number


@given(ids, st.binary(min_size=32, max_size=100), st.sampled_from([UNSUBSCRIBE, PREFERENCES, "p" * 200]))
def test_a_token_proves_itself_by_the_hmac_that_python_makes(number: int, key: bytes, purpose: str) -> None:
    subject = number.to_bytes(6, "big")
    proof = hmac.digest(key, purpose.encode() + b"\0" + subject, "sha256")[:15]
    assert base64.urlsafe_b64decode(Signer([key]).token(purpose, number)) == subject + proof


@given(ids)
def test_a_token_of_one_purpose_is_none_for_another(number: int) -> None:
    signer = Signer([NEW])
    for made, used in ((UNSUBSCRIBE, PREFERENCES), (PREFERENCES, UNSUBSCRIBE)):
        with pytest.raises(TokenError):
            signer.subscriber_id(used, signer.token(made, number))


@given(ids, st.integers(0, 21 * 8 - 1))
def test_a_token_with_one_bit_changed_is_refused(number: int, bit: int) -> None:
    signer = Signer([NEW])
    raw = bytearray(base64.urlsafe_b64decode(signer.token(UNSUBSCRIBE, number)))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(TokenError):
        signer.subscriber_id(UNSUBSCRIBE, base64.urlsafe_b64encode(raw).decode())


@given(st.text(max_size=60))
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(TokenError):
        Signer([NEW]).subscriber_id(UNSUBSCRIBE, text)


def test_a_token_that_was_cut_or_lengthened_is_refused() -> None:
    signer = Signer([NEW])
    token = signer.token(UNSUBSCRIBE, 7)
    for wrong in [token[:length] for length in range(28)] + [token + more for more in ("A", "AAAA", "=", "\n", " ")]:
        with pytest.raises(TokenError):
            signer.subscriber_id(UNSUBSCRIBE, wrong)


def test_a_token_of_another_key_is_refused() -> None:
    with pytest.raises(TokenError):
        Signer([NEW]).subscriber_id(UNSUBSCRIBE, Signer([OTHER]).token(UNSUBSCRIBE, 7))


def test_links_of_old_letters_hold_after_the_key_was_changed() -> None:
    old, both = Signer([OLD]), Signer([NEW, OLD])
    assert both.subscriber_id(UNSUBSCRIBE, old.token(UNSUBSCRIBE, 7)) == 7
    assert both.token(UNSUBSCRIBE, 7) == Signer([NEW]).token(UNSUBSCRIBE, 7)
    with pytest.raises(TokenError):
        old.subscriber_id(UNSUBSCRIBE, both.token(UNSUBSCRIBE, 7))


def test_a_short_key_or_none_makes_no_signer() -> None:
    for keys in ([], [b""], [b"k" * 31], [NEW, b"short"]):
        with pytest.raises(ValueError, match="at least 32 bytes"):
            Signer(keys)


def test_a_name_for_some_parts_is_always_the_same_and_never_that_of_other_parts() -> None:
    signer = Signer([NEW])
    assert signer.digest("message-id", 1, 23) == signer.digest("message-id", 1, 23)
    others = {
        signer.digest("message-id", 12, 3),
        signer.digest("other", 1, 23),
        Signer([OLD]).digest("message-id", 1, 23),
    }
    assert len(others | {signer.digest("message-id", 1, 23)}) == 4


@given(st.binary(min_size=32, max_size=100), st.lists(st.integers(0, 10**12), max_size=3))
def test_a_name_is_the_hmac_that_python_makes_in_letters_that_any_mail_program_keeps(key: bytes, parts: list) -> None:
    proof = hmac.digest(key, b"message-id\0" + "\0".join(map(str, parts)).encode(), "sha256")[:15]
    assert Signer([key]).digest("message-id", *parts) == base64.b32encode(proof + b"\0").decode().lower()[:26]


def test_names_and_codes_of_before_hold_after_the_key_was_changed() -> None:
    old, both = Signer([OLD]), Signer([NEW, OLD])
    assert both.is_digest(old.digest("return path", 7)[:8], "return path", 7)
    assert both.is_code(old.code("code", 7), "code", 7)
    assert both.digests("address", 7) == [Signer([NEW]).digest("address", 7), old.digest("address", 7)]
    assert (both.digest("address", 7), both.code("code", 7)) == (
        both.digests("address", 7)[0],
        Signer([NEW]).code("code", 7),
    )
    assert not old.is_digest(both.digest("return path", 7)[:8], "return path", 7)
    assert not old.is_code(both.code("code", 7), "code", 7)


@given(ids)
def test_a_code_has_six_digits_to_type(number: int) -> None:
    code = Signer([NEW]).code("code", number)
    assert len(code) == 6 and code.isdecimal()
    assert Signer([NEW]).is_code(code, "code", number) and not Signer([NEW]).is_code(code + "0", "code", number)


def test_a_stamp_tells_its_moment_to_the_second_and_only_for_its_purpose() -> None:
    signer, moment = Signer([NEW]), datetime(2026, 3, 2, 7, 0, 30, 999_999, tzinfo=UTC)
    stamp = signer.stamp("form", moment)
    assert signer.stamped("form", stamp) == moment.replace(microsecond=0)
    with pytest.raises(TokenError):
        signer.stamped("other", stamp)


def test_the_reader_that_a_token_claims_to_be_of_can_be_read_by_who_has_no_key() -> None:
    token = Signer([NEW]).token("private feed", 7)
    assert Signer.claimed_id(token) == 7
    standard = next(one for n in range(999) if "-" in (one := Signer([NEW]).token(UNSUBSCRIBE, n)))
    for wrong in (token[:27] + "=", token[:26] + "==", token + "AAAA", standard.replace("-", "+")):
        with pytest.raises(TokenError):
            Signer.claimed_id(wrong)


# --- the key file ----------------------------------------------------------------------------------------------


def test_the_key_is_made_once_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret.key"
    (key,) = load_or_make_keys(path)
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_make_keys(path) == [key]
    assert [file.name for file in path.parent.iterdir()] == ["secret.key"]


def test_racing_processes_use_one_key(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from publisher.tokens import load_or_make_keys\n"
        "sys.stdin.readline()\n"
        "print(load_or_make_keys(pathlib.Path(sys.argv[1]))[0].hex())\n"
    )
    racing = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "data" / "secret.key")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in racing:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    keys = {process.communicate()[0].strip() for process in racing}
    assert len(keys) == 1
    assert [bytes.fromhex(keys.pop())] == load_or_make_keys(tmp_path / "data" / "secret.key")
    assert len(list((tmp_path / "data").iterdir())) == 1


def test_a_key_put_above_the_old_one_signs_and_links_of_old_letters_still_open(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_text(f"{NEW.hex()}\n\n{OLD.hex()}\r\n", encoding="utf-8")
    signer = Signer(load_or_make_keys(path))
    assert signer.token(UNSUBSCRIBE, 7) == Signer([NEW]).token(UNSUBSCRIBE, 7)
    assert signer.subscriber_id(UNSUBSCRIBE, Signer([OLD]).token(UNSUBSCRIBE, 7)) == 7


@pytest.mark.parametrize("content", ["", "not hexadecimal", "ab" * 31, "é", f"{'ab' * 32}\n{'ab' * 31}\n"])
def test_a_file_that_holds_no_key_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"store\.secret_file: .*secret\.key"):
        load_or_make_keys(path)
    assert path.read_text(encoding="utf-8") == content


def test_the_line_that_is_no_key_is_named_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_text(f"{NEW.hex()}\n \n{'cd' * 31}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"line 3 is no key of 64 hexadecimal digits") as caught:
        load_or_make_keys(path)
    assert "cdcd" not in str(caught.value)


def test_a_place_where_no_key_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"store\.secret_file: .*secret\.key: Not a directory$"):
        load_or_make_keys(tmp_path / "file" / "secret.key")
