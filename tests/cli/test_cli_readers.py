"""`subscribers add --confirm`, `import`, `export`, `forget`: what an operator sees."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

TABLE = "email,topics\ncarl@port.example,environment\nnobody,\ndora@port.example,nope\n"


def test_bad_rows_are_told_by_line_and_the_good_ones_come_in(new_site: Path, publisher: Any) -> None:
    (new_site / "readers.csv").write_text(TABLE, encoding="utf-8")
    preview = publisher("subscribers", "import", "readers.csv", "--dry-run")
    assert preview.code == 1
    assert preview.out == "would be: 1 added, 2 refused\n"
    assert "line 3: refused: not an e-mail address" in preview.err
    assert "line 4: refused: no topic 'nope'" in preview.err
    assert publisher("subscribers", "list", "--json").json == []
    assert publisher("subscribers", "import", "-", "--json", stdin=TABLE.encode()).json["added"] == 1
    assert [reader["email"] for reader in publisher("subscribers", "list", "--json").json] == ["carl@port.example"]


def test_a_list_of_those_who_left_is_brought_in_as_such(new_site: Path, publisher: Any) -> None:
    listed = b"Ann <ann@customs.example>\nbob@customs.example\n"
    wrong = publisher("subscribers", "import", "-", "--state", "gone", stdin=listed)
    assert (wrong.code, "state 'gone' is none of" in wrong.err) == (2, True)
    publisher("subscribers", "add", "bob@customs.example")
    assert publisher("subscribers", "import", "-", "--state", "paused", "--dry-run", stdin=listed).out.endswith(
        "known\n"
    )
    ended = publisher("subscribers", "import", "-", "--state", "blocklisted", stdin=listed)
    assert ended.out == "1 added, 1 ended\n", "who is a reader here has left too"
    assert publisher("subscribers", "import", "-", stdin=listed).out == "2 left\n"
    asked = publisher("subscribers", "import", "-", "--confirm", "--include-left", stdin=listed)
    assert asked.out == "2 left\n", "blocklisted: not even a letter that asks"


def test_a_topic_may_be_named_as_it_was_called_before_it_was_renamed(new_site: Path, publisher: Any) -> None:
    config = new_site / "config.toml"
    text = config.read_text(encoding="utf-8")
    renamed = '[topics.green]\nformerly = ["environment", "waste"]'
    config.write_text(text.replace("[topics.environment]", renamed), encoding="utf-8")
    publisher("subscribers", "add", "ann@customs.example", "--topics", "waste,region-mena")
    publisher("subscribers", "import", "-", stdin=b"email,topics\nbob@customs.example,waste green\n")
    publisher("subscribers", "import", "-", "--topics", "waste", stdin=b"email\ncarl@customs.example\n")
    readers = publisher("subscribers", "list", "--topic", "waste", "--json").json
    assert [reader["topics"] for reader in readers] == [["green", "region-mena"], ["green"], ["green"]]
    unknown = publisher("subscribers", "add", "dora@customs.example", "--topics", "wastes")
    assert "no topic 'wastes'; topics are trade-facilitation, green," in unknown.err


def test_readers_of_a_closed_topic_can_still_be_listed(new_site: Path, publisher: Any) -> None:
    publisher("subscribers", "add", "ann@customs.example", "--topics", "environment")
    config = new_site / "config.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[topics.environment]", "[topics.green]"), encoding="utf-8")
    readers = publisher("subscribers", "list", "--topic", "environment", "--json").json
    assert [reader["email"] for reader in readers] == ["ann@customs.example"]
    assert "no topic 'waste'" in publisher("subscribers", "list", "--topic", "waste").err


def test_what_goes_out_is_for_the_operator_alone(new_site: Path, publisher: Any) -> None:
    publisher("subscribers", "add", "ann@customs.example")
    (new_site / "out.csv").touch(mode=0o644)  # of an earlier day, and for everybody
    assert publisher("subscribers", "export", "--to", "out.csv").code == 0
    assert stat.S_IMODE((new_site / "out.csv").stat().st_mode) == 0o600
    assert publisher("subscribers", "import", "out.csv").out == "1 known\n"
    assert publisher("subscribers", "export", "--json").json[0]["consents"][0]["act"] == "vouched"


def test_asking_by_a_letter_says_what_happens_next(new_site: Path, publisher: Any) -> None:
    asked = publisher("subscribers", "add", "ann@customs.example", "--confirm")
    assert (asked.code, asked.out) == (0, "confirmation letter sent: they are active when they have confirmed\n")
    assert len(list((new_site / "data" / "outbox").glob("*.eml"))) == 1
    assert publisher("subscribers", "show", "ann@customs.example", "--json").json["state"] == "pending"
    again = publisher("subscribers", "add", "ann@customs.example", "--confirm")
    assert again.code == 2
    assert "had its confirmation letter; the next one may go in 24 hours" in again.err


def test_a_forgotten_reader_is_gone_and_stays_away(new_site: Path, publisher: Any) -> None:
    publisher("subscribers", "add", "ann@customs.example")
    assert publisher("subscribers", "forget", "Ann@Customs.example").out == "forgotten\n"
    assert publisher("subscribers", "show", "ann@customs.example").code == 1
    refused = publisher("subscribers", "add", "ann@customs.example")
    assert (
        refused.code,
        "asked to be forgotten; the command `publisher subscribers add --include-left`" in refused.err,
    ) == (2, True)
    assert publisher("subscribers", "add", "ann@customs.example", "--include-left").code == 0


def test_a_file_that_cannot_be_read_is_one_clear_line(new_site: Path, publisher: Any) -> None:
    (new_site / "names.csv").write_text("name\nAnn\n", encoding="utf-8")
    assert "names.csv: line 1: no column 'email'" in publisher("subscribers", "import", "names.csv").err
    assert publisher("subscribers", "import", "gone.csv").err == "publisher: gone.csv: No such file or directory\n"
    away = publisher("subscribers", "export", "--to", "nowhere/out.csv")
    assert away.err == "publisher: nowhere/out.csv: No such file or directory\n"
