"""Stopping an issue: for now, and for good."""

from __future__ import annotations

from typing import Any

import pytest

from publisher.store.engine import open_engine


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
    delivered = publisher("deliver")
    assert delivered.code == 0, "nothing is due"
    assert "of an issue that is paused; `publisher issues resume` goes on" in delivered.out
    assert "is paused" in publisher("issues", "pause", stuck).err
    assert publisher("issues", "resume", stuck, "--json").json["waiting"] > 0
    assert publisher("deliver").code == 1, "the relay is still not there"
    cancelled = publisher("issues", "cancel", stuck, "--json").json
    assert cancelled["not_sent"] > 0
    shown = publisher("issues", "show", stuck, "--json").json
    assert (shown["state"], shown["pending"], shown["balances"]) == ("cancelled", 0, True)
    assert shown["states"] == {"suppressed": shown["selected"]}
    for command in ("pause", "resume", "cancel", "retry"):
        assert publisher("issues", command, stuck).code == 2


def rejected(site: Any) -> None:
    """Let each letter that waits be one that the relay refused."""
    engine = open_engine(f"sqlite:///{site}/data/publisher.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'rejected' WHERE state = 'planned'")
    engine.dispose()


def test_letters_of_a_paused_issue_are_planned_again_and_wait_for_resume(site: Any, stuck: str, publisher: Any) -> None:
    publisher("issues", "pause", stuck)
    rejected(site)
    said = publisher("issues", "retry", stuck).out
    assert said == f"1 letter planned again; {stuck} is paused, `publisher issues resume` sends them\n"
    rejected(site)
    again = publisher("issues", "retry", stuck, "--json").json
    assert again == {"issue": stuck, "planned": 1, "state": "paused", "reason": "the issue is paused"}
    assert publisher("issues", "show", stuck, "--json").json["state"] == "paused"


def test_a_retry_that_finds_nothing_says_why(site: Any, stuck: str, publisher: Any) -> None:
    assert "none was rejected, given up or left uncertain" in publisher("issues", "retry", stuck).out
    rejected(site)
    publisher("subscribers", "remove", "ann@customs.example")
    assert "no letter to plan again; the readers of those that failed" in publisher("issues", "retry", stuck).out
