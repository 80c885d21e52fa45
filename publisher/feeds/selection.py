"""Which topics a combined feed is made of, and its one name whatever the order they were asked in. Floor: in `feeds`.

A union (``environment+partnerships``) has what is filed under any of its topics, a narrowing
(``region-asia-pacific/environment``) what is filed under both. Names are in alphabetical order, not in that of
config.toml: sorting the file anew must not move a feed that people follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from publisher.errors import NotFound, UsageError
from publisher.model import ALL, Topic, TopicGroup

MAX_TOPICS = 12
"""Topics of a union. Whoever wants more than that follows the feed of everything."""
UNION = "+"
NARROWING = "/"


class Match(StrEnum):
    ANY = "any"  # filed under at least one of the topics
    ALL = "all"  # filed under both


@dataclass(frozen=True)
class Selection:
    """Topics in the one order of their feed's name; at least one, `all` stands alone."""

    topics: tuple[Topic, ...]
    match: Match = Match.ANY

    @cached_property
    def slugs(self) -> tuple[str, ...]:
        return tuple(topic.slug for topic in self.topics)

    @cached_property
    def name(self) -> str:
        """What stands in the feed's path and id in the place of a topic's slug."""
        return (UNION if self.match is Match.ANY else NARROWING).join(self.slugs)

    @cached_property
    def label(self) -> str:
        """What people read: ``Environment + Partnerships``, ``Environment in Asia/Pacific``."""
        labels = [topic.label for topic in self.topics]
        if self.match is Match.ANY:
            return " + ".join(labels)
        place, subject = self.topics
        apart = place.group is TopicGroup.REGION and subject.group is not TopicGroup.REGION
        return f"{subject.label} in {place.label}" if apart else " and ".join(labels)


def select(slugs: Iterable[str], match: Match, topics: Mapping[str, Topic]) -> Selection:
    """The selection of `slugs`, in any order and with repetitions; `topics` are all there are, `all` among them.

    What comes down to one topic is that topic: a union with `all` is `all`, a narrowing by `all` changes nothing.
    Raises NotFound for what is no topic, UsageError for none, or for more than a feed can have.
    """
    wanted = sorted(set(slugs), key=lambda slug: _place(topics, slug, match))
    if not wanted:
        raise UsageError("Please choose at least one topic.")
    rest = [slug for slug in wanted if slug != ALL]
    if not rest or (len(rest) < len(wanted) and match is Match.ANY):
        return Selection((topics[ALL],))
    if len(rest) == 1:
        return Selection((topics[rest[0]],))
    if match is Match.ALL and len(rest) > 2:
        raise UsageError("Please choose two topics to be met by both, such as a theme and a region.")
    if len(rest) > MAX_TOPICS:
        raise UsageError(f"Please choose at most {MAX_TOPICS} topics, or follow everything.")
    return Selection(tuple(topics[slug] for slug in rest), match)


def _place(topics: Mapping[str, Topic], slug: str, match: Match) -> tuple[bool, str]:
    """The order of a name: alphabetical, in a narrowing the region first."""
    if slug not in topics:
        raise NotFound("topic", slug)
    return match is Match.ALL and topics[slug].group is not TopicGroup.REGION, slug
