"""Letters as bytes: whole RFC 5322 messages that a parser reads back as they were meant."""

import email
import hashlib
import os
import re
from dataclasses import replace
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import unquote
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from samples import ENV, ISSUE, SITE, WEEKLY, WEEKLY_ARTICLES

from publisher.digest.letter import LetterForm
from publisher.digest.mime import address, message_id
from publisher.digest.render import PREFERENCES, RECIPIENT, UNSUBSCRIBE, RenderedEdition, render_edition
from publisher.errors import LetterError

GOLDEN = Path(__file__).parent.parent / "golden" / "letter-weekly.eml"
ALICE = "alice@customs.example"
ID = message_id("customs.example", "q7d2mzk4x5v3w6y1")
LEAVE = "https://news.customs.example/unsubscribe/AAAAAAABq1c5kJ9dTz3vX0uQeWm2Lh8"
CHANGE = "https://news.customs.example/preferences/AAAAAAABZk9sT2pR6yH1bV4nM8cD0f7J"

ONCE = {
    "From", "Reply-To", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Language",
    "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Help", "List-Archive", "Archived-At",
    "Auto-Submitted", "Precedence", "X-Auto-Response-Suppress", "Feedback-ID",
}  # fmt: skip


def form_of(subject="Subject", text="Text\n", html="<p>HTML</p>\n", site=SITE, issue=ISSUE):
    return LetterForm.of(site, issue, RenderedEdition(WEEKLY.id, WEEKLY.language, subject, text, html, 0, 0))


def letter_of(*, to=ALICE, leave=LEAVE, change=CHANGE, msgid=ID, **parts):
    return form_of(**parts).for_reader(to, msgid, leave, change)


@pytest.fixture(scope="module")
def weekly_form():
    rendered = render_edition(ENV, SITE, ISSUE, WEEKLY, WEEKLY_ARTICLES)
    return form_of(rendered.subject, rendered.text, rendered.html)


def assert_fit_for_the_wire(letter):
    assert max(letter) < 128 and 0 not in letter
    assert letter.endswith(b"\r\n")
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", letter)
    head, _, body = letter.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert max(map(len, body.split(b"\r\n"))) <= 76


def bodies(letter):
    message = email.message_from_bytes(letter, policy=policy.default)
    assert not message.defects
    plain, markup = message.iter_parts()
    assert (plain.get_content_type(), markup.get_content_type()) == ("text/plain", "text/html")
    assert not plain.defects and not markup.defects
    return plain.get_content().replace("\r\n", "\n"), markup.get_content().replace("\r\n", "\n")


def test_the_weekly_letter_is_known_byte_for_byte(weekly_form):
    """After a wanted change: UPDATE_GOLDEN=1 pytest tests/digest, then read the difference before committing it."""
    letter = weekly_form.for_reader(ALICE, ID, LEAVE, CHANGE)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_bytes(letter)
    assert letter == GOLDEN.read_bytes()
    assert_fit_for_the_wire(letter)


def test_every_header_stands_once_with_its_value(weekly_form):
    letter = weekly_form.for_reader(ALICE, ID, LEAVE, CHANGE)
    message = email.message_from_bytes(letter, policy=policy.default)
    assert sorted(message.keys()) == sorted(ONCE)
    assert message["From"] == "Customs initiatives <digest@customs.example>"
    assert message["Reply-To"] == "editor@customs.example"
    assert message["To"] == ALICE
    assert message["Subject"] == "Plastic waste controls in Asia/Pacific, and 8 more · Weekly no. 12"
    assert message["Date"].datetime == ISSUE.composed
    assert message["Message-ID"] == ID == "<q7d2mzk4x5v3w6y1@customs.example>"
    assert message["Content-Language"] == "en"
    assert message["List-Id"] == "Customs initiatives <digest.customs.example>"
    assert message["List-Help"] == "<https://news.customs.example/subscribe>"
    assert (
        CHANGE.encode() not in letter.partition(b"\r\n\r\n")[0]
    )  # mail providers and reports of abuse pass headers on
    assert message["List-Archive"] == "<https://news.customs.example/>"
    assert message["Archived-At"] == "<https://news.customs.example/issues/weekly-12/>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Feedback-ID"].startswith("weekly-12:e7:digest:")
    assert 5 <= len(message["Feedback-ID"].split(":")[3]) <= 15
    assert b'\r\nContent-Type: multipart/alternative;\r\n boundary="=_' in letter


