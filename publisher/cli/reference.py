"""docs/cli.md, docs/configuration.md and the manual page, written from commands and settings. Floor: `cli`.

python -m publisher.cli.reference commands > docs/cli.md
python -m publisher.cli.reference settings > docs/configuration.md
python -m publisher.cli.reference man > publisher.1
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from publisher.cli import NAME, app, manual
from publisher.cli.command_help import CommandHelp, each_command
from publisher.config import (
    BLOCKS,
    DomainSettings,
    RelaySettings,
    Settings,
    SourceSettings,
    TopicSettings,
    variables,
)

COMMANDS_INTRO = """\
# Commands

<!-- Written from the commands themselves: python -m publisher.cli.reference commands > docs/cli.md -->

`publisher COMMAND --help` says the same on a terminal. What holds for all commands:

- **Exit codes**: 0 done, 1 failed, 2 wrong use, 130 stopped with Ctrl-C, 143 with SIGTERM (a letter in hand is
  finished first).
- **Output**: results go to standard output: a table on a terminal, tab-separated lines with a head in a pipe, JSON with
  `--json` (an array of objects, or one object for a single thing; topics as slugs, times in UTC). Progress, counts and
  complaints go to standard error.
- **Errors** are one line: what was wrong, where, and what to do.
- **Arguments** are in UTF-8; only the names of files for `publisher import` may be of any bytes.
- **Progress** is a bar on a terminal; in a log it is a line every half minute, so that short runs say nothing.
- **The config file** is `config.toml` in the folder you are in, unless `--config PATH` or the variable
  `PUBLISHER_CONFIG` names another one. [configuration.md](configuration.md) lists what can stand in it.

A cron job that publishes every half hour:

```
*/30 * * * *  cd /srv/my-site && publisher publish >> publish.log
```
"""

SETTINGS_INTRO = """\
# Configuration

<!-- Written from the settings themselves: python -m publisher.cli.reference settings > docs/configuration.md -->

Everything is set in `config.toml`; `publisher init` writes one that shows every setting with its default. A setting
that is left out has its default. An unknown key or an impossible value stops the program before it does anything, with
the key, what is wrong with it, and what is allowed.

- **Variables**: each setting but those of sources, relays, domains and topics can be overridden by the variable named
  beside it, e.g. `PUBLISHER_SITE_BASE_URL=https://news.customs.example/`. Where the setting is a list, its values have
  spaces between them: `PUBLISHER_SIGNUP_LANGUAGES="en fr"`. An unknown `PUBLISHER_` variable is refused, too.
- **Secrets**: do not write the password of the relay into the file; set `PUBLISHER_SMTP_PASSWORD`, or let
  `PUBLISHER_SMTP_PASSWORD_FILE` name a file that holds it. A `[[relay]]` called `main` has
  `PUBLISHER_RELAY_MAIN_PASSWORD` and `..._FILE`. Errors never show it.
