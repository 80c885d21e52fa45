"""The pages of the site: every link leads somewhere, nothing runs, the same input gives the same bytes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html

from publisher.links import BUILDER, TIMES, Links
from publisher.model import (
    Article,
    Document,
    FiledArticle,
    Frequency,
    Issue,
    IssueState,
    Topic,
    TopicGroup,
)
from publisher.package import shipped
from publisher.pages.documents import Pages
from publisher.pages.feed_readers import reader_links
from publisher.pages.frame import PageSite
from publisher.pages.sign_up import SignUpPages
from publisher.pages.web import WebPages
from publisher.templating import environment

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
ENV = environment(None, UTC)
ENVIRONMENT = Topic("environment", "Environment", "Waste, plastics and wildlife.", TopicGroup.THEME)
DIGITAL = Topic("digital-customs", "Digital customs", "Data and e-commerce.", TopicGroup.THEME)
MENA = Topic("region-mena", "Near and Middle East", "Members of the region.", TopicGroup.REGION)
SITE = PageSite(
    title="Customs initiatives",
    description="What is new, topic by topic.",
    language="en",
    accent="#0b5f8a",
    links=Links("https://customs.example/news/"),
    topics=(ENVIRONMENT, DIGITAL, MENA),
    rights="Free to quote.",
)


def filed(number: int = 1, *topics: str, **changes: object) -> FiledArticle:
    article = Article(
        key=f"k{number}",
        entry_id=f"tag:publisher.example,2026:{number}",
        slug=f"plastic-waste-{number}",
        title=f"Plastic waste rules {number}",
        summary="Customs look at plastic waste.",
        body="<p>Customs look at <em>plastic</em> waste.</p>",
        text="Customs look at plastic waste.",
        author=None,
        language="en",
        source_url="https://www.wcoomd.org/en/media/1",
        published=NOW - timedelta(days=number),
        first_seen=NOW,
        updated=NOW,
        revision=1,
        stamp=number,
    )
    return FiledArticle(replace(article, **changes), topics or ("environment", "region-mena"))  # type: ignore[arg-type]


def issue(number: int | None = 12) -> Issue:
    return Issue(
        id=1, frequency=Frequency.WEEKLY, number=number, slot=None, state=IssueState.FINISHED, composed=NOW, upto_seq=1
    )


def whole_site(site: PageSite = SITE) -> dict[str, bytes]:
    pages, articles = Pages(ENV, site), [filed(1), filed(2, "digital-customs"), filed(3, "environment")]
    documents = [pages.style(), pages.icon(), pages.not_found()]
    documents += [pages.article(article) for article in articles]
    documents += [pages.topic(topic, [a for a in articles if topic.slug in a.topics], 1) for topic in site.topics]
    documents += [
        pages.issue(issue(), [(ENVIRONMENT, articles[:1]), (DIGITAL, articles[1:2])], "Plastic waste and 1 more"),
        pages.index(articles, {"all": 3, "environment": 2}, [issue()]),
        pages.issues([(issue(), "Plastic waste", 2)], number=None, last=0, feeds=[], total=1),
    ]
    feeds = [
        f"feeds/{slug}.{kind}" for slug in ("all", *(t.slug for t in site.topics)) for kind in ("atom", "rss", "json")
    ]
    return {document.path: document.content for document in documents} | dict.fromkeys([*feeds, "feeds.opml"], b"")


def tree(document: Document | bytes) -> html.HtmlElement:
    return html.document_fromstring(document.content if isinstance(document, Document) else document)


def links_of(page: html.HtmlElement) -> Iterator[str]:
    for element in page.iter():
        for name in ("href", "src"):
            if element.get(name):
                yield element.get(name)


@pytest.mark.parametrize("offline", [False, True])
def test_every_link_between_pages_leads_to_a_document_and_to_an_id_in_it(offline: bool) -> None:
    documents = whole_site(replace(SITE, offline_links=offline))
    pages = {path: tree(content) for path, content in documents.items() if path.endswith("index.html")}
    followed = 0
    for path, page in pages.items():
        for href in links_of(page):
            parts = urlsplit(href)
            if parts.scheme:
                continue
            target = (
                posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(parts.path))) if parts.path else path
            )
            if target in {BUILDER, TIMES}:
                continue  # a page of the server
            if not offline and (parts.path.endswith("/") or target == "."):
                target = posixpath.normpath(posixpath.join(target, "index.html"))
            assert target in documents, f"{path} links to {href}"
            if parts.fragment:
                assert pages[target].get_element_by_id(parts.fragment) is not None
            followed += 1
    assert followed > 100


def test_the_web_only_links_start_at_the_root_of_the_base_url() -> None:
    for href in links_of(tree(Pages(ENV, SITE).not_found())):
        if not href.startswith("#"):
            assert urlsplit(href).path.startswith("/news/"), href


@pytest.mark.parametrize("path", [path for path in whole_site() if path.endswith(".html")])
def test_each_page_has_one_heading_landmarks_a_skip_link_and_unique_ids(path: str) -> None:
    page = tree(whole_site()[path])
    assert len(page.findall(".//h1")) == 1
    assert [len(page.findall(f".//{name}")) for name in ("main", "body/footer")] == [1, 1]
    assert page.find("body/a").get("href") == "#main"
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert all(page.xpath(f"//*[@id='{label}']") for label in page.xpath("//@aria-labelledby | //label/@for"))
    assert page.get("lang") == "en"
    levels = [int(element.tag[1]) for element in page.iter("h1", "h2", "h3", "h4")]
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("path", [path for path in whole_site() if path.endswith(".html")])
def test_a_page_needs_nothing_that_a_strict_content_policy_forbids(path: str) -> None:
    page = tree(whole_site()[path])
    assert page.xpath("//script | //style | //@style | //iframe | //@*[starts-with(name(), 'on')]") == []
    assert len(page.xpath("//link[@rel='stylesheet']")) == 1


def test_the_style_is_linked_by_its_hash_so_that_a_new_one_is_fetched() -> None:
    def version(accent: str) -> str:
        page = tree(Pages(ENV, replace(SITE, accent=accent)).article(filed()))
        (href,) = page.xpath("//link[@rel='stylesheet']/@href")
        match = re.fullmatch(r"\.\./\.\./assets/style\.css\?v=([0-9a-f]{8})", href)
        assert match
        return match[1]

    assert version("#0b5f8a") == version("#0b5f8a") != version("#802020")


def test_feeds_are_announced_with_the_topics_atom_feed_first() -> None:
    page = tree(Pages(ENV, SITE).topic(ENVIRONMENT, [], 0))
    feeds = [(e.get("type"), e.get("title"), e.get("href")) for e in page.xpath("//link[@rel='alternate']")]
    base = "https://customs.example/news/feeds/environment"
    assert feeds == [
        ("application/atom+xml", "Customs initiatives: Environment", f"{base}.atom"),
        ("application/rss+xml", "Customs initiatives: Environment (RSS)", f"{base}.rss"),
        ("application/feed+json", "Customs initiatives: Environment (JSON Feed)", f"{base}.json"),
    ]
    assert page.xpath("string(//textarea[@readonly])") == f"{base}.atom"
    assert page.xpath("//link[@rel='canonical']/@href") == ["https://customs.example/news/topics/environment/"]


HOSTILE = "</title></p><script>alert(1)</script>\"'><img src=x onerror=alert(1)> {{ 7*7 }} &amp;"


def test_hostile_words_of_articles_and_config_stay_words() -> None:
    topic = Topic("environment", HOSTILE, HOSTILE, TopicGroup.THEME)
    site = replace(
        SITE, title=HOSTILE, description=HOSTILE, rights=HOSTILE, author=HOSTILE, topics=(topic,), consent=HOSTILE
    )
    bad = filed(1, "environment", title=HOSTILE, summary=HOSTILE, author=HOSTILE, language=HOSTILE)
    pages, web, sign_up = Pages(ENV, site), WebPages(ENV, site), SignUpPages(ENV, site)
    for content in (
        pages.article(bad).content,
        pages.topic(topic, [bad], 1).content,
        pages.index([bad], {"environment": 1}, []).content,
        pages.issue(issue(), [(topic, [bad])], HOSTILE).content,
        web.message(HOSTILE, HOSTILE, link=(HOSTILE, HOSTILE)),
        sign_up.form(stamp=HOSTILE, email=HOSTILE, language=HOSTILE, problem=HOSTILE),
        sign_up.asked(HOSTILE, problem=HOSTILE),
        sign_up.confirm(topics=["environment"], frequency=Frequency.DAILY, stamp=HOSTILE, problem=HOSTILE),
        sign_up.too_old(HOSTILE),
        web.feed_builder(chosen=[HOSTILE], name="environment", label=HOSTILE, articles=[bad]),
        web.feed_builder(chosen=[HOSTILE], match=HOSTILE, problem=HOSTILE),
    ):
        page = tree(content)
        assert page.xpath("//script | //img | //@onerror") == []
        assert HOSTILE in page.text_content()


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["C"]), max_size=60))
def test_any_title_is_printed_as_it_is(title: str) -> None:
    page = tree(Pages(ENV, SITE).article(filed(title=title)))
    assert (page.findtext(".//h1") or "") == title


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//[", "ftp://a/b", "wcoomd.org", None])
def test_only_web_addresses_are_linked_as_the_source(url: str | None) -> None:
    page = Pages(ENV, SITE).article(filed(source_url=url)).content
    assert b"Source:" not in page
    assert b"Source:" in Pages(ENV, SITE).article(filed()).content


def test_english_words_are_called_english_on_a_german_site_and_the_operator_s_own_german(
    tmp_path: Path,
) -> None:
    german = replace(SITE, language="de")
    one = filed(1, "environment", language="de")
    pages = Pages(ENV, german)
    page, article = tree(pages.index([one], {"environment": 1}, [])), tree(pages.article(one))
    assert page.get("lang") == article.get("lang") == "en"
    own = page.xpath("//*[@class='brand'] | //h1 | //ul[@class='directory']//a[@dir] | //fieldset//span | //h3")
    assert len(own) > 4
    assert {part.get("lang") for part in own} == {"de"}
    assert article.xpath("//h1/@lang | //div[@class='prose']/@lang") == ["de"] * 2
    assert not page.xpath("//h2/@lang | //nav/@lang | //button/@lang")
    (tmp_path / "site").mkdir()
    layout = (shipped("templates") / "site/layout.html").read_text(encoding="utf-8")
    (tmp_path / "site/layout.html").write_text(layout.replace("{# language: en #}", ""), encoding="utf-8")
    assert tree(Pages(environment(tmp_path, UTC), german).article(one)).xpath("//@lang") == ["de"]


def test_tables_and_code_that_are_wider_than_a_phone_can_be_scrolled_by_keys() -> None:
    body = "<p>Text.</p>\n<table><tr><td>1</td></tr></table>\n<pre>&lt;pre&gt;</pre>"
    page = tree(Pages(ENV, SITE).article(filed(body=body)))
    assert [part.tag for part in page.xpath("//div[@class='prose']//*[@tabindex='0']")] == ["table", "pre"]
    assert page.xpath("string(//pre)") == "<pre>"


def test_an_article_runs_in_the_direction_of_its_language_even_if_it_begins_with_letters_of_another() -> None:
    arabic = replace(SITE, language="ar")
    wanted = [
        (SITE, "ar", "rtl"),
        (SITE, "fr", "ltr"),
        (SITE, "en", "auto"),
        (arabic, "ar", "rtl"),
        (arabic, "en", "ltr"),
    ]
    for site, language, direction in wanted:
        one = filed(title="WCO تطلق برنامجا", summary="WCO تطلق", body="<p>WCO تطلق</p>", language=language)
        pages = Pages(ENV, site)
        page = tree(pages.article(one))
        assert page.xpath("//h1/@dir | //div[@class='prose']/@dir") == [direction] * 2, (site.language, language)
        assert tree(pages.topic(site.topics[0], [one], 1)).xpath("//li//article/*/@dir") == [direction] * 2


def test_the_body_is_the_articles_own_markup_in_its_own_language_and_direction() -> None:
    page = tree(Pages(ENV, SITE).article(filed(language="ar", body="<p>نص <em>مهم</em></p>")))
    assert page.xpath("string(//div[@lang='ar'][@dir='rtl']/p/em)") == "مهم"
    assert tree(Pages(ENV, SITE).article(filed())).xpath("//body//@lang") == []


def test_lists_say_in_words_which_article_was_corrected_and_when() -> None:
    pages = Pages(ENV, SITE)
    articles = [filed(1, corrected=datetime(2026, 4, 2, tzinfo=UTC)), filed(2)]
    for document in (pages.index(articles, {}, []), pages.topic(ENVIRONMENT, articles, 2)):
        corrected, plain = tree(document).xpath("//ul[@class='articles']//p[@class='when']")
        assert " ".join(corrected.text_content().split()) == "28 February 2026 corrected on 2 April 2026"
        assert "corrected" not in plain.text_content()
    past = pages.issue(issue(), [(ENVIRONMENT, articles)], "Digest")
    assert "corrected" not in tree(past).text_content()  # a letter that was sent does not change


def test_a_corrected_article_says_when_and_what_for_and_a_minor_edit_says_nothing() -> None:
    pages = Pages(ENV, SITE)
    assert b"Corrected" not in pages.article(filed(revision=2)).content
    page = tree(pages.article(filed(revision=2, corrected=NOW, correction="The port is <Tema>.")))
    note = " ".join(page.xpath("string(//article/header/p[@class='note'])").split())
    assert note == "Corrected on 1 March 2026. The port is <Tema>."


def test_the_page_of_a_withdrawn_article_is_a_notice_without_its_text() -> None:
    withdrawn = filed(1, author="Alice", withdrawn=NOW, withdrawal="Printed too early.", corrected=NOW)
    content = Pages(ENV, SITE).article(FiledArticle(withdrawn.article, ())).content
    page = tree(content)
    assert page.findtext(".//h1") == "Withdrawn: Plastic waste rules 1"
    note = " ".join(page.xpath("string(//p[@class='note'])").split())
    assert note == "This article was withdrawn on 1 March 2026. Printed too early."
    assert page.xpath("//meta[@name='robots']/@content") == ["noindex"]
    assert not any(word in content for word in (b"Customs look at", b"Alice", b"wcoomd.org", b"Corrected"))


def test_a_topic_that_left_the_config_leaves_the_pages() -> None:
    assert b"gone" not in Pages(ENV, SITE).article(filed(1, "gone", "environment")).content


def test_the_topic_page_names_the_other_topics_and_what_it_leaves_out() -> None:
    page = tree(Pages(ENV, SITE).topic(ENVIRONMENT, [filed(1), filed(2)], 132))
    assert page.xpath("//ul[@aria-label='Topics']/li/a/text()") == ["Near and Middle East"] * 2
    assert "newest 2 of 132" in page.text_content()


def test_empty_pages_say_so_and_what_to_do() -> None:
    pages = Pages(ENV, SITE)
    assert "No article is filed under this topic yet" in tree(pages.topic(MENA, [], 0)).text_content()
    assert "No articles yet" in tree(pages.index([], {}, [])).text_content()
    assert "no longer here" in tree(pages.issue(issue(), [], "Nothing left")).text_content()


def test_the_index_counts_topics_and_lists_numbered_issues_only() -> None:
    page = tree(Pages(ENV, SITE).index([filed()], {"environment": 7}, [issue(12), issue(None)]))
    assert page.xpath("//nav[@id='topics']//span[@class='count']/text()") == ["7", "0", "0"]
    assert page.xpath("//section[@id='issues']//li/a/@href") == ["issues/weekly-12/"]
    assert tree(Pages(ENV, SITE).index([], {}, [])).xpath("//section[@id='issues']") == []


def test_a_site_without_digests_has_no_form_to_sign_up() -> None:
    pages = Pages(ENV, replace(SITE, frequencies=()))
    for document in (pages.index([], {}, []), pages.topic(MENA, [], 0), pages.issue(issue(), [], "x")):
        assert tree(document).xpath("//form[@method='post']") == []
        assert b"#digest" not in document.content


def test_the_form_posts_to_the_server_from_wherever_the_page_is_read() -> None:
    def action(site: PageSite) -> str:
        return str(tree(Pages(ENV, site).topic(MENA, [], 0)).xpath("//form/@action")[0])

    assert action(SITE) == "../../subscribe"
    assert action(replace(SITE, offline_links=True)) == "https://customs.example/news/subscribe"


def builder(site: PageSite = SITE) -> html.FormElement:
    (form,) = tree(Pages(ENV, site).index([], {}, [])).xpath("//section[@id='build']//form")
    return form


def test_the_index_lets_people_build_a_feed_without_a_script() -> None:
    form = builder()
    assert (form.get("method"), form.get("action")) == ("get", BUILDER)
    assert builder(replace(SITE, offline_links=True)).get("action") == f"https://customs.example/news/{BUILDER}"
    assert form.xpath(".//input[@name='topic']/@value") == ["environment", "digital-customs", "region-mena"]
    assert form.xpath(".//input[@name='match'][@checked]/@value") == ["any"]
    assert tree(Pages(ENV, replace(SITE, topics=())).index([], {}, [])).xpath("//section[@id='build']") == []


def test_the_topic_page_hands_its_feed_to_common_readers() -> None:
    page = tree(Pages(ENV, SITE).topic(ENVIRONMENT, [], 0))
    links = page.xpath("//ul[@aria-label='Feed readers']//a")
    encoded = "https%3A%2F%2Fcustoms.example%2Fnews%2Ffeeds%2Fenvironment.atom"
    assert links[0].get("href") == "feed://customs.example/news/feeds/environment.atom"
    plain = reader_links("http://127.0.0.1:8000/feeds/environment.atom")
    assert plain[0].href == "feed://127.0.0.1:8000/feeds/environment.atom"
    assert len(links) == 5
    assert all(link.get("href").startswith("https://") and link.get("href").endswith(encoded) for link in links[1:])
    assert {link.get("rel") for link in links} == {"noopener noreferrer"}


def test_the_topic_page_says_when_its_feed_changed_last_and_how_often_it_may() -> None:
    def told(*articles: FiledArticle, every_minutes: int = 30) -> str:
        page = Pages(ENV, replace(SITE, every_minutes=every_minutes)).topic(ENVIRONMENT, articles, len(articles))
        return " ".join(tree(page).xpath("//aside[@id='follow']")[0].text_content().split())

    later = filed(2, updated=NOW + timedelta(days=3))
    assert "Last change: 4 March 2026, 09:30 UTC. We look for news every 30 minutes (last" in told(filed(1), later)
    assert "Last change" not in told()
    for minutes, words in ((1, "every minute"), (60, "every hour"), (90, "every 90 minutes"), (120, "every 2 hours")):
        assert f"We look for news {words} (last time and next time)." in told(every_minutes=minutes)


def test_a_topic_page_leads_to_the_narrower_feeds_that_have_articles() -> None:
    def narrower(topic: Topic, *articles: FiledArticle) -> list[tuple[str, str]]:
        page = tree(Pages(ENV, SITE).topic(topic, articles, len(articles)))
        return [(a.text, a.get("href")) for a in page.xpath("//section[@aria-labelledby='narrower']/ul//a")]

    assert narrower(ENVIRONMENT, filed(1), filed(2, "environment", "digital-customs")) == [
        ("Near and Middle East", f"../../{BUILDER}?topic=region-mena&topic=environment&match=all")
    ]
    assert [label for label, _ in narrower(MENA, filed(1))] == ["Environment"]
    assert narrower(DIGITAL, filed(1, "digital-customs")) == []


def test_the_same_input_gives_the_same_bytes() -> None:
    assert whole_site() == whole_site()
