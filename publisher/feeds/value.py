"""What a feed says before any format writes it down. Floor: in `feeds`, above `texts`.

Everything that can differ between two runs comes in as an argument. Text is cleaned here once, so that Atom, RSS and
JSON Feed tell the same facts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING
from urllib.parse import quote
from zoneinfo import ZoneInfo

from publisher.cleantext import clean_line
from publisher.clock import whole_seconds
from publisher.feeds import notes
from publisher.feeds.texts import name_of, plain_in_html, said_once, uri_of, without_forbidden
from publisher.htmltext import excerpt
from publisher.links import Links, Pictures
from publisher.model import ALL, Article, FiledArticle, Topic, TopicGroup

if TYPE_CHECKING:
    from publisher.config import SiteSettings

EARLIEST_YEAR = 1990
"""Readers and the validator take an older date for a mistake."""
_TITLE = 80
_SLUG = re.compile(r"[^+/]+")  # in the name of a combination, as feeds.selection writes it


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSite:
    """What all feeds of a site share. `author` and `language` serve where an article has none of its own; ids are
    tag URIs (RFC 4151) of `tag_authority` and `tag_year`, so that a moved `links.base_url` changes none of them.

    `hubs` are the WebSub hubs that are told when a published feed changes; `own_hub` knows that by itself, also of
    feeds that are made when they are asked for. Dates that people read are days in `zone`. `first_names` has the first
    slug of each topic that was renamed. Of `pictures` feeds have the addresses; `license` is one too."""

    links: Links
    title: str
    description: str
    author: str
    rights: str
    language: str
    tag_authority: str
    tag_year: int
    hubs: tuple[str, ...] = ()
    own_hub: str | None = None
    zone: tzinfo = UTC
    first_names: Mapping[str, str] = field(default_factory=dict)
    pictures: Pictures | None = None
    license: str = ""

    @classmethod
    def of(
        cls,
        site: SiteSettings,
        *,
        hubs: tuple[str, ...] = (),
        own_hub: str | None = None,
        first_names: Mapping[str, str] | None = None,
        pictures: Pictures | None = None,
    ) -> FeedSite:
        """From the section [site] of config.toml; an empty author becomes the site's title."""
        return cls(
            links=Links(site.base_url),
            title=site.title,
            description=site.description,
            author=site.author or site.title,
            rights=site.rights,
            language=site.language,
            tag_authority=site.tag_authority,
            tag_year=site.tag_year,
            hubs=hubs,
            own_hub=own_hub,
            zone=ZoneInfo(site.timezone),
            first_names=first_names or {},
            pictures=pictures,
            license=site.license,
        )

    def picture(self, path: str) -> str | None:
        return self.links.to(path) if path else None

    @property
    def own_hubs(self) -> tuple[str, ...]:
        return (self.own_hub,) if self.own_hub else ()

    def tag(self, name: str) -> str:
        return f"tag:{self.tag_authority},{self.tag_year}:{name}"

    def feed_id(self, name: str) -> str:
        """The id of the feed `name`, a topic or a combination of topics: that of their first names, because a feed that
        moves keeps its id (RFC 4287, 4.2.6)."""
        return self.tag("feed/" + _SLUG.sub(lambda slug: self.first_names.get(slug[0], slug[0]), name))


@dataclass(frozen=True, slots=True)
class Category:
    """A topic as feeds name it (RFC 4287, 4.2.2): slug, the IRI of its kind (theme, region), what people read."""

    term: str
    scheme: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One article in a feed. `title` and `summary` are plain text, `content` is sanitised HTML with absolute URLs.
    `author` is None where the feed's author holds. Dates are aware, in UTC, in whole seconds."""

    entry_id: str
    title: str
    url: str
    published: datetime
    updated: datetime
    summary: str
    content: str
    language: str
    author: str | None = None
    categories: tuple[Category, ...] = ()
    source_url: str | None = None

    def __hash__(self) -> int:
        """Of what tells entries apart nearly always: each is looked for in several memories by all that it says."""
        return hash((self.entry_id, self.updated, self.content))


