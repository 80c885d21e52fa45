"""docs/articles.md: its examples come in, and it names every key."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from publisher.model import RawArticle
from publisher.sources import Admission, Format, read
from publisher.sources.fields import KEYS

GUIDE = (Path(__file__).parents[2] / "docs" / "articles.md").read_text(encoding="utf-8")
TOPICS = frozenset({"supply-chain-ports", "digital-customs", "environment", "region-mena"})


@pytest.mark.parametrize(
    ("fence", "form", "count"), [("text", Format.TEXT, 2), ("markdown", Format.MARKDOWN, 1), ("json", Format.JSONL, 2)]
)
def test_the_examples_of_the_guide_come_in(fence: str, form: Format, count: int) -> None:
    (example,) = re.findall(rf"```{fence}\n(.*?)```", GUIDE, re.DOTALL)
    admission = Admission(now=datetime(2026, 3, 1, tzinfo=UTC), topics=TOPICS)
    for told in (form, None):
        results = list(read("-", admission=admission, form=told, stream=io.BytesIO(example.encode())))
        assert len(results) == count
        assert all(isinstance(result, RawArticle) for result in results), results


def test_the_guide_names_every_key() -> None:
    assert [key for key in KEYS | {"body", "body_html", "text"} if f"`{key}`" not in GUIDE] == []