def test_one_click_stands_on_one_line_however_long_the_address():
    leave = "https://news.customs.example/" + "u" * 900
    lines = letter_of(leave=leave).split(b"\r\n")
    assert f"List-Unsubscribe: <{leave}>".encode() in lines
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines


def test_the_slots_of_both_bodies_hold_the_readers_own(weekly_form):
    plain, markup = bodies(weekly_form.for_reader("o'hara+a&b@customs.example", ID, LEAVE + "?a=1&b=2", CHANGE))
    assert "It was sent to:\no'hara+a&b@customs.example\n" in plain
    assert f"Unsubscribe:\n{LEAVE}?a=1&b=2\n" in plain and f"Change topics or frequency:\n{CHANGE}\n" in plain
    assert "sent to o&#x27;hara+a&amp;b@customs.example." in markup
    assert markup.count(f'href="{LEAVE}?a=1&amp;b=2"') == 2 and f'href="{CHANGE}"' in markup
    assert "\ufdd0" not in plain + markup


def test_readers_of_one_form_differ_in_nothing_but_their_slots(weekly_form):
    swap = lambda letter, *values: [letter := letter.replace(v.encode(), b"#") for v in values][-1]  # noqa: E731
    leave, change = LEAVE.replace("1", "2"), CHANGE.replace("1", "2")
    alice = weekly_form.for_reader(ALICE, ID, LEAVE, CHANGE)
    bob = weekly_form.for_reader("bob@customs.example", "<b@customs.example>", leave, change)
    assert swap(alice, ALICE, ID, LEAVE, CHANGE) == swap(
        bob, "bob@customs.example", "<b@customs.example>", leave, change
    )
    assert alice == weekly_form.for_reader(ALICE, ID, LEAVE, CHANGE)


def phrase(letter, header):
    """Name and address of a raw header, read by RFC 5322 and RFC 2047. (The policy's own parser keeps the space
    between two encoded words of a phrase before Python 3.13, against section 6.2.)"""
    raw = " ".join(email.message_from_bytes(letter)[header].split("\r\n ")).removesuffix("\r\n")
    name, _, spec = raw.rpartition(" ")
    if name.startswith('"'):
        return unquote(name), spec
    return (str(make_header(decode_header(name.strip()))) if "=?" in name else name), spec


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=400)
SLOTTED = st.lists(
    st.one_of(TEXTS, st.sampled_from([RECIPIENT, UNSUBSCRIBE, PREFERENCES, "\n", "x" * 76, "é" * 30]))
).map("".join)
SUBJECTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Cs"]), max_size=200)
NAMES = SUBJECTS.filter(lambda name: name == name.strip() != "")  # config asks for one character at least
LOCALS = st.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}){0,2}", fullmatch=True)
PATHS = st.from_regex(r"https://[a-z.]{1,60}/[A-Za-z0-9._~%!$&'()*+,;:@/?=-]{0,300}", fullmatch=True)


@given(text=SLOTTED, html=SLOTTED, local=LOCALS, leave=PATHS, change=PATHS)
@example(text="a" * 75 + RECIPIENT, html="é" * 25 + "a" + RECIPIENT + " ", local="a", leave=LEAVE, change=CHANGE)
@example(text=UNSUBSCRIBE, html=" " + UNSUBSCRIBE + "\t", local="a", leave=LEAVE, change=CHANGE)
@settings(max_examples=250, deadline=None)
def test_bodies_are_read_back_as_they_were_rendered(text, html, local, leave, change):
    to = f"{local}@customs.example"
    assume("=?" not in local)
    letter = letter_of(text=text, html=html, to=to, leave=leave, change=change)
    assert_fit_for_the_wire(letter)

    def filled(body, escape=lambda value: value):
        for slot, value in ((RECIPIENT, to), (UNSUBSCRIBE, leave), (PREFERENCES, change)):
            body = body.replace(slot, escape(value))
        return body

    from html import escape

    assert bodies(letter) == (filled(text), filled(html, escape))
    message = email.message_from_bytes(letter, policy=policy.default)
    assert (message["To"], message["List-Unsubscribe"]) == (to, f"<{leave}>")