@dataclass(frozen=True, slots=True)
class Tombstone:
    """That an entry was deleted from the feed (RFC 6721). `when` is aware, in UTC, in whole seconds."""

    entry_id: str
    when: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A topic's feed in all its formats; `entries` in the order they are published in: newest change first.

    The rest is history (RFC 5005, RFC 6721): `complete` says that there is nothing but these entries, `archive_url`
    that this document is the archive at that address. Of archives Atom and RSS name the Atom documents; `older` has the
    address of the page with the entries before these, by the extension of each format that has one. `judged`:
    `entry_rules.drop_bad_entries` found each entry fit for every format.
    """

    slug: str
    feed_id: str
    title: str
    subtitle: str
    updated: datetime
    language: str
    author: str
    rights: str
    home_url: str
    atom_url: str
    rss_url: str
    json_url: str
    entries: tuple[Entry, ...]
    hubs: tuple[str, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    complete: bool = False
    archive_url: str | None = None
    prev_archive: str | None = None
    next_archive: str | None = None
    judged: bool = field(default=False, compare=False)
    older: Mapping[str, str] = field(default_factory=dict)
    icon: str | None = None
    small_icon: str | None = None
    logo: str | None = None
    license: str = ""


def mint_entry_id(authority: str, year: int, key: str) -> str:
    """The id of the article `key` in every feed, for ever: ``tag:authority,year:article/key`` (RFC 4151)."""
    return f"tag:{authority},{year}:article/{quote(key, safe='')}"


def everything(site: FeedSite) -> Topic:
    """The topic of the feed of everything, which config.toml does not list."""
    return Topic(ALL, site.title, site.description, TopicGroup.THEME)


def build_feed(
    topic: Topic,
    articles: Sequence[FiledArticle],
    topics: Mapping[str, Topic],
    site: FeedSite,
    tombstones: Sequence[Tombstone] = (),
) -> Feed:
    """The feed of `topic` (`everything(site)` for the feed of all) with `articles`, already cut to what it holds."""
    return feed_with(topic, build_entries(articles, topics, site), site, tombstones)


def build_entries(articles: Iterable[FiledArticle], topics: Mapping[str, Topic], site: FeedSite) -> list[Entry]:
    """The entry of each article, the same in every feed. A withdrawn article is a notice without its text.

    `topics` gives the labels of the categories; a slug that is not in it (a topic since removed) is no category.
    """
    categories = {slug: _category(topic, site) for slug, topic in topics.items()}
    return [_entry(filed, categories, site) for filed in articles]


def feed_with(topic: Topic, entries: Iterable[Entry], site: FeedSite, tombstones: Sequence[Tombstone] = ()) -> Feed:
    """The feed of `topic` with these entries, put in order. An empty feed is dated 1 January of the tag year, for lack
    of anything in the data."""
    language = site.language
    entries = in_order(entries)
    label = clean_line(topic.label)
    pictures = site.pictures or Pictures("", "", "")
    return Feed(
        slug=topic.slug,
        feed_id=site.feed_id(topic.slug),
        title=clean_line(site.title) if topic.slug == ALL else f"{clean_line(site.title)}: {label}",
        subtitle=clean_line(topic.description),
        updated=newest_moment(entries, tombstones, nothing_yet(site)),
        language=language,
        author=name_of(site.author) or name_of(site.title) or site.tag_authority,
        rights=clean_line(site.rights),
        home_url=site.links.topic(topic.slug),
        atom_url=site.links.feed(topic.slug, "atom"),
        rss_url=site.links.feed(topic.slug, "rss"),
        json_url=site.links.feed(topic.slug, "json"),
        entries=entries,
        tombstones=tuple(tombstones),
        hubs=(*site.hubs, *site.own_hubs),
        icon=site.picture(pictures.icon),
        small_icon=site.picture(pictures.small),
        logo=site.picture(pictures.logo),
        license=site.license,
    )


def part_of(feed: Feed, ids: Collection[str], tombstones: Sequence[Tombstone] = ()) -> Feed:
    """`feed` with the entries `ids` alone, dated by them and by `tombstones`."""
    entries = tuple(entry for entry in feed.entries if entry.entry_id in ids)
    updated = newest_moment(entries, tombstones, feed.updated)
    return replace(feed, entries=entries, tombstones=tuple(tombstones), updated=updated)


def in_order(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Newest change first; entries of the same second by id, so that the order is total."""
    return tuple(sorted(sorted(entries, key=lambda entry: entry.entry_id), key=lambda e: e.updated, reverse=True))


def newest_moment(entries: Sequence[Entry], tombstones: Sequence[Tombstone], default: datetime) -> datetime:
    """When the last of them changed; `default` where there is none."""
    moments = [entry.updated for entry in entries] + [tombstone.when for tombstone in tombstones]
    return max(moments, default=default)


def _entry(filed: FiledArticle, categories: Mapping[str, Category], site: FeedSite) -> Entry:
    article = filed.article
    url = site.links.article(article.slug)
    published = whole_seconds(_published(article))
    if article.withdrawn is not None:
        return _notice(article, published, site)
    return Entry(
        entry_id=article.entry_id,
        title=clean_line(article.title) or clean_line(article.text, _TITLE),
        url=url,
        published=published,
        updated=whole_seconds(article.updated),
        summary=clean_line(article.summary) or excerpt(article.text),
        # the rest was settled when it was sanitised
        content=said_once(notes.correction(article, site.zone) + without_forbidden(article.body).strip()),
        language=article.language,
        author=name_of(article.author or "") or None,
        categories=tuple(categories[slug] for slug in filed.topics if slug in categories),
        source_url=uri_of(article.source_url) if article.source_url else None,
    )


def _published(article: Article) -> datetime:
    """When the article came out, by its source; when it was first seen here if that is before there were feeds (it
    would be taken for a mistake), or after it was seen: nothing is published before it is, or updated earlier still.
    What a correction moves is `updated` alone, so the date stays what it was at first."""
    believed = article.published.year >= EARLIEST_YEAR and article.published <= article.first_seen
    return article.published if believed else article.first_seen


def _notice(article: Article, published: datetime, site: FeedSite) -> Entry:
    """What stands in the place of a withdrawn article: of its text, author, source and topics nothing is left."""
    title, text = notes.withdrawal(article, site.zone)
    return Entry(
        entry_id=article.entry_id,
        title=title,
        url=site.links.article(article.slug),
        published=published,
        updated=whole_seconds(article.updated),
        summary=text,
        content=f"<p>{plain_in_html(text)}</p>",
        language=site.language,
    )


def _category(topic: Topic, site: FeedSite) -> Category:
    return Category(topic.slug, site.tag(topic.group.value), name_of(topic.label) or topic.slug)


def nothing_yet(site: FeedSite) -> datetime:
    return datetime(site.tag_year, 1, 1, tzinfo=UTC)
