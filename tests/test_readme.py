"""The README's commands run as written, in the order they are written."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks() -> list[list[str]]:
    return [block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)]


def test_the_first_two_commands_do_all_the_set_up() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert blocks()[0] == ["make demo", "make test"]
    for line in blocks()[0]:
        assert re.search(rf"(?m)^{line.removeprefix('make ')}:", makefile)


def test_the_commands_for_a_site_of_ones_own_run_as_written(tmp_path: Path) -> None:
    folder = tmp_path
    for line in blocks()[1]:
        words = shlex.split(line)
        if words[0] == "cd":
            folder = folder / words[1]
        elif words[1] == "serve":
            _serve(folder, words[2:])
        else:
            done = subprocess.run(
                [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, done.stderr
    letters = list((tmp_path / "my-site/data/outbox").glob("*.eml"))
    assert len(letters) == 1
    assert (tmp_path / "my-site/data/site/index.html").is_file()


def _serve(folder: Path, options: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "publisher", "serve", *options],
        cwd=folder,
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PUBLISHER_WEB_PORT": "0", "PYTHONUNBUFFERED": "1"},  # the README's port may be taken here
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if "run.done" in line:
            break
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, "".join(said) + rest


def test_what_the_readme_links_to_is_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_command_that_the_readme_names_exists() -> None:
    helped = subprocess.run(
        [sys.executable, "-m", "publisher", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for name in set(re.findall(r"`publisher ([a-z]+)", README)):
        assert re.search(rf"(?m)^\W*{name}\s", helped), name
