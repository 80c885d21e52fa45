"""One way to make a Jinja2 environment for pages and letters. Floor: above `links` and `clock`.

The operator's templates win over the built-in ones, file by file. They run in a sandbox, HTML is escaped by
default, a name that is not there is an error, and nothing outside the two folders can be read.

A template of a letter may have others beside it for readers of other languages, in a folder named by the tag:
``email/confirm/fr/body.txt`` wins over ``email/confirm/body.txt`` where the language is fr, or fr-CA (RFC 4647, 3.4).

A template says which language its words are in by a line ``{# language: en #}``, as all that are built in do: what is
written in one language and called another is read out with the wrong voice and, in Arabic, set from the wrong side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError
from jinja2 import TemplateError as JinjaError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from publisher.errors import TemplateError
from publisher.package import shipped

_SAID_LANGUAGE = re.compile(r"\{#\s*language:\s*([A-Za-z0-9-]+)\s*#\}")
_RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "nqo", "ps", "sd", "syr", "ug", "ur", "yi"})
_SCRIPTS_RIGHT_TO_LEFT = frozenset({"adlm", "arab", "hebr", "nkoo", "rohg", "syrc", "thaa"})
_VERDICTS = 10_000
"""So many are remembered: more than all templates have attributes, and a bound on what a template could ask for."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, which judges each attribute of a class once: its verdict depends on the class and the name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._verdicts: dict[tuple[type, str], bool] = {}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        known = self._verdicts.get((type(obj), attr))
        if known is not None:
            return known
        verdict = super().is_safe_attribute(obj, attr, value)
        if len(self._verdicts) < _VERDICTS:
            self._verdicts[type(obj), attr] = verdict
        return verdict


class _Loader(FileSystemLoader):
    """Knows of each template that was loaded which language it says its words are in."""

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__(folders)
        self.languages: dict[str, str] = {}

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, file, is_fresh = self._read(environment, template)
        said = _SAID_LANGUAGE.search(source)
        self.languages[template] = said[1] if said else ""
        return source, file, is_fresh

    def _read(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        try:
            return super().get_source(environment, template)
        except UnicodeDecodeError as error:  # said here, where it is known which of several templates it is
            line = error.object.count(b"\n", 0, error.start) + 1
            raise TemplateError(f"template {template}, line {line}: not UTF-8; save the file as UTF-8") from error


def environment(folder: Path | None, zone: tzinfo) -> ImmutableSandboxedEnvironment:
    """The environment for templates such as ``site/article.html`` and ``email/digest/body.txt``.

    `folder` is the operator's templates folder (it need not exist), `zone` the one that dates are shown in.
    Filters: ``day`` (1 March 2026), ``moment`` (1 March 2026, 07:00 UTC), ``iso`` (RFC 3339).
    """
    folders = [path for path in (folder, shipped("templates")) if path is not None]
    env = _Sandbox(
        loader=_Loader(folders),
        autoescape=_escapes,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    env.filters["day"] = lambda moment: _day(moment.astimezone(zone))
    env.filters["moment"] = lambda moment: _moment(moment.astimezone(zone))
    env.filters["iso"] = lambda moment: moment.astimezone(zone).isoformat()
    return env


def render(env: ImmutableSandboxedEnvironment, name: str, values: Mapping[str, Any], *, language: str = "") -> str:
    """Render template `name`, or the one for readers of `language` (BCP 47) where there is one; raises TemplateError
    with the file and line of what is wrong."""
    if language:
        name, _ = _in_language(env, name, language)
    with _translated(name):
        return env.get_template(name).render(values)


def language_of(env: ImmutableSandboxedEnvironment, name: str, language: str) -> str:
    """What language (BCP 47) the template speaks that `render` takes for readers of `language`; "" for one that does
    not say. Raises TemplateError."""
    name, tag = _in_language(env, name, language)
    if tag:
        return tag
    with _translated(name):
        env.get_template(name)
    return env.loader.languages.get(name, "") if isinstance(env.loader, _Loader) else ""


def _in_language(env: ImmutableSandboxedEnvironment, name: str, language: str) -> tuple[str, str]:
    """The template's name and tag: the longest of ``fr-CA`` and ``fr`` that there is a template for, else no tag."""
    folder, _, file = name.rpartition("/")
    tag = language
    while tag:
        localized = f"{folder}/{tag}/{file}"
        try:
            with _translated(localized):
                env.get_template(localized)
        except TemplateError as error:
            if not isinstance(error.__cause__, TemplateNotFound):
                raise
            tag = tag.rpartition("-")[0]
        else:
            return localized, tag
    return name, ""


def direction(language: str) -> str:
    """``rtl`` or ``ltr``: the value of HTML's dir attribute for a BCP 47 tag."""
    primary, *rest = language.lower().split("-")
    script = next((part for part in rest if len(part) == 4 and part.isalpha()), "")  # ISO 15924, where the tag has one
    is_rtl = script in _SCRIPTS_RIGHT_TO_LEFT if script else primary in _RIGHT_TO_LEFT
    return "rtl" if is_rtl else "ltr"


def broken(env: ImmutableSandboxedEnvironment, names: Iterable[str]) -> list[str]:
    """A line for each of these templates that is missing, or is none: its file, its line and what is wrong there."""
    lines = []
    for name in names:
        try:
            with _translated(name):
                env.get_template(name)
        except TemplateError as error:
            lines.append(str(error))
    return lines


def localized_names(env: ImmutableSandboxedEnvironment, names: Iterable[str]) -> list[str]:
    """Templates that the operator made for readers of other languages, beside those of `names`."""
    known = set(names)
    split = ((name, name.split("/")) for name in env.list_templates(extensions=["html", "txt"]))
    return [name for name, parts in split if len(parts) > 1 and "/".join([*parts[:-2], parts[-1]]) in known]


def shipped_names(*rooms: str) -> list[str]:
    """The templates of these rooms (``site``, ``email``) that the program needs."""
    folder = shipped("templates")
    found = (path for room in rooms for path in sorted((folder / room).rglob("*")))
    return [path.relative_to(folder).as_posix() for path in found if path.suffix in {".html", ".txt"}]


def _escapes(name: str | None) -> bool:
    return name is None or not name.endswith(".txt")


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


def _moment(moment: datetime) -> str:
    return f"{_day(moment)}, {moment:%H:%M} {moment.tzname()}"


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except TemplateSyntaxError as error:
        raise TemplateError(f"template {error.name or name}, line {error.lineno}: {error.message}") from error
    except JinjaError as error:
        raise TemplateError(f"template {name}{_line_of(error, name)}: {error.message or 'not found'}") from error


def _line_of(error: BaseException, name: str) -> str:
    """The line of the template that Jinja2 puts into the traceback of an error at run time."""
    line = None
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename.endswith(name):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return f", line {line}" if line else ""
