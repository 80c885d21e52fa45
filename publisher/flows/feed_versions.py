"""Remember what each published version of a feed held, for readers who ask for the news only. Floor: `flows`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from publisher.feeds import delta
from publisher.model import Document, PublishedDocument
from publisher.store import FeedVersion, Transaction

_FEED = re.compile(r"feeds/[^/]+\.(atom|rss)")  # not the archives below: they never change


def remember_versions(tx: Transaction, documents: Iterable[Document], written: Iterable[PublishedDocument]) -> None:
    """Record the feeds among the `written` ones of `documents`."""
    contents = {document.path: document.content for document in documents if _FEED.fullmatch(document.path)}
    tx.feed_versions.put(
        [
            FeedVersion(
                published.path, published.sha256, published.first_written, delta.marks(contents[published.path])
            )
            for published in written
            if published.path in contents
        ]
    )
