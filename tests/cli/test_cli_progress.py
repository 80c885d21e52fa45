"""What a long run tells a log."""

from __future__ import annotations

import pytest

from publisher.cli.show import _lines


def test_a_log_hears_the_rate_and_the_time_left_once_in_half_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    tell = _lines(lambda: now)
    for now, step, done, total in (  # noqa: B007  (the clock reads it)
        (1.0, "reading the sources", 0, 0),
        (2.0, "sending letters", 1, 20_000),
        (31.0, "sending letters", 5_801, 20_000),
        (60.0, "sending letters", 11_000, 20_000),
        (62.0, "sending letters", 12_000, 20_000),
        (100.0, "publishing", 0, 0),
    ):  # fmt: skip
        tell(step, done, total)
    assert capsys.readouterr().err.splitlines() == [
        "publisher: sending letters: 5,801 of 20,000, 200.0/s, 71 s left",
        "publisher: sending letters: 12,000 of 20,000, 200.0/s, 40 s left",
        "publisher: publishing",
    ]
