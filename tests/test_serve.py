"""`publisher serve` as a process: it publishes by itself, serves, and stops cleanly."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx
import pytest
from flows.serving import PATIENCE_S, serving

from publisher.flows.new_site import make_site


def _published(address: str) -> httpx.Response:
    """The feed of everything, as soon as the first run has made it."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        answer = httpx.get(address + "feeds/all.atom")
        if answer.status_code == 200:
            return answer
        time.sleep(0.1)
    raise AssertionError("no feed was published")


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_publishes_at_the_start_serves_the_site_and_stops_when_asked(tmp_path: Path, stop: signal.Signals) -> None:
    make_site(tmp_path, with_articles=True, with_templates=False)
    with serving(tmp_path) as (process, address):
        feed = _published(address)
        assert feed.content.count(b"<entry") == 10
        process.send_signal(stop)
        assert process.wait(timeout=10) in {0, -stop}
    log = (tmp_path / "serve.log").read_text()
    assert "Traceback" not in log
    runs = subprocess.run(
        [sys.executable, "-m", "publisher", "runs", "list"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "timetable\tdone" in runs.stdout


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path: Path) -> None:
    make_site(tmp_path, with_articles=False, with_templates=False)
    with serving(tmp_path) as (_, address):
        port = address.rstrip("/").rpartition(":")[2]
        second = subprocess.run(
            [sys.executable, "-m", "publisher", "serve", "--port", port],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert second.returncode == 1
    assert "Traceback" not in second.stderr
    assert f"port {port}" in second.stderr
