"""Settings as a config.toml, for tests that start processes of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flows.house import topic_rules


def write_config(root: Path, store_url: str, smtp: Mapping[str, object], **more: Mapping[str, object]) -> None:
    """The settings of a `House` below `root`, in a file; `more` are further tables."""
    parts = [
        "[[source]]\npath = 'articles'\n",
        _table("site", {"title": "Customs news", "output": "site", "base_url": "https://news.example/"}),
        _table("store", {"url": store_url, "secret_file": "secret.key"}),
        _table("outbox", {"path": "outbox"}),
        _table("smtp", smtp),
        *(_table(name, values) for name, values in more.items()),
        *(_table(f"topics.{slug}", topic) for slug, topic in topic_rules().items()),
    ]
    (root / "config.toml").write_text("\n".join(parts), encoding="utf-8")


def _table(name: str, values: Mapping[str, object]) -> str:
    lines = [f"{key} = {list(value) if isinstance(value, tuple) else value!r}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines, ""])
