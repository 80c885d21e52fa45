"""A real `publisher serve` and the system's Chromium: pages as people meet them.

Screenshots are kept in test-artefacts/browser, for somebody to look at.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from browser_house import DESKTOP, FLAGS, PATIENCE_S, Site, served
from browser_samples import hostile_articles

from publisher.flows.new_site import make_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The ten initiatives and some articles of somebody who means ill; Alice reads them, and has had one letter."""
    folder = tmp_path_factory.mktemp("site")
    make_site(folder, with_articles=True, with_templates=False)
    (folder / "data/articles/hostile.jsonl").write_text(hostile_articles(), encoding="utf-8")
    with served(folder, PUBLISHER_SIGNUP_FILL_SECONDS="0") as site:
        site.run("subscribers", "add", "alice@readers.example", "--topics", "all")
        site.run("publish", "--digest", "weekly")
        yield site


@pytest.fixture(scope="session")
def empty_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("empty")
    make_site(folder, with_articles=False, with_templates=False)
    config = folder / "config.toml"
    config.write_text(config.read_text().partition("[topics.")[0], encoding="utf-8")
    with served(folder) as site:
        yield site


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Closed behind the tests of a file: another room has a browser of its own, and one Playwright runs at a time."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        pytest.skip("no Chromium: install Debian's chromium, or name one in the variable CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


Open = Callable[..., "Page"]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens a page in a profile of its own; `complaints` of its console and dialogs fail the test at its end."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(url: str, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB"} | options)
        context.set_default_timeout(PATIENCE_S * 1000)
        contexts.append(context)
        page = context.new_page()
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
        page.on("console", lambda said: complaints.append(said.text) if _matters(said) else None)
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def _matters(said: Any) -> bool:
    """An answer with an error's status is logged by the browser too, and pictures of other sites are not there."""
    return said.type in {"error", "warning"} and "Failed to load resource" not in said.text
