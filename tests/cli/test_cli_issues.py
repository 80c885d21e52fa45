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


def turned(site: Any, state: str, due: str | None = None) -> None:
    """Let each letter that waits be in this state, and to be tried when it was or at `due`."""
    engine = open_engine(f"sqlite:///{site}/data/publisher.db")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE deliveries SET state = ?, next_attempt = coalesce(?, next_attempt) WHERE state = 'planned'",
            (state, due),
        )
    engine.dispose()


def test_a_letter_in_doubt_waits_while_its_issue_is_paused_and_after(site: Any, stuck: str, publisher: Any) -> None:
    turned(site, "uncertain")
    assert publisher("issues", "pause", stuck, "--json").json["waiting"] == 1
    assert publisher("issues", "resume", stuck, "--json").json["waiting"] == 1
    hold = {"PUBLISHER_SMTP_ON_UNCERTAIN": "hold"}
    assert publisher("issues", "pause", stuck, "--json", environ=hold).json["waiting"] == 0
    assert "of 1 article\n" in publisher("issues", "show", stuck).out


def test_a_letter_held_in_doubt_shows_no_next_attempt_when_its_issue_is_finished(
    site: Any, stuck: str, publisher: Any
) -> None:
    turned(site, "uncertain", "2030-01-01 00:00:00.000000")
    (before,) = publisher("issues", "show", stuck, "--json").json["troubled"]
    assert before["next_attempt"] is not None
    config = site / "config.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace('on_uncertain = "resend"', 'on_uncertain = "hold"'), encoding="utf-8")
    assert publisher("deliver").code == 0
    shown = publisher("issues", "show", stuck, "--json").json
    (held,) = shown["troubled"]
    assert (shown["state"], held["state"], held["next_attempt"]) == ("finished", "uncertain", None)
    assert "2030" not in publisher("issues", "show", stuck).out


def test_letters_of_a_paused_issue_are_planned_again_and_wait_for_resume(site: Any, stuck: str, publisher: Any) -> None:
    publisher("issues", "pause", stuck)
    turned(site, "rejected")
    said = publisher("issues", "retry", stuck).out
    assert said == f"1 letter planned again; {stuck} is paused, `publisher issues resume` sends them\n"
    turned(site, "rejected")
    again = publisher("issues", "retry", stuck, "--json").json
    assert again == {"issue": stuck, "planned": 1, "state": "paused", "reason": "the issue is paused"}
    assert publisher("issues", "show", stuck, "--json").json["state"] == "paused"


def test_a_retry_that_finds_nothing_says_why(site: Any, stuck: str, publisher: Any) -> None:
    assert "none was rejected, given up or left uncertain" in publisher("issues", "retry", stuck).out
    turned(site, "rejected")
    publisher("subscribers", "remove", "ann@customs.example")
    assert "no letter to plan again; the readers of those that failed" in publisher("issues", "retry", stuck).out
