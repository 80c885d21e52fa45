"""Through a real Postfix: letters to mailboxes, and its own notices about unknown readers back to us."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dkim
import pytest
from flows.house import House, headers
from flows.writing import write_config
from wire.postfix import NoPostfix, Postfix, postfix

from publisher.flows.dkim import key_places, load_key, make_key, signing_domain
from publisher.model import DeliveryState, SubscriberState

RETURNS = "bounces@publisher.example"
READERS = [f"reader{number:02}@readers.example" for number in range(30)]
GONE = [f"gone{number}@readers.example" for number in range(5)]
SIGNED = {"selector": "mail", "ed25519_selector": "mail-ed", "key_file": "rsa.pem", "ed25519_key_file": "ed.pem"}


BOUNCES = {"address": RETURNS}


@pytest.fixture(scope="module")
def server() -> Iterator[Postfix]:
    try:
        with postfix([*READERS, RETURNS]) as running:
            yield running
    except NoPostfix as why:
        pytest.skip(str(why))


@pytest.fixture
def house(tmp_path: Path, store_url: str, server: Postfix) -> Iterator[House]:
    """An installation that signs, and sends through Postfix."""
    server.clear()
    smtp = {"host": "127.0.0.1", "port": server.port, "security": "none", "connections": 4}
    house = House(tmp_path, store_url, {"smtp": smtp, "bounces": BOUNCES})
    house.rebuild(dkim=SIGNED)
    for place in key_places(house.app.settings):
        make_key(place)
    house.article("Waste", "News on environment.\n\n.hidden files\n\nCafé, déjà vu and  blanks \n\n" + "long " * 400)
    for address in [*READERS, *GONE]:
        house.reader(address.partition("@")[0])
    write_config(tmp_path, store_url, smtp, bounces=BOUNCES, dkim=SIGNED)
    yield house
    house.app.close()


def read_bounces(house: House, *places: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "publisher", "bounces", "read", *map(str, places)]
    return subprocess.run(command, cwd=house.root, capture_output=True, text=True, timeout=120, check=False)


def verified(house: House, letter: bytes) -> int:
    """How many signatures of the letter hold."""
    keys = [load_key(place) for place in key_places(house.app.settings)]
    records = {f"{name}.": value for name, value in (key.record(signing_domain(house.app.settings)) for key in keys)}
    signed = dkim.DKIM(letter.replace(b"\n", b"\r\n"))
    return sum(signed.verify(idx=number, dnsfunc=lambda name, timeout=5: records[name.decode()]) for number in range(2))


def test_letters_reach_mailboxes_and_real_notices_end_dead_addresses(house: House, server: Postfix) -> None:
    _, report = house.publish()
    assert dict(report.delivery.states) == {DeliveryState.ACCEPTED: len(READERS) + len(GONE)}
    server.wait_until_empty()
    for address in READERS:
        (letter,) = server.letters(address)
        assert verified(house, letter) == 2, "Postfix changed nothing that we signed"
        assert headers(letter)["To"] == address
    assert len(server.letters(RETURNS)) == len(GONE)

    done = read_bounces(house, server.mailbox(RETURNS))
    assert (done.returncode, done.stderr) == (0, "")
    assert "5 new messages: 5 dead" in done.stdout and "no letter any more: 5 bounced" in done.stdout
    with house.app.store.read() as tx:
        for address in GONE:
            reader = tx.subscribers.find(address)
            assert reader is not None and reader.state is SubscriberState.BOUNCED
            *_, last = tx.subscribers.events(reader.id)
            assert last.detail.startswith("active -> bounced: letter of weekly-1 came back: dead 5.1.1")
        others = [tx.subscribers.find(address) for address in READERS]
    assert {reader.state for reader in others if reader} == {SubscriberState.ACTIVE}

    server.clear()
    house.clock.forward(days=7)
    house.article("Plastics")
    _, report = house.publish()
    assert dict(report.delivery.states) == {DeliveryState.ACCEPTED: len(READERS)}
    server.wait_until_empty()
    assert server.letters(RETURNS) == []
    house.check_sums()


@pytest.mark.slow
def test_a_postfix_that_knows_who_is_unknown_says_so_at_once(house: House, server: Postfix) -> None:
    server.set("smtpd_reject_unlisted_recipient", "yes")
    try:
        _, report = house.publish()
    finally:
        server.set("smtpd_reject_unlisted_recipient", "no")
    assert dict(report.delivery.states) == {
        DeliveryState.ACCEPTED: len(READERS), DeliveryState.REJECTED: len(GONE)
    }  # fmt: skip
    with house.app.store.read() as tx:
        states = {address: tx.subscribers.find(address) for address in GONE}
    assert {reader.state for reader in states.values() if reader} == {SubscriberState.BOUNCED}
    server.wait_until_empty()
    assert server.letters(RETURNS) == []
    assert all(len(server.letters(address)) == 1 for address in READERS)


@pytest.mark.slow
def test_what_waits_in_the_queue_of_a_postfix_that_was_stopped_is_not_sent_again(house: House, server: Postfix) -> None:
    server.set("defer_transports", "virtual")
    try:
        _, report = house.publish()
        assert set(report.delivery.states) == {DeliveryState.ACCEPTED}
        house.clock.forward(hours=1)
        assert not house.deliver().states, "what the relay took is the relay's"
    finally:
        server.set("defer_transports", "")
    server.flush()
    server.wait_until_empty()
    assert all(len(server.letters(address)) == 1 for address in READERS)
