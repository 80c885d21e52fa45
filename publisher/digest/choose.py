"""Which articles a reader gets, in which sections. Floor: a pure room.

A reader's watermark is a filing's `seq`: every filing above it in one of their topics is new to them, whatever its
date. Readers with the same topics and watermark, who received none of it before, get the same: one `choose` serves
them all.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from publisher.model import ALL, Section


@dataclass(frozen=True, slots=True)
class WindowFiling:
    """A filing of the window an issue looks at, with what places its article: the date it was published."""

    seq: int
    topic: str
    article_key: str
    published: datetime


def choose(
    window: Sequence[WindowFiling],
    topics: Collection[str],
    watermark: int,
    topic_order: Sequence[str],
    already: Collection[str] = (),
) -> tuple[Section, ...]:
    """All articles with a filing above `watermark` in one of `topics`, each once, but for the keys in `already`.

    An article stands under the first of the reader's topics, in `topic_order`, that it was filed under. With `all`
    among `topics` every article is taken; one in none of the reader's other topics stands under its own first topic,
    or under `all` if it has none. Only filings above the watermark are looked at, so that the answer does not depend
    on how far back `window` reaches. Newest articles first; the same date by key.
    """
    rank = {slug: place for place, slug in enumerate(topic_order)}

    def place(topic: str) -> tuple[bool, int, str]:
        return topic == ALL, rank.get(topic, len(rank)), topic  # topics gone from the configuration come late

    filed: defaultdict[str, set[str]] = defaultdict(set)
    published: dict[str, datetime] = {}
    for filing in window:
        if filing.seq > watermark and filing.article_key not in already:
            filed[filing.article_key].add(filing.topic)
            published[filing.article_key] = filing.published
    sections: defaultdict[str, list[str]] = defaultdict(list)
    everything = ALL in topics
    for key, under in filed.items():
        wanted = under.intersection(topics) - {ALL} or (under if everything else set())
        if wanted:
            sections[min(wanted, key=place)].append(key)
    return tuple(
        Section(topic, tuple(sorted(sorted(sections[topic]), key=published.__getitem__, reverse=True)))
        for topic in sorted(sections, key=place)
    )


def edition_fingerprint(sections: Iterable[Section], language: str) -> str:
    """SHA-256 (64 hexadecimal digits) that is the same exactly for the same articles, sections and language."""
    value = [language, [[section.topic, list(section.articles)] for section in sections]]
    return hashlib.sha256(json.dumps(value).encode("ascii")).hexdigest()


def cap(sections: Sequence[Section], max_articles: int) -> tuple[tuple[Section, ...], int]:
    """At most `max_articles` of `sections`, and how many stay hidden.

    Fair: the newest of every section first, then the second newest of every section, and so on; when there are more
    sections than places the first sections have them.
    """
    turns = sorted((turn, place) for place, section in enumerate(sections) for turn in range(len(section.articles)))
    shares = Counter(place for _, place in turns[:max_articles])
    shown = tuple(
        Section(section.topic, section.articles[: shares[place]])
        for place, section in enumerate(sections)
        if shares[place]
    )
    return shown, max(0, len(turns) - max_articles)
