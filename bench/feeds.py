"""All feeds of a site in every format: read, built, rendered, checked and written, timed without the process around it.

python bench/feeds.py CONFIG FOLDER     prints the seconds as two numbers: wall, processor
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from publisher.app import build
from publisher.config import load
from publisher.feeds import atom, jsonfeed, rss
from publisher.feeds.entry_rules import drop_bad_entries
from publisher.feeds.grammar import check_atom
from publisher.feeds.value import build_feed
from publisher.links import feed_path
from publisher.model import Document
from publisher.site import SiteFolder


def main(config: Path, folder: Path) -> None:
    app = build(load(config))
    topics = {topic.slug: topic for topic in app.settings.topic_list}
    now = app.clock()
    wall, processor = time.perf_counter(), time.process_time()
    documents = []
    for topic in app.press.feeds:
        with app.store.read() as tx:
            newest = tx.articles.newest(topic.slug, app.press.entries)
        feed, problems = drop_bad_entries(build_feed(topic, newest, topics, app.feed_site), now=now)
        content = atom.render(feed)
        if problems or not feed.entries or check_atom(content, self_url=feed.atom_url, now=now):
            sys.exit(f"the feed {feed.slug} is empty or breaks a rule")
        documents += [
            Document(feed_path(feed.slug, "atom"), content),
            Document(feed_path(feed.slug, "rss"), rss.render(feed)),
            Document(feed_path(feed.slug, "json"), jsonfeed.render(feed)),
        ]
    SiteFolder(folder).write(documents, {}, now)
    print(time.perf_counter() - wall, time.process_time() - processor)
    app.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
