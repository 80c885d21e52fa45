"""The digest itself as a feed: one entry for each past issue of a frequency. Floor: in `feeds`, above `value`."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from publisher.cleantext import clean_line
from publisher.clock import whole_seconds
from publisher.feeds.value import Entry, Feed, FeedSite, in_order, newest_moment, nothing_yet
from publisher.htmltext import excerpt
from publisher.links import issue_feed_path
from publisher.model import FiledArticle, Frequency, Issue, Topic


@dataclass(frozen=True, slots=True)
class PastIssue:
    """An issue with all that any of its readers got: its `subject`, and under each topic its articles, each article
    once. Withdrawn ones are left out. `changed` is when it was composed, or an article of it was changed last."""

    issue: Issue
    subject: str
    changed: datetime
    sections: Sequence[tuple[Topic, Sequence[FiledArticle]]]

    @property
    def articles(self) -> int:
        return sum(len(articles) for _, articles in self.sections)


def issue_feed(frequency: Frequency, issues: Sequence[PastIssue], site: FeedSite) -> Feed:
    """The feed of these issues of `frequency`. Its id cannot be that of a topic: no slug has a slash."""
    entries = in_order(_entry(past, site) for past in issues)
    name = f"issues/{frequency}"
    title = clean_line(site.title)
    return Feed(
        slug=name,
        feed_id=site.tag(f"feed/{name}"),
        title=f"{title}: {frequency} digest",
        subtitle=f"The {frequency} letter of {title}, as its readers get it.",
        updated=newest_moment(entries, (), nothing_yet(site)),
        language=site.language,
        author=clean_line(site.author),
        rights=clean_line(site.rights),
        home_url=site.links.issues(),
        atom_url=site.links.to(issue_feed_path(frequency, "atom")),
        rss_url=site.links.to(issue_feed_path(frequency, "rss")),
        json_url=site.links.to(issue_feed_path(frequency, "json")),
        entries=entries,
    )


def _entry(past: PastIssue, site: FeedSite) -> Entry:
    issue = past.issue
    if not past.sections:
        return _withdrawn(past, site)
    titles = [clean_line(filed.article.title) for _, articles in past.sections for filed in articles]
    composed = whole_seconds(issue.composed)
    return Entry(
        entry_id=site.tag(f"issue/{issue.name}"),
        title=clean_line(past.subject),
        url=site.links.issue(issue.name),
        published=composed,
        updated=whole_seconds(past.changed),
        summary=excerpt("; ".join(titles)),
        content="".join(_section(topic, articles, site) for topic, articles in past.sections).strip(),
        language=site.language,
    )


def _withdrawn(past: PastIssue, site: FeedSite) -> Entry:
    """An issue of which nothing is left keeps its place: readers have seen its id."""
    says = "The articles of this issue were withdrawn."
    return Entry(
        entry_id=site.tag(f"issue/{past.issue.name}"),
        title=clean_line(past.subject),
        url=site.links.issue(past.issue.name),
        published=whole_seconds(past.issue.composed),
        updated=whole_seconds(past.changed),
        summary=says,
        content=f"<p>{says}</p>",
        language=site.language,
    )


def _section(topic: Topic, articles: Sequence[FiledArticle], site: FeedSite) -> str:
    items = "".join(f"<li>{_item(filed, site)}</li>\n" for filed in articles)
    return f"<h3>{_text(topic.label)}</h3>\n<ul>\n{items}</ul>\n"


def _item(filed: FiledArticle, site: FeedSite) -> str:
    article = filed.article
    link = f'<a href="{html.escape(site.links.article(article.slug))}">{_text(article.title)}</a>'
    summary = _text(article.summary)
    return f"{link}<br>{summary}" if summary else link


def _text(plain: str) -> str:
    return html.escape(clean_line(plain), quote=False)
