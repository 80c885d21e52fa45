"""The reference pages are what the program says of itself today."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from publisher.cli import app, reference
from publisher.config import BLOCKS, Settings, SourceSettings, TopicSettings, variables

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize(("name", "write"), [("cli.md", reference.commands), ("configuration.md", reference.settings)])
def test_a_reference_page_is_up_to_date(name: str, write: Any) -> None:
    hint = f"python -m publisher.cli.reference {write.__name__} > docs/{name}"
    assert (DOCS / name).read_text(encoding="utf-8") == write(), hint


def test_every_command_and_option_is_documented() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")

    def check(command: Any, path: str) -> None:
        for name, inner in getattr(command, "commands", {}).items():
            check(inner, f"{path} {name}")
        if hasattr(command, "commands"):
            return
        _, found, part = page.partition(f"\n## {path}\n")
        assert found, path
        part = part.partition("\n## ")[0]
        for param in command.params:
            for option in param.opts if param.param_type_name == "option" else ():
                assert option in part or option == "--help", (path, option)

    check(typer.main.get_command(app), "publisher")


def test_every_setting_and_variable_is_documented() -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    for variable, key, _ in variables():
        assert f"| `{'.'.join(key)}` |" in page
        assert f"| `{variable}` |" in page
    for name in (*SourceSettings.model_fields, *TopicSettings.model_fields):
        assert f"| `{name}` |" in page


def test_every_section_says_what_it_is_about() -> None:
    sections = {name for name, field in Settings.model_fields.items() if not field.exclude}
    assert sections - BLOCKS == set(reference.SECTIONS)


def test_links_between_the_documents_lead_somewhere() -> None:
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+\.md)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), (page.name, target)
