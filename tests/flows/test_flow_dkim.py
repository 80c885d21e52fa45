"""Signed letters from the settings to the relay, and what a bad key says."""

from __future__ import annotations

from pathlib import Path

import dkim
import pytest
from flows.house import House
from wire.servers import Relay

from publisher.config import Settings
from publisher.errors import ConfigError, UsageError
from publisher.flows.dkim import key_places, letter_signer, load_key, make_key, signing_domain

SIGNED = {"selector": "mail", "ed25519_selector": "mail-ed", "key_file": "rsa.pem", "ed25519_key_file": "ed.pem"}


def settings_of(root: Path, **dkim: object) -> Settings:
    return Settings.model_validate({"root": root, "dkim": {**SIGNED, **dkim}})


def test_letters_reach_the_relay_with_signatures_that_verify(posting: House, relay: Relay) -> None:
    posting.rebuild(dkim=SIGNED)
    settings = posting.app.settings
    keys = [make_key(place) for place in key_places(settings)]
    records = {f"{name}.": value for name, value in (key.record(signing_domain(settings)) for key in keys)}
    posting.article("Waste", "News on environment.\n\n.hidden files and  two   blanks\n\n.\n")
    for name in ("alice", "bob"):
        posting.reader(name)
    posting.publish()
    assert len(relay.taken) == 2
    for taken in relay.taken:
        for number in range(2):
            signed = dkim.DKIM(taken.content)
            assert signed.verify(idx=number, dnsfunc=lambda name, timeout=5: records[name.decode()])


def test_letters_are_not_signed_unless_a_selector_is_set(posting: House, relay: Relay) -> None:
    posting.article("Waste")
    posting.reader("alice")
    posting.publish()
    assert b"DKIM-Signature" not in relay.taken[0].content
    assert letter_signer(posting.app.settings) is None


def test_a_new_key_is_for_its_owner_only_and_never_written_over(tmp_path: Path) -> None:
    place = key_places(settings_of(tmp_path))[0]
    make_key(place)
    assert place.path.stat().st_mode & 0o777 == 0o600
    before = place.path.read_bytes()
    with pytest.raises(UsageError, match="is there already"):
        make_key(place)
    assert place.path.read_bytes() == before


def test_a_key_that_cannot_be_used_is_named_with_its_setting(tmp_path: Path) -> None:
    rsa, ed25519 = key_places(settings_of(tmp_path))
    with pytest.raises(ConfigError, match=r"dkim\.key_file: .*no such file; `publisher dkim new` makes a key"):
        load_key(rsa)
    with pytest.raises(ConfigError, match=r"dkim\.ed25519_key_file: .*`publisher dkim new --ed25519`"):
        load_key(ed25519)
    make_key(ed25519)
    rsa.path.write_bytes(ed25519.path.read_bytes())
    with pytest.raises(ConfigError, match="a key of the other kind"):
        letter_signer(settings_of(tmp_path))
    rsa.path.write_bytes(b"nothing")
    with pytest.raises(ConfigError, match="holds no private key"):
        load_key(rsa)


def test_the_domain_that_signs_is_the_senders_unless_another_is_set(tmp_path: Path) -> None:
    sender = {"digest": {"sender": "News <digest@News.Example>"}}
    assert signing_domain(Settings.model_validate(sender)) == "news.example"
    assert signing_domain(Settings.model_validate({**sender, "dkim": {"domain": "mail.example"}})) == "mail.example"


def test_selectors_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the two selectors must differ"):
        settings_of(tmp_path, selector="x", ed25519_selector="x")
    with pytest.raises(ValueError, match="not a selector"):
        settings_of(tmp_path, selector="my key")
    with pytest.raises(ConfigError, match=r"needs dkim\.selector too"):
        letter_signer(settings_of(tmp_path, selector=""))
