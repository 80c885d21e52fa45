"""What came back, read: formats of many servers, forged and broken ones; scores."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from cProfile import Profile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.mail.bounces import judge, read_bounce
from publisher.mail.scoring import COUNTS_FOR, LIMIT, BounceKind, score
from publisher.mail.verp import LetterName, ReturnPath
from publisher.model import Frequency
from publisher.tokens import Signer

SAMPLES = Path(__file__).parent / "bounces"
SIGNER = Signer([b"k" * 32])
PATHS = ReturnPath("bounces@customs.example", SIGNER)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)

SAYS = {
    "postfix-5.1.1": (BounceKind.DEAD, "5.1.1"),
    "postfix-delayed": (BounceKind.DELAYED, "4.4.1"),
    "postfix-expired": (BounceKind.SOFT, "4.4.1"),
    "exim-dsn": (BounceKind.DEAD, "5.1.1"),
    "exchange-full": (BounceKind.SOFT, "5.2.2"),
    "exchange-policy": (BounceKind.OURS, "5.7.1"),
    "group-one-gone": (BounceKind.DELAYED, "2.0.0"),
    "sendmail-no-account": (BounceKind.DOUBTFUL, "5.0.0"),
    "gateway-base64": (BounceKind.DEAD, "5.1.1"),
    "qmail-words": (BounceKind.DEAD, "5.1.1"),
    "complaint-abuse": (BounceKind.COMPLAINT, ""),
    "complaint-outlook": (BounceKind.COMPLAINT, ""),
    "complaint-not-spam": (BounceKind.AUTO_REPLY, ""),
    "global-status": (BounceKind.DEAD, "5.1.1"),
    "global-base64": (BounceKind.DEAD, "5.1.1"),
    "exim-version": (BounceKind.DOUBTFUL, "5.0.0"),
    "outlook-no-mailbox": (BounceKind.DOUBTFUL, "5.5.0"),
    "words-no-mailbox": (BounceKind.DOUBTFUL, "5.5.0"),
    "no-action": (BounceKind.DEAD, "5.1.1"),
    "no-action-delayed": (BounceKind.UNPARSED, ""),
    "no-boundary": (BounceKind.UNPARSED, ""),
    "daemon-in-no-known-words": (BounceKind.UNPARSED, ""),
    "nobody-in-no-known-words": (BounceKind.UNPARSED, ""),
    "out-of-office": (BounceKind.AUTO_REPLY, ""),
    "out-of-office-from-nowhere": (BounceKind.AUTO_REPLY, ""),
    "question": (BounceKind.UNPARSED, ""),
}


def sample(
    name: str, *, return_path: str = "bounces@customs.example", message_id: str = "m", token: str = "t"
) -> bytes:
    text = (SAMPLES / f"{name}.eml").read_text(encoding="ascii")
    for slot, value in (("return_path", return_path), ("message_id", message_id), ("token", token)):
        text = text.replace("{" + slot + "}", value)
    return text.encode()


def test_every_sample_has_its_row() -> None:
    assert {path.stem for path in SAMPLES.glob("*.eml")} == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_message_says_what_it_says_with_any_line_ends(name: str, line_end: bytes) -> None:
    found = read_bounce(sample(name).replace(b"\n", line_end))
    assert (found.kind, found.status) == SAYS[name]
    assert "@" not in found.detail


@pytest.mark.parametrize("name", [name for name in SAYS if name not in {"question", "out-of-office"}])
def test_every_bounce_leads_to_its_letter_by_the_return_path(name: str) -> None:
    clues = read_bounce(sample(name, return_path=PATHS.of(12, 3456))).clues
    assert PATHS.find(clues.return_paths) == LetterName(12, 3456)


@pytest.mark.parametrize(
    "name",
    ["postfix-5.1.1", "exim-dsn", "exchange-full", "global-status", "global-base64", "complaint-abuse", "qmail-words"],
)
def test_what_is_returned_of_the_letter_gives_further_clues(name: str) -> None:
    clues = read_bounce(sample(name, message_id="abc", token="tok")).clues
    assert "abc@customs.example" in clues.message_ids
    assert name == "qmail-words" or clues.unsubscribe == ("https://news.example/unsubscribe/tok",)
    assert name == "complaint-abuse" or "ann@reader.example" in clues.recipients


def test_a_bounce_of_an_international_address_names_it() -> None:
    content = sample("global-status").decode().replace("utf-8; ann@", "utf-8; josé@").encode()
    assert "josé@reader.example" in read_bounce(content).clues.recipients


REPORT = (
    "Return-Path: <>\nTo: {to}\nContent-Type: multipart/report; report-type=delivery-status; boundary=cut\n\n--cut\n"
    "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
    "Final-Recipient: rfc822; ann@reader.example \n{fields}\n\n--cut--\n"
)


@pytest.mark.parametrize("said", ["smtp; 550 5.1.1 no mailbox", "550 5.1.1 no mailbox", "X-Odd;550 5.1.1 no mailbox"])
@pytest.mark.parametrize("action", ["failed", "FAILED", " Failed (for good)"])
@pytest.mark.parametrize("status", ["5.1.1", "5.0.0", "5.1.1 (nobody of that name)", ""])
def test_a_status_is_read_as_every_server_writes_its_fields(said: str, action: str, status: str) -> None:
    fields = f"Action: {action}\nStatus: {status}\nDiagnostic-Code: {said}"
    found = read_bounce(REPORT.format(to="x@customs.example", fields=fields).encode())
    assert (found.kind, found.status) == (BounceKind.DEAD, "5.1.1")
    assert found.detail.strip() == "550 5.1.1 no mailbox"
    assert found.clues.recipients == ("ann@reader.example",)


def test_a_status_that_says_something_counts_whatever_its_words_quote() -> None:
    fields = "Action: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 550 tried 5.1.1 as well"
    assert read_bounce(REPORT.format(to="x@customs.example", fields=fields).encode()).status == "5.2.2"


def test_one_odd_byte_in_a_report_costs_neither_its_letter_nor_what_it_says() -> None:
    content = sample("global-status", return_path=PATHS.of(12, 3456))
    type_ = b"Content-Type: message/global-delivery-status\n"
    found = read_bounce(content.replace(type_, type_ + b"Content-Transfer-Encoding: 8b\xefit\n"))
    assert (found.kind, found.status) == SAYS["global-status"]
    assert PATHS.find(found.clues.return_paths) == LetterName(12, 3456)


@pytest.mark.parametrize(
    "name", ["Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To", "Cc"]
)
def test_the_address_it_came_to_is_found_where_any_server_notes_it(name: str) -> None:
    content = f"From: a@b.example\nTo: undisclosed\n{name}: {PATHS.of(12, 3456)}\n\nWhat now?\n"
    assert PATHS.find(read_bounce(content.encode()).clues.return_paths) == LetterName(12, 3456)


def test_the_message_that_came_is_not_the_letter_it_speaks_of() -> None:
    clues = read_bounce(b"To: bounces@customs.example\nMessage-ID: <theirs@reader.example>\n\nWhat now?\n").clues
    assert (clues.message_ids, clues.recipients) == ((), ())


@pytest.mark.parametrize(
    ("name", "is_report"),
    [("postfix-5.1.1", True), ("global-base64", True), ("complaint-abuse", True), ("complaint-outlook", True)]
    + [(name, False) for name in ("qmail-words", "words-no-mailbox", "out-of-office", "question", "no-boundary")],
)
def test_what_only_programs_write_is_told_from_words_that_anybody_can_quote(name: str, is_report: bool) -> None:
    assert read_bounce(sample(name)).is_report is is_report


@pytest.mark.parametrize(
    "quoted", ["Feedback-Type: abuse", "Final-Recipient: rfc822; a\nAction: failed\nStatus: 5.1.1"]
)
def test_a_letter_that_quotes_a_report_is_none(quoted: str) -> None:
    for content in (f"From: a@b.example\n\n{quoted}\n", in_parts(OTHER, OTHER + f"\n{quoted}\n".encode())):
        found = read_bounce(content if isinstance(content, bytes) else content.encode())
        assert (found.kind, found.is_report, found.detail) == (BounceKind.UNPARSED, False, "")


@pytest.mark.parametrize(
    ("feedback", "kind"),
    [
        ("abuse", BounceKind.COMPLAINT),
        (" Fraud ", BounceKind.COMPLAINT),
        ("Not-Spam ", BounceKind.AUTO_REPLY),
        ("AUTH-FAILURE", BounceKind.AUTO_REPLY),
    ],
)
def test_feedback_is_a_complaint_unless_it_takes_one_back_or_is_about_signatures(
    feedback: str, kind: BounceKind
) -> None:
    content = sample("complaint-abuse").replace(b"Feedback-Type: abuse", f"Feedback-Type: {feedback}".encode())
    found = read_bounce(content)
    assert (found.kind, found.detail) == (kind, f"feedback of type {feedback.strip().lower()}")


JMRP_HEADER = b"X-HmXmrOriginalRecipient: <ann@reader.example>\n"
JMRP_SUBJECT = b"complaint about message from 192.0.2.10"


@pytest.mark.parametrize(
    ("gone", "kind"),
    [
        ((JMRP_HEADER,), BounceKind.COMPLAINT),
        ((JMRP_SUBJECT,), BounceKind.COMPLAINT),
        ((JMRP_HEADER, JMRP_SUBJECT), BounceKind.UNPARSED),
        ((b"message/rfc822",), BounceKind.UNPARSED),
    ],
)
def test_a_complaint_at_outlook_has_one_of_its_marks_and_the_letter(gone: tuple[bytes, ...], kind: BounceKind) -> None:
    content = sample("complaint-outlook")
    for mark in gone:
        content = content.replace(mark, b"text/plain" if b"/" in mark else b"", 1)
    assert read_bounce(content).kind is kind


@pytest.mark.parametrize(
    "header",
    [
        *("Auto-Submitted: auto-replied", "Auto-Submitted: Auto-Generated; by=x", "auto-submitted: auto-notified"),
        *("Precedence: Auto_Reply", "Precedence: auto-reply", "Precedence: junk"),
        *(f"{name}: yes" for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply-From")),
    ],
)
@pytest.mark.parametrize(
    ("who", "is_bounce"),
    [
        ("From: Ann <ann@reader.example>", False),
        ("Return-Path: <>\nIn-Reply-To: <m@customs.example>\nFrom: Ann <ann@reader.example>", False),
        ("Return-Path:  <> \nFrom: Ann <ann@reader.example>", True),
        ("From: postmaster@reader.example", True),
        ("From: Mailer-Daemon@reader.example", True),
        ('From: "MAILER-DAEMON" <post@reader.example>', True),
        ("From: a@reader.example\nContent-Type: multipart/report; report-type=Delivery-Status; boundary=x", True),
        ("From: a@reader.example\nContent-Type: multipart/report; report-type=disposition; boundary=x", False),
        ("From: a@reader.example\nContent-Type: multipart/mixed; report-type=delivery-status; boundary=x", False),
    ],
)
def test_an_automatic_answer_is_passed_over_and_what_a_mail_server_wrote_is_left_to_people(
    header: str, who: str, is_bounce: bool
) -> None:
    found = read_bounce(f"{who}\nTo: bounces@customs.example\n{header}\n\nAlas.\n".encode())
    assert found.kind is (BounceKind.UNPARSED if is_bounce else BounceKind.AUTO_REPLY)


@pytest.mark.parametrize(
    "header", ["Auto-Submitted: no", "Auto-Submitted: No (a person)", "Precedence: bulk", "X-Auto: 1"]
)
def test_a_letter_that_a_person_wrote_is_left_to_people(header: str) -> None:
    found = read_bounce(f"From: Ann <ann@reader.example>\n{header}\n\nWhy?\n".encode())
    assert (found.kind, found.detail) == (BounceKind.UNPARSED, "")


AT = datetime(2026, 3, 2, 7, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("date", "arrived", "dated"),
    [
        ("Mon, 2 Mar 2026 08:00:05 +0100", "Sun, 1 Mar 2026 07:00:05 +0000", AT),
        ("Mon, 2 Mar 2026 07:00:05 -0000", "", AT),
        ("Mon, 2 Mar 2026 07:00:05", "", AT),
        ("", "Mon, 2 Mar 2026 02:00:05 -0500", AT),
        ("on Monday", "Mon, 2 Mar 2026 07:00:05 +0000", AT),
        ("Fri, 31 Dec 9999 23:59:59 -1200", "Mon, 2 Mar 2026 07:00:05 +0000", AT),
        ("", "", None),
    ],
)
def test_a_message_is_of_its_date_else_of_when_its_server_had_the_letter(
    date: str, arrived: str, dated: datetime | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    head = f"Date: {date}\n" if date else ""
    field = f"Arrival-Date: {arrived}\n" if arrived else ""
    content = head + REPORT.format(to="x@customs.example", fields="Action: failed\nStatus: 5.1.1")
    found = read_bounce(content.replace("Reporting-MTA", f"{field}Reporting-MTA").encode())
    monkeypatch.undo()
    time.tzset()
    assert found.dated == dated
    assert found.dated is None or found.dated.tzinfo is UTC


# --- return paths ---------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**12 - 1), st.integers(0, 10**12 - 1), st.sampled_from([str, str.upper, str.title]))
def test_a_return_path_names_its_letter_however_relays_write_it(
    issue: int, reader: int, write: Callable[[str], str]
) -> None:
    path = PATHS.of(issue, reader)
    assert len(path.partition("@")[0]) <= 64
    assert PATHS.find([f"Ann <{write(path)}>"]) == LetterName(issue, reader)


def test_a_forged_return_path_names_nobody() -> None:
    path = PATHS.of(12, 3456)
    local, _, domain = path.partition("@")
    others = (
        path.replace("12.", "13."),
        path.replace(".3456.", ".3457."),
        f"{local[:-1]}{'a' if local[-1] != 'a' else 'b'}@{domain}",
        f"{local[:-1]}@{domain}",
        f"{local}@elsewhere.example",
        ReturnPath("bounces@customs.example", Signer([b"x" * 32])).of(12, 3456),
        "bounces@customs.example",
        "",
    )
    assert PATHS.find(others) is None
    assert PATHS.find([*others, path]) == LetterName(12, 3456)
    assert ReturnPath("bounces@customs.example", Signer([b"n" * 32, b"k" * 32])).find([path]) == LetterName(12, 3456)


@given(st.integers(0, 10**12 - 1), st.sampled_from([str, str.upper, str.title]))
def test_an_address_to_leave_by_mail_names_its_reader_however_it_is_written(
    reader: int, write: Callable[[str], str]
) -> None:
    address = PATHS.leaving(reader)
    assert len(address.partition("@")[0]) <= 64
    assert PATHS.find_leaving(["digest@customs.example", f"<{write(address)}>"]) == reader
    assert ReturnPath("bounces@customs.example", Signer([b"n" * 32, b"k" * 32])).find_leaving([address]) == reader


def test_nobody_leaves_by_a_forged_address_nor_by_one_that_letters_come_back_to() -> None:
    address = PATHS.leaving(3456)
    local, _, domain = address.partition("@")
    proof = local.rpartition(".")[2]
    others = (
        address.replace(".3456.", ".3457."),
        f"{local[:-1]}{'a' if local[-1] != 'a' else 'b'}@{domain}",
        address.replace(proof, proof[:8]),
        f"{local}@elsewhere.example",
        PATHS.of(12, 3456),
    )
    assert PATHS.find_leaving(others) is None
    assert PATHS.find_leaving([*others, address]) == 3456
    assert PATHS.find([address]) is None, "and what comes to it is no letter that came back"


# --- any bytes ------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=400))
@settings(max_examples=200)
def test_any_bytes_are_read(content: bytes) -> None:
    assert read_bounce(content).kind in BounceKind


@given(st.sampled_from(sorted(SAYS)), st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_message_is_read(name: str, data: st.DataObject) -> None:
    content = bytearray(sample(name, return_path=PATHS.of(1, 2)))
    for _ in range(data.draw(st.integers(1, 8))):
        start = data.draw(st.integers(0, len(content) - 1))
        content[start : start + data.draw(st.integers(0, 60))] = data.draw(st.binary(max_size=20))
    found = read_bounce(bytes(content))
    assert found.kind in BounceKind
    assert PATHS.find(found.clues.return_paths) in {None, LetterName(1, 2)}


def test_a_message_that_a_part_of_ours_fails_on_is_left_to_people_and_logs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    odd = b"Content-Type: message/global-delivery-status\n\nContent-Type: multipart/mixed\n\n\xe2\x80\xa8\n"
    for content in (b"", b"\n", odd):
        assert read_bounce(content).kind is BounceKind.UNPARSED
    assert read_bounce(odd).detail == "cannot be read (UnicodeEncodeError)"
    assert not caplog.records


STATUS = b"Content-Type: message/delivery-status\n\n\nFinal-Recipient: rfc822; a\nAction: failed\nStatus: 5.1.1\n\n"
OTHER = b"Content-Type: text/plain\n\nText.\n"


def in_parts(*parts: bytes) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=cut\n\n" + b"".join(b"--cut\n" + part for part in parts)


@pytest.mark.parametrize(("before", "kind"), [(190, BounceKind.DEAD), (250, BounceKind.UNPARSED)])
def test_so_many_parts_are_looked_at_and_no_more(before: int, kind: BounceKind) -> None:
    assert read_bounce(in_parts(*[OTHER] * before, STATUS)).kind is kind


def test_what_stands_behind_the_first_megabyte_is_not_read() -> None:
    long = b"Content-Type: text/plain\n\n" + b"x" * (1 << 20) + b"\n"
    assert read_bounce(in_parts(long, STATUS)).kind is BounceKind.UNPARSED
    assert read_bounce(in_parts(long[: 1 << 19] + b"\n", STATUS)).kind is BounceKind.DEAD


@pytest.mark.parametrize(
    "line", ["To: {n}@x.example", "Message-ID: <{n}@x.example>", "List-Unsubscribe: <https://x/{n}>"]
)
def test_a_message_that_names_more_letters_than_one_is_no_reason_to_try_each(line: str) -> None:
    clues = read_bounce(("From: a@b.example\n\n" + "".join(line.format(n=n) + "\n" for n in range(500))).encode()).clues
    assert [len(one) in {0, 50} for one in (clues.message_ids, clues.unsubscribe, clues.recipients)] == [True] * 3


@pytest.mark.parametrize(("depth", "kind"), [(12, BounceKind.DEAD), (20, BounceKind.UNPARSED)])
def test_so_many_parts_within_parts_are_looked_at_and_no_more(depth: int, kind: BounceKind) -> None:
    around = (b"Content-Type: multipart/mixed; boundary=cut%d\n\n--cut%d\n" % (n, n) for n in range(depth))
    assert read_bounce(b"".join(around) + STATUS).kind is kind


def test_what_stands_before_too_many_parts_is_read() -> None:
    content = sample("postfix-5.1.1", return_path=PATHS.of(12, 3456))
    border = re.findall(rb'boundary="?([^";\n]+)"?', content)[0]
    found = read_bounce(content.replace(b"--" + border + b"--", (b"--" + border + b"\n" + OTHER) * 9000))
    assert (found.kind, found.status) == (BounceKind.DEAD, "5.1.1")
    assert PATHS.find(found.clues.return_paths) == LetterName(12, 3456)


@pytest.mark.parametrize(
    "content",
    [
        b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(150))
        + b"x\n" * 400_000,
        b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(9000)),
        in_parts(*[b"\nx\n"] * 90_000),
        b"From: a@b.example\n" + in_parts(b"\n" + b"x\n" * 400_000),
        b"Content-Type: message/global-delivery-status\n\n" + b"a\n\n" * 300_000,
    ],
)
def test_a_message_made_to_be_slow_costs_as_much_work_as_any(content: bytes) -> None:
    work = Profile(builtins=False)
    work.runcall(read_bounce, content)
    assert sum(one.callcount for one in work.getstats()) < 9_000_000


def test_a_huge_message_is_read_in_one_pass() -> None:
    """A pattern that begins anew at each "<" or "5." would take minutes over it."""
    header = b"List-Unsubscribe: " + b"<" * 200_000 + b"\n" + b"To: a\n" * 20_000
    body = b"\n" + b"To:" + b"\n x" * 100_000 + b"\n\n" + b"5." * 100_000
    report = sample("postfix-5.1.1")
    assert read_bounce(report + body) == read_bounce(report)
    assert read_bounce(header + body).kind is BounceKind.UNPARSED


# --- what follows ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((f"5.1.{n}", BounceKind.DEAD) for n in (1, 2, 3, 6, 10)),
        *((f"5.1.{n}", BounceKind.OURS) for n in (7, 8)),
        *((status, BounceKind.DOUBTFUL) for status in ("", "5.0.0", "5.1.0", "5.2.0", "5.2.1", "5.4.1", "5.4.4")),
        *((status, BounceKind.SOFT) for status in ("5.2.2", "5.2.3", "5.3.0", "5.4.7", "4.2.2", "4.4.7", "4.0.0")),
        *((status, BounceKind.OURS) for status in ("5.7.1", "5.7.515", "4.7.0", "5.6.1", "5.5.4", "5.3.4")),
    ],
)
def test_a_status_is_judged_by_what_the_reader_can_do_for_it(status: str, kind: BounceKind) -> None:
    assert judge(status) is kind


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        ("5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)", BounceKind.DOUBTFUL),
        ("5.7.1", "550 5.7.1 <x@a.example>: Recipient address rejected:\n User unknown", BounceKind.DOUBTFUL),
        ("5.3.0", "no such user", BounceKind.DOUBTFUL),
        ("5.1.1", "no such user", BounceKind.DEAD),
        ("5.1.8", "user unknown", BounceKind.OURS),
        ("5.2.2", "mailbox unavailable, it is full", BounceKind.SOFT),
        ("4.4.7", "mailbox unavailable", BounceKind.SOFT),
        ("5.7.1", "mailbox unavailable: blocked using a blacklist", BounceKind.OURS),
        ("5.7.1", "user unknown, by the policy of this server", BounceKind.OURS),
        ("5.7.1", "unknown user: relaying denied", BounceKind.OURS),
        ("5.7.1", "x" * 2000 + "user unknown", BounceKind.OURS),
    ],
)
def test_words_that_name_the_address_unknown_raise_doubt_whatever_the_status(
    status: str, said: str, kind: BounceKind
) -> None:
    assert judge(status, said) is kind


def points(*returned: tuple[float, int | None, BounceKind], frequency: Frequency = Frequency.DAILY) -> int:
    return score([(NOW - timedelta(days=ago), issue, kind) for ago, issue, kind in returned], frequency, NOW)


def test_a_dead_address_is_enough_doubt_takes_two_issues_and_a_full_mailbox_five() -> None:
    assert points((0, 1, BounceKind.DEAD)) >= LIMIT
    assert (
        points((1, 1, BounceKind.DOUBTFUL)) < LIMIT <= points((1, 1, BounceKind.DOUBTFUL), (0, 2, BounceKind.DOUBTFUL))
    )
    full = [(float(ago), ago, BounceKind.SOFT) for ago in range(5)]
    assert points(*full[:4]) < LIMIT <= points(*full)


def test_an_issue_counts_once_and_blame_of_ours_never() -> None:
    assert points(*[(0.0, 1, BounceKind.SOFT)] * 9) == 1
    assert points((0, 1, BounceKind.SOFT), (0, 1, BounceKind.DOUBTFUL)) == points((0, 1, BounceKind.DOUBTFUL))
    assert points(*[(0.0, None, BounceKind.SOFT)] * 9) == 1
    assert points(*[(0.0, issue, BounceKind.OURS) for issue in range(9)]) == 0


@pytest.mark.parametrize("frequency", Frequency)
def test_what_came_back_long_ago_counts_no_longer(frequency: Frequency) -> None:
    days = COUNTS_FOR[frequency] / timedelta(days=1)
    assert points((days, 1, BounceKind.SOFT), frequency=frequency) == 1
    assert points((days + 1, 1, BounceKind.SOFT), frequency=frequency) == 0


@pytest.mark.parametrize(("frequency", "every"), [(Frequency.DAILY, 1), (Frequency.WEEKLY, 7), (Frequency.MONTHLY, 31)])
def test_a_mailbox_that_stays_full_is_given_up_at_any_frequency(frequency: Frequency, every: int) -> None:
    assert points(*[(float(n * every), n, BounceKind.SOFT) for n in range(5)], frequency=frequency) >= LIMIT
