"""What people install from: units, container and compose file name only what is there, and completion completes."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from publisher.cli import app, manual
from publisher.config import Settings, variables

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
CONTAINERFILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
VARIABLES = {name for name, _, _ in variables()}
COMMANDS: Any = typer.main.get_command(app)
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")


def options_of(command: str) -> set[str]:
    return {option for param in COMMANDS.commands[command].params for option in param.opts}


def check_command(words: list[str]) -> None:
    assert words[0] in COMMANDS.commands
    assert {word for word in words if word.startswith("--")} <= options_of(words[0])


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong_with_a_unit_and_little_that_it_could_do(unit: Path, tmp_path: Path) -> None:
    drop_ins = tmp_path / f"{unit.name}.d"
    drop_ins.mkdir()
    shutil.copy(DEPLOY / "systemd/publisher.service.d/password.conf", drop_ins)
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/publisher/bin/publisher", sys.executable))  # it has to be there
    analyze = ["systemd-analyze", "--man=no", "verify", str(copy)]
    checked = subprocess.run(analyze, capture_output=True, text=True, check=False, timeout=60)
    said = [line for line in checked.stderr.splitlines() if unit.name in line or "password.conf" in line]
    assert (checked.returncode, said) == (0, []), checked.stderr
    security = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(copy)]
    exposed = subprocess.run(security, capture_output=True, text=True, check=False, timeout=60)
    assert exposed.returncode == 0, exposed.stdout[-400:]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_that_exists_in_the_folder_that_it_may_write(unit: Path) -> None:
    text = unit.read_text()
    program, *words = re.findall(r"(?m)^ExecStart=(.*)$", text)[0].split()
    assert program == "/opt/publisher/bin/publisher"
    check_command(words)
    folder = "/var/lib/publisher"
    assert f"WorkingDirectory={folder}\n" in text and "StateDirectory=publisher\n" in text
    assert f"PUBLISHER_CONFIG={folder}/config.toml" in text
    assert "ProcSubset=pid" not in re.sub(r"(?m)^#.*$", "", text), "whether a run still lives is read from /proc/sys"


def test_the_drop_in_hands_the_password_to_a_setting_that_takes_a_file() -> None:
    text = (DEPLOY / "systemd/publisher.service.d/password.conf").read_text()
    (name,) = re.findall(r"LoadCredential=(\w+):", text)
    (variable, file) = re.findall(r"Environment=(\w+)=(\S+)", text)[0]
    assert file == f"%d/{name}"
    assert variable.removesuffix("_FILE") in VARIABLES


def test_the_image_is_built_from_what_is_here_and_runs_without_root() -> None:
    base = re.findall(r"(?m)^FROM (\S+)", CONTAINERFILE)
    assert all("/" not in name for name in base), "an image by its plain name: no host is ours to choose"
    for line in re.findall(r"(?m)^COPY (?!--from)(.*)$", CONTAINERFILE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
    copied = {
        source for line in re.findall(r"(?m)^COPY (?!--from)(.*)$", CONTAINERFILE) for source in line.split()[:-1]
    }
    needed = set(re.findall(r'"([\w./]+)" = "publisher/shipped', (ROOT / "pyproject.toml").read_text()))
    assert needed | {"publisher", "pyproject.toml", "README.md", "LICENSE", "requirements.lock"} <= copied
    (user,) = re.findall(r"(?m)^USER (\d+):\d+$", CONTAINERFILE)
    assert int(user) > 0
    command = yaml.safe_load(re.findall(r"(?m)^CMD (\[.*\])$", CONTAINERFILE)[0])
    check_command(command)
    port = Settings.model_fields["web"].default.port
    assert f"EXPOSE {port}" in CONTAINERFILE and f"127.0.0.1:{port}/healthz" in CONTAINERFILE


def test_every_service_of_the_compose_file_does_what_there_is_in_a_read_only_container() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    for name in ("web", "worker"):
        service = services[name]
        check_command(service["command"])
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["tmpfs"] == ["/tmp"]
        assert set(service["environment"]) <= VARIABLES
        assert (ROOT / service["build"]["dockerfile"]).is_file()
        assert service["volumes"] == ["./site:/srv/site"] and "WORKDIR /srv/site" in CONTAINERFILE
    assert "/" not in services["db"]["image"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("publisher art", "articles"), ("publisher articles cor", "correct"), ("publisher wor", "worker")],
)
def test_a_shell_completes_commands(typed: str, offered: str) -> None:
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1), "_PUBLISHER_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [sys.executable, "-m", "publisher"], env={**os.environ, **words}, capture_output=True, text=True, check=False
    )
    assert (done.stdout.split(), done.stderr) == ([offered], "")


@pytest.mark.parametrize(
    ("shell", "own_word"), [("bash", "complete -o"), ("zsh", "#compdef publisher"), ("fish", "complete --command")]
)
def test_what_teaches_a_shell_is_printed(shell: str, own_word: str) -> None:
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # not the one that happens to run the tests
    done = subprocess.run(
        [sys.executable, "-m", "publisher", "--show-completion", shell],
        env={**os.environ, **named}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "_PUBLISHER_COMPLETE" in done.stdout and own_word in done.stdout, done.stderr


def test_the_shell_that_asks_is_the_one_that_is_taught() -> None:
    bash = shutil.which("bash")
    assert bash is not None
    asked = f"{shlex.quote(sys.executable)} -m publisher --show-completion; true"  # `true`: else bash makes way for it
    done = subprocess.run([bash, "-c", asked], capture_output=True, text=True, check=False)
    assert "_PUBLISHER_COMPLETE" in done.stdout and "complete -o" in done.stdout, done.stderr


def test_the_manual_has_every_command_and_nothing_that_roff_obeys_by_mistake() -> None:
    page = manual.page()
    requests = {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))}
    assert requests == {".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".I"}
    for name in COMMANDS.commands:
        assert f'"publisher {name} ' in page.replace("\\-", "-"), name
    if shutil.which("groff"):
        drawn = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww", "-z"], input=page, capture_output=True, text=True, check=False
        )
        assert (drawn.returncode, drawn.stderr) == (0, "")
