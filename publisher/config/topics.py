"""Settings of topics: their rules, and the names they may have. Floor: `config`, above `section`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import Field

from publisher.config.kinds import Pattern
from publisher.config.section import Section
from publisher.model import ALL, TopicGroup

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TAKEN = re.compile(rf"{ALL}|private|archive-[0-9]+")
"""What stands in addresses below ``feeds/`` already."""


class TopicSettings(Section):
    """A topic and the rules that file articles under it; docs/topics.md says how they are read."""

    label: str = Field(min_length=1, max_length=60, description="what people read")
    formerly: tuple[str, ...] = Field(
        (),
        description="slugs it had before, oldest first; articles may name them, their addresses lead to it for good",
    )
    description: str = Field("", max_length=300, description="one sentence about what it covers")
    group: TopicGroup = Field(TopicGroup.THEME, description="theme or region")
    phrases: tuple[str, ...] = Field((), description="terms that say it plainly; each counts 2")
    words: tuple[str, ...] = Field((), description="terms that speak for it; each counts 1")
    hints: tuple[str, ...] = Field((), description="terms that only add to others; each counts a half")
    patterns: tuple[Pattern, ...] = Field((), description="regular expressions; each counts 2")
    unless: tuple[str, ...] = Field((), description="terms whose words do not count for this topic")
    threshold: float = Field(3.0, gt=0, le=100, description="score from which an article is filed")
    share: float = Field(0.0, ge=0, le=1, description="least part of the best score in its group; 0: any")


def check_names(topics: Mapping[str, TopicSettings]) -> None:
    """Raises ValueError for a slug, present or former, that is none, that feeds of ours have, or that two have."""
    rule = "a topic's name is lower-case words joined by '-'"
    for slug in topics:
        if not _SLUG.fullmatch(slug):
            raise ValueError(f"topics.{slug}: {rule}")
        if _TAKEN.fullmatch(slug):
            raise ValueError(f"topics.{slug}: feeds of ours have that name; take another one")
    taken = {slug: slug for slug in (*topics, ALL)}
    for slug, topic in topics.items():
        for former in topic.formerly:
            if not _SLUG.fullmatch(former):
                raise ValueError(f"topics.{slug}.formerly: {former!r} cannot have been one; {rule}")
            if former in taken:
                raise ValueError(f"topics.{slug}.formerly: '{former}' is a name of topic '{taken[former]}' already")
            taken[former] = slug
