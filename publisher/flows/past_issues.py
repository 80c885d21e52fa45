"""Past issues -> their pages, the list of them, and the digest as a feed. Floor: `flows`.

The list is cut like the archives of feeds: full pages are counted from the oldest, so that a new issue changes the
first page and at most two others, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from publisher.feeds.entry_rules import drop_bad_entries
from publisher.feeds.issues import PastIssue, issue_feed
from publisher.feeds.value import Feed
from publisher.flows.press import Press
from publisher.links import issue_feed_path, issue_path, issues_path
from publisher.model import ALL, Document, Frequency, Issue
from publisher.store import Store, Transaction

PER_PAGE = 50
IN_FEED = 20
OTHER_NEWS = "Other news"
"""The heading of what is filed under no topic, in an issue for readers of everything."""

Formats = Sequence[tuple[str, Callable[[Feed], bytes]]]
Make = Callable[[str, Callable[[], bytes]], Iterator[Document]]
"""Makes the document of a feed, if it can be written down: its path, and what gives its bytes."""


def full_pages(issues: int) -> int:
    """How many full pages stand behind the first one, which has the rest and never less than PER_PAGE of many."""
    return max(0, issues // PER_PAGE - 1)


def paths(issues: Sequence[Issue], formats: Formats) -> list[str]:
    """Every path of a document about these issues."""
    frequencies = {issue.frequency for issue in issues}
    return [
        issues_path(),
        *(issues_path(number) for number in range(1, full_pages(len(issues)) + 1)),
        *(issue_path(issue.name) for issue in issues),
        *(issue_feed_path(frequency, extension) for frequency in frequencies for extension, _ in formats),
    ]


def without_page(store: Store) -> bool:
    """Whether an issue that may be read has no page yet: one that was approved since the last run."""
    with store.read() as tx:
        paths = [issue_path(issue.name) for issue in tx.issues.numbered()]
        return len(tx.documents.some(paths)) < len(paths)


@dataclass(frozen=True, slots=True)
class PastIssues:
    """One rendering: `issues` are all that have a number, the newest first, of which `news` are not on the site yet;
    `changed` are the ids of those with an article that was changed or withdrawn since."""

    tx: Transaction
    press: Press
    now: datetime
    issues: Sequence[Issue]
    news: Sequence[Issue]
    changed: Collection[int]

    def pages(self, *, everything: bool) -> Iterator[Document]:
        """The pages of issues that are new or changed."""
        for issue in self.issues:
            if everything or self._differs(issue):
                past = self._past(issue)
                yield self.press.pages.issue(issue, past.sections, past.subject)

    def lists(self, *, everything: bool) -> Iterator[Document]:
        """The pages that list issues, as far as new and changed ones make them differ."""
        if not everything and not any(map(self._differs, self.issues)):
            return
        last = full_pages(len(self.issues))
        first = 1 if everything else max(1, min(full_pages(len(self.issues) - len(self.news)), self._page_of_oldest()))
        feeds = [frequency for frequency in Frequency if any(issue.frequency is frequency for issue in self.issues)]
        for number in [None, *range(first, last + 1)]:
            shown = self._on(number, last)
            heads = self.tx.issues.heads([issue.id for issue in shown])
            listed = [(issue, heads[issue.id].subject or issue.title, heads[issue.id].articles) for issue in shown]
            yield self.press.pages.issues(listed, number=number, last=last, feeds=feeds, total=len(self.issues))

    def feeds(self, formats: Formats, made: Make, problems: list[str], *, everything: bool) -> Iterator[Document]:
        """Of each frequency that has something new or changed."""
        for frequency in Frequency:
            mine = [issue for issue in self.issues if issue.frequency is frequency]
            if not mine or not (everything or any(map(self._differs, mine))):
                continue
            whole = issue_feed(frequency, [self._past(issue) for issue in mine[:IN_FEED]], self.press.site)
            feed, bad = drop_bad_entries(whole, now=self.now)
            problems.extend(f"feed {feed.slug}: {problem}" for problem in bad)
            for extension, render in formats:
                yield from made(issue_feed_path(frequency, extension), partial(render, feed))

    def _differs(self, issue: Issue) -> bool:
        return issue in self.news or issue.id in self.changed

    def _page_of_oldest(self) -> int:
        """The page of the oldest that differs: also an approved one comes when newer ones are on the site already."""
        oldest = min(issue.id for issue in self.issues if self._differs(issue))
        return sum(issue.id < oldest for issue in self.issues) // PER_PAGE + 1

    def _on(self, number: int | None, last: int) -> Sequence[Issue]:
        """The issues of a page, the newest first; None is the first page."""
        end = len(self.issues)
        return (
            self.issues[: end - last * PER_PAGE]
            if number is None
            else self.issues[end - number * PER_PAGE :][:PER_PAGE]
        )

    def _past(self, issue: Issue) -> PastIssue:
        """Each article that any edition brought, under the topic it came first in; the newest first."""
        places = self.tx.issues.places(issue.id)
        filed = self.tx.articles.filed(places)
        articles = sorted(
            (one for one in filed.values() if one.article.withdrawn is None),
            key=lambda one: (-one.article.published.timestamp(), one.article.key),
        )
        sections = [
            (topic, [one for one in articles if places[one.article.key] == topic.slug])
            for topic in (*self.press.topics, replace(self.press.everything, slug=ALL, label=OTHER_NEWS))
        ]
        subject = self.tx.issues.heads([issue.id])[issue.id].subject or issue.title
        moments = (one.article.withdrawn or one.article.updated for one in filed.values())
        changed = max([issue.composed, *moments])
        return PastIssue(issue, subject, changed, [(topic, items) for topic, items in sections if items])
