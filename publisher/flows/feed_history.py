"""A topic's feed through time: the current feed, and archives cut once and never changed (RFC 5005). Floor: `flows`.

    lines in no archive yet -> full blocks -> closed in the store -> rendered -> written -> marked as written

The one thing that changes an archive is another address of the whole site.

A block is closed in the store before its document is made, so that a killed run leaves an archive to be written and
never two versions of one. An archive links to the next one before that is there: its number is known, its bytes are not
needed, and no archive has to change when the next is cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise

from publisher.feeds.cut import cut, stays_open, surely_cut, within_room
from publisher.feeds.entry_rules import entry_size, most_bytes
from publisher.feeds.value import Entry, Feed, Tombstone, build_entries, build_feed, feed_with, part_of
from publisher.flows.maker import Task
from publisher.flows.press import Press
from publisher.flows.workshop import Workshop
from publisher.flows.writer import Writer
from publisher.links import archive_path
from publisher.model import ALL, DepartureState, Document, FiledArticle, Topic
from publisher.site import SiteFolder
from publisher.store import ArchiveRow, FeedLine, Place, Transaction, Transactions

ARCHIVES_AT_ONCE = 10  # closed in one transaction: bounds the time the lock is held
MADE_AT_ONCE = 40  # of entries that are read at once: bounds memory

TOMBSTONE_SIZE = 500  # bytes in a document, generously


def current_feed(tx: Transaction, topic: Topic, press: Press) -> tuple[Feed, list[FiledArticle]]:
    """The feed that people subscribe to, and the articles among its entries (without notices), last change first.

    It has every line that is in no archive yet; the rest of `press.entries` repeats the newest archive.
    """
    lines = tx.archives.newest(topic.slug, press.entries)
    gone = tx.archives.tombstones(topic.slug, press.entries)
    filed = tx.articles.filed({line.key for line in (*lines, *gone)})
    tombstones = [Tombstone(filed[line.key].article.entry_id, line.left) for line in gone if line.left is not None]
    articles = [filed[line.key] for line in lines]
    feed = build_feed(topic, articles, press.by_slug, press.site, tombstones)
    number, _ = tx.archives.closed().get(topic.slug, (0, 0))
    feed = within_room(feed, [item.article.entry_id for item in articles])
    feed = _followed_by(replace(feed, complete=number == 0), number, press)
    return feed, [item for item in articles if item.article.withdrawn is None]


def closed_archive(tx: Transaction, topic: Topic, number: int, press: Press) -> Feed | None:
    """The archive as it was closed, as far as the store remembers; None before it is."""
    row = tx.archives.get(topic.slug, number)
    if row is None:
        return None
    return _again(tx, topic, row, _Shown().read(tx, [row], press), press)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the lines of archives showed when they were closed, by key and revision; their articles today, by key."""

    entries: Mapping[tuple[str, int], Entry] = field(default_factory=dict)
    today: Mapping[str, FiledArticle] = field(default_factory=dict)

    def read(self, tx: Transaction, rows: Iterable[ArchiveRow], press: Press) -> _Shown:
        """The same of the lines of `rows`; what is known already is not read again."""
        lines = {(line.key, line.revision): line for row in rows for line in row.lines}
        keys = {key for key, _ in lines}
        today = {key: filed for key, filed in self.today.items() if key in keys}
        today.update(tx.articles.filed(keys - today.keys()))
        entries = {line: entry for line, entry in self.entries.items() if line in lines}
        new = {name: line for name, line in lines.items() if name not in entries}
        articles = tx.archives.as_were(list(new.values()), today)
        entries.update(zip(new, build_entries(articles, press.by_slug, press.site), strict=True))
        return _Shown(entries, today)


