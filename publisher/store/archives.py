"""The lines of each topic's feed in the order of their last change, and the archives cut from them. Floor: store.

A line is an article of the topic, a notice in its place, or a tombstone that an archive must hold. Each has a `stamp`
from the one counter that only grows, taken anew whenever the line changes or enters the topic. An archive is a block of
lines up to a stamp, never changed again: what changes later moves to the end and is cut once more. So the newest
version of every line is in the last archive that has it, or after all of them.

An archive's row remembers its lines with the revision of each, to write the document again if its file is lost.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from publisher.model import Article, DepartureState, FiledArticle
from publisher.store.columns import batches
from publisher.store.schema import archives, article_revisions, articles, departures, feeds, filings

Place = tuple[str, int]
"""Topic and number of an archive."""

_Conditions = Sequence[sa.ColumnElement[bool]]
_IS_LINE = (departures.c.state == DepartureState.NOTICE) | departures.c.archived
_REVISED = [
    name
    for name in Article.__dataclass_fields__
    if name in article_revisions.c and name not in {"stamp", "explicit_topics"}
]
_TEXTS = (articles.c.title, articles.c.summary, articles.c.body, articles.c.correction, articles.c.withdrawal)
_CHARACTERS = sum((sa.func.length(sa.func.coalesce(text, "")) for text in _TEXTS), start=sa.literal(0))
# made once: to put such a statement together takes longer than to run it
_AMOUNTS = [
    sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(_CHARACTERS), 0))
    .select_from(sa.join(table, articles))
    .where(table.c.topic == sa.bindparam("of"), table.c.stamp > sa.bindparam("after"), *conditions)
    for table, conditions in ((filings, ()), (departures, (_IS_LINE,)))
]


@dataclass(frozen=True, slots=True)
class FeedLine:
    """One place of a topic's feed. `left` (UTC) makes it a tombstone, None an entry."""

    key: str
    stamp: int
    revision: int
    left: datetime | None = None


@dataclass(frozen=True, slots=True)
class ArchiveRow:
    """A closed archive: its lines, oldest change first."""

    topic: str
    number: int
    lines: tuple[FeedLine, ...]


