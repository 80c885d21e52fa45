"""The last versions of each feed: which entries they held. Floor: store.

Rows of a feed that is no longer published stay, so that the web can tell a closed topic from one that never was.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from publisher.store.schema import feed_versions

KEPT = 24
"""Versions of a feed that are remembered: a reader who asks once a day finds theirs even when each hour brings news."""

_ROW = feed_versions.c


class FeedVersions:
    """The feed versions of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def put(self, path: str, sha256: str, first_written: datetime, marks: Collection[str]) -> None:
        """Remember that the feed at `path` has these bytes now, and the `marks` of its entries (see `feeds.delta`);
        forget its oldest version when there are too many."""
        self._connection.execute(sa.delete(feed_versions).where(_ROW.path == path, _ROW.sha256 == sha256))
        self._connection.execute(
            sa.insert(feed_versions).values(
                path=path, sha256=sha256, first_written=first_written, entries=" ".join(marks)
            )
        )
        newest = (
            sa.select(_ROW.sha256).where(_ROW.path == path).order_by(_ROW.first_written.desc(), _ROW.sha256).limit(KEPT)
        )
        self._connection.execute(
            sa.delete(feed_versions).where(_ROW.path == path, _ROW.sha256.not_in(newest.scalar_subquery()))
        )

    def marks(self, path: str, digest: str) -> frozenset[str] | None:
        """The marks of the version whose hash begins with `digest` (hex digits), None if it is not remembered."""
        query = sa.select(_ROW.entries).where(_ROW.path == path, _ROW.sha256.startswith(digest, autoescape=True))
        found: str | None = self._connection.scalars(query.limit(1)).first()
        return None if found is None else frozenset(found.split())

    def paths(self) -> frozenset[str]:
        """Every feed that was ever published."""
        return frozenset(self._connection.scalars(sa.select(_ROW.path).distinct()))
