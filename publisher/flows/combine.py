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
from publisher.feeds.selection import Match, Selection
from publisher.feeds.value import Feed, build_feed, drop_bad_entries
from publisher.flows.publish_site import FORMATS, Press
from publisher.htmltext import clean_line
from publisher.links import BUILDER
from publisher.model import ALL, FiledArticle, Topic, TopicGroup
from publisher.store import Transaction

_RENDER = dict(FORMATS)


def newest_in(tx: Transaction, selection: Selection, limit: int) -> list[FiledArticle]:
    """The articles of the selection that changed, or came into it, last, each once, the newest change first. A
    withdrawn one stays for the time of its notice."""
    if selection.match is Match.ANY:
        return _of(tx, tx.archives.newest_of_any(selection.slugs, limit))
    one, other = selection.slugs
    return _of(tx, tx.archives.newest_of_both(one, other, limit))


def combined_feed(tx: Transaction, selection: Selection, press: Press) -> Feed:
    """The feed of a selection; its human page is the one that builds it."""
    label = selection.label
    topic = Topic(selection.name, label, f"New articles on {label}.", TopicGroup.THEME)
    feed = build_feed(topic, newest_in(tx, selection, press.entries), _topics(press), press.site)
    # hubs of others are told of published files only
    query = builder_query(selection)
    return replace(feed, home_url=f"{press.site.links.to(BUILDER)}?{query}", hubs=press.site.own_hubs)


def private_feed(tx: Transaction, topics: Sequence[str], name: str, identity: str, press: Press) -> Feed:
    """A reader's feed with all that is filed under any of `topics`. `name` is its path below ``feeds/``, which holds
    a secret; `identity` is the end of its id, which holds none and stays when the address is made anew."""
    known = _topics(press)
    chosen = (ALL,) if ALL in topics else [slug for slug in topics if slug in known]
    label = "Everything" if ALL in topics else ", ".join(known[slug].label for slug in chosen)
    articles = _of(tx, tx.archives.newest_of_any(chosen, press.entries))
    feed = build_feed(Topic(name, label, label, TopicGroup.THEME), articles, known, press.site)
    return replace(
        feed,
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


def _of(tx: Transaction, keys: Sequence[str]) -> list[FiledArticle]:
    filed = tx.articles.filed(keys)
    return [filed[key] for key in keys]


def _topics(press: Press) -> dict[str, Topic]:
    return {topic.slug: topic for topic in press.topics}
