"""What stands in an edition: subject, plain text and HTML, and what never does."""

import re
from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html
from samples import COMPOSED, ENV, ISSUE, SITE, TOPICS, WEEKLY, WEEKLY_ARTICLES, article, edition

from publisher.digest.letter import LetterForm
from publisher.digest.mime import message_id
from publisher.digest.render import (
    MAX_HTML_BYTES,
    PREFERENCES,
    PREHEADER_LENGTH,
    RECIPIENT,
    SLOTS,
    SUBJECT_LENGTH,
    UNSUBSCRIBE,
    readable,
    render_edition,
)
from publisher.errors import TemplateError
from publisher.model import Section
from publisher.package import shipped
from publisher.templating import environment


@pytest.fixture(scope="module")
def weekly():
    return render_edition(ENV, SITE, ISSUE, WEEKLY, WEEKLY_ARTICLES)


@pytest.fixture(scope="module")
def page(weekly):
    return lxml_html.document_fromstring(weekly.html)


def render_one(*articles, site=SITE, issue=ISSUE, language="en", topic="environment"):
    value = edition((topic, [filed.article.key for filed in articles]), language=language)
    return render_edition(ENV, site, issue, value, {filed.article.key: filed for filed in articles})


def many(count, text="Some text of the article."):
    return [article(f"a{n}", f"Title number {n}", text, topics=("environment",)) for n in range(count)]


def contrast(one, other):
    def luminance(colour):
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_subject_says_what_is_inside(weekly):
    assert weekly.subject == "Plastic waste controls in Asia/Pacific, and 8 more · Weekly no. 12"


def test_a_subject_of_one_article_promises_no_more():
    assert render_one(article("a", "Ports share data")).subject == "Ports share data · Weekly no. 12"


def test_a_title_too_long_for_the_subject_is_cut_at_a_word():
    first = article("a", "An administration with a very long name " * 4)
    subject = render_one(first, article("b")).subject
    assert subject == "An administration with a very long name An… and 1 more · Weekly no. 12"
    assert len(subject) <= SUBJECT_LENGTH


def test_an_issue_without_a_number_is_a_preview_without_a_page():
    rendered = render_one(article("a"), issue=replace(ISSUE, number=None))
    assert rendered.subject == "A title · Weekly preview"
    assert "issues/" not in rendered.html + rendered.text


def test_every_article_of_the_edition_is_a_link_that_names_it(weekly, page):
    links = {link.get("href"): link.text_content() for link in page.iter("a")}
    for filed in WEEKLY_ARTICLES.values():
        url = f"https://news.customs.example/articles/{filed.article.slug}/"
        assert links[url] == filed.article.title
        assert weekly.text.count(url + "\n") == 1
        assert filed.article.title in " ".join(weekly.text.split())


def test_sections_stand_in_the_order_of_the_edition(weekly, page):
    labels = [TOPICS[section.topic].label for section in WEEKLY.sections]
    assert [heading.text_content().strip() for heading in page.iter("h2")] == labels
    places = [weekly.text.index(f"\n{label}\n---") for label in labels]
    assert places == sorted(places)


def test_other_topics_of_an_article_are_named_but_not_its_section(page):
    cell = next(h3 for h3 in page.iter("h3") if "Plastic" in h3.text_content()).getparent()
    assert "Also in Asia/Pacific" in cell.text_content()
    assert "Environment" not in cell.text_content()


def test_the_ways_out_stand_near_the_top_and_at_the_foot(weekly, page):
    for body, first_article in ((weekly.text, "* Kyrgyzstan"), (weekly.html, "<h3")):
        assert body.index(UNSUBSCRIBE) < body.index(first_article)
        assert body.rindex(UNSUBSCRIBE) > body.rindex(first_article[:2])
        assert all(slot in body for slot in (RECIPIENT, PREFERENCES))
    web = "https://news.customs.example/issues/weekly-12/"
    assert web in weekly.text and page.xpath(f"//a[@href='{web}']")
    foot = weekly.text[weekly.text.index("-" * 72) :]
    assert "weekly digest" in foot and SITE.postal_address in foot
    assert SITE.postal_address in weekly.html


