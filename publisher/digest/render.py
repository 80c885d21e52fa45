"""An edition -> subject, plain text and HTML with slots for what differs from reader to reader. Floor: a pure room.

The slots stand in both bodies as noncharacters of Unicode, which `cleantext.clean_line` takes out of everything that
comes from outside: no article can hold one. `letter` cuts the bodies at the slots.
"""

from __future__ import annotations

from binascii import b2a_qp
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TypedDict

from css_inline import CSSInliner
from jinja2.sandbox import ImmutableSandboxedEnvironment

from publisher.cleantext import clean_line
from publisher.config import Settings
from publisher.digest.choose import cap
from publisher.errors import TemplateError
from publisher.htmltext import excerpt
from publisher.links import Links
from publisher.model import ALL, Edition, FiledArticle, Issue, Section, Topic
from publisher.templating import direction, language_of, render

RECIPIENT = "\ufdd0recipient\ufdd1"
UNSUBSCRIBE = "\ufdd0unsubscribe\ufdd1"
PREFERENCES = "\ufdd0preferences\ufdd1"
SLOTS = (RECIPIENT, UNSUBSCRIBE, PREFERENCES)

MAX_HTML_BYTES = 90 * 1024
"""Gmail clips a message near 102 kB; held to by the HTML body both as it is and as it is encoded."""
_ROOM_FOR_SLOTS = 4 * 1024
SUBJECT_LENGTH = 75
PREHEADER_LENGTH = 90
_SHORTEST_LEAD = 20
_TITLE_LENGTH = 200
_EXCERPT_LENGTH = 240
_LIGHT, _DARK = "#f6f8fa", "#232a31"  # of each scheme the ground where links are hardest to read
_CONTRAST = 5.5  # WCAG 2.2, 1.4.3 asks 4.5; some mail programs shift colours by a little

