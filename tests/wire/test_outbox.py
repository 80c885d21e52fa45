"""The local outbox, spoken to through the same sessions as a relay."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest
from wire.servers import SENDER, letter_bytes

from publisher.errors import Refused, RelayUnavailable, SiteError
from publisher.mail.replies import Scope, Stage, decide
from publisher.model import DeliveryState
from publisher.smtp import outbox as outbox_module
from publisher.smtp.connect import connect, open_session
from publisher.smtp.outbox import MAX_LETTER, letter_name, outbox
from publisher.smtp.postman import Letter, deliver_all

pytestmark = pytest.mark.anyio
ALICE = "alice@a.example"


def kept(folder):
    return sorted(path for path in folder.iterdir())


async def test_a_letter_is_kept_byte_by_byte_under_a_readable_name(tmp_path):
    letter = letter_bytes(body="..\n.dots\né\n" + "x" * 900)
    async with outbox(tmp_path / "new" / "outbox") as endpoint, open_session(endpoint) as session:
        reply = await session.hand_over(SENDER, ALICE, letter)
    (path,) = kept(tmp_path / "new" / "outbox")
    assert path.read_bytes() == letter
    assert re.fullmatch(r"2026-03-02-alice-at-a\.example-[0-9a-f]{8}\.eml", path.name)
    assert "alice" not in reply.text
    assert path.stat().st_mode & 0o777 == 0o600  # its links open the settings of its reader


async def test_a_letter_sent_again_is_one_file_and_another_letter_is_another(tmp_path):
    async with outbox(tmp_path) as endpoint, open_session(endpoint) as session:
        for number in (1, 1, 2):
            await session.hand_over(SENDER, ALICE, letter_bytes(f"<{number}@publisher.example>"))
        await session.hand_over(SENDER, "bob@b.example", letter_bytes("<1@publisher.example>"))
    assert len(kept(tmp_path)) == 3


def test_a_letters_name_cannot_leave_the_folder_and_stays_short():
    name = letter_name("../../e\u0301 tc/" + "x" * 300 + "@a.example", letter_bytes())
    assert "/" not in name
    assert not name.startswith(".")
    assert len(name) < 120


def test_a_letter_without_date_or_message_id_has_a_name_of_its_own():
    one, other = (letter_name(ALICE, b"Subject: %d\r\n\r\n" % n) for n in (1, 2))
    assert one.startswith("undated-alice-at-a.example-")
    assert one != other


async def test_a_disk_that_refuses_defers_the_letter_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    async with outbox(tmp_path) as endpoint, open_session(endpoint) as session:
        monkeypatch.setattr(outbox_module.os, "fsync", full)
        with pytest.raises(Refused) as caught:
            await session.hand_over(SENDER, ALICE, letter_bytes())
        assert kept(tmp_path) == []
        verdict = decide(Stage.CONTENT, caught.value.code, caught.value.enhanced, caught.value.reply)
        assert (verdict.state, verdict.scope) == (DeliveryState.DEFERRED, Scope.CONNECTION)
        assert "No space left" in str(caught.value)
        monkeypatch.undo()
        await session.hand_over(SENDER, ALICE, letter_bytes())
    assert len(kept(tmp_path)) == 1


async def test_a_letter_above_the_limit_is_refused_by_size(tmp_path):
    async with outbox(tmp_path) as endpoint, open_session(endpoint) as session:
        with pytest.raises(Refused) as caught:
            await session.hand_over(SENDER, ALICE, b"A: b\r\n\r\n" + b"x\r\n" * (MAX_LETTER // 3))
        assert caught.value.enhanced == "5.3.4"


async def test_addresses_in_other_letters_are_taken(tmp_path):
    async with outbox(tmp_path) as endpoint, open_session(endpoint) as session:
        await session.hand_over(SENDER, "élise@b.example", letter_bytes())
    assert len(kept(tmp_path)) == 1


async def test_the_outbox_logs_no_address(tmp_path, caplog):
    with caplog.at_level(logging.DEBUG):
        async with outbox(tmp_path) as endpoint, open_session(endpoint) as session:
            await session.hand_over(SENDER, ALICE, letter_bytes())
    assert "a.example" not in caplog.text


async def test_when_the_block_ends_the_port_is_closed_and_open_connections_with_it(tmp_path):
    async with outbox(tmp_path) as endpoint:
        session = await connect(endpoint)
    await asyncio.sleep(0.01)
    assert not session.usable
    with pytest.raises(RelayUnavailable):
        await connect(endpoint)


async def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SiteError, match=r"outbox\.path"):
        async with outbox(tmp_path / "file" / "outbox"):
            pytest.fail("it opened")


async def test_a_whole_run_fits_in_the_outbox(tmp_path):
    results = []

    async def letters():
        for n in range(200):
            yield Letter(n, SENDER, f"reader{n}@a.example", letter_bytes(f"<{n}@publisher.example>"))

    async def record(handed):
        results.append(handed)

    async with outbox(tmp_path) as endpoint:
        await deliver_all(endpoint, letters(), connections=4, letters_per_connection=30, on_result=record)
    assert sorted(handed.ref for handed in results) == list(range(200))
    assert {handed.verdict.state for handed in results} == {DeliveryState.ACCEPTED}
    assert len(kept(tmp_path)) == 200
