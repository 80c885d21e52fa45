"""What a new reading of the rules changes for an article that is filed already; pure. Floor: topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from publisher.model import ALL
from publisher.topics.classify import Match

NAMED_BY_ARTICLE = "named by the article"
"""The rule of a filing that no rule made: the source named the topic itself."""


@dataclass(frozen=True, slots=True)
class Refiling:
    """`to_file`: new topics with the rule of each, in the order of config.toml. `would_leave`: topics of today that
    nothing speaks for any more; a reader may have had them in a letter, so what to do is the flow's decision."""

    to_file: tuple[tuple[str, str], ...]
    would_leave: tuple[str, ...]


def plan_refiling(
    current: Mapping[str, str], matches: Sequence[Match], explicit: Sequence[str] | None = None
) -> Refiling:
    """Compare today's filings of one article (topic -> rule) with what its rules, or its own topics, now say.

    `explicit` are the topics that the article names; they win over `matches`. The topic `all` is never in question.
    """
    if explicit is None:
        wanted = {match.topic: match.rule for match in matches}
    else:
        wanted = {topic: NAMED_BY_ARTICLE for topic in explicit if topic != ALL}
    to_file = tuple((topic, rule) for topic, rule in wanted.items() if topic not in current)
    return Refiling(to_file, tuple(topic for topic in current if topic not in wanted and topic != ALL))
