"""What goes wrong: one clear line on standard error, the right exit code, never a traceback, never an address."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from publisher import cli
from publisher.cli.articles import list_

READER = "ann@customs.example"
NO_RELAY = {"PUBLISHER_SMTP_HOST": "127.0.0.1", "PUBLISHER_SMTP_SECURITY": "none"}
LISTS = ("articles", "runs", "issues", "bounces", "subscribers")

WRONG_USE = {
    "nope": "No such command 'nope'",
    "articles nope": "No such command 'nope'",
    "articles list --limit 0": "'--limit'",
    **{f"{name} list -n 99999999999999999999": "less than or equal to 1000000" for name in LISTS},
    "articles list --topic nope": "no topic 'nope'; topics are",
    "subscribers list --topic nope": "no topic 'nope'; topics are",
    "subscribers list --state nope": "use pending, active",
    "subscribers add nobody": "not an e-mail address",
    "subscribers add bob@port.example --topics nope": "no topic 'nope'",
    "subscribers add bob@port.example --frequency hourly": "use daily, weekly or monthly",
    "subscribers add bob@port.example --language e_e": "not a language tag",
    f"subscribers add {READER}": "subscriber 1 already",
    "runs show one": "valid integer",
    "import": "Missing argument",
    "import data/articles --format pdf": "use auto, text, markdown or jsonl",
    "publish --nope": "No such option",
    "publish --digest hourly": "use daily, weekly or monthly",
    "publish --digest weekly --no-digest": "contradict",
    "digest test weekly": "Missing option '--to'",
    "digest preview hourly": "use daily, weekly or monthly",
    "demo --folder data": "choose another --folder",
    "init one two": "unexpected extra argument",
}
FAILED = {
    "articles show nope": "no article 'nope'; `publisher articles list`",
    "topics explain nope": "no article 'nope'",
    "issues show weekly-99": "no issue 'weekly-99'",
    "issues show nope": "an issue is named like",
    "runs show 99": "no run '99'",
    "runs show 99999999999999999999999": "no run '99999999999999999999999'",
    "subscribers show nobody@port.example": "no subscriber",
    "digest preview weekly": "nothing new for the weekly digest",
    "import nope.txt": "nope.txt: no such file or folder",
    "import https://www.wcoomd.org/": "this is a web address; save what it shows",
    "import FTP://customs.example/a.md": "this is a web address; save what it shows",
    "articles list --config nope.toml": "nope.toml: no such file; `publisher init` makes one",
    "articles list --config data": "data: cannot be read: Is a directory",
    "init config.toml": "choose a folder you may write to",
}


def one_line(err: str) -> str:
    (line,) = err.splitlines()
    assert line.startswith("publisher: ")
    return line


@pytest.mark.parametrize("line", WRONG_USE)
def test_wrong_use_ends_with_2_and_one_line(line: str, site: Path, publisher: Any) -> None:
    shown = publisher(*line.split())
    assert (shown.code, shown.out) == (2, "")
    assert WRONG_USE[line] in one_line(shown.err)


@pytest.mark.parametrize("line", ["articles list -s", "admin remove", "subscribers show", "publish --plan", ""])
def test_an_argument_that_is_not_utf_8_is_wrong_use(line: str, site: Path, publisher: Any) -> None:
    shown = publisher(*line.split(), os.fsdecode(b"caf\xe9\n"))
    assert (shown.code, shown.out) == (2, "")
    assert r"caf\xe9\n: this argument is not UTF-8" in one_line(shown.err)


def test_a_real_process_refuses_it_too_but_imports_a_file_of_such_a_name(site: Path) -> None:
    name = os.fsdecode(b"caf\xe9.md")
    (site / name).write_text("# Customs\n\nA text.\n", encoding="utf-8")
    codes = {
        command: subprocess.run(
            [sys.executable, "-m", "publisher", *command.split(), name], capture_output=True, check=False
        ).returncode
        for command in ("articles show", "import", "import --format")
    }
    assert codes == {"articles show": 2, "import": 0, "import --format": 2}


@pytest.mark.parametrize(
    "line",
    ["import", "feeds check", "bounces read", "subscribers import", "articles correct wto -n Slip. --body-file"],
)
def test_a_line_break_in_the_name_of_a_file_breaks_no_line(line: str, site: Path, publisher: Any) -> None:
    shown = publisher(*line.split(), "a\nb.md")
    assert shown.code in {1, 2}
    assert r"a\nb.md" in one_line(shown.err)


@pytest.mark.parametrize("line", FAILED)
def test_what_fails_ends_with_1_and_one_line(line: str, site: Path, publisher: Any) -> None:
    shown = publisher(*line.split())
    assert (shown.code, shown.out) == (1, "")
    assert FAILED[line] in one_line(shown.err)


@pytest.mark.parametrize(("line", "code"), [("runs list", 0), ("runs show 99", 1), ("runs nope", 2)])
def test_a_real_process_ends_with_the_same_code(line: str, code: int, site: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "publisher", *line.split()], capture_output=True, check=False)
    assert done.returncode == code


def test_a_group_without_a_command_shows_its_help(publisher: Any) -> None:
    for arguments in ([], ["articles"]):
        shown = publisher(*arguments)
        assert shown.code == 2
        assert shown.err.startswith("Usage: publisher")


def test_a_folder_without_a_config_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ("publish", "deliver", "articles list", "serve", "db upgrade"):
        shown = publisher(*command.split())
        assert shown.code == 1
        assert one_line(shown.err) == (
            "publisher: config.toml: no such file; `publisher init` makes one, or name it with --config PATH"
        )


def test_each_wrong_setting_has_its_own_line(new_site: Path, publisher: Any) -> None:
    config = new_site / "config.toml"
    text = config.read_text(encoding="utf-8")
    text = text.replace('security = "starttls"', 'security = "ssl"').replace("entries = 50", "entires = 50")
    config.write_text(text, encoding="utf-8")
    shown = publisher("runs", "list")
    assert shown.code == 1
    assert shown.err.splitlines() == [
        "publisher: config.toml: feeds.entires: unknown setting; did you mean 'entries'?",
        "publisher: config.toml: smtp.security: must be 'starttls', 'tls' or 'none'",
    ]


@pytest.mark.parametrize("command", ["articles list", "publish", "subscribers list", "db upgrade"])
def test_a_file_that_is_no_database_is_named_as_the_trouble(command: str, new_site: Path, publisher: Any) -> None:
    (new_site / "data" / "publisher.db").write_bytes(b"this is no database, " * 500)
    shown = publisher(*command.split())
    assert (shown.code, shown.out) == (1, "")
    assert "not a SQLite database" in one_line(shown.err)


def test_a_postgresql_that_lacks_characters_is_refused_and_told_by_the_doctor(
    new_site: Path, publisher: Any, postgresql_server: str
) -> None:
    admin = sa.create_engine(
        sa.make_url(postgresql_server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    latin = sa.make_url(postgresql_server).set(database="latin").render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(
            sa.text("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
        )
        shown = publisher("db", "upgrade", environ={"PUBLISHER_STORE_URL": latin})
        assert shown.code == 1 and "ENCODING 'UTF8'" in shown.err
        found = publisher("doctor", "--offline", "--json", environ={"PUBLISHER_STORE_URL": latin}).json
        (finding,) = [one for one in found if one["check"] == "database"]
        assert finding["level"] == "problem" and "ENCODING 'UTF8'" in finding["says"]
        connection.execute(sa.text("DROP DATABASE latin"))
    admin.dispose()


def test_a_damaged_database_is_told_in_one_line(site: Path, publisher: Any) -> None:
    path = site / "data" / "publisher.db"
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    content = bytearray(path.read_bytes())
    content[8192:] = bytes(len(content) - 8192)
    path.write_bytes(content)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shown = publisher("publish", "--rebuild")
    assert shown.code == 1
    assert "damaged" in one_line(shown.err)


def test_a_database_of_a_newer_program_is_refused(site: Path, publisher: Any) -> None:
    with sqlite3.connect(site / "data" / "publisher.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9999'")
    connection.close()
    for command in (("articles", "list"), ("db", "upgrade")):
        shown = publisher(*command)
        assert shown.code == 1
        assert "newer version of this program; install that version" in one_line(shown.err)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(new_site: Path, publisher: Any) -> None:
    (new_site / "data").chmod(0o500)
    try:
        shown = publisher("publish")
    finally:
        (new_site / "data").chmod(0o700)
    assert shown.code == 1
    assert str(new_site / "data") in one_line(shown.err)


def test_a_place_where_no_folder_can_be_is_named(new_site: Path, publisher: Any) -> None:
    (new_site / "file").write_text("", encoding="utf-8")
    for name in ("PUBLISHER_SITE_OUTPUT", "PUBLISHER_STORE_SECRET_FILE", "PUBLISHER_OUTBOX_PATH"):
        publisher("subscribers", "add", f"{name.lower()}@port.example", "--frequency", "daily")
        shown = publisher("publish", "--digest", "daily", environ={name: str(new_site / "file" / "below")})
        assert shown.code == 1, name
        assert str(new_site / "file") in one_line(shown.err)


@pytest.mark.parametrize("name", ["article.html", "style.css"])
def test_a_template_that_is_not_utf_8_is_named_by_publish_and_doctor(name: str, site: Path, publisher: Any) -> None:
    with (site / "templates" / "site" / name).open("ab") as file:
        file.write(b"\xff")
    shown = publisher("publish")
    assert shown.code == 1
    assert f"template site/{name}, line " in one_line(shown.err)
    assert "save the file as UTF-8" in shown.err
    (finding,) = [one for one in publisher("doctor", "--offline", "--json").json if one["level"] == "problem"]
    assert finding["check"] == "templates"
    assert f"template site/{name}, line " in finding["says"]


def test_a_template_whose_name_is_not_utf_8_stops_nothing(site: Path, publisher: Any) -> None:
    (site / "templates" / "site" / os.fsdecode(b"caf\xe9.html")).write_text("", encoding="utf-8")
    assert publisher("publish").code == 0


def test_no_room_on_the_disk_is_one_line(site: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "publisher", "articles", "list", "--json"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "No space left on device" in one_line(done.stderr)


@pytest.mark.usefixtures("no_pauses")
def test_a_relay_that_is_down_fails_the_run_keeps_the_letters_and_names_nobody(site: Path, publisher: Any) -> None:
    publisher("subscribers", "add", "bob@port.example", "--frequency", "daily")
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        down = {**NO_RELAY, "PUBLISHER_SMTP_PORT": str(taken.getsockname()[1])}
        shown = publisher("publish", "--digest", "daily", environ=down)
    assert shown.code == 1
    again, problem = shown.err.splitlines()
    assert re.search(r"relay 127\.0\.0\.1:\d+: .*check smtp.host and smtp.port", problem)
    assert again == f"{problem}; trying again in 0 s"
    assert "1 letter still to be sent" in shown.out
    record = publisher("runs", "list", "--json").json[0]
    assert record["state"] == "failed"
    seen = shown.out + shown.err + publisher("runs", "show", record["id"]).out + str(record)
    assert "bob" not in seen
    assert "1 accepted" in publisher("deliver").out


def test_an_address_that_is_there_already_is_not_repeated(site: Path, publisher: Any) -> None:
    shown = publisher("subscribers", "add", READER.upper())
    assert shown.code == 2
    assert "ann" not in shown.err.lower()


def test_a_mistake_of_ours_is_one_line_and_a_file(
    site: Path, publisher: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"about {READER}")

    monkeypatch.setattr("publisher.app.build", broken)
    monkeypatch.setattr(cli.tempfile, "tempdir", str(tmp_path))
    shown = publisher("articles", "list")
    assert shown.code == 1
    line = one_line(shown.err)
    assert "a mistake in the program itself (RuntimeError)" in line
    assert READER not in line
    (kept,) = tmp_path.glob("publisher-*.txt")
    assert str(kept) in line
    assert list_.__name__ in kept.read_text(encoding="utf-8")


def test_ctrl_c_is_no_traceback(site: Path, publisher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("publisher.app.build", interrupted)
    shown = publisher("articles", "list")
    assert (shown.code, shown.out) == (130, "")
    assert "Traceback" not in shown.err


# --- import ----------------------------------------------------------------------------------------------------

BAD = {
    "binary.txt": (b"\0\1\2" * 100, "a binary file"),
    "empty.txt": (b"", "the file is empty"),
    "broken.jsonl": (b'{"title": "Ports", "text": "A meeting."}\n{nope\n', ":2: not JSON"),
    "date.jsonl": (b'{"title": "Ports", "text": "A meeting.", "published": "soon"}\n', "'soon' is no date"),
    "front.md": (b"---\ntitle: [a\n---\nText.\n", "broken front matter"),
    "latin.txt": ("Côte d'Ivoire\n\nCôte d'Ivoire\n\nDouane.\n".encode("latin-1"), "UTF-8"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_item_is_refused_by_place_and_reason(name: str, site: Path, publisher: Any) -> None:
    content, reason = BAD[name]
    (site / name).write_bytes(content)
    shown = publisher("import", name)
    assert shown.code == 1
    complaint = shown.err.splitlines()[-1]
    assert complaint.startswith(f"publisher: refused: {name}")
    assert reason in complaint


def test_the_same_import_twice_changes_nothing(new_site: Path, publisher: Any) -> None:
    first = publisher("import", "data/articles")
    assert (first.code, first.err) == (0, "10 new, 0 changed, 0 unchanged, 0 refused\n")
    second = publisher("import", "data/articles")
    assert (second.code, second.err) == (0, "0 new, 0 changed, 10 unchanged, 0 refused\n")
    assert {row[0] for row in second.rows[1:]} == {"unchanged"}


def test_standard_input_is_read_where_a_place_is_a_hyphen(new_site: Path, publisher: Any) -> None:
    text = b"Ports meet\n\nPorts meet\n\nPorts and customs meet in Rotterdam.\n"
    shown = publisher("import", "-", stdin=text)
    assert shown.rows[1][0::2] == ["new", "Ports meet"]
    nothing = publisher("import", "-", stdin=b"")
    assert nothing.code in {0, 1}
    assert "0 new" in nothing.err


def test_nothing_is_imported_when_one_of_the_places_is_not_there(new_site: Path, publisher: Any) -> None:
    assert publisher("import", "data/articles", "nope.txt").code == 1
    assert publisher("articles", "list", "--json").json == []


def test_an_impossible_rule_is_reported_with_the_file_it_stands_in(site: Path, publisher: Any) -> None:
    text = (site / "config.toml").read_text(encoding="utf-8")
    other = site / "other.toml"
    other.write_text(text.replace("\nphrases = [", '\npatterns = ["(x"]\nphrases = [', 1), encoding="utf-8")
    shown = publisher("topics", "refile", "--config", "other.toml")
    assert shown.code == 1
    assert one_line(shown.err).startswith("publisher: other.toml: topics.trade-facilitation.patterns[0]: ")


def test_a_mailbox_that_is_not_there_keeps_no_other_from_being_read(site: Path, publisher: Any) -> None:
    (site / "one.eml").write_text("From: a@b.example\nSubject: hello\n\nhello\n", encoding="utf-8")
    shown = publisher("bounces", "read", "nowhere", "one.eml")
    assert shown.code == 1 and "nowhere: No such file" in one_line(shown.err)
    assert [event["kind"] for event in publisher("bounces", "list", "--json").json] == ["unparsed"]


def test_a_key_that_is_lost_once_letters_are_out_is_not_replaced_without_a_word(site: Path, publisher: Any) -> None:
    publisher("subscribers", "add", "ann@port.example", "--frequency", "daily")
    assert publisher("publish", "--digest", "daily").code == 0
    key = site / "data" / "secret.key"
    kept = key.rename(key.with_name("kept"))
    for command in (
        ("subscribers", "add", "bob@port.example"),
        ("publish", "--digest", "daily"),
        ("doctor", "--offline"),
    ):
        shown = publisher(*command)
        assert shown.code == 1, command
        assert f"{key} is missing; put the file of a backup back" in shown.out + shown.err
    assert not key.exists()
    kept.rename(key)
    assert publisher("subscribers", "add", "bob@port.example").code == 0
