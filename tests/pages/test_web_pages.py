"""Pages of the server: GET asks, a button posts; and colours that can be read."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from publisher.links import Links
from publisher.model import Frequency, Topic, TopicGroup
from publisher.pages import PageSite, WebPages
from publisher.pages.colours import CONTRAST, contrast, dark, light
from publisher.templating import environment

TOPICS = (
    Topic("environment", "Environment", "Waste.", TopicGroup.THEME),
    Topic("region-mena", "Near and Middle East", "Members.", TopicGroup.REGION),
)
SITE = PageSite(
    title="Customs initiatives",
    description="",
    language="en",
    accent="#0b5f8a",
    links=Links("https://customs.example/"),
    topics=TOPICS,
)
WEB = WebPages(environment(None, UTC), SITE)


def page(content: bytes) -> html.HtmlElement:
    return html.document_fromstring(content)


def test_leaving_asks_with_one_button_that_posts_to_its_own_address() -> None:
    asked = page(WEB.unsubscribe("/preferences/abc"))
    (form,) = asked.findall(".//form")
    assert (form.get("method"), form.get("action")) == ("post", None)
    assert form.xpath(".//button/text()") == ["Unsubscribe"]
    assert "/preferences/abc" in asked.xpath("//a/@href")
    assert page(WEB.ask("Confirm?", ["One.", "Two."], "Yes")).xpath("//p[@class='lead']/text()") == ["One.", "Two."]


@pytest.mark.parametrize(
    "content", [WEB.unsubscribe(), WEB.unsubscribed(), WEB.not_found(), WEB.message("Done", "Yes.")]
)
def test_pages_with_tokens_in_their_address_keep_it_to_themselves(content: bytes) -> None:
    metas = {meta.get("name"): meta.get("content") for meta in page(content).findall(".//meta[@name]")}
    assert metas["robots"] == "noindex"
    assert metas["referrer"] == "no-referrer"
    assert len(page(content).findall(".//h1")) == 1


def test_the_sign_up_form_comes_back_as_it_was_filled_in() -> None:
    form = page(WEB.sign_up(email="a@b", topics=["region-mena"], frequency=Frequency.DAILY, problem="No such domain."))
    assert form.xpath("//p[@role='alert']/text()") == ["No such domain."]
    assert form.xpath("//input[@checked]/@value") == ["region-mena", "daily"]
    assert form.xpath("//input[@type='email']/@value") == ["a@b"]
    assert form.xpath("//form/@action") == ["/subscribe"]


def test_preferences_show_what_is_chosen() -> None:
    form = page(
        WEB.preferences(
            topics=["environment"], frequency=Frequency.MONTHLY, paused=True, unsubscribe="/unsubscribe/x", saved=True
        )
    )
    assert form.xpath("//input[@checked]/@value") == ["environment", "monthly", "yes"]
    assert form.xpath("//*[@role='status']")
    assert "/unsubscribe/x" in form.xpath("//a/@href")


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_any_accent_can_be_read_on_every_surface_of_both_schemes(accent: str) -> None:
    for scheme in (light(accent), dark(accent)):
        for surface in (scheme.paper, scheme.panel, scheme.tint):
            assert contrast(scheme.accent, surface) >= CONTRAST
            assert contrast(scheme.ink, surface) >= CONTRAST
        assert contrast(scheme.accent_strong, scheme.paper) >= CONTRAST
        for surface in (scheme.paper, scheme.panel):
            assert contrast(scheme.muted, surface) >= CONTRAST
            assert contrast(scheme.edge, surface) >= 3  # the border of a field (WCAG 1.4.11)


def test_an_accent_that_is_readable_stays_as_it_is() -> None:
    assert light("#0b5f8a").accent == "#0b5f8a"
    assert contrast("#000000", "#ffffff") == 21
