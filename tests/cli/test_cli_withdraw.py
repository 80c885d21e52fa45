"""`articles withdraw` and `articles restore`: what an operator is told, and what readers then see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REASON = "Published before the agreement was signed."


def first(publisher: Any) -> dict[str, Any]:
    listed: list[dict[str, Any]] = json.loads(publisher("articles", "list", "--json").out)
    return listed[0]


def test_an_article_is_withdrawn_with_a_reason_and_restored(site: Path, publisher: Any) -> None:
    article = first(publisher)
    page = next(site.rglob(f"articles/{article['slug']}/index.html"))
    told = publisher("articles", "withdraw", article["key"], "--reason", REASON)
    assert told.code == 0 and told.out.startswith("withdrawn: ")
    assert publisher("articles", "withdraw", article["key"], "--reason", "x").out.startswith("withdrawn before: ")
    assert REASON in " ".join(publisher("articles", "show", article["key"]).out.split())
    assert publisher("publish", "--no-digest").code == 0
    assert REASON in page.read_text()
    assert first(publisher)["key"] != article["key"]
    back = publisher("articles", "restore", article["key"], "--json")
    assert json.loads(back.out)["withdrawn"] is None
    assert publisher("articles", "restore", article["key"]).out.startswith("not withdrawn: ")
    assert publisher("publish", "--no-digest").code == 0
    assert REASON not in page.read_text()


def test_a_withdrawal_needs_a_reason_and_an_article(site: Path, publisher: Any) -> None:
    assert publisher("articles", "withdraw", "abc").code == 2
    for blank in ("", " \n", "\u2028\ufeff"):
        told = publisher("articles", "withdraw", first(publisher)["key"], "--reason", blank)
        assert told.code == 2 and "say why the article is withdrawn" in told.err
    assert first(publisher)["withdrawn"] is None
    unknown = publisher("articles", "withdraw", "nothing-like-it", "--reason", REASON)
    assert unknown.code == 1 and "nothing-like-it" in unknown.err
