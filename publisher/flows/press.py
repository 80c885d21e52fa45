"""What every document of a site is made with. Floor: `flows`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from publisher.feeds.value import FeedSite
from publisher.model import Document, Topic
from publisher.pages import Pages


@dataclass(frozen=True, slots=True)
class Press:
    """What turns values into documents: settings made into values, and compiled templates.

    `fingerprint` changes when a template, a setting that shows, or the program changes. Of a withdrawn article the
    feeds show a notice for the time `notice`, then a tombstone for the time `tombstone`. `pictures` are made when a
    whole site is.
    """

    site: FeedSite
    pages: Pages
    topics: tuple[Topic, ...]
    everything: Topic
    entries: int
    fingerprint: str
    notice: timedelta
    tombstone: timedelta
    pictures: Callable[[], Sequence[Document]] = tuple

    @property
    def feeds(self) -> tuple[Topic, ...]:
        return (self.everything, *self.topics)

    @property
    def by_slug(self) -> dict[str, Topic]:
        """The topics of config.toml, without `all`."""
        return {topic.slug: topic for topic in self.topics}
