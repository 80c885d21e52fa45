"""What all pages of a site share: its values, the links of the frame around each page. Floor: pure.

Templates get plain values that are ready to be printed, because each attribute and call in a sandboxed template has
its price and there may be ten thousand article pages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from jinja2.sandbox import ImmutableSandboxedEnvironment

from publisher import links
from publisher.links import Links
from publisher.model import ALL, FiledArticle, Frequency, Issue, Topic, TopicGroup
from publisher.pages import colours
from publisher.templating import direction, language_of, render

_NARROWER = 6  # links to a topic's narrower feeds: its page is about the topic
_FEED_TYPES = (
    ("atom", "application/atom+xml", ""),
    ("rss", "application/rss+xml", " (RSS)"),
    ("json", "application/feed+json", " (JSON Feed)"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSite:
    """What the pages know of the site. `topics` is in the order of config.toml and without `all`; `frequencies` are
    the digests a reader may choose from, and without any the pages show no sign-up form; `languages` (tag, name) are
    shown there where there are several, and `consent` is what readers agree to. `author` stands where an article names
    none, `accent` is ``#rrggbb``, `every_minutes` lie between two looks for news. `icon` and `logo` are the paths of
    the operator's own pictures, "" where there are none."""

    title: str
    description: str
    language: str
    accent: str
    links: Links
    topics: tuple[Topic, ...]
    frequencies: tuple[Frequency, ...] = (Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY)
    languages: tuple[tuple[str, str], ...] = ()
    consent: str = ""
    every_minutes: int = 30
    offline_links: bool = False
    author: str = ""
    rights: str = ""
    license: str = ""
    icon: str = ""
    logo: str = ""


@dataclass(frozen=True, slots=True)
class TopicLink:
    """A topic as a page shows it; `href` leads to its page, `feed` to its Atom feed. `language`: as of an article."""

    slug: str
    label: str
    description: str
    group: str
    href: str
    feed: str
    language: str


@dataclass(frozen=True, slots=True)
class ArticleLink:
    """An article in a list. `language` is empty where it is that of the page's words; `direction` is a value for HTML's
    dir; `corrected`: when its last correction was made, if any was."""

    href: str
    title: str
    summary: str
    language: str
    direction: str
    published: datetime
    corrected: datetime | None
    topics: Sequence[TopicLink]


@dataclass(frozen=True, slots=True)
class IssueLink:
    href: str
    title: str
    composed: datetime


@dataclass(frozen=True, slots=True)
class FeedLink:
    """One `<link rel="alternate">`; `href` is absolute."""

    type: str
    title: str
    href: str


@dataclass(frozen=True, slots=True)
class Style:
    """The one stylesheet; `version` is the first 8 digits of its hash, so that a new one is fetched at once."""

    content: bytes
    version: str


def stylesheet(env: ImmutableSandboxedEnvironment, accent: str) -> Style:
    values = {"light": asdict(colours.light(accent)), "dark": asdict(colours.dark(accent))}
    content = render(env, "site/style.css", values).encode()
    return Style(content, hashlib.sha256(content).hexdigest()[:8])


def words_of(env: ImmutableSandboxedEnvironment, site: PageSite) -> str:
    """The language of the pages' words. Raises TemplateError."""
    return language_of(env, "site/layout.html", "") or site.language


