"""What every document of a site is made with. Floor: `flows`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from publisher.feeds.value import FeedSite
from publisher.model import Document, Topic

if TYPE_CHECKING:
    from publisher.pages.documents import Pages


@dataclass(frozen=True, slots=True)
class Press:
    """What turns values into documents: settings made into values, and compiled templates.

    `fingerprint` changes when a template, a setting that shows, or the program changes. Of a withdrawn article the
    feeds show a notice for the time `notice`, then a tombstone for the time `tombstone`. Pages and pictures are made
    with what `pages_of` and `pictures` give: a run that finds nothing new asks for neither.
    """

    site: FeedSite
    pages_of: Callable[[], Pages]
    topics: tuple[Topic, ...]
    everything: Topic
    entries: int
    fingerprint: str
    notice: timedelta
    tombstone: timedelta
    pictures: Callable[[], Sequence[Document]] = tuple

    @property
    def pages(self) -> Pages:
        return self.pages_of()

    @property
    def feeds(self) -> tuple[Topic, ...]:
        return (self.everything, *self.topics)

    @property
    def by_slug(self) -> dict[str, Topic]:
        """The topics of config.toml, without `all`."""
        return {topic.slug: topic for topic in self.topics}
