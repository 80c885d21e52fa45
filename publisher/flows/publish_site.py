"""Publish the site: articles and filings -> feeds and pages -> documents on disk. Floor: `flows`.

    what changed since the last time? -> render only that -> write only documents whose bytes changed

Safe to repeat: with nothing new nothing is rendered, and no byte changes. A change of templates, settings or of the
program renders everything once; bytes that come out the same are still not written. A feed that breaks a rule of its
format keeps its last good version, and the report of every run names the article and the rule until that is mended.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, field
from datetime import datetime
from functools import partial

from publisher.errors import FeedError
from publisher.feeds import atom, jsonfeed, opml, rss
from publisher.feeds.entry_rules import drop_bad_entries
from publisher.feeds.value import Feed
from publisher.flows import past_issues
from publisher.flows.feed_history import Archivist, current_feed
from publisher.flows.maker import refusal
from publisher.flows.past_issues import PastIssues
from publisher.flows.press import Press
from publisher.flows.reports import SiteReport
from publisher.flows.writer import Writer
from publisher.links import (
    ICON,
    INDEX,
    NOT_FOUND,
    OF_THE_STORE,
    OPML,
    STYLE,
    archive_of,
    feed_path,
    is_of_the_store,
    issue_path,
    topic_path,
)
from publisher.model import ALL, Document, FiledArticle, Issue, Topic
from publisher.site import SiteFolder
from publisher.store import Transaction, Transactions

PUBLISHED = "site.published"
NEWEST_ON_INDEX = 20
ISSUES_ON_INDEX = 6
TOUCHED_AT_ONCE = 1000  # articles whose issues are looked for together: bounds memory
FORMATS = (("atom", atom.render), ("rss", rss.render), ("json", jsonfeed.render))


def feed_paths(topics: Collection[Topic]) -> list[str]:
    """The published feeds of `topics` in all formats."""
    return [feed_path(topic.slug, extension) for topic in topics for extension, _ in FORMATS]


@dataclass(slots=True)
class _Progress:
    """How far the last publication came: which changes and issues are on the site, made by what, for which address. One
    that was not `whole` left something out: its feeds are tried, and its problems told, again by every run until they
    are mended."""

    touched: int = -1
    issue_id: int = 0
    fingerprint: str = ""
    whole: bool = True
    base_url: str = ""  # not known of a site that an older version published

    @classmethod
    def of(cls, tx: Transaction) -> _Progress:
        kept = tx.meta.get(PUBLISHED)
        return cls(**json.loads(kept)) if kept else cls()

    def save(self, tx: Transaction) -> None:
        tx.meta.set(PUBLISHED, json.dumps(asdict(self)))


@dataclass(slots=True)
class _Tally:
    """What a publication came to so far: `rendered` are the paths that have a place on the site."""

    rendered: set[str] = field(default_factory=set)
    removed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def report(self, writer: Writer) -> SiteReport:
        return SiteReport(
            written=tuple(document.path for document in writer.written),
            unchanged=writer.unchanged,
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
    phases = {"notice": press.notice, "tombstone": press.tombstone}
    with store.read() as tx:
        before = _Progress.of(tx)
        base_url = press.site.links.base_url
        after = _Progress(tx.articles.last_touched(), tx.issues.last_id(), press.fingerprint, base_url=base_url)
        whole = rebuild or before.fingerprint != after.fingerprint
        issues = tx.issues.numbered()
        known = tx.documents.some(_shared(press, issues))
        broken = bool(not whole and folder.missing(known))
        fresh = frozenset(issue.id for issue in issues if issue_path(issue.name) not in known)
        turning = tx.departures.phases_due(now, **phases)
    if before == after and not whole and not broken and not turning and not fresh:
        return SiteReport()
    if turning:
        with store.write() as tx:
            tx.departures.pass_phases(now, **phases)
            after.touched = tx.articles.last_touched()
    with Writer(store, folder, press.site.links, now=now, problems=tally.problems, dry_run=dry_run) as writer:
        archivist = Archivist(store, folder, press, now, writer)
        if before.base_url not in {"", after.base_url}:
            archivist.readdress()
        elif whole or broken:
            archivist.mend()
        with store.read() as tx:
            changed = tx.feeds.touched_since(before.touched)
        everything = whole or broken or not before.whole
        archivist.close([topic for topic in press.feeds if everything or topic.slug in changed])
        with store.read() as tx:
            sheet = _Sheet(tx, press, now, tally, everything, tx.feeds.touched_since(before.touched), fresh)
            for document in sheet.documents(_Progress() if whole else before, mend=broken):
                tally.rendered.add(document.path)
                writer.put(document)
            writer.flush()
    with store.write() as tx:
        if whole:
            _remove_stale(tx, folder, press, tally, dry_run=dry_run)
        if rebuild:
            written = {document.path for document in writer.written}
            _remove_unknown(tx, folder, written | tally.rendered, tally, dry_run=dry_run)
        after.whole = not tally.problems
        after.save(tx)
    return tally.report(writer)


def _shared(press: Press, issues: Sequence[Issue]) -> list[str]:
    """Every path whose document is looked after in each run, because somebody may have taken it away: all but the
    pages of articles and the archives, of which there may be a million."""
    paths = [INDEX, STYLE, ICON, NOT_FOUND, OPML]
    paths += [path for path in astuple(press.site.pictures) if path] if press.site.pictures else []
    paths += past_issues.paths(issues, FORMATS)
    for topic in press.feeds:
        paths += [topic_path(topic.slug), *(feed_path(topic.slug, extension) for extension, _ in FORMATS)]
    return list(dict.fromkeys(paths))


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One rendering: what the store says at one moment, through one press."""

    tx: Transaction
    press: Press
    now: datetime
    tally: _Tally
    everything: bool
    changed: Collection[str]
    fresh: Collection[int]  # issues that have no page yet: new ones, and those that were approved since

    def documents(self, before: _Progress, *, mend: bool) -> Iterator[Document]:
        """Every document that may differ from the published one: pages of touched articles, new issues, then what
        lists them. Feeds come last, so that what they link to is there."""
        tx, pages = self.tx, self.press.pages
        issues = tx.issues.numbered()
        counts = tx.feeds.counts()
        made = [self._feed(topic) for topic in self.press.feeds if self._is_due(topic.slug)]
        if self.everything:
            yield pages.style()
            yield pages.icon()
            yield from self.press.pictures()
            yield pages.not_found()
        touched: list[str] = []
        changed: set[int] = set()
        for filed in tx.articles.touched_since(before.touched):
            yield pages.article(filed)
            touched.append(filed.article.key)
            if len(touched) == TOUCHED_AT_ONCE:
                changed |= tx.issues.holding(touched)
                touched.clear()
        changed |= tx.issues.holding(touched)
        news = [issue for issue in issues if issue.id > before.issue_id or issue.id in self.fresh]
        past = PastIssues(tx, self.press, self.now, issues, news, changed)
        yield from past.pages(everything=mend)
        yield from past.lists(everything=self.everything)
        for topic, _, articles in made:
            if topic.slug != ALL:
                yield pages.topic(topic, articles, counts.get(topic.slug, 0))
        if news or self._is_due(ALL):
            newest = tx.articles.newest(ALL, NEWEST_ON_INDEX)
            yield pages.index(newest, counts, issues[:ISSUES_ON_INDEX])
        for topic, feed, _ in made:
            yield from self._formats(feed)
            if topic.slug == ALL:
                written = partial(opml.render, self.press.topics, self.press.site, feed.updated)
                yield from self._made(OPML, written)
        yield from past.feeds(FORMATS, self._made, self.tally.problems, everything=self.everything)

    def _is_due(self, slug: str) -> bool:
        return self.everything or slug in self.changed

    def _feed(self, topic: Topic) -> tuple[Topic, Feed, list[FiledArticle]]:
        """The current feed of a topic, and the articles that its page lists."""
        feed, articles = current_feed(self.tx, topic, self.press)
        feed, problems = drop_bad_entries(feed, now=self.now)
        self.tally.problems.extend(f"feed {topic.slug}: {problem}" for problem in problems)
        return topic, feed, articles

    def _formats(self, feed: Feed) -> Iterator[Document]:
        for extension, render in FORMATS:
            yield from self._made(feed_path(feed.slug, extension), partial(render, feed))

    def _made(self, path: str, render: Callable[[], bytes]) -> Iterator[Document]:
        """The document, if it can be written down; else what is published stays, and the report says why."""
        self.tally.rendered.add(path)
        try:
            yield Document(path, render())
        except FeedError as error:
            self.tally.problems.append(refusal(path, error))


def _remove_stale(tx: Transaction, folder: SiteFolder, press: Press, tally: _Tally, *, dry_run: bool) -> None:
    """Take away the feeds and pages of topics that config.toml no longer has; the archives of the others stay."""
    slugs = {topic.slug for topic in press.feeds}
    archives = {path: archive_of(path) for path in tx.documents.outside("articles/")}
    stale = sorted(
        path for path, of in archives.items() if (path not in tally.rendered if of is None else of[0] not in slugs)
    )
    tally.removed.extend(stale)
    tx.documents.remove(stale)
    tx.archives.mark([of for path in stale if (of := archives[path])], written=False)
    if not dry_run:
        folder.remove(stale)


def _remove_unknown(
    tx: Transaction, folder: SiteFolder, made: Collection[str], tally: _Tally, *, dry_run: bool
) -> None:
    """Take away pages and feeds that the store knows nothing of: those from after the backup that was restored."""
    known = {*tx.documents.all(), *made, *tally.removed}
    unknown = sorted(path for path in folder.documents(OF_THE_STORE) if path not in known and is_of_the_store(path))
    tally.removed.extend(unknown)
    if not dry_run:
        folder.remove(unknown)
