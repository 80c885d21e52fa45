"""Feeds made when they are asked for: a selection of topics, or one reader's own -> feed -> bytes. Floor: `flows`.

They are rendered from the store by the same rooms as the published files, with the same entries and ids, so that an
article that a reader's program has met in one feed is known to it in every other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode

from publisher.feeds.check import require_sound
from publisher.feeds.cut import within_room
from publisher.feeds.entry_rules import drop_bad_entries
from publisher.feeds.selection import Match, Selection
from publisher.feeds.value import Feed, Tombstone, build_feed
from publisher.flows.press import Press
from publisher.flows.publish_site import FORMATS
from publisher.htmltext import clean_line
from publisher.links import BUILDER
from publisher.model import ALL, FiledArticle, Topic, TopicGroup
from publisher.store import Transaction

_RENDER = dict(FORMATS)


def newest_in(tx: Transaction, selection: Selection, limit: int) -> list[FiledArticle]:
    """The articles of the selection that changed, or came into it, last, each once, the newest change first. A
    withdrawn one stays for the time of its notice."""
    keys = _newest(tx, selection, limit)
    filed = tx.articles.filed(keys)
    return [filed[key] for key in keys]


def combined_feed(tx: Transaction, selection: Selection, press: Press) -> Feed:
    """The feed of a selection; its human page is the one that builds it."""
    label = selection.label
    topic = Topic(selection.name, label, f"New articles on {label}.", TopicGroup.THEME)
    # hubs of others are told of published files only
    query = builder_query(selection)
    home = f"{press.site.links.to(BUILDER)}?{query}"
    return replace(_feed(tx, topic, selection, press), home_url=home, hubs=press.site.own_hubs)


def private_feed(tx: Transaction, topics: Sequence[str], name: str, identity: str, press: Press) -> Feed:
    """A reader's feed with all that is filed under any of `topics`. `name` is its path below ``feeds/``, which holds
    a secret; `identity` is the end of its id, which holds none and stays when the address is made anew."""
    known = press.by_slug
    everything = ALL in topics
    selection = Selection((press.everything,) if everything else tuple(known[slug] for slug in topics if slug in known))
    label = "Everything" if everything else ", ".join(topic.label for topic in selection.topics)
    return replace(
        _feed(tx, Topic(name, label, label, TopicGroup.THEME), selection, press),
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


def _feed(tx: Transaction, topic: Topic, selection: Selection, press: Press) -> Feed:
    """The newest of the selection as a feed named like `topic`; it has no archives, those of its topics have all."""
    keys = _newest(tx, selection, press.entries + 1)
    shown = keys[: press.entries]
    left = _left(tx, selection, press.entries)
    filed = tx.articles.filed({*shown, *left})
    gone = [Tombstone(filed[key].article.entry_id, moment) for key, moment in left.items()]
    feed = build_feed(topic, [filed[key] for key in shown], press.by_slug, press.site, gone)
    feed = within_room(feed, [filed[key].article.entry_id for key in shown])
    return replace(feed, complete=len(feed.entries) == len(keys))


def _newest(tx: Transaction, selection: Selection, limit: int) -> list[str]:
    if selection.match is Match.ANY:
        return tx.archives.newest_of_any(selection.slugs, limit)
    one, other = selection.slugs
    return tx.archives.newest_of_both(one, other, limit)


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
