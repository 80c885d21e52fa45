"""What commands show: JSON for scripts, tab-separated lines in a pipe, tables that fit a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.cli import show, topics
from publisher.cli.show import DEFAULT_CONFIG, progress_shown, table
from publisher.model import Article, Issue, Run, Subscriber

ARTICLE = "saudi-customs-builds-smart-evaluation-on-wco-performance-measures"
READER = "ann@customs.example"


def names(value: type) -> set[str]:
    return {field.name for field in fields(value)}


LISTINGS = {
    "articles list": (names(Article) - {"body", "text"}) | {"topics"},
    "topics list": {"slug", "label", "group", "description", "articles", "feed"},
    "subscribers list": names(Subscriber),
    "issues list": names(Issue) | {"selected", "states", "pending", "balances"},
    "runs list": names(Run),
}
SINGLE = {
    f"articles show {ARTICLE}": names(Article) | {"filings", "url"},
    f"topics explain {ARTICLE}": {"key", "title", "filings", "rules"},
    f"subscribers show {READER}": names(Subscriber) | {"deliveries", "events", "consents"},
    "issues show weekly-1": names(Issue)
    | {"selected", "states", "pending", "balances", "editions", "page", "troubled", "bounced"},
    "runs show 1": names(Run),
    "topics refile": {"filed", "leaving", "removed"},
    "issues retry weekly-1": {"issue", "planned", "state", "reason"},
    "publish": {"run", "state", "ingest", "site", "issues", "pings", "delivery"},
    "publish --dry-run": {"dry_run", "ingest", "site", "issues", "pings", "delivery", "order", "fingerprint"},
    "deliver": {"states", "service", "problem", "outbox", "relays", "waiting", "outlook"},
    "digest preview monthly": {"subject", "text", "html"},
    "subscribers add bob@port.example --topics environment": names(Subscriber),
}


@pytest.mark.parametrize("line", LISTINGS)
def test_a_listing_in_json_is_one_array_of_objects_with_the_fields_of_the_model(
    line: str, site: Path, publisher: Any
) -> None:
    shown = publisher(*line.split(), "--json")
    assert (shown.code, shown.err) == (0, "")
    assert isinstance(shown.json, list)
    assert shown.json
    for item in shown.json:
        assert set(item) == LISTINGS[line]


def test_a_dry_run_makes_no_more_than_the_empty_database_and_the_key(new_site: Path, publisher: Any) -> None:
    before = {path: path.read_bytes() for path in new_site.rglob("*") if path.is_file()}
    assert publisher("publish", "--dry-run", "--digest", "weekly").code == 0
    after = {path: path.read_bytes() for path in new_site.rglob("*") if path.is_file()}
    assert {path.name for path in after.keys() - before.keys()} == {"publisher.db", "secret.key"}
    assert after.items() >= before.items()
    assert publisher("articles", "list", "--json").json == publisher("runs", "list", "--json").json == []


@pytest.mark.parametrize("line", SINGLE)
def test_a_single_thing_in_json_is_one_object(line: str, site: Path, publisher: Any) -> None:
    if "preview" in line:
        publisher("subscribers", "add", "zoe@port.example", "--frequency", "monthly")
    shown = publisher(*line.split(), "--json")
    assert (shown.code, shown.err) == (0, "")
    assert set(shown.json) == SINGLE[line]


def test_topics_in_json_are_slugs_and_times_end_in_z(site: Path, publisher: Any) -> None:
    article = next(a for a in publisher("articles", "list", "--json").json if a["slug"] == ARTICLE)
    assert article["topics"] == ["governance-performance", "region-mena"]
    assert article["published"].endswith("Z")
    assert article["explicit_topics"] is None


def test_an_import_in_json_says_what_became_of_each_item(site: Path, publisher: Any) -> None:
    lines = ['{"title": "Ports meet", "text": "Ports and customs meet."}', '{"title": ""}']
    shown = publisher("import", "-", "--format", "jsonl", "--json", stdin="\n".join(lines).encode())
    assert shown.code == 1
    good, bad = shown.json
    assert (good["outcome"], good["title"], good["origin"]) == ("new", "Ports meet", {"place": "-", "line": 1})
    assert (bad["outcome"], bad["origin"]["line"]) == ("refused", 2)
    assert bad["reason"] in shown.err


def test_a_pipe_gets_tab_separated_lines_with_a_head(site: Path, publisher: Any) -> None:
    rows = publisher("articles", "list").rows
    assert rows[0] == ["key", "published", "title", "topics"]
    assert len(rows) == 11
    assert {len(row) for row in rows} == {4}


def test_an_empty_listing_is_an_empty_array_and_no_line_in_a_pipe(new_site: Path, publisher: Any) -> None:
    for listing in ("articles", "subscribers", "issues", "runs"):
        assert publisher(listing, "list", "--json").json == []
        assert publisher(listing, "list").out == ""


def test_a_listing_cut_off_by_head_is_silent(site: Path) -> None:
    line = f"{sys.executable} -m publisher articles list --json | head -1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[\n", "")


def test_a_closed_standard_output_is_no_mistake(site: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m publisher runs list >&-"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_without_unicode_still_shows_the_text(site: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "publisher", "import", "-", "--format", "jsonl"],
        input='{"title": "Côte → 税関", "text": "Something new on transit."}'.encode(),
        env={**os.environ, "PYTHONIOENCODING": "latin-1"}, capture_output=True, check=True,
    )  # fmt: skip
    assert b"C\xf4te \\u2192" in done.stdout


# --- tables ----------------------------------------------------------------------------------------------------

cells = st.text(st.characters(codec="ascii", categories=["L", "N", "P"], include_characters=" "), max_size=70)
tables = st.integers(1, 6).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=6)
)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (show, topics):
        monkeypatch.setattr(module, "on_terminal", lambda: True)


@given(rows=tables, room=st.integers(20, 200))
def test_columns_fit_the_room_or_there_is_no_table(rows: list[list[str]], room: int) -> None:
    columns = [f"c{n}" for n in range(len(rows[0]))]
    widths = show._widths(columns, rows, room)
    if widths:
        assert sum(widths) + show._GAP * (len(widths) - 1) <= room
    for n, width in enumerate(widths):
        for row in rows:
            assert all(len(word) <= width for word in row[n].split())
            assert width >= len(row[n]) or len(row[n]) > show._SHORT


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_of_a_listing_is_wider_than_the_terminal(
    width: int, site: Path, publisher: Any, terminal: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for listing in ("articles", "topics", "subscribers", "issues", "runs"):
        lines = publisher(listing, "list").out.splitlines()
        assert max(map(len, lines)) <= width
        assert len(lines) > 2


def test_a_wide_terminal_gets_a_table_and_a_narrow_one_cards(
    terminal: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("k1", "A title of several words that is long"), ("k2", "Another")]
    monkeypatch.setenv("COLUMNS", "80")
    table(["key", "title"], rows)
    wide = capsys.readouterr().out.splitlines()
    assert wide[0].split() == ["key", "title"]
    assert set(wide[1]) == {"─"}
    monkeypatch.setenv("COLUMNS", "10")
    table(["key", "title"], rows)
    narrow = capsys.readouterr().out.splitlines()
    assert narrow[0] == "key    k1"
    assert narrow[1].startswith("title")
    assert "" in narrow


def test_an_empty_table_says_on_a_terminal_what_to_do(terminal: None, new_site: Path, publisher: Any) -> None:
    assert "publisher import" in publisher("articles", "list").out
    assert "publisher subscribers add" in publisher("subscribers", "list").out


# --- progress --------------------------------------------------------------------------------------------------


def test_a_log_gets_no_line_from_a_short_run_and_one_each_half_minute_from_a_long_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(show.time, "monotonic", lambda: now)
    with progress_shown(quiet=False) as progress:
        for done in range(1, 1001):
            now = done / 10
            progress("sending letters", done, 1000)
    assert capsys.readouterr().err.splitlines() == [
        "publisher: sending letters: 300 of 1,000, 10.0/s, 70 s left",
        "publisher: sending letters: 600 of 1,000, 10.0/s, 40 s left",
        "publisher: sending letters: 900 of 1,000, 10.0/s, 10 s left",
    ]


def test_a_run_in_a_log_says_nothing_on_standard_error(site: Path, publisher: Any) -> None:
    publisher("subscribers", "add", "bob@port.example", "--frequency", "daily")
    shown = publisher("publish", "--digest", "daily")
    assert (shown.code, shown.err) == (0, "")
    assert "1 accepted" in shown.out


def test_a_terminal_shows_a_bar_of_letters(site: Path) -> None:
    program = (
        "from publisher.cli.show import progress_shown\n"
        "with progress_shown(quiet=False) as progress:\n"
        "    progress('reading the sources', 0, 0)\n"
        "    for done in range(1, 6):\n"
        "        progress('sending letters', done, 5)\n"
    )
    master, slave = pty.openpty()
    done = subprocess.Popen([sys.executable, "-c", program], stderr=slave, env={**os.environ, "TERM": "xterm"})
    os.close(slave)
    shown = b""
    while True:
        try:
            shown += os.read(master, 4096)
        except OSError:
            break
    os.close(master)
    assert done.wait() == 0
    assert "sending letters" in shown.decode()
    assert "5/5" in shown.decode()


def test_the_default_config_is_the_file_of_this_folder() -> None:
    assert Path("config.toml") == DEFAULT_CONFIG


def test_json_is_utf_8_that_people_can_read(site: Path, publisher: Any) -> None:
    publisher("import", "-", "--format", "jsonl", stdin=json.dumps({"title": "Côte", "text": "Douane."}).encode())
    assert '"title": "Côte"' in publisher("articles", "list", "--json").out


def test_explain_does_not_call_an_article_filed_where_the_topics_it_names_keep_it_out(
    site: Path, publisher: Any
) -> None:
    named = site / "named.md"
    named.write_text("---\ntitle: Plastic waste\ntopics: [partnerships]\n---\n\nBasel Convention.\n", encoding="utf-8")
    assert publisher("import", named).code == 0
    shown = publisher("topics", "explain", "Plastic waste")
    assert "names its topics itself: partnerships" in shown.out
    (verdict,) = [line for line in shown.out.splitlines() if line.startswith("environment: filed")]
    assert verdict.endswith("; yet not in this topic")
    ruled = publisher("topics", "explain", ARTICLE)
    assert "governance-performance: filed" in ruled.out
    assert "not in this topic" not in ruled.out


def test_refiling_after_a_topic_got_another_name_takes_nothing_out_of_it(site: Path, publisher: Any) -> None:
    config = site / "config.toml"
    config.write_text(
        config.read_text().replace("[topics.environment]\n", '[topics.green]\nformerly = ["environment"]\n')
    )
    assert publisher("topics", "refile", "--remove", "--json").json == {"filed": {}, "leaving": [], "removed": True}
