"""Topics and the groups they stand in. Floor: `model`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ALL = "all"
"""The topic of everything: each article is filed under it, and its feed is the feed of everything."""


class TopicGroup(StrEnum):
    THEME = "theme"
    REGION = "region"


@dataclass(frozen=True, slots=True)
class Topic:
    """A subject or a WCO region. `slug` is its name in URLs and files, `label` what people read."""

    slug: str
    label: str
    description: str
    group: TopicGroup
