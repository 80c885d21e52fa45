"""Score an article against every topic's rules and say which rule filed it. Floor: topics.

title, summary, text -> words -> hits (a rule, where, the words) -> score per topic -> filed, or why not
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from publisher.config import TopicSettings
from publisher.config.patterns import compiled
from publisher.errors import ConfigError
from publisher.model import TopicGroup
from publisher.topics.patterns import pieces
from publisher.topics.terms import Term, variants
from publisher.topics.words import Words, read

_SEMANTICS = 2
"""Part of the fingerprint: raised when this code reads the same rules differently."""

LEAD_WORDS = 60
TITLE, LEAD, TEXT = 3.0, 1.5, 0.7
"""How much a hit counts by its place: in the title, in the summary or the first `LEAD_WORDS`, further down."""

USUAL_WORDS = 200
DENSITY = (0.6, 1.5)
"""Hits outside the title count more in a text shorter than `USUAL_WORDS`, less in a longer one, within these."""

MAX_HITS = 3
"""Outside the title, one rule counts at most so many times: repeating a word does not make a second topic."""


FURTHER_DOWN = 0.8
"""What is neither in the title nor in the lead adds at most so much of a topic's threshold: a list of countries or a
closing paragraph alone never files an article."""


class Kind(StrEnum):
    PHRASE = "phrase"
    WORD = "word"
    PATTERN = "pattern"
    HINT = "hint"
    UNLESS = "unless"


_WEIGHT = {Kind.PHRASE: 2.0, Kind.WORD: 1.0, Kind.PATTERN: 2.0, Kind.HINT: 0.5, Kind.UNLESS: 0.0}
_KEYS = {Kind.PHRASE: "phrases", Kind.WORD: "words", Kind.PATTERN: "patterns", Kind.HINT: "hints"}


class Place(StrEnum):
    TITLE = "title"
    SUMMARY = "summary"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that matched: its `rule` as written in config.toml, the `words` as they stand in the article, and what
    it adds to the score (`value`, 0 for an `unless`); `leading` if it stands in the title, the summary or the lead."""

    kind: Kind
    rule: str
    place: Place
    words: str
    value: float
    leading: bool

    def __str__(self) -> str:
        where = f"{self.kind} {json.dumps(self.rule, ensure_ascii=False)} in the {self.place}"
        return where if self.words.casefold() == self.rule.casefold() else f"{where}: {self.words}"


@dataclass(frozen=True, slots=True)
class Match:
    """An article belongs to `topic`; `rule` says in one line which rule weighed most, `words` are all that matched."""

    topic: str
    rule: str
    words: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True)
class Consideration:
    """All about one topic and one article. `verdict` says in words why it is filed or not."""

    topic: str
    filed: bool
    score: float
    threshold: float
    verdict: str
    hits: tuple[Hit, ...]
    held_back: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class _Rule:
    topic: int
    kind: Kind
    written: str


@dataclass(frozen=True, slots=True)
class _Found:
    """A hit before it is weighed: words `start` to `end` of a place."""

    rule: _Rule
    start: int
    end: int


_Candidates = list[tuple[Term, _Rule]]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """`index`: terms by their first two words; by the first and "" where the second is free (a single word, or a gap
    follows). `starts`: the first words alone."""

    index: Mapping[tuple[str, str], _Candidates]
    starts: frozenset[str]
    patterns: list[tuple[re.Pattern[str], _Rule]]


def compile_topics(topics: Mapping[str, TopicSettings]) -> Classifier:
    """A classifier whose rules were all read. Raises ConfigError like `Classifier.compile`."""
    classifier = Classifier(topics)
    classifier.compile()
    return classifier


