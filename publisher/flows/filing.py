"""Where articles belong: what the rules, or the articles themselves, say -> filings. Floor: `flows`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from publisher.config import Settings
from publisher.flows.reports import Leaving
from publisher.model import ALL, Article, Filing
from publisher.store import NewFiling, Transaction
from publisher.topics import NAMED_BY_ARTICLE, Classifier, plan_refiling

EVERY_ARTICLE = "every article"


def rename_topics(tx: Transaction, settings: Settings) -> None:
    """Move what is under the former names of topics (`formerly` in config.toml): filings, subscriptions, archives. To
    be done before articles are filed anew, or they leave a topic for itself."""
    if settings.renamed_topics:
        tx.renames.rename(settings.renamed_topics)


def put_in_topics(
    tx: Transaction, articles: Sequence[Article], *, classifier: Classifier, now: datetime
) -> tuple[list[Filing], list[Leaving]]:
    """Bring the filings of `articles` up to what `file_articles` says; gives the new ones, and those that the rules
    would not make again, which stay."""
    filings, removals, leaving = file_articles(tx, articles, classifier=classifier, now=now)
    for key, topics in removals:
        tx.filings.remove(key, topics, now)
    return tx.filings.add(filings), leaving


def file_articles(
    tx: Transaction, articles: Sequence[Article], *, classifier: Classifier, now: datetime
) -> tuple[list[NewFiling], list[tuple[str, list[str]]], list[Leaving]]:
    """What the rules, or the articles themselves, say of where `articles` belong now.

    Gives the filings to add, the topics to take articles out of (only where the article itself names its topics,
    and no longer this one), and the filings that the rules would not make again, which are only reported.
    """
    present = tx.filings.of_many([article.key for article in articles])
    added: list[NewFiling] = []
    removals: list[tuple[str, list[str]]] = []
    leaving: list[Leaving] = []
    for article in articles:
        current = {filing.topic: filing.rule for filing in present.get(article.key, [])}
        named = article.explicit_topics
        matches = classifier.classify(article.title, article.text, article.summary) if named is None else ()
        plan = plan_refiling(current, matches, named)
        to_file = plan.to_file if ALL in current else (*plan.to_file, (ALL, EVERY_ARTICLE))
        added.extend(NewFiling(article.key, topic, rule, now) for topic, rule in to_file)
        gone = [topic for topic in plan.would_leave if named is not None or current[topic] == NAMED_BY_ARTICLE]
        if gone:
            removals.append((article.key, gone))
        leaving.extend(
            Leaving(article.key, article.title, topic, current[topic])
            for topic in plan.would_leave
            if topic not in gone
        )
    return added, removals, leaving
