"""Stopping an issue: for now, and for good."""

from __future__ import annotations

from typing import Any

import pytest

READER = "ann@customs.example"


@pytest.fixture
def stuck(site: Any, publisher: Any, no_pauses: None) -> str:
    """The name of an issue that could not be sent, for there is no relay."""
    publisher("import", "-", "--format", "jsonl", stdin=b'{"title": "Ports meet", "text": "Ports and customs meet."}')
    config = site / "config.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace('host = ""', 'host = "relay.invalid"'), encoding="utf-8")
    assert publisher("publish", "--digest", "weekly").code == 1
    (issue,) = [issue for issue in publisher("issues", "list", "--json").json if issue["state"] == "sending"]
    return f"{issue['frequency']}-{issue['number']}"


def test_an_issue_is_paused_resumed_and_cancelled(stuck: str, publisher: Any) -> None:
    assert publisher("issues", "pause", stuck, "--json").json["waiting"] > 0
    assert publisher("deliver").code == 0, "nothing is due"
    assert "is paused" in publisher("issues", "pause", stuck).err
    assert publisher("issues", "resume", stuck, "--json").json["waiting"] > 0
    assert publisher("deliver").code == 1, "the relay is still not there"
    cancelled = publisher("issues", "cancel", stuck, "--json").json
    assert cancelled["not_sent"] > 0
    shown = publisher("issues", "show", stuck, "--json").json
    assert (shown["state"], shown["pending"], shown["balances"]) == ("cancelled", 0, True)
    assert shown["states"] == {"suppressed": shown["selected"]}
    for command in ("pause", "resume", "cancel"):
        assert publisher("issues", command, stuck).code == 2
