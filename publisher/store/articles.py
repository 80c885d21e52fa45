"""Articles: what they are known by, their content, their former contents. Floor: store."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from publisher.errors import NotFound, StoreBusy, UsageError
from publisher.model import ALL, Article, FiledArticle
from publisher.store import feeds
from publisher.store.columns import batches, storable
from publisher.store.counters import STAMP, TOUCHED, next_number
from publisher.store.schema import article_identities, article_revisions, articles, counters, filings

ID = "id:"
"""How an identity begins that the source itself gave; see `flows.ingest`."""

MIN_PREFIX = 4
"""Characters of a key that are enough to name an article, if no other key begins with them."""

_STREAM = 500  # articles with their bodies that a stream holds in memory at once
_NAMES = tuple(Article.__dataclass_fields__)
_COLUMNS = [articles.c[name] for name in _NAMES]
_KEPT = [column.name for column in article_revisions.c if column.name not in {"article_key", "revision"}]
_LIVE = articles.c.withdrawn.is_(None)

FiledArticles = list[FiledArticle]  # `list` is a method below


@dataclass(frozen=True, slots=True)
class KnownArticle:
    """What the store remembers under an identity. `origin`: where its content was read; `has_id`: its source gives it
    an id of its own; `withdrawn`: taken out by the operator, and to stay out."""

    key: str
    fingerprint: str
    origin: str = ""
    has_id: bool = False
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class NewArticle:
    """An article that enters the store. `identities` are the names it is known by again (those given by its source
    begin with ID), `fingerprint` stands for its content, `origin` for the place it was read at."""

    article: Article
    identities: tuple[str, ...]
    fingerprint: str
    origin: str = ""


class Articles:
    """The articles of one transaction. `rank` gives the order of topics."""

    def __init__(self, connection: sa.Connection, rank: Mapping[str, int]) -> None:
        self._connection = connection
        self._rank = rank

    # --- ingest -------------------------------------------------------------------------------------------------

    def known(self, identities: Collection[str]) -> dict[str, KnownArticle]:
        """Those of `identities` that stand for an article, withdrawn ones included."""
        found: dict[str, KnownArticle] = {}
        for batch in batches(identities):
            own = article_identities.alias("own")
            has_id = sa.exists().where(own.c.article_key == articles.c.key, own.c.identity.startswith(ID))
            query = (
                sa.select(
                    article_identities.c.identity,
                    articles.c.key,
                    articles.c.fingerprint,
                    articles.c.origin,
                    has_id,
                    articles.c.withdrawn.is_not(None),
                )
                .join_from(article_identities, articles)
                .where(article_identities.c.identity.in_(batch))
            )
            for identity, *facts in self._connection.execute(query):
                found[identity] = KnownArticle(*facts)
        return found

    def add(self, items: Sequence[NewArticle]) -> None:
        """Put new articles in. Raises StoreBusy where one has a key, slug, stamp or identity that exists already."""
        touched = next_number(self._connection, TOUCHED) if items else 0
        for batch in batches(items):
            rows = [{**_row(item.article, item.fingerprint, item.origin), "touched": touched} for item in batch]
            names = [
                {"identity": identity, "article_key": item.article.key}
                for item in batch
                for identity in dict.fromkeys(item.identities)
            ]
            try:
                with self._connection.begin_nested():
                    self._connection.execute(sa.insert(articles), rows)
                    if names:
                        self._connection.execute(sa.insert(article_identities), names)
            except IntegrityError:  # PostgreSQL: another transaction added one since the caller looked
                raise StoreBusy("an article of these was added by somebody else at the same time; try again") from None

    def revise(self, article: Article, fingerprint: str | None = None, origin: str = "") -> None:
        """Put the content of `article` in the place of the present one, which is kept in `article_revisions` when the
        number of the revision rises. Without a `fingerprint` no source said this: that and the origin stay."""
        former = sa.select(articles.c.key, articles.c.revision, *(articles.c[name] for name in _KEPT))
        self._connection.execute(
            sa.insert(article_revisions).from_select(
                ["article_key", "revision", *_KEPT],
                former.where(articles.c.key == article.key, articles.c.revision < article.revision),
            )
        )
        row = _row(article, fingerprint or "", origin)
        fixed = {"key", "entry_id", "slug", "slug_base", "first_seen", "withdrawn", "withdrawal"}
        fixed |= {"fingerprint", "origin"} if fingerprint is None else set()
        self._connection.execute(
            sa.update(articles)
            .where(articles.c.key == article.key)
            .values({name: value for name, value in row.items() if name not in fixed})
        )
        moved = sa.case((filings.c.stamp > article.stamp, filings.c.stamp), else_=article.stamp)
        self._connection.execute(
            sa.update(filings)
            .where(filings.c.article_key == article.key)
            .values(stamp=moved, published=article.published)
        )
        feeds.touch(self._connection, [article.key])

    def add_identities(self, key: str, identities: Iterable[str]) -> None:
        """Further names of an article; those already taken, by whatever article, are left alone."""
        wanted = list(dict.fromkeys(identities))
        taken = self.known(wanted)
        fresh = [{"identity": identity, "article_key": key} for identity in wanted if identity not in taken]
        if fresh:
            self._connection.execute(sa.insert(article_identities), fresh)

    # --- one or a few -------------------------------------------------------------------------------------------

    def get(self, key: str) -> Article:
        """Raises NotFound."""
        found = self._some(articles.c.key == key, limit=1) if storable(key) else ()
        if not found:
            raise NotFound("article", key)
        return found[0]

    def resolve(self, name: str) -> Article:
        """The article people mean by `name`: its key, slug, exact title, or the first characters of its key.

        Raises NotFound, and UsageError when `name` fits several.
        """
        wanted: Sequence[tuple[sa.ColumnElement[bool], ...]] = [
            (articles.c.key == name,),
            (articles.c.slug == name,),
            (articles.c.title == name,),
        ]
        if len(name) >= MIN_PREFIX and name.isascii():
            after = name[:-1] + chr(ord(name[-1]) + 1)
            wanted = [*wanted, (articles.c.key >= name, articles.c.key < after)]
        for conditions in wanted if storable(name) else ():
            if found := self._some(*conditions, limit=4):
                return _only(name, found)
        raise NotFound("article", name, "`publisher articles list` shows keys and titles")

    def filed(self, keys: Collection[str]) -> dict[str, FiledArticle]:
        """Those of `keys` that exist, withdrawn ones included (with no topics)."""
        found: dict[str, FiledArticle] = {}
        for batch in batches(keys):
            for item in self._filed(sa.select(*_COLUMNS).where(articles.c.key.in_(batch))):
                found[item.article.key] = item
        return found

    def withdrawn(self, keys: Collection[str]) -> set[str]:
        """Those of `keys` that the operator took out."""
        return {
            key
            for batch in batches(keys)
            for key in self._connection.scalars(
                sa.select(articles.c.key).where(articles.c.key.in_(batch), articles.c.withdrawn.is_not(None))
            )
        }

    def slugs(self, keys: Collection[str]) -> dict[str, str]:
        """The slug of each of these articles, by key; no text is read."""
        found: dict[str, str] = {}
        for batch in batches(keys):
            rows = self._connection.execute(sa.select(articles.c.key, articles.c.slug).where(articles.c.key.in_(batch)))
            found.update((row.key, row.slug) for row in rows)
        return found

    def is_withdrawn(self, slug: str) -> bool:
        """Whether the operator took out the article whose page is named `slug`."""
        query = sa.select(articles.c.key).where(articles.c.slug == slug, articles.c.withdrawn.is_not(None))
        return storable(slug) and self._connection.execute(query).first() is not None

    # --- many ---------------------------------------------------------------------------------------------------

    def newest(self, topic: str, limit: int) -> FiledArticles:
        """The articles of `topic` that changed, or were filed under it, last: by the falling stamp of their filing."""
        query = sa.select(*_COLUMNS).join_from(filings, articles).where(filings.c.topic == topic)
        return self._filed(query.order_by(filings.c.stamp.desc()).limit(limit))

    def list(
        self,
        *,
        topic: str | None = None,
        limit: int = 100,
        offset: int = 0,
        query: str | None = None,
        withdrawn: bool = False,
    ) -> FiledArticles:
        """By falling date. Each word of `query` must stand in the title or summary, in whatever case. `withdrawn`:
        those that the operator took out, which are filed under no topic, instead of the others."""
        select = sa.select(*_COLUMNS)
        if withdrawn:
            select = select.where(~_LIVE).order_by(articles.c.withdrawn.desc(), articles.c.key.desc())
        elif topic is None or topic == ALL:
            select = select.where(_LIVE).order_by(articles.c.published.desc(), articles.c.key.desc())
        else:
            select = (
                select.join_from(filings, articles)
                .where(filings.c.topic == topic)
                .order_by(filings.c.published.desc(), filings.c.article_key.desc())
            )
        for word in (query or "").split():
            select = select.where(
                articles.c.title.icontains(word, autoescape=True) | articles.c.summary.icontains(word, autoescape=True)
            )
        return self._filed(select.limit(limit).offset(offset))

    def changed_since(self, stamp: int) -> Iterator[FiledArticle]:
        """Articles with a higher stamp, by rising stamp, read a few hundred at a time."""
        return self._stream(articles.c.stamp, stamp)

    def touched_since(self, touched: int) -> Iterator[FiledArticle]:
        """Articles whose content or filings changed since `last_touched` gave that number, withdrawn ones included:
        their page changes."""
        # sorted here: asked to sort, SQLite walks the index of keys instead and looks at every article there is
        keys = sorted(self._connection.scalars(sa.select(articles.c.key).where(articles.c.touched > touched)))
        for batch in batches(keys, size=_STREAM):
            yield from self._filed(sa.select(*_COLUMNS).where(articles.c.key.in_(batch)).order_by(articles.c.key))

    def iterate(self) -> Iterator[FiledArticle]:
        """Every article by rising key; they may be revised on the way."""
        return self._stream(articles.c.key, "")

    # --- numbers ------------------------------------------------------------------------------------------------

    def count(self, topic: str | None = None) -> int:
        number = sa.select(sa.func.count())
        if topic is not None and topic != ALL:
            return self._connection.execute(number.select_from(filings).where(filings.c.topic == topic)).scalar_one()
        # the difference of two counts, both from an index: to look at `withdrawn` of each would read every body
        there: int = self._connection.execute(number.select_from(articles)).scalar_one()
        out = number.select_from(articles).where(articles.c.withdrawn.is_not(None))
        return there - self._connection.execute(out).scalar_one()

    def next_stamps(self, count: int) -> range:
        """`count` fresh stamps, higher than all that were ever given."""
        first = next_number(self._connection, STAMP, count)
        return range(first, first + count)

    def last_stamp(self) -> int:
        """The highest stamp ever given, 0 in an empty store."""
        last: int = self._connection.execute(sa.select(counters.c.value).where(counters.c.name == STAMP)).scalar_one()
        return last

    def last_touched(self) -> int:
        """Rises whenever the content or the filings of any article change."""
        last: int = self._connection.execute(sa.select(counters.c.value).where(counters.c.name == TOUCHED)).scalar_one()
        return last

    def used_slugs(self, bases: Collection[str]) -> set[str]:
        """Every slug in use that is one of `bases`, or one of them with "-" and a number."""
        return {
            slug
            for batch in batches(bases)
            for slug in self._connection.scalars(
                sa.select(articles.c.slug).where(articles.c.slug.in_(batch) | articles.c.slug_base.in_(batch))
            )
        }

    def updated_times(self, start: datetime, end: datetime) -> set[datetime]:
        """The `updated` of all articles from `start` up to and including `end`."""
        return set(
            self._connection.scalars(sa.select(articles.c.updated).where(articles.c.updated.between(start, end)))
        )

    # --- within -------------------------------------------------------------------------------------------------

    def _some(self, *conditions: sa.ColumnElement[bool], limit: int) -> Sequence[Article]:
        query = sa.select(*_COLUMNS).where(*conditions).order_by(articles.c.key).limit(limit)
        return [_article(row) for row in self._connection.execute(query)]

    def _filed(self, query: sa.Select[Any]) -> FiledArticles:
        found = [_article(row) for row in self._connection.execute(query)]
        topics: dict[str, set[str]] = {article.key: set() for article in found}
        for batch in batches(topics):
            pairs = sa.select(filings.c.article_key, filings.c.topic).where(
                filings.c.article_key.in_(batch), filings.c.topic != ALL
            )
            for key, topic in self._connection.execute(pairs):
                topics[key].add(topic)
        return [FiledArticle(article, self._in_order(topics[article.key])) for article in found]

    def _stream(self, column: sa.Column[Any], after: int | str) -> Iterator[FiledArticle]:
        while True:
            query = sa.select(*_COLUMNS).where(column > after, _LIVE).order_by(column).limit(_STREAM)
            found = self._filed(query)
            yield from found
            if len(found) < _STREAM:
                return
            after = getattr(found[-1].article, column.name)

    def _in_order(self, topics: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(topics, key=lambda topic: (self._rank.get(topic, len(self._rank)), topic)))


def _article(row: sa.Row[Any]) -> Article:
    """The article of a row of `_COLUMNS`."""
    return Article(**dict(zip(_NAMES, row, strict=True)))  # three times as fast as the row's own mapping


def _row(article: Article, fingerprint: str, origin: str) -> dict[str, object]:
    row: dict[str, object] = {column.name: getattr(article, column.name) for column in _COLUMNS}
    return {**row, "slug_base": re.sub(r"-[0-9]+$", "", article.slug), "fingerprint": fingerprint, "origin": origin}


def _only(name: str, found: Sequence[Article]) -> Article:
    if len(found) > 1:
        some = ", ".join(article.key for article in found[:3])
        raise UsageError(
            f"{name!r} fits several articles: {some}{' ...' if len(found) > 3 else ''}; name one by its key"
        )
    return found[0]
