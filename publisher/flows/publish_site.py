"""Publish the site: articles and filings -> feeds and pages -> documents on disk. Floor: `flows`.

    what changed since the last time? -> render only that -> write only documents whose bytes changed

Safe to repeat: with nothing new nothing is rendered, and no byte changes. A change of templates, settings or of the
program renders everything once; bytes that come out the same are still not written. A feed that breaks a rule of its
format keeps its last good version, and the report of every run names the article and the rule until that is mended.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import islice

from publisher.errors import FeedError
from publisher.feeds import atom, jsonfeed, opml, rss
from publisher.feeds.check import require_sound
from publisher.feeds.value import Feed, FeedSite, build_feed, drop_bad_entries
from publisher.flows.feed_versions import remember_versions
from publisher.flows.reports import SiteReport
from publisher.links import OPML, feed_path
from publisher.model import ALL, Document, FiledArticle, Issue, PublishedDocument, Topic
from publisher.pages import Pages
from publisher.site import SiteFolder
from publisher.store import Transaction, Transactions

PUBLISHED = "site.published"
BATCH = 500  # documents rendered before they are written: bounds memory
NEWEST_ON_INDEX = 20
ISSUES_ON_INDEX = 24
OTHER_NEWS = "Other news"
"""The heading of what is filed under no topic, in an issue for readers of everything."""

FORMATS = (("atom", atom.render), ("rss", rss.render), ("json", jsonfeed.render))


@dataclass(frozen=True, slots=True)
class Press:
    """What turns values into documents: settings made into values, and compiled templates.

    `fingerprint` changes when a template, a setting that shows, or the program changes.
    """

    site: FeedSite
    pages: Pages
    topics: tuple[Topic, ...]
    everything: Topic
    entries: int
    fingerprint: str

    @property
    def feeds(self) -> tuple[Topic, ...]:
        return (self.everything, *self.topics)


@dataclass(slots=True)
class _Progress:
    """How far the last publication came: which changes and issues are on the site, and made by what. One that was not
    `whole` left something out: its feeds are tried, and its problems told, again by every run until they are mended."""

    touched: int = -1
    issue_id: int = 0
    fingerprint: str = ""
    whole: bool = True

    @classmethod
    def of(cls, tx: Transaction) -> _Progress:
        kept = tx.meta.get(PUBLISHED)
        return cls(**json.loads(kept)) if kept else cls()

    def save(self, tx: Transaction) -> None:
        tx.meta.set(PUBLISHED, json.dumps(asdict(self)))


@dataclass(slots=True)
class _Tally:
    written: list[PublishedDocument] = field(default_factory=list)
    unchanged: int = 0
    removed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    rendered: set[str] = field(default_factory=set)

    def report(self) -> SiteReport:
        return SiteReport(
            written=tuple(document.path for document in self.written),
            unchanged=self.unchanged,
            removed=tuple(self.removed),
            problems=tuple(self.problems),
        )


def publish_site(
    store: Transactions,
    folder: SiteFolder,
    press: Press,
    *,
    now: datetime,
    rebuild: bool = False,
    dry_run: bool = False,
) -> SiteReport:
    """Bring the folder up to what the store says; gives what changed. With `dry_run` nothing is written.

    Rendering reads one snapshot; only the ledger of documents is written, in short transactions, so that a reader
    who leaves in the meantime is not kept waiting.
    """
    tally = _Tally()
    with store.read() as tx:
        before = _Progress.of(tx)
        after = _Progress(tx.articles.last_touched(), tx.issues.last_id(), press.fingerprint)
        shared = tx.documents.outside("articles/")
        whole = rebuild or before.fingerprint != after.fingerprint
        broken = bool(not whole and folder.missing(shared))
        if before == after and not whole and not broken:
            return SiteReport()
        documents = _Sheet(tx, press, now, tally).documents(_Progress() if whole else before, mend=broken)
        while batch := list(islice(documents, BATCH)):
            _write(store, folder, batch, tally, now=now, dry_run=dry_run)
    with store.write() as tx:
        if whole:
            _remove_stale(tx, folder, shared, tally, dry_run=dry_run)
        after.whole = not tally.problems
        after.save(tx)
    return tally.report()


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One rendering: what the store says at one moment, through one press."""

    tx: Transaction
    press: Press
    now: datetime
    tally: _Tally

    def documents(self, before: _Progress, *, mend: bool) -> Iterator[Document]:
        """Every document that may differ from the published one: pages of touched articles, new issues, then what
        lists them. Feeds come last, so that what they link to is there."""
        tx, pages = self.tx, self.press.pages
        issues = tx.issues.numbered()
        counts = tx.feeds.counts()
        newest = {topic.slug: tx.articles.newest(topic.slug, self.press.entries) for topic in self.press.feeds}
        yield pages.style()
        yield pages.icon()
        for filed in tx.articles.touched_since(before.touched):
            yield pages.article(filed)
        for issue in issues:
            if issue.id > before.issue_id or mend:
                yield self._issue(issue)
        for topic in self.press.topics:
            yield pages.topic(topic, newest[topic.slug], counts.get(topic.slug, 0))
        yield pages.index(newest[ALL][:NEWEST_ON_INDEX], counts, issues[:ISSUES_ON_INDEX])
        yield pages.not_found()
        feeds = [self._feed(topic, newest[topic.slug]) for topic in self.press.feeds]
        for feed in feeds:
            yield from self._formats(feed)
        updated = max(feed.updated for feed in feeds)
        yield from self._sound(ALL, OPML, partial(opml.render, self.press.topics, self.press.site, updated))

    def _issue(self, issue: Issue) -> Document:
        """The page of an issue: each article that any edition brought, under the topic it came first in."""
        editions = self.tx.issues.editions(issue.id)
        widest = max(editions, key=lambda edition: len(edition.article_keys))
        places: dict[str, str] = {}
        for edition in editions:
            for section in edition.sections:
                for key in section.articles:
                    places.setdefault(key, section.topic)
        articles = self.tx.articles.filed(places)
        sections = [
            (topic, [articles[key] for key, place in places.items() if place == topic.slug and key in articles])
            for topic in (*self.press.topics, replace(self.press.everything, label=OTHER_NEWS))
        ]
        subject = self.tx.issues.rendering(widest.id).subject
        return self.press.pages.issue(issue, [(topic, items) for topic, items in sections if items], subject)

    def _feed(self, topic: Topic, articles: Sequence[FiledArticle]) -> Feed:
        topics = {topic.slug: topic for topic in self.press.topics}
        feed, problems = drop_bad_entries(build_feed(topic, articles, topics, self.press.site), now=self.now)
        self.tally.problems.extend(f"feed {topic.slug}: {problem}" for problem in problems)
        return feed

    def _formats(self, feed: Feed) -> Iterator[Document]:
        for extension, render in FORMATS:
            yield from self._sound(feed.slug, feed_path(feed.slug, extension), partial(render, feed))

    def _sound(self, topic: str, path: str, render: Callable[[], bytes]) -> Iterator[Document]:
        """The document, if it passes the gate; else what is published stays, and the report says why."""
        self.tally.rendered.add(path)
        try:
            content = render()
            require_sound(topic, path, content, self_url=self.press.site.links.to(path), now=self.now)
        except FeedError as error:
            self.tally.problems.append(f"{path} keeps its last good version: {error}")
        else:
            yield Document(path, content)


def _write(
    store: Transactions,
    folder: SiteFolder,
    batch: Sequence[Document],
    tally: _Tally,
    *,
    now: datetime,
    dry_run: bool,
) -> None:
    with store.read() as tx:
        known = tx.documents.some([document.path for document in batch])
    report = folder.compare(batch, known, now) if dry_run else folder.write(batch, known, now)
    with store.write() as tx:
        tx.documents.put(report.written)
        remember_versions(tx, batch, report.written)
    tally.rendered.update(document.path for document in batch)
    tally.written.extend(report.written)
    tally.unchanged += report.unchanged


def _remove_stale(
    tx: Transaction, folder: SiteFolder, shared: Mapping[str, PublishedDocument], tally: _Tally, *, dry_run: bool
) -> None:
    """Take away the feeds and pages of topics that config.toml no longer has."""
    stale = sorted(path for path in shared if path not in tally.rendered)
    tally.removed.extend(stale)
    tx.documents.remove(stale)
    if not dry_run:
        folder.remove(stale)
