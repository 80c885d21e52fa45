"""Every page by axe-core, in light and dark: no violation of WCAG 2.2 AA that a program can find."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
from browser_house import DESKTOP, PHONE, Site, keep_picture

_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_NOT_IN_LETTERS = {rule: {"enabled": False} for rule in ("landmark-one-main", "region")}  # a mail program has those


def violations(page: Any, *, letter: bool = False) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    rules = {"runOnly": {"type": "tag", "values": _TAGS}, "rules": _NOT_IN_LETTERS if letter else {}}
    found = Axe().run(page, options=rules).response["violations"]
    return [f"{one['id']}: {node['html'][:200]} {node['failureSummary']}" for one in found for node in one["nodes"]]


def links(site: Site) -> dict[str, str]:
    """What the letter of a reader of the site leads to."""
    letter = site.letter_to("alice@readers.example")
    body = letter.get_body(("plain",))
    assert body is not None
    return {kind: re.search(rf"http\S+/{kind}/\S+", body.get_content())[0] for kind in ("preferences", "unsubscribe")}  # type: ignore[index]


def pages(site: Site) -> dict[str, str]:
    own = links(site)
    return {
        "index": "",
        "topic": "topics/environment/",
        "topic-empty": "topics/classification-valuation-origin/",
        "article": "articles/" + next((site.folder / "data/site/articles").glob("*plastic*")).name + "/",
        "article-hostile": "articles/" + next((site.folder / "data/site/articles").glob("environment-0*")).name + "/",
        "issues": "issues/",
        "issue": "issues/weekly-1/",
        "builder": "feeds/build",
        "built": "feeds/build?topic=environment&topic=region-europe&match=all",
        "subscribe": "subscribe",
        "missing": "nowhere/",
        "settings": own["preferences"],
        "settings-delete": own["preferences"] + "/delete",
        "settings-broken": "preferences/x",
        "leave": own["unsubscribe"],
        "letter-html": "letter",
    }


def shown(page: Any, site: Site, path: str) -> None:
    if path == "letter":
        body = site.letter_to("alice@readers.example", "Weekly no. 1").get_body(("html",))
        assert body is not None
        page.goto("about:blank")
        page.set_content(body.get_content())
    else:
        page.goto(path if path.startswith("http") else site.url + path)


@pytest.fixture
def left(site: Site, scheme: str) -> Iterator[str]:
    """The link to leave of a reader who may do so."""
    address = f"leaver-{scheme}@readers.example"
    site.run("subscribers", "add", address, "--topics", "all")
    (site.folder / f"data/articles/for-the-leaver-{scheme}.md").write_text(
        f"---\ntitle: One more {scheme}\n---\nNews on customs.\n"
    )
    site.run("publish", "--digest", "weekly")
    body = site.letter_to(address).get_body(("plain",))
    assert body is not None
    found = re.search(r"http\S+/unsubscribe/\S+", body.get_content())
    assert found
    yield found[0]
    httpx.post(found[0])


@pytest.mark.parametrize(("scheme", "names"), [("light", ("index", "settings")), ("dark", ("article", "letter-html"))])
def test_the_pages_that_everybody_sees_have_no_violation(
    site: Site, opened: Any, scheme: str, names: tuple[str, ...]
) -> None:
    page = opened(site.url, color_scheme=scheme, viewport=PHONE if scheme == "dark" else DESKTOP)
    for name in names:
        shown(page, site, pages(site)[name])
        assert violations(page, letter=name == "letter-html") == [], (name, scheme)


@pytest.mark.slow
@pytest.mark.parametrize("size", ["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_violation_or_is_wider_than_the_screen(site: Site, opened: Any, scheme: str, size: str) -> None:
    page = opened(site.url, color_scheme=scheme, viewport=PHONE if size == "phone" else DESKTOP)
    found = {}
    for name, path in pages(site).items():
        shown(page, site, path)
        keep_picture(page, f"{name}-{size}-{scheme}")
        wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        if problems := [*violations(page, letter=path == "letter"), *(["wider than the screen"] if wide else [])]:
            found[name] = problems
    assert found == {}


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_answer_to_a_form_has_a_violation(site: Site, left: str, opened: Any, scheme: str) -> None:
    page = opened(left, color_scheme=scheme)
    page.get_by_role("button", name="One letter a month").click()
    assert violations(page) == []
    keep_picture(page, f"stays-desktop-{scheme}")
    page.goto(left)
    page.get_by_role("button", name="Unsubscribe").click()
    assert violations(page) == []
    keep_picture(page, f"left-desktop-{scheme}")
    page.goto(links(site)["preferences"])
    page.get_by_label("New e-mail address").fill("nobody@localhost")
    page.get_by_role("button", name="Send the letter").click()
    assert page.get_by_role("alert").is_visible()
    assert violations(page) == []
    keep_picture(page, f"problem-desktop-{scheme}")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_site_without_anything_has_no_violation(empty_site: Site, opened: Any, scheme: str) -> None:
    page = opened(empty_site.url, color_scheme=scheme)
    for name, path in {"index": "", "issues": "issues/", "builder": "feeds/build", "subscribe": "subscribe"}.items():
        page.goto(empty_site.url + path)
        keep_picture(page, f"empty-{name}-desktop-{scheme}")
        assert violations(page) == [], (name, scheme)
