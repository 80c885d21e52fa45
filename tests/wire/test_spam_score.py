"""What SpamAssassin makes of the digest of the shipped articles, with its network tests off."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from publisher.app import build
from publisher.config import load
from publisher.flows.dkim import key_places, make_key
from publisher.flows.new_site import make_site
from publisher.flows.run import Order, publish
from publisher.flows.subscribe import add_subscriber
from publisher.model import Frequency

# an inner address: those set aside for examples count as forged, and cost a point that is not the letter's
_AS_A_SERVER_ADDS_IT = (
    "Return-Path: <digest@publisher.example>\n"
    "Received: from relay.publisher.example (relay.publisher.example [10.0.0.25])\n"
    "\tby mx.customs.example with ESMTPS id 4X; {date}\n"
)


def digest(root: Path) -> str:
    """The letter of the first weekly issue on all topics, signed, as the outbox keeps it."""
    make_site(root, with_articles=True, with_templates=False)
    config = root / "config.toml"
    text = re.sub(r"(?m)^\[dkim\].*?(?=^\[|\Z)", "", config.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"(?m)^#?\s*base_url = .*$", 'base_url = "https://news.publisher.example/"', text)
    config.write_text(text + '\n[dkim]\nselector = "mail"\n', encoding="utf-8")
    make_key(key_places(load(config, {}))[0])
    app = build(load(config, {}), upgrade=True)
    try:
        add_subscriber(
            app.store, "alice@customs.example", topics=("all",), frequency=Frequency.WEEKLY, language="en",
            topic_order=app.topic_order, now=app.clock(),
        )  # fmt: skip
        asyncio.run(publish(app.parts, Order(forced=(Frequency.WEEKLY,))))
    finally:
        app.close()
    (letter,) = (root / "data/outbox").glob("*.eml")
    return letter.read_bytes().decode("ascii").replace("\r\n", "\n")


def test_the_digest_does_not_look_like_spam(tmp_path: Path) -> None:
    if shutil.which("spamassassin") is None:
        pytest.skip("spamassassin is not installed")
    letter = digest(tmp_path / "site")
    assert all(
        f"\n{name}: " in f"\n{letter}" for name in ("DKIM-Signature", "List-Unsubscribe", "List-Unsubscribe-Post")
    )
    found = re.search(r"(?m)^Date: (.*)$", letter)
    assert found is not None
    done = subprocess.run(
        ["spamassassin", "-L", "-t", f"--prefspath={tmp_path}/prefs"],
        input=_AS_A_SERVER_ADDS_IT.format(date=found[1]) + letter,
        env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    score = re.search(r"Content analysis details:\s+\((-?[\d.]+) points", done.stdout)
    assert score is not None, done.stderr
    assert float(score[1]) < 1.0, done.stdout[done.stdout.index("Content analysis") :]
