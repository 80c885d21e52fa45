"""From the sign-up form to the last goodbye, as a person goes it: on a large screen and a phone, with scripts and
without."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx2 as httpx
import pytest
from browser_house import DESKTOP, PHONE, keep_picture
from browser_samples import hostile_articles

if TYPE_CHECKING:
    from email.message import EmailMessage


def link(letter: EmailMessage, place: str) -> str:
    body = letter.get_body(("plain",))
    assert body is not None
    found = re.search(rf"http\S+/{place}/\S+", body.get_content())
    assert found, place
    return found[0]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("desktop", {"viewport": DESKTOP}, marks=pytest.mark.slow),
        ("phone-without-scripts", {"viewport": PHONE, "java_script_enabled": False, "has_touch": True}),
        pytest.param("phone", {"viewport": PHONE, "has_touch": True, "color_scheme": "dark"}, marks=pytest.mark.slow),
        pytest.param(
            "desktop-without-scripts",
            {"viewport": DESKTOP, "java_script_enabled": False, "color_scheme": "dark"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_from_the_form_to_the_last_goodbye(site: Any, opened: Any, name: str, options: dict[str, Any]) -> None:
    address = f"{name}@readers.example"
    page = opened(site.url, **options)
    keep_picture(page, f"journey-{name}-1-index")
    form = page.locator("#digest form")
    form.get_by_label("Environment", exact=True).check()
    form.get_by_label("Weekly", exact=True).check()
    form.get_by_label("e-mail address").fill(address)
    keep_picture(page, f"journey-{name}-2-form")
    form.get_by_role("button", name="Subscribe").click()
    assert "look into your mailbox" in page.locator("h1").inner_text()
    keep_picture(page, f"journey-{name}-3-asked")

    page.goto(link(site.letter_to(address, "confirm"), "confirm"))
    keep_picture(page, f"journey-{name}-4-confirm")
    page.wait_for_timeout(1500)  # a person takes longer than a program
    page.locator("form button.big, form button").first.click()
    page.wait_for_load_state()
    keep_picture(page, f"journey-{name}-5-confirmed")

    articles = site.folder / "data/articles" / f"news-{name}.md"
    articles.write_text(f"---\ntitle: News for {name}\ntopics: [environment]\n---\nNews on environment and waste.\n")
    site.run("publish", "--digest", "weekly")
    digest = site.letter_to(address, f"News for {name}")

    page.goto(link(digest, "preferences"))
    assert "Nothing new on your topics" in page.locator(".coming").inner_text()
    page.get_by_label("Monthly", exact=True).check()
    page.get_by_label("Enforcement").check()
    keep_picture(page, f"journey-{name}-6-settings")
    page.get_by_role("button", name="Save").click()
    assert page.get_by_role("status").inner_text() == "Saved."
    assert page.get_by_label("Monthly", exact=True).is_checked()
    assert page.get_by_label("Environment", exact=True).is_checked()
    keep_picture(page, f"journey-{name}-7-saved")

    page.goto(link(digest, "unsubscribe"))
    keep_picture(page, f"journey-{name}-8-leave")
    page.get_by_role("button", name="Unsubscribe").click()
    assert page.locator("h1").inner_text() == "You have unsubscribed"
    keep_picture(page, f"journey-{name}-9-left")
    page.get_by_role("button", name="subscribe me again").click()
    assert page.locator("h1").inner_text() == "You are subscribed again"

    one_click = str(digest["List-Unsubscribe"]).strip("<>").split(">")[0]
    answer = httpx.post(one_click, data={"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, answer.headers.get("set-cookie"), answer.is_redirect) == (200, None, False)
    assert page.context.cookies() == []
    page.goto(link(digest, "preferences"))
    assert page.locator("h1").inner_text() == "You get no letters"


def test_no_script_of_an_article_runs_and_no_style_of_it_counts(site: Any, opened: Any) -> None:
    """The browser would say so on its console: the policy forbids every script and style that is not ours, and `opened`
    takes each such complaint for a failure. So nothing of the kind gets as far as the page."""
    page = opened(site.url + "topics/environment/")
    hrefs = page.locator(".articles h3 a").evaluate_all("links => links.map(link => link.href)")
    hostile = [href for href in hrefs if "/articles/environment-" in href]
    assert len(hostile) == len(hostile_articles().splitlines())
    others = [site.url + path for path in ("", "issues/weekly-1/", "feeds/build?topic=environment")]
    for url in [page.url, *others, *hostile]:
        page.goto(url)
        assert page.title() != "pwned"
        assert page.locator("main script, main iframe, main style, main svg, main base, main [onclick]").count() == 0
        assert page.locator("main a[href^='javascript:'], main a[href^='data:']").count() == 0
        assert page.locator("main").is_visible()
    body = site.letter_to("alice@readers.example", "Weekly no. 1").get_body(("html",))
    assert body is not None
    page.goto("about:blank")
    page.set_content(body.get_content())
    assert "Environment 0" in page.content()
    assert page.locator("script, iframe, svg, [onerror], [onload], a[href^='javascript:']").count() == 0


def test_nothing_of_a_wide_table_or_of_code_is_cut_off_on_paper(site: Any, opened: Any) -> None:
    path = "articles/" + next((site.folder / "data/site/articles").glob("*plastic*")).name + "/"
    page = opened(site.url + path, viewport={"width": 700, "height": 900})
    wide = "".join(f"<td>{'0123456789' * 3}</td>" for _ in range(8))
    page.locator(".prose").evaluate(f"part => part.innerHTML = '<table><tr>{wide}</tr></table><pre>{'x ' * 300}</pre>'")
    page.emulate_media(media="print")
    for name in ("table", "pre"):
        assert page.locator(f".prose {name}").evaluate(
            "part => part.scrollWidth <= part.clientWidth && part.getBoundingClientRect().right <= window.innerWidth"
        ), name
