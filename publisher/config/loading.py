"""config.toml and the environment -> `Settings`, or an error that names the key. Floor: `config`, above `settings`."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from publisher.cleantext import shown_path
from publisher.config.relays import relay_variable
from publisher.config.settings import Settings
from publisher.errors import ConfigError

PREFIX = "PUBLISHER_"
NOT_SETTINGS = frozenset({"PUBLISHER_CONFIG"})
BLOCKS = frozenset({"source", "relay", "domain", "topics"})
"""Settings that come in any number; no variable names one of them."""


def load(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Read `path` (config.toml) and the PUBLISHER_ variables of `environ` (default: the process's own).

    Raises ConfigError: no such file, no TOML (with its line), unknown or impossible settings, one line for each.
    """
    place = path.name
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            "", "no such file; `publisher init` makes one, or name it with --config PATH", place=str(path)
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("", f"cannot be read: {_cause(error)}", place=str(path)) from error
    root = path.parent.absolute()
    try:
        str(root).encode()
    except UnicodeEncodeError:  # it would be part of the address of the database, and of what runs report
        raise ConfigError(
            "", "stands in a folder whose name is not UTF-8; rename it", place=shown_path(root / place)
        ) from None
    return from_values(values, os.environ if environ is None else environ, root=root, place=place)


def from_values(
    values: Mapping[str, Any], environ: Mapping[str, str], *, root: Path, place: str = "config.toml"
) -> Settings:
    """`Settings` from the parsed TOML and the environment; raises ConfigError as `load` does."""
    for name in ("root", "place"):
        if name in values:
            raise ConfigError(name, "unknown setting", place=place)
    merged, overridden = _overridden(dict(values), environ)
    try:
        return Settings(**merged, root=root, place=place)
    except ValidationError as error:
        lines = [(*_where(_dotted(detail), overridden, place), _problem(detail)) for detail in error.errors()]
        (first_place, first_key, first_problem), *rest = lines
        text = "\n".join([first_problem, *(": ".join(line) for line in rest)])
        raise ConfigError(first_key, text, place=first_place) from error


def holds_secrets(path: Path) -> bool:
    """Whether the file `path` itself has a password or the like, which a variable could keep out of it."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # nothing was loaded from it either
        return False
    relays = [{"relay": relay} for relay in values.get("relay", ())]
    held = [_got(values, key) for _, key, secret in variables() if secret]
    held += [_got(relay, ("relay", "password")) for relay in relays]
    return any(held) or bool(urlsplit(str(_got(values, ("store", "url")))).password)


def _got(values: object, key: Sequence[str]) -> object:
    for part in key:
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def variables() -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Each variable that may override a setting: its name, the key it overrides, and whether it is a secret."""
    yield from _variables(Settings, ())


def _variables(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    for name, field in model.model_fields.items():
        if field.exclude or (not path and name in BLOCKS):
            continue
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _variables(inner, (*path, name))
        else:
            secret = inner is SecretStr
            yield PREFIX + "_".join((*path, name)).upper(), (*path, name), secret


def _overridden(values: dict[str, Any], environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """`values` with the variables in place of what they override, and the variable of each dotted key that came so."""
    known: dict[str, tuple[tuple[str, ...], bool]] = {}
    for name, key, secret in variables():
        known[name] = (key, False)
        if secret:
            known[name + "_FILE"] = (key, True)
    known.update(_of_relays(values))
    overridden: dict[str, str] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        if name not in known:
            raise ConfigError(name, "unknown setting" + _like_variable(name, list(known)), place="environment")
        key, is_file = known[name]
        _put(values, key, _from_file(name, environ[name]) if is_file else environ[name])
        overridden[".".join(key)] = name
    return values, overridden


def _from_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(name, f"{path!r} cannot be read: {_cause(error)}", place="environment") from error


def _cause(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        line = error.object.count(b"\n", 0, error.start) + 1
        return f"line {line} is not UTF-8; save the file as UTF-8"
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _of_relays(values: dict[str, Any]) -> Iterator[tuple[str, tuple[tuple[str, ...], bool]]]:
    """The variables of the relays that `values` names, as `_overridden` knows others."""
    relays = values.get("relay")
    for place, relay in enumerate(relays if isinstance(relays, list) else []):
        if isinstance(relay, Mapping) and isinstance(relay.get("name"), str):
            variable, key = relay_variable(relay["name"]), ("relay", str(place), "password")
            yield variable, (key, False)
            yield variable + "_FILE", (key, True)


def _put(values: dict[str, Any], key: tuple[str, ...], value: str) -> None:
    if key[0] == "relay":
        place, relays = int(key[1]), list(values["relay"])
        values["relay"] = [*relays[:place], {**relays[place], key[2]: value}, *relays[place + 1 :]]
        return
    for part in key[:-1]:
        inner = values.get(part)
        values[part] = dict(inner) if isinstance(inner, Mapping) else {}
        values = values[part]
    values[key[-1]] = value


def _where(key: str, overridden: Mapping[str, str], place: str) -> tuple[str, str]:
    """Where people find the value of `key`: the file and the key, or the environment and its variable."""
    for name, variable in overridden.items():
        if key == name or key.startswith((name + ".", name + "[")):
            return "environment", variable
    return place, key


def _dotted(detail: ErrorDetails) -> str:
    """``topics.environment.patterns[2]``; a pair of brackets counts from 0."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]).removeprefix(".")


def _problem(detail: ErrorDetails) -> str:
    if detail["type"] == "extra_forbidden":
        *parents, name = detail["loc"]
        allowed = _fields_at(parents)
        return "unknown setting" + _suggestion(str(name), allowed)
    if detail["type"] == "missing":
        return "is missing"
    if detail["type"] in {"tuple_type", "model_type"} and len(detail["loc"]) == 1:
        name = detail["loc"][0]
        return f"write it as [[{name}]]; there may be several" if name in BLOCKS else f"write it as [{name}], once"
    if detail["type"] == "path_type":
        return "must be a path in quotes"
    message = detail["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
    return (message[0].lower() + message[1:]).replace("input should be", "must be").partition(", unable to")[0]


def _fields_at(parents: list[int | str]) -> list[str]:
    model: Any = Settings
    for part in parents:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            break
        field = model.model_fields.get(str(part))
        if field is None:
            continue  # a topic's name or the number of a source
        inner = field.annotation
        candidates = [a for a in get_args(inner) if isinstance(a, type) and issubclass(a, BaseModel)]
        model = candidates[0] if candidates else inner
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return []
    return [name for name, field in model.model_fields.items() if not field.exclude]


def _like_variable(name: str, known: list[str]) -> str:
    """What to do instead of setting `name`. What all names begin with makes none like another."""
    said = name.removeprefix(PREFIX)
    block = said.partition("_")[0].lower().removesuffix("s")
    several = block in {each.removesuffix("s") for each in BLOCKS}
    others = [other.removeprefix(PREFIX) for other in known]
    # A relay's password is the one variable of a block; no setting elsewhere is meant by the name of one.
    close = difflib.get_close_matches(
        said, [other for other in others if not several or other.startswith("RELAY_")], n=1
    )
    if close:
        return f"; did you mean '{PREFIX}{close[0]}'?"
    if several:
        return "; sources, relays (but for their passwords), domains and topics have no variables: use config.toml"
    return "; docs/configuration.md lists the variables"


def _suggestion(name: str, allowed: list[str]) -> str:
    close = difflib.get_close_matches(name, allowed, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; allowed here: {', '.join(sorted(allowed))}" if allowed and len(allowed) < 25 else ""