_INLINER = CSSInliner(keep_style_tags=True, remove_inlined_selectors=True, load_remote_stylesheets=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestSite:
    """What letters need to know of the site; `topics` by slug, in the order of config.toml. `help_url`: where anybody
    learns how the digest is got, changed and left."""

    title: str
    description: str
    language: str
    accent: str
    links: Links
    sender: str
    reply_to: str | None
    list_id: str
    postal_address: str
    max_articles: int
    help_url: str
    topics: Mapping[str, Topic]

    @classmethod
    def of(cls, settings: Settings) -> DigestSite:
        links = Links(settings.site.base_url)
        return cls(
            title=clean_line(settings.site.title),
            description=clean_line(settings.site.description),
            language=settings.site.language,
            accent=settings.site.accent,
            links=links,
            sender=settings.digest.sender,
            reply_to=settings.digest.reply_to,
            list_id=settings.digest.list_id,
            postal_address=clean_line(settings.digest.postal_address),
            max_articles=settings.digest.max_articles,
            help_url=links.subscribe() if settings.signup.enabled else links.home(),
            topics=MappingProxyType({topic.slug: topic for topic in settings.topic_list}),
        )


@dataclass(frozen=True, slots=True)
class RenderedEdition:
    """An edition ready to become letters, in the `language` of their templates.

    `text` and `html` hold SLOTS; `shown` articles stand in it, `hidden` ones are behind its link to the web. Nothing
    shown and nothing hidden: all its articles were withdrawn meanwhile.
    """

    edition_id: int
    language: str
    subject: str
    text: str
    html: str
    shown: int
    hidden: int


class _Values(TypedDict):
    """Everything the three templates may use; beside it `headline` in subject.txt and `preheader` in body.html."""

    site: DigestSite
    home_url: str
    web_url: str
    issue: Issue
    label: str
    language: str
    direction: str
    sections: tuple[ShownSection, ...]
    shown: int
    hidden: int
    total: int
    recipient: str
    unsubscribe_url: str
    preferences_url: str
    accent: str
    accent_in_the_dark: str


@dataclass(frozen=True, slots=True)
class ShownArticle:
    """An article as the templates see it. `others` are the labels of its other topics."""

    title: str
    url: str
    published: datetime
    excerpt: str
    others: tuple[str, ...]
    language: str
    direction: str


@dataclass(frozen=True, slots=True)
class ShownSection:
    """A section as the templates see it; `url` is empty where the topic has no page."""

    label: str
    url: str
    articles: tuple[ShownArticle, ...]


def render_edition(
    env: ImmutableSandboxedEnvironment,
    site: DigestSite,
    issue: Issue,
    edition: Edition,
    articles: Mapping[str, FiledArticle],
) -> RenderedEdition:
    """Render `edition` of `issue`; `articles` by key, and one that is not among them (withdrawn) stays out.

    Shows `site.max_articles`, or fewer where the HTML would pass MAX_HTML_BYTES: a letter never grows too long and
    never fails for its length. Raises TemplateError for a template of the operator that cannot be rendered.

    The words are those of the templates for the edition's language where there are some.
    """
    spoken = language_of(env, "email/digest/body.html", edition.language) or site.language
    sections = _present(edition.sections, articles)
    limit = min(site.max_articles, sum(len(section.articles) for section in sections))
    while True:
        shown, hidden = cap(sections, limit)
        values = _values(site, issue, spoken, _shown_sections(site, shown, articles), hidden)
        letter = _rendered(env, values, edition)
        size = _size(letter.html)
        if size <= MAX_HTML_BYTES - _ROOM_FOR_SLOTS or limit == 0:
            return letter
        limit = min(limit - 1, limit * (MAX_HTML_BYTES - _ROOM_FOR_SLOTS) // size)


def issue_label(issue: Issue) -> str:
    """What people call the issue: ``Weekly no. 12``, or ``Weekly preview`` while it has no number."""
    return f"{issue.frequency.capitalize()} " + ("preview" if issue.number is None else f"no. {issue.number}")


def _present(sections: Sequence[Section], articles: Mapping[str, FiledArticle]) -> tuple[Section, ...]:
    kept = (Section(section.topic, tuple(key for key in section.articles if key in articles)) for section in sections)
    return tuple(section for section in kept if section.articles)


def _shown_sections(
    site: DigestSite, sections: Sequence[Section], articles: Mapping[str, FiledArticle]
) -> tuple[ShownSection, ...]:
    return tuple(
        ShownSection(
            _label(site, section.topic),
            site.links.topic(section.topic) if section.topic in site.topics else "",
            tuple(_shown_article(site, articles[key], section.topic) for key in section.articles),
        )
        for section in sections
    )


def _shown_article(site: DigestSite, filed: FiledArticle, under: str) -> ShownArticle:
    article = filed.article
    return ShownArticle(
        title=clean_line(article.title, _TITLE_LENGTH),
        url=site.links.article(article.slug),
        published=article.published,
        excerpt=excerpt(article.summary or article.text, _EXCERPT_LENGTH),
        others=tuple(_label(site, topic) for topic in filed.topics if topic not in {under, ALL}),
        language=article.language,
        direction=direction(article.language),
    )


def _label(site: DigestSite, slug: str) -> str:
    if slug == ALL:
        return "Other news"
    # a topic that was closed has no label any more; its last articles still go out
    return clean_line(site.topics[slug].label) if slug in site.topics else slug.replace("-", " ").capitalize()


def _values(site: DigestSite, issue: Issue, language: str, sections: tuple[ShownSection, ...], hidden: int) -> _Values:
    shown = sum(len(section.articles) for section in sections)
    return {
        "site": site,
        "home_url": site.links.home(),
        "web_url": "" if issue.number is None else site.links.issue(issue.name),
        "issue": issue,
        "label": issue_label(issue),
        "language": language,
        "direction": direction(language),
        "sections": sections,
        "shown": shown,
        "hidden": hidden,
        "total": shown + hidden,
        "recipient": RECIPIENT,
        "unsubscribe_url": UNSUBSCRIBE,
        "preferences_url": PREFERENCES,
        "accent": readable(site.accent, _LIGHT),
        "accent_in_the_dark": readable(site.accent, _DARK),
    }


def _rendered(env: ImmutableSandboxedEnvironment, values: _Values, edition: Edition) -> RenderedEdition:
    language = edition.language
    subject, preheader = _announced(env, values, language)
    markup = render(env, "email/digest/body.html", {**values, "preheader": preheader}, language=language)
    html = _INLINER.inline(markup)
    text = render(env, "email/digest/body.txt", values, language=language).strip("\n") + "\n"
    return RenderedEdition(edition.id, values["language"], subject, text, html, values["shown"], values["hidden"])


def _announced(env: ImmutableSandboxedEnvironment, values: _Values, language: str) -> tuple[str, str]:
    """Subject and preheader. A title leads the subject: the first section's lead that fits whole beside the words of
    the template, else the first one cut to fit. The preheader goes on with other titles."""

    def subject(headline: str) -> str:
        said = clean_line(render(env, "email/digest/subject.txt", {**values, "headline": headline}, language=language))
        if not said:
            raise TemplateError(f"template email/digest/subject.txt: it gives no subject ({language})")
        return said

    room = max(_SHORTEST_LEAD, SUBJECT_LENGTH - len(subject("")))
    leads = [section.articles[0].title for section in values["sections"]] or [""]
    lead = next((title for title in leads if len(title) <= room), leads[0])
    titles = [article.title for section in values["sections"] for article in section.articles]
    others = [title for title in titles if title != lead]
    return subject(clean_line(lead, room)), clean_line(" · ".join(others or [lead]), PREHEADER_LENGTH)


def _size(html: str) -> int:
    """Bytes of the HTML body, as it is or as quoted-printable, whichever is more."""
    raw = html.encode()
    encoded = b2a_qp(raw, istext=True)
    return max(len(raw), len(encoded)) + encoded.count(b"\n")


def readable(colour: str, background: str) -> str:
    """`colour` (#rrggbb), mixed with just enough white or black to be read on `background`."""
    towards = 0 if _luminance(_channels(background)) > 0.18 else 255
    for step in range(21):
        channels = [round(value + (towards - value) * step / 20) for value in _channels(colour)]
        light, dark = sorted((_luminance(channels), _luminance(_channels(background))), reverse=True)
        if (light + 0.05) / (dark + 0.05) >= _CONTRAST:
            break
    return "#" + bytes(channels).hex()


def _channels(colour: str) -> list[int]:
    return list(bytes.fromhex(colour.removeprefix("#")))


def _luminance(channels: Sequence[int]) -> float:
    """Relative luminance (WCAG 2.2)."""
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
