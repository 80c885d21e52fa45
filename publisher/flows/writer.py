"""Documents on their way out: gate, disk, ledger, while the next ones are made. Floor: `flows`.

    made -> (in another thread) those of feeds through the gate -> a batch into the folder
         -> (in the caller's thread) the batch is recorded in the store

Reading XML, checking it against the grammar, packing and the disk let other threads work, so that making and writing
share two processors. The order stays: nothing is written before what was put earlier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType

from publisher.errors import FeedError
from publisher.feeds.check import require_sound
from publisher.flows.feed_versions import remember_versions
from publisher.flows.maker import refusal
from publisher.links import Links, archive_of, feed_of
from publisher.model import Document, PublishedDocument
from publisher.site import SiteFolder, WriteReport
from publisher.store import Transactions

BATCH = 250  # documents written at once while as many are made; it and the next bound memory
BATCH_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class _Batch:
    """What passed the gate, and what became of it."""

    sound: tuple[Document, ...]
    report: WriteReport


class Writer:
    """Writes what it is given. For use in a `with` block, whose end waits for the last of it, by one thread.

    A feed's document that breaks a rule of its format is not written: the old one stays, and `problems` says why. With
    `dry_run` documents are compared with what is there, and nothing is written. What fails on the disk is the
    SiteError of a later `put` or `flush`.
    """

    def __init__(
        self,
        store: Transactions,
        folder: SiteFolder,
        links: Links,
        *,
        now: datetime,
        problems: list[str],
        dry_run: bool = False,
    ) -> None:
        self._store = store
        self._folder = folder
        self._links = links
        self._now = now
        self._dry_run = dry_run
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="publisher-writer")
        self._batch: list[tuple[str, Future[Document | None]]] = []  # not sent yet: the path, and what passes the gate
        self._batch_bytes = 0
        self._under_way: Future[_Batch] | None = None
        self.problems = problems
        self.written: list[PublishedDocument] = []
        self.unchanged = 0

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """After an error the batch under way is finished but not recorded: the next run compares it and goes on."""
        try:
            if error is None:
                self.flush()
        finally:
            self._thread.shutdown()

    def put(self, document: Document) -> None:
        """Have `document` written, after those put before."""
        self._add(document, self._thread.submit(self._passed, document))

    def put_sound(self, document: Document) -> None:
        """The same with one that has passed the gate."""
        passed: Future[Document | None] = Future()
        passed.set_result(document)
        self._add(document, passed)

    def flush(self) -> None:
        """Wait until all that was put is written, and record it."""
        self._send()
        self._record()

    def _add(self, document: Document, passed: Future[Document | None]) -> None:
        self._batch.append((document.path, passed))
        self._batch_bytes += len(document.content)
        if len(self._batch) >= BATCH or self._batch_bytes >= BATCH_BYTES:
            self._send()

    def _passed(self, document: Document) -> Document | None:
        """The document, None if the gate keeps it back; pages pass."""
        path = document.path
        try:
            if (topic := feed_of(path)) is not None:
                require_sound(topic, path, document.content, self_url=self._links.to(path), now=self._now)
        except FeedError as error:
            self.problems.append(refusal(path, error))
            return None
        return document

    def _send(self) -> None:
        """Record the batch before this one, and have this one written."""
        self._record()
        if self._batch:
            with self._store.read() as tx:
                known = tx.documents.some([path for path, _ in self._batch])
            self._under_way = self._thread.submit(self._write, [passed for _, passed in self._batch], known)
            self._batch, self._batch_bytes = [], 0

    def _write(self, passed: Sequence[Future[Document | None]], known: Mapping[str, PublishedDocument]) -> _Batch:
        sound = tuple(document for future in passed if (document := future.result()) is not None)
        put_in_place = self._folder.compare if self._dry_run else self._folder.write
        return _Batch(sound, put_in_place(sound, known, self._now))

    def _record(self) -> None:
        if self._under_way is None:
            return
        batch, self._under_way = self._under_way.result(), None
        with self._store.write() as tx:
            tx.documents.put(batch.report.written)
            remember_versions(tx, batch.sound, batch.report.written)
            tx.archives.mark([of for document in batch.sound if (of := archive_of(document.path))], written=True)
        self.written.extend(batch.report.written)
        self.unchanged += batch.report.unchanged
