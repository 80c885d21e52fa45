"""Tables of readers: good rows come in, bad ones are told by their line, whatever stands in them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.errors import SourceError
from publisher.model import Frequency, SubscriberState
from publisher.readers.table import MAX_CONSENT, BadRow, Defaults, ReaderRow, cell, known_topics, read_rows

DEFAULTS = Defaults(
    topics=("all",),
    frequency=Frequency.WEEKLY,
    language="en",
    known_topics=known_topics([("environment", "Environment"), ("region-europe", "Europe and Central Asia")]),
)


def rows(text: str) -> list[ReaderRow | BadRow]:
    return list(read_rows(io.StringIO(text, newline=""), DEFAULTS))


def test_a_row_says_what_it_says_and_gets_the_rest() -> None:
    full, short = rows(
        "\ufeffTopics;EMAIL;frequency;language;state;consent\r\n"
        "environment region-europe;ann@customs.example;daily;pt-BR;paused;signed on paper\r\n"
        ";bob@customs.example\r\n"
    )
    assert full == ReaderRow(
        line=2,
        email="ann@customs.example",
        state=SubscriberState.PAUSED,
        frequency=Frequency.DAILY,
        language="pt-BR",
        topics=("environment", "region-europe"),
        consent="signed on paper",
    )
    assert isinstance(short, ReaderRow)
    assert (short.topics, short.frequency, short.state) == (("all",), Frequency.WEEKLY, SubscriberState.ACTIVE)


@pytest.mark.parametrize("name", ["E-mail", "Email Address", "e-mail address", "EMAIL_ADDRESS", "emailAddress"])
def test_the_column_of_addresses_may_have_the_name_that_other_programs_give_it(name: str) -> None:
    (row,) = rows(f"First Name,{name}\nAnn,ann@customs.example\n")
    assert isinstance(row, ReaderRow) and row.email == "ann@customs.example"
    with pytest.raises(SourceError, match=f"'email' and '{name.lower()}' both say email"):
        rows(f"email,{name}\nann@customs.example,ann@customs.example\n")
    with pytest.raises(SourceError, match="'email' and 'email' both say email; leave one"):
        rows("email,email\n")
    with pytest.raises(SourceError, match="line 3: no column 'email'"):
        rows("\n\nname,topics\n")


@pytest.mark.parametrize(
    ("word", "state"),
    [(state.value, state) for state in SubscriberState]
    + [("Enabled", SubscriberState.ACTIVE), ("CONFIRMED", SubscriberState.ACTIVE)]
    + [("subscribed", SubscriberState.ACTIVE), ("TRUE", SubscriberState.ACTIVE), ("", SubscriberState.ACTIVE)]
    + [("unconfirmed", SubscriberState.PENDING)]
    + [(word, SubscriberState.UNSUBSCRIBED) for word in ("disabled", "FALSE", "blocklisted", "Blacklisted")],
)
def test_a_state_in_the_words_of_any_program_is_understood(word: str, state: SubscriberState) -> None:
    (row,) = rows(f"email,status\nann@customs.example,{word}\n")
    assert isinstance(row, ReaderRow)
    assert (row.state, row.never) == (state, "listed" in word)


def test_a_row_that_bounced_stays_so_in_a_file_that_is_of_active_readers() -> None:
    table = io.StringIO("email,state\nann@x.example,bounced\nbob@x.example,pending\n", newline="")
    found = read_rows(table, replace(DEFAULTS, state="active"))
    assert [row.state for row in found if isinstance(row, ReaderRow)] == [
        SubscriberState.BOUNCED,
        SubscriberState.ACTIVE,
    ]


def test_a_list_may_begin_with_empty_lines_and_have_its_addresses_in_quotes() -> None:
    for text in (
        '\n"ann@x.example"\n"bob@x.example"\n',
        "\ufeff\n\nann@x.example\nbob@x.example\n",
        "\nemail\nann@x.example\nbob@x.example\n",
    ):
        assert [row.email for row in rows(text) if isinstance(row, ReaderRow)] == ["ann@x.example", "bob@x.example"]
    _, bad = rows("\nann@x.example\n\nbob\n")
    assert isinstance(bad, BadRow) and bad.line == 4


def test_columns_without_a_name_and_blanks_around_names_do_no_harm() -> None:
    (row,) = rows(" Email ,, topics ,\nann@customs.example,x,environment,y\n")
    assert isinstance(row, ReaderRow)
    assert (row.email, row.topics) == ("ann@customs.example", ("environment",))


def test_a_very_long_consent_is_cut() -> None:
    (row,) = rows(f"email,consent\nann@customs.example,{'on paper ' * 200}\n")
    assert isinstance(row, ReaderRow)
    assert (len(row.consent), row.consent.startswith("on paper on paper")) == (MAX_CONSENT, True)


def test_a_list_of_addresses_is_read_as_mailman_writes_it() -> None:
    listed = b'"Doe, Gus" <gus@agency.example>\r\nhal@agency.example\n\nJos\xe9 <jose@agency.example>\nroot\n'
    *found, bad = rows("\ufeff" + listed.decode(errors="surrogateescape"))
    assert [(row.line, getattr(row, "email", row)) for row in found] == [
        (1, "gus@agency.example"),
        (2, "hal@agency.example"),
        (4, "jose@agency.example"),
    ]
    assert isinstance(bad, BadRow) and bad.line == 5
    with pytest.raises(SourceError, match="unless each line is an address"):
        rows("root\nhal@agency.example\n")


def test_a_column_that_is_not_read_may_be_in_any_encoding() -> None:
    (row,) = rows("name,email\nJos\udce9,Jos\udce9 <jose@agency.example>\n")
    assert isinstance(row, ReaderRow) and row.email == "jose@agency.example"


LISTMONK = (
    "uuid,email,name,attributes,status,created_at,updated_at\n"
    '0c3f,ann@broker.example,Ann,"{""city"": ""Mombasa""}",enabled,2023-04-02 09:12:44 +0000 UTC,\n'
    "0c40,bo@port.example,Bo,{},disabled,2022-11-20 08:00:00 +0000 UTC,2022-11-20 08:00:00 +0000 UTC\n"
    '0c41,cy@angry.example,"Cy, of Nowhere",{},blocklisted,2021-01-05 08:00:00 +0000 UTC,\n'
)
GHOST = (
    "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,"
    "labels,tiers\r\n"
    '65f0,ann@broker.example,Ann,,true,,,2022-03-13T13:36:31.000Z,,"ports,vip",Free\r\n'
    "65f1,bo@port.example,Bo,said no at the fair,false,,,2021-03-13T13:36:31.000Z,,,\r\n"
)


@pytest.mark.parametrize("export", [LISTMONK, GHOST])
def test_a_no_in_the_export_of_another_program_is_a_no(export: str) -> None:
    found = [row for row in rows(export) if isinstance(row, ReaderRow)]
    assert [row.state for row in found[:2]] == [SubscriberState.ACTIVE, SubscriberState.UNSUBSCRIBED]
    assert [row.never for row in found] == [False, False, True][: len(found)], (
        "blocklisted: not even a letter that asks"
    )
    assert {row.state for row in found[1:]} == {SubscriberState.UNSUBSCRIBED}


def test_a_whole_file_may_be_of_one_state_but_who_left_by_their_row_has_left() -> None:
    table = "email,status\nann@x.example,enabled\nbob@x.example,blocklisted\ncy@x.example,gone\n"

    def states(of_all: str) -> list[tuple[SubscriberState, bool] | str]:
        found = read_rows(io.StringIO(table, newline=""), replace(DEFAULTS, state=of_all))
        return [(row.state, row.never) if isinstance(row, ReaderRow) else row.reason[:12] for row in found]

    left, never = (SubscriberState.UNSUBSCRIBED, False), (SubscriberState.UNSUBSCRIBED, True)
    assert states("unsubscribed") == [left, never, left]
    assert states("active") == [(SubscriberState.ACTIVE, False), never, "state 'gone'"], "it may be a no"
    assert states("blocklisted") == [never] * 3
    assert states("BlockListed") == [never] * 3


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_table_in_utf_16_is_told(encoding: str) -> None:
    written = "\ufeffemail\r\nann@customs.example\r\n".encode(encoding)
    with pytest.raises(SourceError, match="in UTF-16; save it as UTF-8"):
        rows(written.decode(errors="surrogateescape"))


def test_topics_may_be_named_by_their_label() -> None:
    (row,) = rows('email,topics\nann@customs.example,"Europe and Central Asia"\n')
    assert isinstance(row, ReaderRow)
    assert row.topics == ("region-europe",)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nobody", "not an e-mail address"),
        (",daily", "no address"),
        ("ann@customs.example,hourly", "frequency 'hourly'"),
        ("ann@customs.example,daily,nope", "no topic 'nope'"),
        ("ann@customs.example,daily,all,gone", "state 'gone'"),
        ("ann@customs.example,daily,all,active,x,y", "has 6 columns"),
        ("ann@customs.example,daily,all,active,not a language", "no language tag"),
        ("ann@customs.example\0,daily", "no text in UTF-8"),
        ("\udce4nn@customs.example,daily", "no text in UTF-8"),
        ("ann@customs.example,daily,all,active,\ud800", "no text in UTF-8"),
        ("ann@customs.example,daily,all,active,\udfff", "no text in UTF-8"),
        ("x" * 200_000, "cannot be read"),
    ],
)
def test_a_bad_row_is_told_by_its_line_and_those_around_it_come_in(line: str, reason: str) -> None:
    found = rows(f'email,frequency,topics,state,language\n"eve@x.example"\n{line}\n\nfay@x.example\n')
    assert [type(row) for row in found] == [ReaderRow, BadRow, ReaderRow]
    assert [row.line for row in found] == [2, 3, 5]
    bad = found[1]
    assert isinstance(bad, BadRow)
    assert reason in bad.reason
    assert "@customs" not in bad.reason


def test_a_quote_that_is_not_closed_keeps_out_its_own_row_only() -> None:
    others = "".join(f"reader{number}@x.example,weekly,\n" for number in range(10_000))
    for slip in ('"unterminated@x.example,weekly', 'eve@x.example,weekly,"on paper', '"unterminated@x.example"x,"'):
        for end in ("", 'fay@x.example,"weekly","yes, on paper"\n', 'fay@x.example,weekly,"on\npaper"\n'):
            bad, *good = rows(f"email,frequency,consent\n{slip}\n{others}{end}")
            assert bad == BadRow(2, "a quote that is not closed")
            assert [row.line for row in good] == list(range(3, 10_003 + bool(end)))
            assert all(isinstance(row, ReaderRow) for row in good)
    first, bad, last = rows('email,frequency\n"ann@x.example","daily"\n"bob@x.example,daily\n"fay@x.example","daily"\n')
    assert (type(first), bad, type(last)) == (ReaderRow, BadRow(3, "a quote that is not closed"), ReaderRow)
    bad, *good = rows(f'email,consent\n"slip\n{"x" * 200_000}\nfay@x.example\n')
    assert (bad, [(row.line, type(row)) for row in good]) == (
        BadRow(2, "a quote that is not closed"),
        [(3, BadRow), (4, ReaderRow)],
    )
    assert rows('email\n"ann@x.example') == [BadRow(2, "a quote that is not closed")]


SLIP = BadRow(2, "a quote that is not closed")


@pytest.mark.parametrize("column", ["email", "state", "frequency", "language"])
def test_a_value_that_has_one_line_ends_a_quote_that_another_row_s_would_close(column: str) -> None:
    bad, *good = rows(f'{column},consent{"" if column == "email" else ",email"}\n"active\nyes"\nfay@x.example,"ok"\n')
    assert bad == SLIP
    assert [row.line for row in good] == [3, 4]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_quote_that_is_not_closed_ends_where_the_next_row_begins_whatever_parts_the_columns(delimiter: str) -> None:
    table = 'email|consent|topics\nbob@x.example|"on paper\nfay@x.example|said "yes"|all\n'
    bad, fay = rows(table.replace("|", delimiter))
    assert bad == SLIP
    assert isinstance(fay, ReaderRow) and (fay.line, fay.email) == (3, "fay@x.example")
    value = 'email|consent|topics\nbob@x.example|"on paper;\tsee, there\nand here"|all\n'.replace("|", delimiter)
    (bob,) = rows(value)
    assert isinstance(bob, ReaderRow) and bob.consent == "on paper; see, there and here"


def test_an_address_alone_on_a_line_of_a_value_does_not_end_it() -> None:
    (row,) = rows('email,consent\nbob@x.example,"told\nann@customs.example\non paper"\n')
    assert isinstance(row, ReaderRow) and row.consent == "told ann@customs.example on paper"


@pytest.mark.parametrize(("between", "is_value"), [(98, True), (99, False)])
def test_a_value_has_a_hundred_lines_at_most(between: int, is_value: bool) -> None:
    first, *rest = rows('email,consent\nbob@x.example,"on\n' + "and\n" * between + 'on"\nfay@x.example,yes\n')
    assert isinstance(first, ReaderRow) is is_value
    assert is_value or first == SLIP
    last = rest[-1]
    assert isinstance(last, ReaderRow) and (last.line, last.email) == (between + 4, "fay@x.example")


def test_a_quote_left_open_takes_no_reader_with_it_though_another_one_closes_it() -> None:
    table = 'email,consent\nbob@x.example,"on paper\nfay@x.example,yes\neve@x.example,said "\nhal@x.example,yes\n'
    bad, *good = rows(table)
    assert bad == SLIP
    assert [getattr(row, "email", row) for row in good] == ["fay@x.example", "eve@x.example", "hal@x.example"]


def test_a_value_with_something_behind_its_closing_quote_is_a_slip() -> None:
    bad, *_, fay = rows('email,consent\nbob@x.example,"on\npaper" yes\nfay@x.example,yes\n')
    assert bad == SLIP
    assert isinstance(fay, ReaderRow) and fay.line == 4


def test_a_value_of_several_lines_is_one_value() -> None:
    ann, bob = rows(
        "email,topics,consent,notes\r\n"
        '"ann@x.example\r\n","environment\r\nregion-europe","said ""yes"",\r\n\r\non paper",'
        '"Rue 1, Ghent\r\nBelgium"\r\n'
        "bob@x.example\r\n"
    )
    assert isinstance(ann, ReaderRow) and isinstance(bob, ReaderRow)
    assert (ann.line, ann.email, ann.topics) == (2, "ann@x.example", ("environment", "region-europe"))
    assert ann.consent == 'said "yes", on paper'
    assert (bob.line, bob.email) == (8, "bob@x.example")


@pytest.mark.parametrize("text", ["", "name,topics\n", "\n\n"])
def test_a_table_without_addresses_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(SourceError, match="email,topics,frequency"):
        rows(text)


@given(st.lists(st.lists(st.text(max_size=20), max_size=6), max_size=12))
def test_whatever_stands_in_a_table_each_row_is_read_or_told(cells: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["email", "topics", "frequency"], *cells])
    found = rows(text.getvalue())
    assert len(found) <= len(text.getvalue().splitlines())
    assert [row.line for row in found] == sorted({row.line for row in found})


@given(st.text(max_size=60))
def test_any_text_at_all_ends_in_rows_or_in_one_clear_error(text: str) -> None:
    try:
        rows("email\n" + text)
    except SourceError:
        pytest.fail("the first line was good")


@pytest.mark.parametrize("address", ["=cmd|'/c'!A0@evil.example", "+ann@x.example", "-ann@x.example"])
def test_an_address_that_a_spreadsheet_would_run_is_written_so_that_it_does_not(address: str) -> None:
    assert cell(address)[0] == " "
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["email"], [cell(address)]])
    (row,) = rows(text.getvalue())
    assert isinstance(row, ReaderRow)
    assert row.email == address