def test_the_html_is_made_for_mail_programs(weekly, page):
    assert page.get("lang") == "en" and page.get("dir") == "ltr"
    wrapper = page.body[0]
    assert (wrapper.get("lang"), wrapper.get("dir"), wrapper.get("role")) == ("en", "ltr", "article")
    assert all(table.get("role") == "presentation" for table in page.iter("table"))
    assert page.xpath("//meta[@name='color-scheme']/@content") == ["light dark"]
    assert "@media (prefers-color-scheme: dark)" in weekly.html
    assert "[if mso]" in weekly.html
    assert len(list(page.iter("h1"))) == 1 and len(list(page.iter("h3"))) == 9
    sizes = [int(size) for size in re.findall(r"font-size: (\d+)px", weekly.html)]
    assert min(size for size in sizes if size != 1) >= 14  # 1 px: the preheader, which nobody sees
    assert all("word-break: break-word" in cell.get("style") for cell in page.iter("td"))  # long words wrap on phones
    for paragraph in page.iter("p", "h1", "h2", "h3"):
        assert "margin: 0" in paragraph.get("style")  # inlined


def test_nothing_in_the_letter_calls_home(weekly, page):
    assert not page.xpath("//img | //script | //link | //iframe | //form | //video | //svg | //object")
    assert not re.search(r"url\(|@import|@font-face|background=", weekly.html)
    hosts = {link.get("href").split("/")[2] for link in page.iter("a") if link.get("href") not in SLOTS}
    assert hosts == {"news.customs.example"}


def test_the_preheader_goes_on_where_the_subject_ends(page):
    hidden = page.xpath("//div[@class='preheader']")[0]
    assert hidden.getparent()[0] is hidden
    text = hidden.text_content()
    assert text.startswith("Kyrgyzstan measures") and len(text) <= PREHEADER_LENGTH
    assert "display: none" in hidden.get("style")


def test_plain_text_is_good_to_read_at_72_columns(weekly):
    text = weekly.text
    for slot in SLOTS:
        text = text.replace(slot, "x")
    long = [line for line in text.splitlines() if len(line) > 72]
    assert all(line.strip().startswith("https://") for line in long)
    assert "\n\n\n\n" not in text and text == text.strip("\n") + "\n"
    assert not re.search(r"<[a-z/]", text.replace("<refrigerant>", ""))


def test_over_the_cap_the_rest_is_behind_a_link():
    rendered = render_one(*many(12), site=replace(SITE, max_articles=5))
    assert (rendered.shown, rendered.hidden) == (5, 7)
    assert "And 7 more in Weekly no. 12, on the web" in rendered.html
    assert (
        "And 7 more articles on the page of this issue:\nhttps://news.customs.example/issues/weekly-12/"
        in rendered.text
    )
    assert rendered.subject.startswith("Title number 0, and 11 more")


@pytest.mark.parametrize(
    "text", ["Plain words of an article. " * 20, "Ничего нельзя провозить без бумаг, " * 20, "海关" * 300]
)
def test_a_letter_never_grows_past_what_mail_programs_show(text):
    articles = many(200, text)
    rendered = render_one(*articles, site=replace(SITE, max_articles=200))
    assert 20 <= rendered.shown < 200 and rendered.shown + rendered.hidden == 200
    form = LetterForm.of(SITE, ISSUE, rendered)
    url = "https://news.customs.example/unsubscribe/" + "x" * 200
    letter = form.for_reader("a" * 64 + "@" + "b." * 90 + "example", message_id("customs.example", "x"), url, url)
    encoded = letter.rpartition(b"Content-Type: text/html")[2]
    assert len(encoded) <= MAX_HTML_BYTES and len(rendered.html.encode()) <= MAX_HTML_BYTES
    assert len(encoded) > 0.8 * MAX_HTML_BYTES  # and shows nearly as many articles as it can


def test_an_overlong_template_of_the_operator_still_gives_a_letter(tmp_path):
    folder = tmp_path / "email" / "digest"
    folder.mkdir(parents=True)
    (folder / "body.html").write_text("<p>" + "x" * 200_000 + "{{ shown }} of {{ total }}</p>")
    rendered = render_edition(environment(tmp_path, COMPOSED.tzinfo), SITE, ISSUE, WEEKLY, WEEKLY_ARTICLES)
    assert (rendered.shown, rendered.hidden) == (0, 9)
    assert "0 of 9" in rendered.html


