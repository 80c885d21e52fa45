"""Killed at any moment, sending goes on by itself: nobody is left out, and who got two letters is known."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from crash.sender import POINTS
from crash.sendings import sending

ONCE = {"while recovering", "before the end"}  # a sender comes to these at its start
STEPS = [(point, nth) for nth in (1, 2, 5) for point in POINTS if nth == 1 or point not in ONCE]


def test_killed_at_each_step_of_the_ledger_nothing_is_lost(tmp_path: Path, store_url: str) -> None:
    with sending(tmp_path, store_url, 300) as process:
        for point, nth in STEPS:
            assert process.kill_at(point, nth), f"killed at {point}"
        assert process.kill_at("before the end", 2)
        process.finish()


def test_killed_at_random_moments_nothing_is_lost(tmp_path: Path, sqlite_url: str) -> None:
    chance = random.Random(20_260_302)
    with sending(tmp_path, sqlite_url, 600) as process:
        for _ in range(25):
            process.kill_after(chance.randrange(20), chance.uniform(0.0, 0.005))
        assert process.stops == 25
        process.finish()


@pytest.mark.slow
def test_killed_200_times_in_a_sending_to_5000_readers_nothing_is_lost(tmp_path: Path, store_url: str) -> None:
    chance = random.Random(20_260_303)
    with sending(tmp_path, store_url, 5000) as process:
        for kill in range(200):
            if kill % 2:
                process.kill_at(*STEPS[kill // 2 % len(STEPS)])
            else:
                process.kill_after(chance.randrange(40), chance.uniform(0.0, 0.005))
        assert process.stops == 200
        process.finish()


@pytest.mark.slow
def test_killed_at_50_random_moments_10000_readers_over_8_connections_lose_nothing(
    tmp_path: Path, store_url: str
) -> None:
    chance = random.Random(20_260_304)
    with sending(tmp_path, store_url, 10_000, connections=8) as process:
        for _ in range(50):
            process.kill_after(chance.randrange(150), chance.uniform(0.0, 0.01))
        assert process.stops == 50
        process.finish()