def _compiled(topics: Mapping[str, TopicSettings]) -> _Compiled:
    index: dict[tuple[str, str], _Candidates] = {}
    patterns: list[tuple[re.Pattern[str], _Rule]] = []
    for number, (slug, topic) in enumerate(topics.items()):
        patterns += [(compiled(pattern), _Rule(number, Kind.PATTERN, pattern)) for pattern in topic.patterns]
        for kind, name, place, rule in _term_rules(topic):
            try:
                for term in variants(rule):
                    index.setdefault(term.opening, []).append((term, _Rule(number, kind, rule)))
            except ValueError as error:
                raise ConfigError(f"topics.{slug}.{name}[{place}]", f"{rule!r} {error}") from error
    for candidates in index.values():
        candidates.sort(key=_longest_first)
    return _Compiled(index, frozenset(first for first, _ in index), patterns)


def _longest_first(candidate: tuple[Term, _Rule]) -> tuple[int, bool]:
    term, rule = candidate
    return -term.length, rule.kind is not Kind.UNLESS


def _term_rules(topic: TopicSettings) -> Iterator[tuple[Kind, str, int, str]]:
    for kind, name in (
        (Kind.PHRASE, "phrases"),
        (Kind.WORD, "words"),
        (Kind.HINT, "hints"),
        (Kind.UNLESS, "unless"),
    ):
        rules: tuple[str, ...] = getattr(topic, name)
        for place, rule in enumerate(rules):
            yield kind, name, place, rule


class Classifier:
    """The rules of every topic: slug -> settings, in the order they are shown in. May be shared between threads.

    They are compiled when the first article asks, for that takes longer than a whole run that has nothing new.
    """

    def __init__(self, topics: Mapping[str, TopicSettings]) -> None:
        self._topics = dict(topics)
        self._slugs = tuple(topics)
        self.fingerprint = _fingerprint(topics)
        """Changes exactly when the rules, or how they are read, change; not with labels, descriptions or order."""

    def compile(self) -> None:
        """Read the rules now, if nobody did.

        Raises ConfigError with the dotted path of the first impossible term, e.g. ``topics.environment.phrases[2]``;
        config has refused impossible patterns.
        """
        self._rules  # noqa: B018  (made at its first use)

    @cached_property
    def _rules(self) -> _Compiled:
        return _compiled(self._topics)

    def classify(self, title: str, text: str, summary: str = "") -> tuple[Match, ...]:
        """The topics of an article, in the order of config.toml. Any text will do: only an impossible rule fails, with
        the ConfigError of `compile`."""
        return tuple(
            Match(c.topic, _in_words(c.hits), tuple(dict.fromkeys(hit.words for hit in c.hits)), round(c.score, 2))
            for c in self.explain(title, text, summary)
            if c.filed
        )

    def explain(self, title: str, text: str, summary: str = "") -> tuple[Consideration, ...]:
        """Every topic with its score, what matched and what held it back, in the order of config.toml."""
        hits: list[list[Hit]] = [[] for _ in self._slugs]
        counts: dict[_Rule, int] = {}
        body = read(text)
        density = _density(body)
        places = [(Place.TITLE, read(title)), (Place.TEXT, body)]
        if summary and not text.startswith(summary.rstrip(" .…")[:80]):
            places.insert(1, (Place.SUMMARY, read(summary)))
        for place, words in places:
            for found, shown in self._search(words):
                value = _WEIGHT[found.rule.kind]
                leading = place is not Place.TEXT or found.start < LEAD_WORDS
                if place is Place.TITLE:
                    value *= TITLE
                else:
                    counts[found.rule] = counts.get(found.rule, 0) + 1
                    value *= density * (LEAD if leading else TEXT) if counts[found.rule] <= MAX_HITS else 0.0
                hits[found.rule.topic].append(Hit(found.rule.kind, found.rule.written, place, shown, value, leading))
        return self._judged(hits)

    def _judged(self, hits: list[list[Hit]]) -> tuple[Consideration, ...]:
        scores = [_score(topic, of_topic) for topic, of_topic in zip(self._topics.values(), hits, strict=True)]
        best: dict[TopicGroup, float] = {}
        for topic, score in zip(self._topics.values(), scores, strict=True):
            best[topic.group] = max(score, best.get(topic.group, 0.0))
        return tuple(
            _considered(slug, topic, score, best[topic.group], of_topic)
            for (slug, topic), score, of_topic in zip(self._topics.items(), scores, hits, strict=True)
        )

    def _search(self, words: Words) -> list[tuple[_Found, str]]:
        """All hits in one place, each with its words; in a topic no word is used twice, the longest term wins."""
        found = self._terms(words)
        if self._rules.patterns:
            found += self._patterns_in(words, found)
        if not found:
            return []
        spans = words.spans()
        return [(one, " ".join(words.text[spans[one.start][0] : spans[one.end - 1][1]].split())) for one in found]

    def _terms(self, words: Words) -> list[_Found]:
        found: list[_Found] = []
        starts = self._rules.starts
        free_from = [0] * len(self._slugs)
        for start, first in enumerate(words.keys):
            if first not in starts:
                continue
            for term, rule in self._candidates(first, words.keys[start + 1 : start + 2]):
                if free_from[rule.topic] <= start and (end := term.end(words, start)):
                    free_from[rule.topic] = end
                    found.append(_Found(rule, start, end))
        return found

    def _candidates(self, first: str, second: tuple[str, ...]) -> _Candidates:
        index = self._rules.index
        singles = index.get((first, ""), [])
        pairs = index.get((first, second[0]), []) if second else []
        return sorted(pairs + singles, key=_longest_first) if pairs and singles else pairs or singles

    def _patterns_in(self, words: Words, taken: Iterable[_Found]) -> list[_Found]:
        """Hits of regular expressions on whole words that no term of the same topic has used."""
        used = {(one.rule.topic, place) for one in taken for place in range(one.start, one.end)}
        spans = words.spans()
        starts, ends = [start for start, _ in spans], [end for _, end in spans]
        found: list[_Found] = []
        for offset, piece in pieces(words.text):
            for pattern, rule in self._rules.patterns:
                for match in pattern.finditer(piece):
                    low, high = offset + match.start(), offset + match.end()
                    inside = range(bisect_right(ends, low), bisect_left(starts, high))
                    if inside and not any((rule.topic, place) in used for place in inside):
                        used.update((rule.topic, place) for place in inside)
                        found.append(_Found(rule, inside[0], inside[-1] + 1))
        return found