DOTS = st.lists(st.sampled_from([".", "..", "x", "\n", " ", "=", "é", RECIPIENT, UNSUBSCRIBE])).map("".join)


@given(text=DOTS, html=DOTS, local=st.sampled_from(["alice", "'", "a" * 70]))
@settings(max_examples=200)
def test_the_wires_form_of_a_letter_is_the_letter_with_each_leading_dot_doubled(text, html, local):
    form = form_of(text=text, html=html)
    for_reader = (f"{local}@customs.example", ID, LEAVE, CHANGE)
    plain, stuffed = form.for_reader(*for_reader), form.for_reader(*for_reader, stuffed=True)
    assert stuffed == re.sub(rb"(?m)^\.", b"..", plain)


@given(subject=SUBJECTS, title=NAMES, name=NAMES)
@example(subject="=?utf-8?q?x?=", title="=?utf-8?b?eA==?=", name="=?utf-8?q?a=40b?=")
@example(subject=" lead  and trail ", title='quo"ted \\ name', name="Dr. A, B; <c@d.example>")
@example(subject="x" * 200, title="x" * 100, name="x" * 100)
@example(subject="word " * 30, title="word" + " word" * 30, name="word" + " word" * 30)
@settings(max_examples=250, deadline=None)
def test_headers_of_free_text_are_read_back_as_they_were_meant(subject, title, name):
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    letter = letter_of(subject=subject, site=replace(SITE, title=title, sender=f'"{quoted}" <digest@customs.example>'))
    assert_fit_for_the_wire(letter)
    head = letter.partition(b"\r\n\r\n")[0]
    assert max(len(line) for line in head.split(b"\r\n") if not line.startswith(b"List-Un")) <= 78
    message = email.message_from_bytes(letter, policy=policy.default)
    assert sorted(message.keys()) == sorted(ONCE)
    assert message["Subject"] == subject
    assert phrase(letter, "From") == (name, "<digest@customs.example>")
    assert phrase(letter, "List-Id") == (title, "<digest.customs.example>")
    assert [address.addr_spec for address in message["From"].addresses] == ["digest@customs.example"]


@given(text=TEXTS, html=TEXTS, subject=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1))
@settings(max_examples=60, deadline=None)
def test_the_letter_equals_the_one_that_the_standard_library_builds(text, html, subject):
    text, html = text + "\n", html + "\n"  # the library ends each part with a line break
    ours = email.message_from_bytes(letter_of(subject=subject, text=text, html=html), policy=policy.default)
    theirs = EmailMessage()
    theirs.set_content(text, cte="quoted-printable")
    theirs.add_alternative(html, subtype="html", cte="quoted-printable")
    for header in ours:
        if header not in theirs:
            theirs[header] = str(ours[header])
    theirs = email.message_from_bytes(theirs.as_bytes(), policy=policy.default)

    def headers(message):  # the library folds a long address onto a line of its own and reads back the space
        return {name: value.strip() for name, value in message.items() if name != "Content-Type"}

    assert headers(ours) == headers(theirs)
    assert ours.get_content_type() == theirs.get_content_type()
    for mine, other in zip(ours.iter_parts(), theirs.iter_parts(), strict=True):
        assert mine.get_content_type() == other.get_content_type()
        assert mine.get_content().splitlines() == other.get_content().splitlines()


BREAKS = ["\r", "\n", "\r\n", "\0", "\x0b", "\x85", "\u2028", "\r\nBcc: eve@evil.example", "\n\n<html>", "\ud800"]


