"""A site that a real `publisher serve` shows, and what is kept of how it looked."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2 as httpx

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE_S = 60
ARTEFACTS = Path(__file__).parents[2] / "test-artefacts" / "browser"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@dataclass
class Site:
    """A site that is being served from `folder`."""

    folder: Path
    url: str
    environ: dict[str, str] = field(repr=False)

    def run(self, *arguments: str) -> str:
        """A command of ours on this site; gives what it prints."""
        command = [sys.executable, "-m", "publisher", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environ, check=True, capture_output=True, text=True, timeout=PATIENCE_S
        ).stdout

    def letter_to(self, address: str, subject: str = "") -> EmailMessage:
        """The newest letter to `address` with these words in its subject, as soon as it is there."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            files = sorted((self.folder / "data/outbox").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
            for path in reversed(files):
                letter = message_from_bytes(path.read_bytes(), policy=policy.default)
                if letter["To"] == address and subject in str(letter["Subject"]):
                    assert isinstance(letter, EmailMessage)
                    return letter
            time.sleep(0.05)
        raise AssertionError(f"no letter to {address}")


@contextmanager
def served(folder: Path, **settings: str) -> Iterator[Site]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    environ = {**os.environ, "NO_COLOR": "1", "PUBLISHER_SITE_BASE_URL": url, "PUBLISHER_WEB_BURST": "0", **settings}
    log = (folder / "serve.log").open("w")
    command = [sys.executable, "-m", "publisher", "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log)
    try:
        _wait_for(url + "issues/", folder / "serve.log")
        yield Site(folder, url, environ)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


def _wait_for(url: str, log: Path) -> None:
    """Until the first run has published."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def keep_picture(page: Page, name: str) -> None:
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)