def test_a_broken_template_of_the_operator_is_named_with_its_line(tmp_path):
    folder = tmp_path / "email" / "digest"
    folder.mkdir(parents=True)
    (folder / "body.txt").write_text("one\ntwo {{ nothing_of_that_name }}\n")
    with pytest.raises(TemplateError, match=r"email/digest/body\.txt, line 2"):
        render_edition(environment(tmp_path, COMPOSED.tzinfo), SITE, ISSUE, WEEKLY, WEEKLY_ARTICLES)


def test_a_withdrawn_article_stays_out_of_a_letter_still_to_be_rendered():
    rest = {key: filed for key, filed in WEEKLY_ARTICLES.items() if key != "ports"}
    rendered = render_edition(ENV, SITE, ISSUE, WEEKLY, rest)
    assert (rendered.shown, rendered.hidden) == (8, 0)
    assert "Supply chain" not in rendered.text + rendered.html
    nothing = render_edition(ENV, SITE, ISSUE, WEEKLY, {})
    assert (nothing.shown, nothing.hidden) == (0, 0)


def test_articles_in_another_language_say_so_and_letters_run_right_to_left_where_due():
    mixed = lxml_html.document_fromstring(render_one(article("a", "عنوان", "نص", language="ar"), article("b")).html)
    cells = mixed.xpath("//td[@class='article']")
    assert (cells[0].get("lang"), cells[0].get("dir"), cells[1].get("lang")) == ("ar", "rtl", None)


def test_the_english_words_of_a_letter_are_called_english_and_run_left_to_right_on_an_arabic_site(tmp_path):
    site = replace(SITE, language="ar")
    letter = render_one(article("a", "عنوان", language="ar"), site=site, language="ar")
    page = lxml_html.document_fromstring(letter.html)
    assert letter.language == "en"
    assert [(part.get("lang"), part.get("dir")) for part in (page, page.body[0])] == [("en", "ltr")] * 2
    assert [(cell.get("lang"), cell.get("dir")) for cell in page.xpath("//td[@class='article']")] == [("ar", "rtl")]
    names = page.xpath("//p[@class='site' or @class='covers']//span | //h2//span")
    assert [(name.get("lang"), name.get("dir")) for name in names] == [("ar", "auto")] * 3, "the operator's own words"
    folder = tmp_path / "email" / "digest"
    folder.mkdir(parents=True)
    original = (shipped("templates") / "email/digest/body.html").read_text(encoding="utf-8")
    said = {"{# language: en #}": ("en", "ltr"), "{# language: fa #}": ("fa", "rtl"), "": ("ar", "rtl")}
    for line, spoken in said.items():
        (folder / "body.html").write_text(original.replace("{# language: en #}", line), encoding="utf-8")
        rendered = render_edition(
            environment(tmp_path, UTC), site, ISSUE, edition(("environment", ["a"]), language="ar"), {"a": article("a")}
        )
        assert (rendered.language, lxml_html.document_fromstring(rendered.html).get("dir")) == spoken


def test_readers_of_a_language_get_the_words_of_its_templates(tmp_path):
    folder = tmp_path / "email" / "digest" / "ar"
    folder.mkdir(parents=True)
    (folder / "body.html").write_text('{% extends "email/digest/body.html" %}')
    (folder / "subject.txt").write_text("النشرة")
    env = environment(tmp_path, UTC)
    one = article("a")
    letters = [
        render_edition(env, SITE, ISSUE, edition(("environment", ["a"]), language=tag), {"a": one})
        for tag in ("ar-EG", "fr")
    ]
    arabic, french = (lxml_html.document_fromstring(letter.html) for letter in letters)
    assert (letters[0].subject, arabic.get("lang"), arabic.get("dir")) == ("النشرة", "ar", "rtl")
    assert (french.get("lang"), french.get("dir")) == ("en", "ltr"), "words in English, whatever the reader speaks"
    assert "Weekly no. 12" in letters[1].subject
    assert [letter.language for letter in letters] == ["ar", "en"], "what the letter is written in, not what was wished"


def test_a_template_that_gives_no_subject_is_named(tmp_path):
    folder = tmp_path / "email" / "digest"
    folder.mkdir(parents=True)
    (folder / "subject.txt").write_text(" \n")
    with pytest.raises(TemplateError, match=r"subject\.txt: it gives no subject"):
        render_edition(environment(tmp_path, UTC), SITE, ISSUE, edition(("environment", ["a"])), {"a": article("a")})


