"""`demo` and `init`: what a new user meets first, from a checkout and from a wheel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from publisher.demo import READERS


def run_publisher(folder: Path, *arguments: str, pythonpath: Path | None = None) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PUBLISHER_")}
    if pythonpath is not None:
        environ["PYTHONPATH"] = str(pythonpath)
    return subprocess.run(
        [sys.executable, "-P", "-m", "publisher", *arguments],
        cwd=folder, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip


def seconds_of_work() -> float:
    """Of the processes that ended so far; other than the time on the clock it does not grow with what others do."""
    times = os.times()
    return times.children_user + times.children_system


def test_the_demo_takes_less_than_five_seconds_works_twice_and_says_what_to_open(tmp_path: Path) -> None:
    start = seconds_of_work()
    first = run_publisher(tmp_path, "demo")
    assert seconds_of_work() - start < 5
    assert (first.returncode, first.stderr) == (0, "")
    opened = [line.split()[-1] for line in first.stdout.partition("\nOpen\n")[2].splitlines() if line.startswith("  ")]
    assert len(opened) == 3
    assert all((tmp_path / path).stat().st_size > 1000 for path in opened)
    second = run_publisher(tmp_path, "demo")
    assert (second.returncode, second.stdout) == (0, first.stdout)


def test_the_demo_counts_what_it_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher: Any) -> None:
    monkeypatch.chdir(tmp_path)
    shown = publisher("demo", "--json")
    assert (shown.code, shown.err) == (0, "")
    made = {row["what"]: row["count"] for row in shown.json}
    assert made["articles"] == 10
    assert made["topic feeds"] == 17
    assert made["readers"] == made["issues"] == made["letters accepted"] == len(READERS)
    assert all((tmp_path / row["place"]).exists() for row in shown.json)
    assert len(list((tmp_path / "data" / "demo" / "data" / "outbox").glob("*.eml"))) == len(READERS)
    readable = sorted((tmp_path / "data" / "demo" / "letters").glob("*.html"))
    assert [path.stem for path in readable] == ["amina", "bruno", "chen"]
    assert "<html" in readable[0].read_text(encoding="utf-8")


def test_the_demo_touches_no_other_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher: Any) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert publisher("demo", "--folder", "mine").code == 2
    assert (tmp_path / "mine" / "letter.txt").read_text(encoding="utf-8") == "mine"
    assert publisher("demo", environ={"PUBLISHER_SMTP_HOST": "relay.customs.example"}).code == 0
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["demo"]


def test_pages_of_the_demo_link_to_files_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    publisher("demo")
    site = tmp_path / "data" / "demo" / "data" / "site"
    page = (site / "index.html").read_text(encoding="utf-8")
    linked = {part.partition('"')[0] for part in page.split('href="')[1:]}
    local = {link for link in linked if "://" not in link and not link.startswith(("#", "mailto:", "data:"))}
    assert any(link.endswith("index.html") for link in local)
    assert all((site / urlsplit(link).path).is_file() for link in local)


def test_a_new_site_works_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher: Any) -> None:
    monkeypatch.chdir(tmp_path)
    made = publisher("init", "my-site")
    assert made.code == 0
    assert "made my-site/config.toml" in made.out
    assert "made my-site/data (10 files)" in made.out
    monkeypatch.chdir(tmp_path / "my-site")
    published = publisher("publish")
    assert (published.code, published.err) == (0, "")
    assert "10 new" in published.out
    assert (tmp_path / "my-site" / "data" / "site" / "index.html").exists()
    assert "publisher publish && publisher serve" in made.out


def test_init_names_settings_that_exist(tmp_path: Path, publisher: Any) -> None:
    from publisher.cli.site import TO_EDIT
    from publisher.config import variables

    known = {".".join(key) for _, key, _ in variables()}
    assert {key for key, _ in TO_EDIT} <= known
    shown = publisher("init", tmp_path / "new")
    assert all(key in shown.out for key, _ in TO_EDIT)


def test_init_leaves_alone_what_is_there(tmp_path: Path, publisher: Any) -> None:
    (tmp_path / "config.toml").write_text("# mine\n", encoding="utf-8")
    assert publisher("init", tmp_path).code == 0
    assert (tmp_path / "config.toml").read_text(encoding="utf-8") == "# mine\n"
    again = publisher("init", tmp_path)
    assert again.code == 0
    assert "nothing was changed" in again.out


def test_an_empty_site_has_no_articles_and_still_publishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher: Any
) -> None:
    publisher("init", tmp_path, "--empty")
    monkeypatch.chdir(tmp_path)
    assert list((tmp_path / "data" / "articles").iterdir()) == []
    shown = publisher("publish", "--digest", "weekly")
    assert (shown.code, shown.err) == (0, "")
    assert (tmp_path / "data" / "site" / "feeds" / "all.atom").exists()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel: nothing of the checkout beside it."""
    hatchling = pytest.importorskip("hatchling.build")
    target = tmp_path_factory.mktemp("wheel")
    program = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    assert hatchling
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, str(target)], cwd=root, capture_output=True, text=True, check=True
    )
    with zipfile.ZipFile(target / done.stdout.split()[-1]) as packed:
        packed.extractall(target / "unpacked")
    return target / "unpacked"


def test_the_wheel_brings_all_it_needs(wheel: Path, tmp_path: Path) -> None:
    assert (wheel / "publisher" / "shipped" / "config.toml").is_file()
    demo = run_publisher(tmp_path, "demo", "--json", pythonpath=wheel)
    assert (demo.returncode, demo.stderr) == (0, "")
    assert json.loads(demo.stdout)[0] == {"what": "articles", "count": 10, "place": "data/demo/data/articles"}
    made = run_publisher(tmp_path, "init", "my-site", pythonpath=wheel)
    assert made.returncode == 0
    published = run_publisher(tmp_path / "my-site", "publish", pythonpath=wheel)
    assert (published.returncode, published.stderr) == (0, "")
