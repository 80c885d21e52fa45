"""Refile: after a change of rules, file what is new and report what would leave. Floor: `flows`.

    articles (in chunks) -> classify with today's rules -> new filings + report of those the rules would not make

Safe to repeat, and to interrupt: the rules' fingerprint is noted only at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from publisher.flows.filing import put_in_topics
from publisher.flows.reports import IngestReport, Leaving
from publisher.model import Article
from publisher.store import Transactions
from publisher.topics import Classifier

RULES = "topics.fingerprint"
CHUNK = 1_000


def rules_changed(store: Transactions, classifier: Classifier) -> bool:
    with store.read() as tx:
        return tx.meta.get(RULES) != classifier.fingerprint


def refile(store: Transactions, *, classifier: Classifier, now: datetime, remove_leaving: bool = False) -> IngestReport:
    """File every article by today's rules. `remove_leaving` takes articles out of topics they no longer match.

    Raises ConfigError for rules that cannot be compiled, also where there is no article yet.
    """
    classifier.compile()
    filed: Counter[str] = Counter()
    leaving: list[Leaving] = []
    for chunk in _chunks(store):
        with store.write() as tx:
            added, going = put_in_topics(tx, chunk, classifier=classifier, now=now)
            if remove_leaving:
                for gone in going:
                    tx.filings.remove(gone.article_key, [gone.topic], now)
            filed.update(filing.topic for filing in added)
            leaving.extend(going)
    with store.write() as tx:
        tx.meta.set(RULES, classifier.fingerprint)
    return IngestReport(filed=dict(filed), leaving=tuple(leaving))


def _chunks(store: Transactions) -> Iterator[list[Article]]:
    """All articles in the order they came in; each chunk is read before the next write begins."""
    with store.read() as tx:
        articles = iter([filed.article for filed in tx.articles.iterate()])
    while chunk := list(islice(articles, CHUNK)):
        yield chunk
