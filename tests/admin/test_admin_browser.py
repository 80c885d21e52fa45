"""The operator's pages in a real browser: publish now with and without scripts, stored markup, accessibility."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from admin.conftest import NOW, PASSWORD, served
from axe_playwright_python.sync_playwright import Axe
from flows.house import Time
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from publisher.app import App, build
from publisher.config import load
from publisher.flows.api_tokens import add_token
from publisher.flows.edit import Writing, add_article
from publisher.model import Frequency, Run, Scope, SubscriberState

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 60_000
PHONE = {"width": 390, "height": 800}
DESKTOP = {"width": 1280, "height": 900}

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, str]]:
    """The app and its address."""
    folder = tmp_path_factory.mktemp("browser") / "site"
    shutil.copytree(furnished, folder)
    app = build(load(folder / "config.toml", {}), clock=Time(NOW))
    with served(app) as address:
        yield app, address
    app.close()


def visit(browser: Browser, address: str, **options: Any) -> tuple[BrowserContext, Page, list[str]]:
    """A signed-in operator's page, and what the browser complained of."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))
    page.goto(f"{address}/admin/")
    page.fill("#name", "admin")
    page.fill("#password", PASSWORD)
    page.click("main button")
    page.wait_for_url(f"{address}/admin/")
    return context, page, trouble


@pytest.mark.parametrize(("script", "size"), [(True, DESKTOP), (False, PHONE)])
def test_publish_now_shows_the_plan_then_the_run_until_it_is_done(
    browser: Browser, site: tuple[App, str], script: bool, size: dict[str, int]
) -> None:
    app, address = site
    context, page, trouble = visit(browser, address, java_script_enabled=script, viewport=size)
    page.click("text=Publish >> nth=0")
    page.check("input[value=chosen]")
    page.check("input[value=daily]" if script else "input[value=weekly]")
    page.click("text=Show what would happen")
    page.wait_for_selector("text=Nothing has been changed")
    page.click("button:has-text('Publish now')")
    page.wait_for_url(f"{address}/admin/runs/*")
    page.wait_for_selector(".state.s-done")
    assert page.locator("dt:has-text('Documents') + dd").count() == 1
    assert trouble == [] or all("favicon" in text or "404" in text for text in trouble)
    context.close()
    with app.store.read() as tx:
        assert tx.runs.list(1)[0].state == "done"


HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'><svg onload=alert(3)>{{7*7}}"


def furnish(app: App) -> tuple[str, int]:
    """Markup in whatever an article and a reader let in; gives the article's key and the reader's number."""
    writing = Writing(title=HOSTILE, body=f"Text {HOSTILE}", summary=HOSTILE, author=HOSTILE, topics=["environment"])
    article = add_article(app.parts, writing).article
    with app.store.write() as tx:
        reader = tx.subscribers.add(
            '"<script>alert(4)</script>"@customs.example',
            frequency=Frequency.WEEKLY,
            language="en",
            topics=["environment"],
            state=SubscriberState.ACTIVE,
            watermark=0,
            now=NOW,
        )
        tx.audit.add(HOSTILE, HOSTILE, HOSTILE, NOW, HOSTILE)
    add_token(app.store, HOSTILE[:60], [Scope.RUNS_READ], now=NOW, by="test")
    return article.key, reader.id


@pytest.fixture(scope="module")
def with_markup(site: tuple[App, str]) -> tuple[str, int]:
    return furnish(site[0])


def paths_of(furnished: tuple[str, int]) -> tuple[str, ...]:
    key, reader = furnished
    return (
        "", "publish", "runs", "articles", "articles/new", f"articles/{key}", f"articles/{key}/edit", "readers",
        f"readers/{reader}", "issues", f"preview?frequency=weekly&reader={reader}", "tokens", "audit", "../api/docs",
    )  # fmt: skip


def test_stored_markup_runs_on_no_page_and_no_page_is_wider_than_a_phone(
    browser: Browser, site: tuple[App, str], with_markup: tuple[str, int]
) -> None:
    context, page, trouble = visit(browser, site[1], viewport=PHONE)
    for path in paths_of(with_markup):
        trouble.clear()
        assert page.goto(f"{site[1]}/admin/{path}").status == 200, path
        assert not [text for text in trouble if "favicon" not in text and "404" not in text], path
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        assert page.locator("main script, main img, [onerror], [onload]").count() == 0, path
    context.close()


def runs_of(app: App) -> list[Run]:
    with app.store.read() as tx:
        return [run for run in tx.runs.list() if tx.issues.last(Frequency.WEEKLY)]


def check_barriers(browser: Browser, address: str, paths: Sequence[str], **options: Any) -> None:
    context, page, _ = visit(browser, address, **options)
    for path in paths:
        page.goto(f"{address}/admin/{path}")
        found = Axe().run(page)
        assert found.violations_count == 0, (path, found.generate_report())
    context.close()


def test_the_overview_and_the_largest_forms_have_no_barrier(
    browser: Browser, site: tuple[App, str], with_markup: tuple[str, int]
) -> None:
    check_barriers(browser, site[1], ("", f"articles/{with_markup[0]}/edit"), color_scheme="dark", viewport=PHONE)


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)])
def test_no_page_has_a_barrier(
    browser: Browser, site: tuple[App, str], with_markup: tuple[str, int], scheme: str, size: dict[str, int]
) -> None:
    if not runs_of(site[0]):
        test_publish_now_shows_the_plan_then_the_run_until_it_is_done(browser, site, False, DESKTOP)
    paths = (*paths_of(with_markup), "runs/1", "issues/weekly-1")
    check_barriers(browser, site[1], paths, color_scheme=scheme, viewport=size)


def test_the_sign_in_page_has_no_barrier_and_says_what_was_wrong(browser: Browser, site: tuple[App, str]) -> None:
    _, address = site
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/admin/")
    assert Axe().run(page).violations_count == 0
    page.fill("#password", "not the password at all")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert "do not belong together" in page.inner_text("[role=alert]")
    context.close()