@pytest.mark.parametrize("broken", BREAKS)
def test_no_value_can_break_out_of_its_header(broken):
    with pytest.raises(LetterError) as caught:
        letter_of(subject=f"a{broken}b")
    assert caught.value.header == "Subject"
    for bad in (
        {"leave": f"{LEAVE}{broken}"},
        {"change": f"{broken}{CHANGE}"},
        {"to": f"alice{broken}@customs.example"},
        {"to": f"{ALICE}{broken}"},
        {"msgid": f"<a{broken}@b>"},
        {"site": replace(SITE, title=f"a{broken}b")},
        {"site": replace(SITE, sender=f"a <digest@customs.example{broken}>")},
        {"site": replace(SITE, list_id=f"digest.customs.example{broken}")},
    ):
        with pytest.raises(LetterError) as caught:
            letter_of(**bad)
        assert "alice" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "to",
    [
        "",
        "alice",
        "alice@",
        "@customs.example",
        "alice@customs.example, eve@evil.example",
        "Alice <alice@customs.example>",
        "alice@customs.example\nBcc: eve@evil.example",
        "alice @customs.example",
        "a" * 300 + "@customs.example",
        "=?utf-8?q?eve=40evil.example=2C?=@customs.example",
        "ali(comment)ce@customs.example",
    ],
)
def test_what_is_no_single_address_gets_no_letter(to):
    with pytest.raises(LetterError) as caught:
        form_of().for_reader(to, ID, LEAVE, CHANGE)
    assert caught.value.header == "To"
    assert not to or to not in str(caught.value)


def test_a_link_that_is_no_web_address_or_too_long_is_refused():
    for bad in (
        "javascript:alert(1)",
        "https://x/>, <mailto:eve@evil.example",
        "https://x/é",
        "",
        "https://x/" + "a" * 999,
    ):
        with pytest.raises(LetterError):
            letter_of(leave=bad)
        with pytest.raises(LetterError):
            letter_of(change=bad)


def test_a_domain_outside_ascii_is_written_in_ascii_and_the_foot_says_it_as_the_reader_does():
    to = "zoé".replace("é", "e") + "@bücher.example"
    assert address(to) == ("zoe@xn--bcher-kva.example", False)
    letter = letter_of(to=to, text=f"to {RECIPIENT}\n")
    assert_fit_for_the_wire(letter)
    assert b"\r\nTo: zoe@xn--bcher-kva.example\r\n" in letter
    assert bodies(letter)[0] == f"to {to}\n"


def test_a_local_part_outside_ascii_needs_smtputf8_and_says_so():
    assert address("zoé@bücher.example") == ("zoé@xn--bcher-kva.example", True)
    assert address(ALICE) == (ALICE, False)
    letter = letter_of(to="zoé@customs.example")
    message = email.message_from_bytes(letter, policy=policy.default.clone(utf8=True))
    assert "\r\nTo: zoé@customs.example\r\n" in letter.decode("utf-8")
    assert len(message["To"].addresses) == 1
    assert letter.replace("zoé".encode(), b"zoe").isascii()


def test_a_message_id_holds_nothing_that_would_part_it():
    assert message_id("customs.example", "abc") == "<abc@customs.example>"
    for domain, digest in (
        ("customs.example", "a b"),
        ("customs.example", "a>\r\n"),
        ("cust oms", "a"),
        ("", "a"),
        ("a", ""),
    ):
        with pytest.raises(LetterError):
            message_id(domain, digest)


def test_a_preview_has_no_page_and_says_so_in_its_feedback_id():
    message = email.message_from_bytes(letter_of(issue=replace(ISSUE, number=None)), policy=policy.default)
    assert "Archived-At" not in message
    assert message["Feedback-ID"].startswith("weekly-preview:")


def test_without_a_reply_to_there_is_none():
    message = email.message_from_bytes(letter_of(site=replace(SITE, reply_to=None)), policy=policy.default)
    assert "Reply-To" not in message


def test_the_boundary_comes_from_the_content_and_is_never_in_it():
    one, same, other = letter_of(text="a\n"), letter_of(text="a\n", subject="b"), letter_of(text="b\n")
    find = lambda letter: re.search(rb'boundary="([^"]+)"', letter)[1]  # noqa: E731
    assert find(one) == find(same) != find(other)
    spoof = letter_of(text=f"--{find(one).decode()}\n--{find(one).decode()}--\n")
    assert spoof.count(b"\r\n--" + find(spoof)) == 3
    assert bodies(spoof)[0].startswith("--=_")


def test_a_thousand_readers_get_a_thousand_different_letters(weekly_form):
    seen = set()
    for n in range(1000):
        letter = weekly_form.for_reader(f"reader{n}@customs.example", ID, LEAVE, CHANGE)
        seen.add(hashlib.sha256(letter).digest())
    assert len(seen) == 1000
