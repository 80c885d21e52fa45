"""Pages of the server: GET asks, a button posts; and colours that can be read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from publisher.links import Links
from publisher.model import Frequency, NextLetter, Topic, TopicGroup
from publisher.pages.colours import CONTRAST, contrast, dark, light
from publisher.pages.frame import PageSite
from publisher.pages.sign_up import SignUpPages
from publisher.pages.web import ReaderSettings, WebPages
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
SIGN_UP = SignUpPages(environment(None, UTC), SITE)


def page(content: bytes) -> html.HtmlElement:
    return html.document_fromstring(content)


def mine(**more: Any) -> ReaderSettings:
    return ReaderSettings(
        **{
            "topics": ["environment"],
            "frequency": Frequency.MONTHLY,
            "frequencies": list(Frequency),
            "paused": False,
            "coming": NextLetter(at=datetime(2026, 3, 9, 7, tzinfo=UTC), waiting=1),
            "first_day": date(2026, 3, 3),
            "last_day": date(2027, 3, 2),
            "here": "/preferences/x",
            "unsubscribe": "/unsubscribe/x",
        }
        | more
    )


def test_leaving_asks_with_one_button_that_posts_to_its_own_address() -> None:
    asked = page(WEB.unsubscribe())
    (form,) = asked.findall(".//form")
    assert (form.get("method"), form.get("action")) == ("post", None)
    assert form.xpath(".//button/text()") == ["Unsubscribe"]
    assert not asked.xpath("//a[contains(@href, 'preferences')]")
    assert page(WEB.unsubscribe(has_settings=True)).xpath("//button[@name='settings']/@value") == ["mail"]
    assert page(WEB.ask("Confirm?", ["One.", "Two."], "Yes")).xpath("//p[@class='lead']/text()") == ["One.", "Two."]


def test_who_leaves_may_take_fewer_letters_instead() -> None:
    asked = page(WEB.unsubscribe(fewer=[Frequency.WEEKLY, Frequency.MONTHLY]))
    buttons = asked.xpath("//button[@name='instead']")
    assert [(one.get("value"), one.text) for one in buttons] == [
        ("weekly", "One letter a week"),
        ("monthly", "One letter a month"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        WEB.unsubscribe(),
        WEB.unsubscribed(feed_token="tok"),
        WEB.no_letters(feed_token="tok"),
        WEB.not_found(),
        WEB.message("Done", "Yes."),
    ],
)
def test_pages_with_tokens_in_their_address_keep_it_to_themselves(content: bytes) -> None:
    metas = {meta.get("name"): meta.get("content") for meta in page(content).findall(".//meta[@name]")}
    assert metas["robots"] == "noindex"
    assert metas["referrer"] == "no-referrer"
    assert len(page(content).findall(".//h1")) == 1


def test_the_sign_up_form_comes_back_as_it_was_filled_in() -> None:
    form = page(
        SIGN_UP.form(
            stamp="AAAA", email="a@b", topics=["region-mena"], frequency=Frequency.DAILY, problem="No such domain."
        )
    )
    assert form.xpath("//p[@role='alert']/text()") == ["No such domain."]
    assert form.xpath("//input[@checked]/@value") == ["region-mena", "daily"]
    assert form.xpath("//input[@type='email']/@value") == ["a@b"]
    assert form.xpath("//form/@action") == ["/subscribe"]
    assert form.xpath("//input[@name='shown']/@value") == ["AAAA"]


def test_a_built_feed_is_shown_with_its_address_and_the_choice_that_made_it() -> None:
    shown = page(WEB.feed_builder(chosen=["region-mena", "environment"], match="all", name="a/b", label="A in B"))
    base = "https://customs.example/feeds/a/b"
    assert shown.xpath("//textarea[@readonly]/text()") == [f"{base}.atom"]
    assert [link.get("href") for link in shown.xpath("//link[@rel='alternate']")] == [
        f"{base}.{kind}" for kind in ("atom", "rss", "json")
    ]
    assert shown.xpath("//form[@method='get']//input[@checked]/@value") == ["environment", "region-mena", "all"]
    assert shown.xpath("//form[@method='post']//input[@name='topics']/@value") == ["region-mena", "environment"]
    assert "Nothing yet" in shown.text_content()


def test_before_the_choice_the_builder_has_no_address_to_show() -> None:
    for content in (WEB.feed_builder(), WEB.feed_builder(chosen=["environment"], problem="One more, please.")):
        assert page(content).xpath("//textarea") == []
    assert page(content).xpath("//p[@role='alert']/text()") == ["One more, please."]


def test_the_own_feed_stands_on_the_page_and_is_announced_to_nobody() -> None:
    settings = WEB.preferences(mine(feed_token="tok"), said="renewed")
    for content, buttons in (
        (settings, 1),
        (WEB.unsubscribed(feed_token="tok"), 0),
        (WEB.no_letters(feed_token="tok"), 1),
    ):
        shown = page(content)
        assert shown.xpath("//textarea/text()") == ["https://customs.example/feeds/private/tok.atom"]
        assert not any("tok" in href for href in shown.xpath("//link/@href"))
        assert len(shown.xpath("//input[@name='feed'][@value='new']")) == buttons
    assert b"new address" in settings
    assert page(WEB.unsubscribed()).xpath("//textarea") == []


def test_preferences_show_what_is_chosen() -> None:
    form = page(WEB.preferences(mine(paused=True, paused_until=datetime(2026, 3, 8, tzinfo=UTC)), said="saved"))
    assert form.xpath("//input[@checked]/@value") == ["monthly", "environment", "yes"]
    assert form.xpath("//*[@role='status']")
    assert "/unsubscribe/x" in form.xpath("//a/@href")


def test_languages_can_be_chosen_where_there_are_several() -> None:
    several = mine(language="fr", languages=[("en", "English"), ("fr", "français")])
    assert page(WEB.preferences(several)).xpath("//input[@name='language'][@checked]/@value") == ["fr"]
    assert not page(WEB.preferences(mine())).xpath("//input[@name='language']")


MARCH = datetime(2026, 3, 9, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "Your next letter is due on 9 March 2026, 07:00 UTC. One article waits for it so far."),
        ({"coming": NextLetter(at=MARCH, waiting=12)}, "12 articles wait for it so far."),
        ({"coming": NextLetter(at=MARCH)}, "without news no letter is sent"),
        ({"coming": NextLetter(at=MARCH, is_due=True)}, "goes out with the next look for news, every 30 minutes."),
        ({"coming": NextLetter(at=MARCH, on_its_way="weekly-3")}, "The letter weekly-3 is on its way to you."),
        ({"coming": NextLetter(at=None, waiting=2)}, "No letter comes for now. Meanwhile 2 articles wait for you."),
        (
            {"paused": True, "paused_until": datetime(2026, 3, 8, tzinfo=UTC)},
            "You get nothing until 8 March 2026. The first letter after that is due on 9 March 2026, 07:00 UTC, "
            "with all that came in meanwhile; so far one article waits.",
        ),
    ],
)
def test_what_comes_next_is_said_in_a_sentence(more: dict[str, Any], said: str) -> None:
    (box,) = page(WEB.preferences(mine(**more))).xpath("//section[@aria-labelledby='coming']")
    assert said in " ".join(box.text_content().split())


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
