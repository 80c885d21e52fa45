"""A new site for each test, and the command line run in it: in this process for speed, or as a real one."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from publisher.cli import run
from publisher.flows.new_site import make_site

READER = "ann@customs.example"


@dataclass(frozen=True)
class Shown:
    """What a command showed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.out.splitlines()]


Publisher = Callable[..., Shown]


def _without_ours(patch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PUBLISHER_")]:
        patch.delenv(name)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_ours(monkeypatch)


@pytest.fixture
def publisher(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, plain_environment: None
) -> Iterator[Publisher]:
    """Runs a command line in this process: `publisher("articles", "list")`."""

    def call(*arguments: object, stdin: bytes = b"", environ: Mapping[str, str] | None = None) -> Shown:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
            for name, value in (environ or {}).items():
                patch.setenv(name, value)
            capsys.readouterr()
            code = run([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return Shown(code, shown.out, shown.err)

    yield call


@pytest.fixture(scope="session")
def finished_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with the ten articles, one reader, and its first weekly issue sent; tests get copies of it."""
    folder = tmp_path_factory.mktemp("sites") / "finished"
    make_site(folder, with_articles=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        _without_ours(patch)
        for arguments in (["subscribers", "add", READER], ["publish", "--digest", "weekly"]):
            assert run(arguments) == 0
    return folder


@pytest.fixture
def new_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder we are in: a new site in which nothing has happened yet."""
    make_site(tmp_path, with_articles=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def site(finished_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder we are in: a copy of the finished site."""
    shutil.copytree(finished_site, tmp_path / "site")
    monkeypatch.chdir(tmp_path / "site")
    return tmp_path / "site"