class Frame:
    """The links of pages that share one way of linking: `to` turns the path of a published file into an href."""

    def __init__(
        self,
        site: PageSite,
        style: Style,
        words: str,
        to: Callable[[str], str],
        server: Callable[[str], str] | None = None,
    ) -> None:
        """`words` is the language that the templates speak, which need not be that of the site's own texts. `server`
        turns the path of a page that only the server has into an href, where it is not `to` that does."""
        server = server or to
        self._site = site
        self._words = words
        self.to = to
        self._topics = {topic.slug: self._topic_link(topic) for topic in site.topics}
        self.all_feeds = self.feeds(ALL)
        self.values: dict[str, Any] = {
            "site": site,
            "words": words,
            "own_language": self.foreign(site.language),
            "home": to(links.INDEX),
            "style": f"{to(links.STYLE)}?v={style.version}",
            "icon": to(site.icon or links.ICON),
            "logo": to(site.logo) if site.logo else "",
            "opml": to(links.OPML),
            "past_issues": to(links.issues_path()),
            "subscribe": server("subscribe"),
            "builder": server(links.BUILDER),
            "times": server(links.TIMES),
            "how_often": how_often(site.every_minutes),
            "groups": self._groups(),
        }

    def topics(self, slugs: Iterable[str]) -> list[TopicLink]:
        """Those of `slugs` that config.toml still knows."""
        return [self._topics[slug] for slug in slugs if slug in self._topics]

    def article(self, filed: FiledArticle, *, but: str = "", as_sent: bool = False) -> ArticleLink:
        """An item of a list; `but` is the topic whose list it is, which it need not name again. One `as_sent` in a
        past issue says nothing of what was corrected since."""
        article = filed.article
        return ArticleLink(
            href=self.to(links.article_path(article.slug)),
            title=article.title,
            summary=article.summary,
            language=self.foreign(article.language),
            direction=self.direction(article.language),
            published=article.published,
            corrected=None if as_sent else article.corrected,
            topics=self.topics(slug for slug in filed.topics if slug != but),
        )

    def issue(self, issue: Issue) -> IssueLink:
        return IssueLink(self.to(links.issue_path(issue.name)), issue.title, issue.composed)

    def feeds(self, slug: str, label: str = "") -> list[FeedLink]:
        """The three feeds of a topic, Atom first, for autodiscovery."""
        title = f"{self._site.title}: {label}" if label else self._site.title
        return [
            FeedLink(kind, title + suffix, self._site.links.feed(slug, extension))
            for extension, kind, suffix in _FEED_TYPES
        ]

    def issue_feeds(self, frequencies: Iterable[Frequency]) -> list[FeedLink]:
        """The digests of these frequencies as feeds, Atom first."""
        return [
            FeedLink(kind, f"{self._site.title}: {frequency} digest{suffix}", self._site.links.to(path))
            for frequency in frequencies
            for extension, kind, suffix in _FEED_TYPES
            for path in (links.issue_feed_path(frequency, extension),)
        ]

    def narrower(self, topic: Topic, articles: Iterable[FiledArticle]) -> list[TopicLink]:
        """The regions (for a region: the themes) that `articles` of `topic` are filed under too, with links to the
        page of the feed that has only those."""
        also = {slug for filed in articles for slug in filed.topics}
        return [
            replace(link, href=f"{self.values['builder']}?topic={link.slug}&topic={topic.slug}&match=all")
            for link in self._topics.values()
            if link.slug in also and link.group != topic.group
        ][:_NARROWER]

    def foreign(self, language: str) -> str:
        """The language, or "" where it is that of the words around."""
        return "" if language == self._words else language

    def direction(self, language: str) -> str:
        """That of the language, for its first letters may be those of another, as in an Arabic title that begins with
        "WCO". Only what counts as written in the site's language by default, and that is none from right to left, is
        left to its letters."""
        known = direction(language)
        return known if known == "rtl" or language != self._site.language else "auto"

    def _topic_link(self, topic: Topic) -> TopicLink:
        return TopicLink(
            slug=topic.slug,
            label=topic.label,
            description=topic.description,
            group=topic.group,
            href=self.to(links.topic_path(topic.slug)),
            feed=self.to(links.feed_path(topic.slug)),
            language=self.foreign(self._site.language),
        )

    def _groups(self) -> list[tuple[str, str, list[TopicLink]]]:
        """(id, heading, topics) of themes and regions, without a group that has none."""
        headings = ((TopicGroup.THEME, "themes", "Themes"), (TopicGroup.REGION, "regions", "WCO regions"))
        groups = [
            (name, heading, [link for link in self._topics.values() if link.group == group and link.slug != ALL])
            for group, name, heading in headings
        ]
        return [group for group in groups if group[2]]


def how_often(minutes: int) -> str:
    """``every 30 minutes``, ``every hour``, ``every 2 hours``."""
    count, unit = (minutes // 60, "hour") if minutes % 60 == 0 else (minutes, "minute")
    return f"every {unit}" if count == 1 else f"every {count} {unit}s"


def web_address(url: str | None) -> tuple[str, str] | None:
    """`url` and its host, if it is one that a page may link to: a source cannot smuggle in ``javascript:``."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    return url, parts.hostname.removeprefix("www.")