@dataclass(frozen=True, slots=True)
class Archivist:
    """Closes archives and has them written."""

    store: Transactions
    folder: SiteFolder
    press: Press
    now: datetime
    writer: Writer

    def close(self, topics: Iterable[Topic]) -> None:
        """Close the full blocks of `topics`, and write every archive that has no document yet."""
        for topic in topics:
            self._close(topic)
        self._write_missing()

    def mend(self) -> None:
        """Have every archive written again whose file is lost or was changed."""
        for topic in self.press.feeds:
            with self.store.read() as tx:
                number, _ = tx.archives.closed().get(topic.slug, (0, 0))
                paths = {archive_path(topic.slug, place): place for place in range(1, number + 1)}
                known = tx.documents.some(paths)
            lost = {paths[path] for path in self.folder.missing(known)}
            lost.update(place for path, place in paths.items() if path not in known)
            if lost:
                with self.store.write() as tx:
                    tx.archives.mark([(topic.slug, place) for place in sorted(lost)], written=False)

    def readdress(self) -> None:
        """Have every archive written again: each names itself and its neighbours by the address of the site, which is
        another one now. What it shows stays as it was."""
        for topic in self.press.feeds:
            with self.store.write() as tx:
                number, _ = tx.archives.closed().get(topic.slug, (0, 0))
                tx.archives.mark([(topic.slug, place) for place in range(1, number + 1)], written=False)

    def _close(self, topic: Topic) -> None:
        entries = self.press.entries
        while True:
            with self.store.read() as tx:
                _, upto = tx.archives.closed().get(topic.slug, (0, 0))
                if stays_open(*tx.archives.open_amount(topic.slug, upto), entries):
                    return
                lines = tx.archives.open_lines(topic.slug, upto, entries * ARCHIVES_AT_ONCE)
                lengths = surely_cut(_most(tx, lines), entries)
                if lengths is None:
                    lengths = cut(self._sizes(tx, lines), entries)
            if not lengths:
                return
            with self.store.write() as tx:
                if not tx.archives.close(topic.slug, upto, _blocks(lines, lengths)):
                    return  # another run was faster

    def _sizes(self, tx: Transaction, lines: Sequence[FeedLine]) -> list[int]:
        articles = tx.archives.as_were(lines, tx.articles.filed({line.key for line in lines}))
        entries = build_entries(articles, self.press.by_slug, self.press.site)
        return [
            entry_size(entry) if line.left is None else TOMBSTONE_SIZE
            for line, entry in zip(lines, entries, strict=True)
        ]

    def _write_missing(self) -> None:
        with self.store.read() as tx:
            places = tx.archives.waiting([topic.slug for topic in self.press.feeds])
        with Workshop(len(places)) as workshop:
            hands = workshop.hands
            ends = [len(places) * hand // hands for hand in range(hands + 1)]
            stretches = [self._tasks(places[start:end]) for start, end in pairwise(ends)]
            for made in workshop.make(stretches):
                self.writer.problems.extend(made.problems)
                for document in made.documents:
                    self.writer.put_sound(document)

    def _tasks(self, places: Sequence[Place]) -> Iterator[Task]:
        topics = {topic.slug: topic for topic in self.press.feeds}
        shown = _Shown()
        for start in range(0, len(places), MADE_AT_ONCE):
            with self.store.read() as tx:
                found = [tx.archives.get(*place) for place in places[start : start + MADE_AT_ONCE]]
                rows = [row for row in found if row is not None]
                shown = shown.read(tx, rows, self.press)
                feeds = {
                    archive_path(row.topic, row.number): _again(tx, topics[row.topic], row, shown, self.press)
                    for row in rows
                }
                recorded = tx.documents.some(feeds)
            for path in feeds.keys() - recorded.keys():
                file = self.folder.root.joinpath(path)
                if file.is_file():  # a killed run put it there before it could say so
                    self.writer.put(Document(path, file.read_bytes()))
                    del feeds[path]
            yield Task(feeds, self.press.site.links, self.now)


def _again(tx: Transaction, topic: Topic, row: ArchiveRow, shown: _Shown, press: Press) -> Feed:
    """The archive `row` without the articles that left the topic since. What is known of them today may be later than
    their tombstone here, and would bring them back."""

    def stays(line: FeedLine) -> bool:
        filed = shown.today[line.key]
        if filed.article.withdrawn is None:
            return topic.slug == ALL or topic.slug in filed.topics
        gone = tx.departures.of(line.key)
        return any(left.topic == topic.slug and left.state is DepartureState.NOTICE for left in gone)

    lines = [line for line in row.lines if line.left is not None or stays(line)]
    of_lines = {line: shown.entries[line.key, line.revision] for line in lines}
    feed = feed_with(topic, [entry for line, entry in of_lines.items() if line.left is None], press.site)
    ids = {line: entry.entry_id for line, entry in of_lines.items()}
    return _archive(feed, replace(row, lines=tuple(lines)), ids, press)


def _archive(feed: Feed, row: ArchiveRow, ids: Mapping[FeedLine, str], press: Press) -> Feed:
    """The archive `row`, its entries taken from `feed`; `ids` are the entry ids of its lines."""
    links = press.site.links
    tombstones = [Tombstone(ids[line], line.left) for line in row.lines if line.left is not None]
    archive = replace(
        part_of(feed, {ids[line] for line in row.lines if line.left is None}, tombstones),
        hubs=(),  # nothing here will ever be news
        json_url=links.archive(row.topic, row.number, "json"),
        archive_url=links.archive(row.topic, row.number),
        next_archive=links.archive(row.topic, row.number + 1),
    )
    return _followed_by(archive, row.number - 1, press)


def _followed_by(feed: Feed, number: int, press: Press) -> Feed:
    """`feed` with the archive `number` (0: none) before it. Only the Atom document is a file; JSON Feed, whose pages
    have no other form, gets one that is made when it is asked for."""
    if not number:
        return feed
    links = press.site.links
    older = {"json": links.archive(feed.slug, number, "json")}
    return replace(feed, prev_archive=links.archive(feed.slug, number), older=older)


def _most(tx: Transaction, lines: Sequence[FeedLine]) -> list[int]:
    """The bytes that no line takes more than, found without reading any text."""
    characters = tx.archives.characters(lines)
    return [most_bytes(1, characters[line.key]) if line.left is None else TOMBSTONE_SIZE for line in lines]


def _blocks(lines: Sequence[FeedLine], lengths: Iterable[int]) -> list[Sequence[FeedLine]]:
    blocks: list[Sequence[FeedLine]] = []
    start = 0
    for length in lengths:
        blocks.append(lines[start : start + length])
        start += length
    return blocks
