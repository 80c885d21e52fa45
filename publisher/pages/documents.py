"""Pages that are published as files: `Pages` turns articles, topics and issues into `Document`s. Floor: pure.

Links between pages are relative, so that the folder may move or be read from disk; canonical addresses and the
addresses of feeds are absolute. Nothing here asks for the time: the same input gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment

from publisher import links
from publisher.links import RelativeLinks
from publisher.model import ALL, Article, Document, FiledArticle, Frequency, Issue, Topic
from publisher.pages.feed_readers import reader_links
from publisher.pages.frame import Frame, PageSite, stylesheet, web_address, words_of
from publisher.pages.web import WebPages
from publisher.templating import render

_SCROLLING = re.compile("<(pre|table)>")  # what may be wider than a page: keys scroll only what can have the focus


class Pages:
    """Renders the site's documents with the templates ``site/*`` of `env` (see publisher.templating.environment).

    Every method raises TemplateError where a template of the operator is broken.
    """

    def __init__(self, env: ImmutableSandboxedEnvironment, site: PageSite) -> None:
        self._env = env
        self._site = site
        self._style = stylesheet(env, site.accent)
        self._words = words_of(env, site)
        self._frames: dict[int, Frame] = {}

    def style(self) -> Document:
        return Document(links.STYLE, self._style.content)

    def icon(self) -> Document:
        return self._document(links.ICON, "site/icon.svg", {"accent": self._site.accent})

    def not_found(self) -> Document:
        """The page of an address that does not exist; its links hold at any depth."""
        return Document(links.NOT_FOUND, WebPages(self._env, self._site).not_found())

    def article(self, filed: FiledArticle) -> Document:
        """The page of an article; of a withdrawn one, which search engines shall forget, a notice with the reason."""
        article = _notice(filed.article) if filed.article.withdrawn else filed.article
        path = links.article_path(article.slug)
        frame = self._frame(path)
        values = {
            "heading": article.title,
            "summary": article.summary,
            "canonical": "" if article.withdrawn else self._site.links.to(path),
            "feeds": frame.all_feeds,
            "article": article,
            "body": _SCROLLING.sub(r'<\1 tabindex="0">', article.body),
            "published": article.published,
            "corrected": article.corrected,
            "correction": article.correction,
            "withdrawn": article.withdrawn,
            "reason": article.withdrawal,
            "author": "" if article.withdrawn else article.author or self._site.author,
            "language": frame.foreign(article.language),
            "direction": frame.direction(article.language),
            "source": web_address(article.source_url),
            "topics": frame.topics(filed.topics),
        }
        return self._document(path, "site/article.html", frame.values | values)

    def topic(self, topic: Topic, articles: Sequence[FiledArticle], total: int) -> Document:
        """The page of `topic` with its newest `articles`; `total` is how many are filed under it."""
        path = links.topic_path(topic.slug)
        frame = self._frame(path)
        feeds = frame.feeds(topic.slug, topic.label)
        values = {
            "heading": topic.label,
            "summary": topic.description,
            "canonical": self._site.links.to(path),
            "feeds": feeds,
            "readers": reader_links(feeds[0].href),
            "changed": max((filed.article.updated for filed in articles), default=None),
            "narrower": frame.narrower(topic, articles),
            "topic": topic,
            "articles": [frame.article(filed, but=topic.slug) for filed in articles],
            "total": total,
        }
        return self._document(path, "site/topic.html", frame.values | values)

    def index(self, articles: Sequence[FiledArticle], counts: Mapping[str, int], issues: Sequence[Issue]) -> Document:
        """The first page: newest `articles`, how many each topic slug (and `all`) has, past `issues`, newest first."""
        frame = self._frame(links.INDEX)
        values = {
            "heading": self._site.title,
            "summary": self._site.description,
            "canonical": self._site.links.home(),
            "feeds": frame.all_feeds,
            "readers": reader_links(self._site.links.feed(ALL)),
            "articles": [frame.article(filed) for filed in articles],
            "counts": {topic.slug: counts.get(topic.slug, 0) for topic in self._site.topics},
            "total": counts.get(ALL, len(articles)),
            "issues": [frame.issue(issue) for issue in issues if issue.number is not None],
        }
        return self._document(links.INDEX, "site/index.html", frame.values | values)

    def issue(self, issue: Issue, sections: Sequence[tuple[Topic, Sequence[FiledArticle]]], subject: str) -> Document:
        """A past issue with all that any of its readers got; each article stands in one section."""
        path = links.issue_path(issue.name)
        frame = self._frame(path)
        values = {
            "heading": issue.title,
            "summary": subject,
            "name": issue.title,  # for templates that a site keeps as they were
            "canonical": self._site.links.to(path),
            "feeds": frame.all_feeds,
            "composed": issue.composed,
            "sections": [
                (topic, [frame.article(filed, but=topic.slug, as_sent=True) for filed in articles])
                for topic, articles in sections
            ],
            "total": sum(len(articles) for _, articles in sections),
        }
        return self._document(path, "site/issue.html", frame.values | values)

    def issues(
        self,
        issues: Sequence[tuple[Issue, str, int]],
        *,
        number: int | None,
        last: int,
        feeds: Sequence[Frequency],
        total: int,
    ) -> Document:
        """A page of the list of past issues, each with its subject and how many articles it brought, newest first.

        `number` None is the first page; behind it stand the full pages `last` down to 1. `feeds`: the frequencies of
        which the digest is a feed."""
        path = links.issues_path(number)
        frame = self._frame(path)
        older = (last if number is None else number - 1) or None
        values = {
            "heading": "Past issues",
            "summary": f"Each digest of {self._site.title} that was sent.",
            "canonical": self._site.links.to(path),
            "feeds": [*frame.issue_feeds(feeds), *frame.all_feeds],
            "issue_feeds": [(frequency, frame.issue_feeds([frequency])) for frequency in feeds],
            "issues": [
                {"link": frame.issue(issue), "subject": subject, "articles": count} for issue, subject, count in issues
            ],
            "total": total,
            "older": frame.to(links.issues_path(older)) if older else "",
            "newer": frame.to(links.issues_path(number + 1 if number < last else None)) if number else "",
        }
        return self._document(path, "site/issues.html", frame.values | values)

    def _frame(self, path: str) -> Frame:
        """Relative links are the same for all pages at one depth, so they are made once."""
        depth = path.count("/")
        if depth not in self._frames:
            relative = RelativeLinks(path, self._site.offline_links)
            # a page read from disk has no server to ask, except the one at the base URL
            server = self._site.links.to if self._site.offline_links else relative.to
            self._frames[depth] = Frame(self._site, self._style, self._words, relative.to, server)
        return self._frames[depth]

    def _document(self, path: str, template: str, values: Mapping[str, Any]) -> Document:
        return Document(path, render(self._env, template, values).encode())


def _notice(article: Article) -> Article:
    """A withdrawn article without what is withdrawn."""
    return replace(
        article, title=f"Withdrawn: {article.title}", summary="", body="", text="", author=None, source_url=None
    )
