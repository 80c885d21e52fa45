"""The last versions of each feed: which entries they held. Floor: store.

Rows of a feed that is no longer published stay, so that the web can tell a closed topic from one that never was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from publisher.store.schema import feed_versions

KEPT = 24
"""Versions of a feed that are remembered: a reader who asks once a day finds theirs even when each hour brings news."""

_ROW = feed_versions.c


@dataclass(frozen=True, slots=True)
class FeedVersion:
    """What the feed at `path` held from `first_written` on: the `marks` of its entries (see `feeds.delta`)."""

    path: str
    sha256: str
    first_written: datetime
    marks: tuple[str, ...]


class FeedVersions:
    """The feed versions of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def put(self, versions: Sequence[FeedVersion]) -> None:
        """Remember that these feeds have these bytes now; forget the oldest version of each that has too many."""
        if not versions:
            return
        mine = _ROW.path == sa.bindparam("at")
        self._connection.execute(
            sa.delete(feed_versions).where(mine, _ROW.sha256 == sa.bindparam("digest")),
            [{"at": version.path, "digest": version.sha256} for version in versions],
        )
        self._connection.execute(
            sa.insert(feed_versions),
            [
                {
                    "path": version.path,
                    "sha256": version.sha256,
                    "first_written": version.first_written,
                    "entries": " ".join(version.marks),
                }
                for version in versions
            ],
        )
        newest = sa.select(_ROW.sha256).where(mine).order_by(_ROW.first_written.desc(), _ROW.sha256).limit(KEPT)
        self._connection.execute(
            sa.delete(feed_versions).where(mine, _ROW.sha256.not_in(newest.scalar_subquery())),
            [{"at": version.path} for version in versions],
        )

    def marks(self, path: str, digest: str) -> frozenset[str] | None:
        """The marks of the version whose hash begins with `digest` (hex digits), None if it is not remembered."""
        query = sa.select(_ROW.entries).where(_ROW.path == path, _ROW.sha256.startswith(digest, autoescape=True))
        found: str | None = self._connection.scalars(query.limit(1)).first()
        return None if found is None else frozenset(found.split())

    def paths(self) -> frozenset[str]:
        """Every feed that was ever published."""
        return frozenset(self._connection.scalars(sa.select(_ROW.path).distinct()))
