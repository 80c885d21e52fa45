"""What every document of a site is made with. Floor: `flows`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from publisher import __version__
from publisher.config import Settings
from publisher.feeds.value import FeedSite
from publisher.flows.pictures import own_pictures
from publisher.model import Document, Frequency, Topic
from publisher.package import shipped

if TYPE_CHECKING:
    from publisher.pages.documents import Pages

# the settings that show in documents
_SHOWN: Any = {
    "site": True,
    "feeds": True,
    "topics": True,
    "websub": {"hubs", "builtin"},
    "signup": {"enabled", "consent", "languages"},
    "digest": {frequency.value: {"enabled"} for frequency in Frequency},
}


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


def press_fingerprint(settings: Settings) -> str:
    """Changes when anything changes that every document depends on: templates, settings that show, the program."""
    shown = hashlib.sha256(__version__.encode())
    shown.update(settings.model_dump_json(include=_SHOWN).encode())
    for folder in (shipped("templates"), settings.path(settings.site.templates)):
        for path in _templates(folder / "site"):
            shown.update(os.fsencode(path.name) + b"\0" + path.read_bytes())
    for content in own_pictures(settings).values():
        shown.update(content)
    return shown.hexdigest()


def _templates(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