- **Paths** are meant from the folder of `config.toml`.
- `PUBLISHER_CONFIG` is no setting: it names the config file, as `--config` does.
"""

SECTIONS = {
    "site": "The published site and what its feeds and pages say about it.",
    "store": "The database, and the key that signs the links in letters. Back up both together.",
    "feeds": "Atom, RSS and JSON feeds of every topic.",
    "digest": "The letters: who they are from, what they hold, and when each frequency is due.",
    "signup": "How readers come to the digest by themselves; [sign-up.md](sign-up.md) tells it step by step.",
    "smtp": "The relay that takes the letters. Without a host they are kept in the outbox.",
    "dkim": "Signatures on letters, which mail providers ask for; [dkim.md](dkim.md) says how to begin.",
    "bounces": "Letters that come back, and complaints; [bounces.md](bounces.md) says how to set their mailbox up.",
    "outbox": "Where letters are kept when no relay is set.",
    "backup": "Copies of the database; [operating.md](operating.md) says what is in them, and how one is put back.",
    "alarm": "Who hears of it when something goes wrong: [operating.md](operating.md).",
    "web": "`publisher serve`.",
    "log": "Lines on standard error; [operating.md](operating.md) says what is in them.",
    "websub": "Feeds that are pushed to readers instead of polled by them.",
}
SOURCE = "The places that every run reads. One `[[source]]` block each; the variable list does not cover them."
RELAY = """\
Several relays, or one with limits: one `[[relay]]` block each, instead of `smtp.host`; the waits of `[smtp]` and
`smtp.on_uncertain` go for them too. [relays.md](relays.md) says how they share the letters."""
DOMAIN = "What readers at one domain get at most, over all relays and processes: one `[[domain]]` block each."
TOPICS = """\
One `[topics.<slug>]` block each, in the order in which pages and letters show them. [topics.md](topics.md) says how the
rules are read. There are no topics unless the file has some; the shipped one has sixteen."""


_HEAD = ("setting", "type", "default", "variable", "meaning")


def commands() -> str:
    """docs/cli.md as Markdown."""
    every = each_command(typer.main.get_command(app), NAME)
    return "\n".join([COMMANDS_INTRO, *(line for command in every for line in _section(command))])


def settings() -> str:
    """docs/configuration.md as Markdown."""
    parts = [SETTINGS_INTRO]
    names = {key: name for name, key, _ in variables()}
    for section, field in Settings.model_fields.items():
        if field.exclude or section in BLOCKS:
            continue
        rows = [
            (f"`{'.'.join(key)}`", _type(leaf), _default(leaf), f"`{names[key]}`", leaf.description or "")
            for key, leaf in leaves(field, (section,))
        ]
        parts += [f"## [{section}]\n", f"{SECTIONS.get(section, '')}\n", _table(_HEAD, rows)]
    blocks: tuple[tuple[str, str, type[BaseModel]], ...] = (
        ("[[source]]", SOURCE, SourceSettings),
        ("[[relay]]", RELAY, RelaySettings),
        ("[[domain]]", DOMAIN, DomainSettings),
        ("[topics.…]", TOPICS, TopicSettings),
    )
    for title, about, model in blocks:
        items = model.model_fields.items()
        lines = [(f"`{name}`", _type(leaf), _default(leaf), leaf.description or "") for name, leaf in items]
        parts += [f"## {title}\n", f"{about}\n", _table((*_HEAD[:3], _HEAD[4]), lines)]
    return "\n".join(parts)


def leaves(field: FieldInfo, key: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """The settings below `field`, each with its key; a default of the section wins over one of the setting."""
    section = field.annotation
    if not (isinstance(section, type) and issubclass(section, BaseModel)):
        yield key, field
        return
    for name, inner in section.model_fields.items():
        given = inner
        if isinstance(field.default, section):
            given = FieldInfo.merge_field_infos(inner, default=getattr(field.default, name))
        yield from leaves(given, (*key, name))


def _section(command: CommandHelp) -> Iterator[str]:
    yield f"## {command.path}\n"
    yield f"{command.text}\n"
    yield f"```\n{command.usage}\n```\n"
    if command.parameters:
        rows = [(f"`{name.partition(' <')[0]}`", " ".join(meaning.split())) for name, meaning in command.parameters]
        yield _table(("", ""), rows)
    yield f"Example: `{command.example}`\n"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines: list[tuple[str, ...]] = [
        head,
        tuple("---" for _ in head),
        *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _type(field: FieldInfo) -> str:
    name = _type_name(field.annotation)
    least = next((rule.ge for rule in field.metadata if hasattr(rule, "ge")), None)
    more = next((rule.gt for rule in field.metadata if hasattr(rule, "gt")), None)
    most = next((rule.le for rule in field.metadata if hasattr(rule, "le")), None)
    if least is not None and most is not None:
        return f"{name}, {least} to {most}"
    if more is not None and most is not None:
        return f"{name}, above {more} to {most}"
    return name


def _type_name(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) in {Union, UnionType}:
        return " or ".join(_type_name(part) for part in get_args(annotation) if part is not type(None))
    if get_origin(annotation) is tuple:
        return "list of whole numbers" if int in get_args(annotation) else "list of texts"
    if hasattr(annotation, "__metadata__"):
        return _type_name(get_args(annotation)[0])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{value}`" for value in annotation)
    return {
        int: "whole number",
        float: "number",
        bool: "true or false",
        date: "date",
        Path: "path",
        SecretStr: "secret",
    }.get(annotation, "text")


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "none: must be set"
    if value is None:
        return "not set"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return f"`{json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)}`"


if __name__ == "__main__":
    pages = {"commands": commands, "settings": settings, "man": manual.page}
    sys.stdout.write(pages[sys.argv[1]]())
