"""Feeds made when they are asked for: a selection of topics, or one reader's own -> feed -> bytes. Floor: `flows`.

They are rendered from the store by the same rooms as the published files, with the same entries and ids, so that an
article that a reader's program has met in one feed is known to it in every other.

Such a feed has no archives: what it holds depends on several topics, so that none of its blocks would stay as it is. It
has pages instead (RFC 5005, 3), each named by the stamp it ends before. Nobody has to keep them, so they hold neither
what changed later, which is on a newer page, nor what is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode

from publisher.cleantext import clean_line
from publisher.feeds.check import require_sound
from publisher.feeds.cut import within_room
from publisher.feeds.entry_rules import drop_bad_entries
from publisher.feeds.selection import Match, Selection
from publisher.feeds.value import Feed, Tombstone, build_feed
from publisher.flows.press import Press
from publisher.flows.publish_site import FORMATS
from publisher.links import BUILDER, article_path
from publisher.model import ALL, FiledArticle, Topic, TopicGroup
from publisher.store import Transaction

_RENDER = dict(FORMATS)


def newest_in(tx: Transaction, selection: Selection, limit: int) -> list[FiledArticle]:
    """The articles of the selection that changed, or came into it, last, each once, the newest change first. A
    withdrawn one stays for the time of its notice."""
    keys = _published(tx, selection, limit)
    filed = tx.articles.filed(keys)
    return [filed[key] for key in keys]


def combined_feed(tx: Transaction, selection: Selection, press: Press, *, before: int | None = None) -> Feed:
    """The feed of a selection, or its page `before` a stamp; its human page is the one that builds it."""
    label = selection.label
    topic = Topic(selection.name, label, f"New articles on {label}.", TopicGroup.THEME)
    # hubs of others are told of published files only
    query = builder_query(selection)
    home = f"{press.site.links.to(BUILDER)}?{query}"
    hubs = press.site.own_hubs if before is None else ()
    return replace(_feed(tx, topic, selection, press, before), home_url=home, hubs=hubs)


def private_feed(
    tx: Transaction, topics: Sequence[str], name: str, identity: str, press: Press, *, before: int | None = None
) -> Feed:
    """A reader's feed with all that is filed under any of `topics`. `name` is its path below ``feeds/``, which holds
    a secret; `identity` is the end of its id, which holds none and stays when the address is made anew. With `before` a
    stamp, its page before that."""
    known = press.by_slug
    everything = ALL in topics
    selection = Selection((press.everything,) if everything else tuple(known[slug] for slug in topics if slug in known))
    label = "Everything" if everything else ", ".join(topic.label for topic in selection.topics)
    return replace(
        _feed(tx, Topic(name, label, label, TopicGroup.THEME), selection, press, before),
        slug="private",  # what errors and logs may say
        feed_id=press.site.tag(f"feed/private/{identity}"),
        title=f"Your topics at {clean_line(press.site.title)}",
        home_url=press.site.links.home(),
        hubs=(),  # nobody else may learn of the address
    )


def render(feed: Feed, extension: str, *, now: datetime) -> bytes:
    """The document of `feed` as atom, rss or json, as fit to be published as a file. Raises FeedError.

    RSS is for the thread of `flows.crossing` only: feedgen sets the process's locale there.
    """
    good, _ = drop_bad_entries(feed, now=now)
    content = _RENDER[extension](good)
    own = {"atom": feed.atom_url, "rss": feed.rss_url, "json": feed.json_url}[extension]
    require_sound(feed.slug, own, content, self_url=own, now=now)
    return content


def builder_query(selection: Selection) -> str:
    """The query that makes the builder's page show `selection`."""
    return urlencode([*(("topic", slug) for slug in selection.slugs), ("match", str(selection.match))])


def _feed(tx: Transaction, topic: Topic, selection: Selection, press: Press, before: int | None) -> Feed:
    """The newest of the selection, or the newest before a stamp, as a feed named like `topic`."""
    stamps = _published(tx, selection, press.entries + 1, before)
    shown = list(stamps)[: press.entries]
    left = _left(tx, selection, press.entries) if before is None else {}
    for key in shown:  # left one topic, and stands in another one's notice of its withdrawal
        left.pop(key, None)
    filed = tx.articles.filed({*shown, *left})
    gone = [Tombstone(filed[key].article.entry_id, moment) for key, moment in left.items()]
    feed = build_feed(topic, [filed[key] for key in shown], press.by_slug, press.site, gone)
    feed = within_room(feed, [filed[key].article.entry_id for key in shown])
    fitting = len(feed.entries)  # within_room keeps the first ones
    if fitting < len(stamps):
        feed = replace(feed, older=press.site.links.older(topic.slug, stamps[shown[fitting - 1]]))
    if before is None:
        return replace(feed, complete=not feed.older)
    own = press.site.links.older(topic.slug, before)
    return replace(feed, atom_url=own["atom"], rss_url=own["rss"], json_url=own["json"])


def _published(tx: Transaction, selection: Selection, limit: int, before: int | None = None) -> dict[str, int]:
    """The newest of the selection, without articles whose page is not on the site yet: a link to it would be dead, and
    the feed of the topic alone does not have it either."""
    wanted = limit
    while True:
        stamps = _newest(tx, selection, wanted, before)
        paths = {key: article_path(slug) for key, slug in tx.articles.slugs(stamps).items()}
        there = tx.documents.some(paths.values())
        shown = [(key, stamp) for key, stamp in stamps.items() if paths[key] in there]
        if len(shown) >= limit or len(stamps) < wanted:
            return dict(shown[:limit])
        wanted *= 2


def _newest(tx: Transaction, selection: Selection, limit: int, before: int | None = None) -> dict[str, int]:
    if selection.match is Match.ANY:
        return tx.archives.newest_of_any(selection.slugs, limit, before=before)
    one, other = selection.slugs
    return tx.archives.newest_of_both(one, other, limit, before=before)


def _left(tx: Transaction, selection: Selection, limit: int) -> dict[str, datetime]:
    """Keys of articles that were in the selection and are not any more, with the date of their tombstone. Who moved
    from one topic of a union to another is still there; who leaves one topic of a narrowing has left."""
    left: dict[str, datetime] = {}
    for slug in selection.slugs:
        for line in tx.archives.tombstones(slug, limit):
            if line.left is not None:
                left[line.key] = max(line.left, left.get(line.key, line.left))
    present = {key: {filing.topic for filing in made} for key, made in tx.filings.of_many(left).items()}
    wanted = set(selection.slugs)
    if selection.match is Match.ANY:
        return {key: moment for key, moment in left.items() if not wanted & present.get(key, set())}
    former = {key: {departure.topic for departure in tx.departures.of(key)} for key in left}
    return {key: moment for key, moment in left.items() if wanted <= present.get(key, set()) | former[key]}