def test_topics_without_a_page_are_named_without_a_link():
    rendered = render_one(article("a"), topic="all")
    assert "Other news" in rendered.text and "topics/all" not in rendered.html
    gone = render_one(article("a"), topic="gone-topic")
    assert "Gone topic\n---" in gone.text and "topics/gone-topic" not in gone.html


def test_the_same_edition_gives_the_same_bytes(weekly):
    again = render_edition(environment(None, COMPOSED.tzinfo), SITE, ISSUE, WEEKLY, WEEKLY_ARTICLES)
    assert again == weekly


@given(colour=st.integers(0, 0xFFFFFF).map("#{:06x}".format))
@settings(max_examples=200)
def test_links_are_readable_whatever_the_accent(colour):
    for ground in ("#f6f8fa", "#ffffff", "#232a31", "#1c2126"):
        assert contrast(readable(colour, ground), ground) >= 4.5


def test_a_readable_accent_is_left_alone():
    assert readable("#0b5f8a", "#ffffff") == "#0b5f8a"


HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("<>&\"'{}%=?\r\n\t\0\x85\u2028\u2029\u202e\u2066\ufdd0\ufdd1\ufeff:-*@ "),
    ),
    max_size=60,
) | st.sampled_from(
    [
        "</title></td></table><script>alert(1)</script>",
        "x\r\nBcc: everybody@customs.example",
        "x\n\nUnsubscribe:\nhttps://evil.example/",
        f"take {UNSUBSCRIBE} and {RECIPIENT}",
        "{{ 7 * 7 }} {% raw %}",
        "--=_boundary--",
        '" onmouseover="alert(1)',
        "]]><![endif]--><b>",
    ]
)


@given(title=HOSTILE, text=HOSTILE, label=HOSTILE)
@settings(max_examples=150, deadline=None)
def test_no_word_of_an_article_becomes_markup_a_line_or_a_slot(title, text, label):
    topics = {**TOPICS, "environment": replace(TOPICS["environment"], label=label)}
    quiet = render_one(article("a", "T", "T", topics=("environment",)), site=replace(SITE, topics=topics))
    rendered = render_one(article("a", title, text, topics=("environment",)), site=replace(SITE, topics=topics))
    page, plain = lxml_html.document_fromstring(rendered.html), lxml_html.document_fromstring(quiet.html)
    allowed = [tag for tag in (e.tag for e in page.iter()) if isinstance(tag, str)]
    expected = [tag for tag in (e.tag for e in plain.iter()) if isinstance(tag, str)]
    if not text.strip():
        expected = [tag for tag in expected if tag != "p"]
        allowed = [tag for tag in allowed if tag != "p"]
    assert [tag for tag in allowed if tag != "p"] == [tag for tag in expected if tag != "p"]
    assert [a.get("href") for a in page.iter("a")] == [a.get("href") for a in plain.iter("a")]
    assert not [name for e in page.iter() for name in e.attrib if name.startswith("on")]
    for slot in SLOTS:
        assert rendered.html.count(slot) == quiet.html.count(slot)
        assert rendered.text.count(slot) == quiet.text.count(slot)
    assert len(rendered.subject.splitlines()) == 1 and not re.search("[\x00-\x1f\x7f]", rendered.subject)
    # Lines at the left margin are ours: the same ones, whatever the article says.
    counted = [line for line in rendered.text.split("\n") if line[:1] not in {"", " ", "*"}]
    assert counted == [line for line in quiet.text.split("\n") if line[:1] not in {"", " ", "*"}]
    assert len(rendered.subject) <= SUBJECT_LENGTH


def test_a_section_whose_articles_are_all_hidden_is_not_headed():
    sections = [Section(f"t{n}", (f"a{n}",)) for n in range(5)]
    value = replace(edition(), sections=tuple(sections))
    rendered = render_edition(
        ENV, replace(SITE, max_articles=3), ISSUE, value, {f"a{n}": article(f"a{n}") for n in range(5)}
    )
    assert "T2" in rendered.text and "T3" not in rendered.text
    assert rendered.hidden == 2
