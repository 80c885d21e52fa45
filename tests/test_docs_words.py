"""The pages for people name every command, setting and address there is, and none that there is not."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from flows.house import House
from starlette.applications import Starlette
from starlette.routing import Route

from publisher.cli import app as commands
from publisher.config import RelaySettings, Settings, SourceSettings, TopicSettings, variables
from publisher.store.schema import metadata
from publisher.web.admin import make_admin
from publisher.web.api import make_api
from publisher.web.run_desk import RunDesk
from publisher.web.server import make_asgi

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
BY_HAND = [page for page in PAGES if page.name not in {"cli.md", "configuration.md"}]
DEPLOYED = sorted(path for path in (ROOT / "deploy").rglob("*") if path.is_file())


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


# --- commands ---------------------------------------------------------------------------------------------------------


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
    for name, below in (inner or {}).items():
        yield from leaves(below, (*path, name))


COMMANDS = dict(leaves(typer.main.get_command(commands)))
GROUPS = {path[:1] for path in COMMANDS if len(path) > 1}


def named_commands(text: str) -> set[tuple[str, ...]]:
    """What stands behind `publisher` where code is shown: in backticks or at the beginning of an indented line."""
    shown = re.findall(r"(?:`|^|&& |\| )publisher ((?:[a-z][a-z-]* ?){1,2})(?=[\s`\\|A-Z\[-]|$)", text, re.MULTILINE)
    found = set()
    for words in shown:
        path = tuple(words.split())
        while path and path not in COMMANDS and path not in GROUPS and len(path) > 1:
            path = path[:-1]  # what follows is an argument
        found.add(path)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_no_command_that_is_not_there(page: Path) -> None:
    unknown = {path for path in named_commands(text_of(page)) if path not in COMMANDS and path not in GROUPS}
    assert not unknown


# --- settings ---------------------------------------------------------------------------------------------------------

KEYS = {".".join(key) for _, key, _ in variables()}
SECTIONS = {name for name, field in Settings.model_fields.items() if not field.exclude}
TABLES = {key.rpartition(".")[0] for key in KEYS} | SECTIONS


@pytest.mark.parametrize("page", BY_HAND, ids=lambda page: page.name)
def test_a_page_names_no_setting_that_is_not_there(page: Path) -> None:
    dotted = set(re.findall(rf"`((?:{'|'.join(SECTIONS)})\.[a-z_.]+[a-z])(?: = [^`]*)?`", text_of(page)))
    blocks = {"relay": RelaySettings, "source": SourceSettings, "topics": TopicSettings}
    of_blocks = {f"{name}.{field}" for name, model in blocks.items() for field in model.model_fields}
    unknown = {key for key in dotted if key not in KEYS | TABLES | of_blocks and not _is_module(key)}
    assert not unknown


def _is_module(key: str) -> bool:
    """`digest.due` may be a room of the program, in the pages for those who work on it."""
    path = ROOT / "publisher" / key.replace(".", "/")
    return path.with_suffix(".py").exists() or (path.parent.with_suffix(".py")).exists() or path.parent.is_dir()


@pytest.mark.parametrize("page", [*PAGES, *DEPLOYED], ids=lambda page: page.name)
def test_a_page_names_no_variable_that_is_not_there(page: Path) -> None:
    known = {name for name, _, _ in variables()} | {"PUBLISHER_CONFIG"}
    named = set(re.findall(r"\bPUBLISHER_[A-Z_]+[A-Z]\b", text_of(page)))
    named = {name for name in named if not name.startswith("PUBLISHER_RELAY_")}
    assert {name for name in named if not {name, name.removesuffix("_FILE")} & known} == set()


# --- addresses --------------------------------------------------------------------------------------------------------


def application(wrapped: Any) -> Starlette:
    """The application inside of what looks after bodies, headers and files."""
    while not isinstance(wrapped, Starlette):
        inner = vars(wrapped) if hasattr(wrapped, "__dict__") else {n: getattr(wrapped, n) for n in wrapped.__slots__}
        wrapped = next(value for name, value in inner.items() if name.strip("_") in {"app", "behind", "inner"})
    return wrapped


def routes(house: House) -> dict[str, set[str]]:
    """Every address with the methods that it takes; HEAD goes with GET."""
    desk = RunDesk(house.app)
    site, admin, api = (
        application(wrapped)
        for wrapped in (make_asgi(house.app), make_admin(house.app, desk), make_api(house.app, desk))
    )
    found: dict[str, set[str]] = defaultdict(set)
    for prefix, rooms in (("", site), ("/admin", admin), ("/api", api)):
        for route in rooms.routes:
            if isinstance(route, Route) or hasattr(route, "methods"):
                path = re.sub(r"\{(\w+):\w+\}", r"{\1}", prefix + getattr(route, "path"))  # noqa: B009
                found[path] |= set(getattr(route, "methods") or ()) - {"HEAD"}  # noqa: B009
    for path, operations in api.openapi()["paths"].items():  # type: ignore[attr-defined]
        found[f"/api{path}"] |= {method.upper() for method in operations}
    return found


def documented(text: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for methods, addresses in re.findall(r"(?m)^\| ([A-Z, ]+) \| (`/.*?) \|", text):
        for address in re.findall(r"`([^`]+)`", addresses):
            found[address] |= set(methods.split(", "))
    return found


@pytest.fixture
def house(tmp_path: Path, sqlite_url: str) -> Iterator[House]:
    house = House(tmp_path, sqlite_url, {"websub": {"builtin": True}})
    yield house
    house.app.close()


def test_routes_md_has_every_address_with_its_methods_and_no_other(house: House) -> None:
    there, told = routes(house), documented(text_of(ROOT / "docs/routes.md"))
    assert _lines(told) == _lines(there), "bring docs/routes.md up to date"


def _lines(found: dict[str, set[str]]) -> set[str]:
    return {f"{', '.join(sorted(methods))} {path}" for path, methods in found.items()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_no_address_of_the_operator_or_of_programs_that_is_not_there(page: Path, house: House) -> None:
    known = {re.sub(r"\{\w+\}", "*", path) for path in routes(house)}
    named = {
        re.sub(r"\{\w+\}|<\w+>|(?<=/)\d+", "*", path)
        for path in re.findall(r"(?<![\w./])(/(?:admin|api)(?:/[\w{}<>./-]*)?)(?=[`\s?\"])", text_of(page))
    }
    assert {path for path in named if path not in known and not _beginning(path, known)} == set()


def _beginning(path: str, known: Iterable[str]) -> bool:
    return any(one.startswith(f"{path.rstrip('/')}/") for one in known)


def test_the_architecture_tells_of_every_table() -> None:
    _, _, part = text_of(ROOT / "docs/architecture.md").partition("## The tables")
    named = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"(?m)^\| (`.*?) \|", part))))
    assert named == set(metadata.tables)


# --- links ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_to_a_file_and_a_heading(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text_of(page)):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"(?m)^#+ (.*)$", text_of(file))
            assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, target


def test_the_readme_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)", text_of(ROOT / "README.md")))
    assert {f"docs/{page.name}" for page in PAGES if page.name != "README.md"} == linked