def _density(body: Words) -> float:
    low, high = DENSITY
    return min(high, max(low, math.sqrt(USUAL_WORDS / max(1, len(body.raws)))))


def _score(topic: TopicSettings, hits: list[Hit]) -> float:
    leading = sum(hit.value for hit in hits if hit.leading)
    return leading + min(sum(hit.value for hit in hits if not hit.leading), FURTHER_DOWN * topic.threshold)


def _considered(slug: str, topic: TopicSettings, score: float, best: float, hits: list[Hit]) -> Consideration:
    counted = tuple(sorted((hit for hit in hits if hit.kind is not Kind.UNLESS), key=lambda hit: -hit.value))
    least = topic.share * best
    filed = score >= max(topic.threshold, least) and score > 0
    if filed:
        verdict = f"filed: {score:.2f} of {topic.threshold:g}"
    elif score >= topic.threshold:
        verdict = f"not filed: {score:.2f} is less than {topic.share:g} of {best:.2f}, the best {topic.group}"
    elif counted:
        verdict = f"not filed: {score:.2f} of {topic.threshold:g}"
    else:
        verdict = "not filed: no rule matched"
    return Consideration(
        slug, filed, score, topic.threshold, verdict, counted, tuple(h for h in hits if h.kind is Kind.UNLESS)
    )


def _in_words(hits: tuple[Hit, ...]) -> str:
    others = len({hit.rule for hit in hits} - {hits[0].rule})
    return str(hits[0]) + (f", and {others} more" if others else "")


def _fingerprint(topics: Mapping[str, TopicSettings]) -> str:
    rules = {
        slug: [topic.group, topic.threshold, topic.share, *([name, *sorted(getattr(topic, name))] for name in _LISTS)]
        for slug, topic in topics.items()
    }
    written = json.dumps([_SEMANTICS, rules], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(written.encode()).hexdigest()[:16]


_LISTS = ("phrases", "words", "hints", "patterns", "unless")
