"""Rules -> topics, with the rule that matched; pure. Floor: above `model` and `config`, beside feeds and pages.

`compile_topics` reads the `[topics.<slug>]` tables once; `Classifier.classify` files one article, `explain` says why.
docs/topics.md is the operator's guide to the same.
"""

from publisher.topics.classify import Classifier, Consideration, Hit, Match, compile_topics
from publisher.topics.refile import NAMED_BY_ARTICLE, Refiling, plan_refiling

__all__ = [
    "NAMED_BY_ARTICLE",
    "Classifier",
    "Consideration",
    "Hit",
    "Match",
    "Refiling",
    "compile_topics",
    "plan_refiling",
]