class Archives:
    """Feed lines and archives of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def closed(self) -> dict[str, tuple[int, int]]:
        """Of each topic that was ever filed under: its newest archive's number (0: none) and that one's last stamp."""
        query = sa.select(feeds.c.topic, feeds.c.archives, feeds.c.archived_upto)
        return {topic: (number, upto) for topic, number, upto in self._connection.execute(query)}

    def newest(self, topic: str, limit: int) -> list[FeedLine]:
        """The `limit` entries of a topic that changed last, by falling stamp; no tombstones."""
        return self._entries(topic, limit, (), ())

    def newest_of_any(self, topics: Collection[str], limit: int, *, before: int | None = None) -> dict[str, int]:
        """Keys of the `limit` entries of at least one of `topics` that changed, or came into one of them, last, each
        with the stamp of that, by falling stamp. With `before` only of those for which it was before that stamp."""
        early = self._early(filings, topics, before), self._early(departures, topics, before)
        return _newest([line for topic in topics for line in self._entries(topic, limit, *early)], limit)

    def newest_of_both(self, topic: str, other: str, limit: int, *, before: int | None = None) -> dict[str, int]:
        """The same of the entries of both topics; what counts is when they changed, or came into the second of them."""
        lines: list[FeedLine] = []
        early = self._early(filings, (topic, other), before)
        early_notice = self._early(departures, (topic, other), before)
        for one, two in ((topic, other), (other, topic)):  # two walks down the index, which end as soon as they may
            also = filings.alias("also")
            in_two = sa.exists().where(also.c.article_key == filings.c.article_key, also.c.topic == two)
            gone = departures.alias("gone")
            notice_in_two = sa.exists().where(
                gone.c.article_key == departures.c.article_key,
                gone.c.topic == two,
                gone.c.state == DepartureState.NOTICE,
            )
            lines += self._entries(one, limit, (in_two, *early), (notice_in_two, *early_notice))
        return _newest(lines, limit)

    def tombstones(self, topic: str, limit: int) -> list[FeedLine]:
        """The tombstones that the current feed has to show: the `limit` newest in their time, and all those that
        archives have need of but do not hold yet."""
        mine = departures.c.topic == topic
        shown = self._lines(departures, mine, departures.c.state == DepartureState.TOMBSTONE, limit=limit, falling=True)
        needed = (mine, departures.c.state == DepartureState.OVER, departures.c.archived)
        upto = sa.select(feeds.c.archived_upto).where(feeds.c.topic == topic).scalar_subquery()
        return shown + self._lines(departures, *needed, departures.c.stamp > upto, limit=limit, falling=True)

    def open_amount(self, topic: str, after: int) -> tuple[int, int]:
        """How many lines there are after a stamp, and how many characters of text, to see at little cost whether they
        may fill an archive."""
        amounts = [self._connection.execute(query, {"of": topic, "after": after}).one() for query in _AMOUNTS]
        return sum(lines for lines, _ in amounts), sum(int(characters) for _, characters in amounts)

    def characters(self, lines: Collection[FeedLine]) -> dict[str, int]:
        """How many characters of text the articles of `lines` have, by key."""
        found: dict[str, int] = {}
        for batch in batches({line.key for line in lines}):
            query = sa.select(articles.c.key, _CHARACTERS).where(articles.c.key.in_(batch))
            found.update((key, int(characters)) for key, characters in self._connection.execute(query))
        return found

    def open_lines(self, topic: str, after: int, limit: int) -> list[FeedLine]:
        """The first `limit` lines after a stamp, by rising stamp."""
        lines = self._lines(filings, filings.c.topic == topic, filings.c.stamp > after, limit=limit)
        gone = (departures.c.topic == topic, departures.c.stamp > after, _IS_LINE)
        lines += self._lines(departures, *gone, limit=limit)
        return sorted(lines, key=lambda line: line.stamp)[:limit]

    def close(self, topic: str, after: int, blocks: Sequence[Sequence[FeedLine]]) -> list[ArchiveRow]:
        """Close archives with these lines; nothing if the last one does not end at `after` (another run was first)."""
        query = sa.select(feeds.c.archives, feeds.c.archived_upto).where(feeds.c.topic == topic).with_for_update()
        number, upto = self._connection.execute(query).one()
        if upto != after or not blocks:
            return []
        rows = [ArchiveRow(topic, place, tuple(block)) for place, block in enumerate(blocks, number + 1)]
        self._connection.execute(
            sa.insert(archives),
            [{"topic": topic, "number": row.number, "lines": _dump(row.lines), "written": False} for row in rows],
        )
        self._connection.execute(
            sa.update(feeds)
            .where(feeds.c.topic == topic)
            .values(archives=rows[-1].number, archived_upto=rows[-1].lines[-1].stamp)
        )
        return rows

    def get(self, topic: str, number: int) -> ArchiveRow | None:
        """The archive, if it was closed."""
        query = sa.select(archives.c.lines).where(archives.c.topic == topic, archives.c.number == number)
        lines = self._connection.execute(query).scalar_one_or_none()
        return None if lines is None else ArchiveRow(topic, number, _load(lines))

    def waiting(self, topics: Collection[str]) -> list[Place]:
        """The archives of `topics` that have no document yet, by the stamp of their last line, whatever the topic: so
        those that show the same articles follow each other."""
        open_ones = (archives.c.written == sa.false(), archives.c.topic.in_(topics))
        query = sa.select(archives.c.topic, archives.c.number, archives.c.lines).where(*open_ones)
        found = [(_last_stamp(lines), (topic, number)) for topic, number, lines in self._connection.execute(query)]
        return [place for _, place in sorted(found)]

    def mark(self, pairs: Collection[Place], *, written: bool) -> None:
        """Say of archives (topic, number) that their documents are there, or that they are lost."""
        if not pairs:
            return
        which = (archives.c.topic == sa.bindparam("of"), archives.c.number == sa.bindparam("at"))
        statement = sa.update(archives).where(*which).values(written=written)
        self._connection.execute(statement, [{"of": topic, "at": number} for topic, number in pairs])

    def as_were(self, lines: Sequence[FeedLine], today: Mapping[str, FiledArticle]) -> list[FiledArticle]:
        """The article of each line as it was at the line's revision, in the order of `lines`; `today` has them as
        they are. Their topics, and whether they are withdrawn, are as today."""
        wanted = {line.key for line in lines if today[line.key].article.revision != line.revision}
        former: dict[tuple[str, int], dict[str, Any]] = {}
        for batch in batches(wanted):
            query = sa.select(article_revisions).where(article_revisions.c.article_key.in_(batch))
            for values in self._connection.execute(query).mappings():
                former[values["article_key"], values["revision"]] = {name: values[name] for name in _REVISED}
        found: list[FiledArticle] = []
        for line in lines:
            filed = today[line.key]
            were = former.get((line.key, line.revision))
            found.append(replace(filed, article=replace(filed.article, **were)) if were else filed)
        return found

    # --- within -------------------------------------------------------------------------------------------------

    def _entries(self, topic: str, limit: int, filed: _Conditions, noticed: _Conditions) -> list[FeedLine]:
        """Articles of a topic, where `filed` holds, and notices in it, where `noticed` does; by falling stamp."""
        lines = self._lines(filings, filings.c.topic == topic, *filed, limit=limit, falling=True)
        notice = (departures.c.topic == topic, departures.c.state == DepartureState.NOTICE)
        lines += self._lines(departures, *notice, *noticed, limit=limit, falling=True)
        return sorted(lines, key=lambda line: -line.stamp)[:limit]

    @staticmethod
    def _early(table: sa.Table, topics: Collection[str], before: int | None) -> _Conditions:
        """That the article's last line in `topics` is before a stamp: what is on a newer page comes on no older one."""
        if before is None:
            return ()
        again = table.alias("again")
        later = sa.exists().where(
            again.c.article_key == table.c.article_key, again.c.topic.in_(topics), again.c.stamp >= before
        )
        return table.c.stamp < before, ~later

    def _lines(
        self, table: sa.Table, *conditions: sa.ColumnElement[bool], limit: int, falling: bool = False
    ) -> list[FeedLine]:
        left = table.c.left if table is departures else sa.null()
        query = (
            sa.select(table.c.article_key, table.c.stamp, articles.c.revision, left)
            .join_from(table, articles)
            .where(*conditions)
            .order_by(table.c.stamp.desc() if falling else table.c.stamp)
        )
        return [FeedLine(*row) for row in self._connection.execute(query.limit(limit))]


def _newest(lines: Collection[FeedLine], limit: int) -> dict[str, int]:
    stamps: dict[str, int] = {}
    for line in lines:
        stamps[line.key] = max(line.stamp, stamps.get(line.key, 0))
    return dict(sorted(stamps.items(), key=lambda item: item[1], reverse=True)[:limit])


def _dump(lines: Sequence[FeedLine]) -> str:
    return json.dumps(
        [[line.key, line.stamp, line.revision, line.left.isoformat() if line.left else None] for line in lines],
        separators=(",", ":"),
    )


def _last_stamp(text: str) -> int:
    stamp: int = json.loads(text)[-1][1]
    return stamp


def _load(text: str) -> tuple[FeedLine, ...]:
    return tuple(
        FeedLine(key, stamp, revision, datetime.fromisoformat(left) if left else None)
        for key, stamp, revision, left in json.loads(text)
    )
