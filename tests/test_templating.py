"""Templates: the operator's win file by file, a broken one is named with its line, none gets out of the sandbox."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePath
from zoneinfo import ZoneInfo

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from publisher.errors import TemplateError
from publisher.package import shipped
from publisher.templating import broken, direction, environment, language_of, render, shipped_names

MOMENT = datetime(2026, 3, 1, 23, 30, 5, tzinfo=UTC)


def rendered(folder: Path, text: str, name: str = "site/mine.html", zone: str = "UTC", **values: object) -> str:
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return render(environment(folder, ZoneInfo(zone)), name, values)


def test_a_template_of_the_operator_wins_and_the_others_are_built_in(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "icon.svg").write_text("mine", encoding="utf-8")
    env = environment(tmp_path, UTC)
    assert render(env, "site/icon.svg", {}) == "mine"
    built_in = (shipped("templates") / "site" / "style.css").read_text(encoding="utf-8")
    source, _, _ = env.loader.get_source(env, "site/style.css")  # type: ignore[union-attr]
    assert source == built_in


def test_readers_of_a_language_get_the_template_in_it_or_in_the_nearest_one(tmp_path: Path) -> None:
    for tag in ("", "fr", "zh-Hant"):
        folder = tmp_path / "email" / "digest" / tag
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "subject.txt").write_text(tag or "any", encoding="utf-8")
    env = environment(tmp_path, UTC)
    wanted = {"fr": "fr", "fr-CA": "fr", "zh-Hant-TW": "zh-Hant", "zh": "any", "en": "any", "": "any"}
    for language, found in wanted.items():
        assert render(env, "email/digest/subject.txt", {}, language=language) == found
        assert language_of(env, "email/digest/subject.txt", language) == found.replace("any", "")


@pytest.mark.parametrize("name", [name for name in shipped_names("email") if name.endswith("/body.html")])
def test_each_built_in_letter_says_that_its_words_are_english(name: str) -> None:
    assert language_of(environment(None, UTC), name, "ar") == "en"


def test_a_language_runs_as_its_script_does_and_a_tag_that_names_one_decides() -> None:
    to_the_left = ("he", "fa-IR", "AR", "ckb", "az-Arab", "pa-Arab-PK", "ff-Adlm")
    to_the_right = ("en", "arn", "az", "ar-Latn", "zh-Hant-TW", "sl-1994", "")
    assert {direction(tag) for tag in to_the_left} == {"rtl"}
    assert {direction(tag) for tag in to_the_right} == {"ltr"}


def test_a_broken_template_of_a_language_is_named_and_not_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "email" / "digest" / "fr"
    folder.mkdir(parents=True)
    (folder / "subject.txt").write_text("{% extends 'nowhere' %}", encoding="utf-8")
    (folder / "body.txt").write_text("\n{% if %}", encoding="utf-8")
    for name, problem in {"subject": "fr/subject.txt", "body": "fr/body.txt, line 2: "}.items():
        with pytest.raises(TemplateError, match=problem):
            render(environment(tmp_path, UTC), f"email/digest/{name}.txt", {}, language="fr-CA")


@pytest.mark.parametrize("name", ["mine.html", "mine.css", "part.html"])
def test_a_template_that_is_not_utf_8_is_named_with_its_line(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "mine.html").write_text("{% include 'site/part.html' %}", encoding="utf-8")
    (folder / name).write_bytes(b"one\ncaf\xe9\n")
    top = "site/mine.css" if name == "mine.css" else "site/mine.html"
    env = environment(tmp_path, UTC)
    words = f"template site/{name}, line 2: not UTF-8; save the file as UTF-8"
    with pytest.raises(TemplateError, match=words):
        render(env, top, {})
    assert broken(env, [f"site/{name}"]) == [words]


def test_the_folder_of_the_operator_need_not_exist(tmp_path: Path) -> None:
    env = environment(tmp_path / "nope", UTC)
    assert "#123456" in render(env, "site/icon.svg", {"accent": "#123456"})


def test_every_shipped_template_can_be_read() -> None:
    env = environment(None, UTC)
    names = [name for name in env.list_templates() if name.startswith(("site/", "email/"))]
    assert len(names) >= 10
    for name in names:
        env.get_template(name)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("one\n{% if %}\n", "site/mine.html, line 2: "),
        ("one\ntwo {{ nope }}", "site/mine.html, line 2: 'nope' is undefined"),
        ("{{ a.b }}", "line 1: .*has no attribute 'b'"),
        ("one\n\n{{ 1 | nope }}", "line 3: No filter named 'nope'"),
        ("{% include 'site/nope.html' %}", "site/nope.html.*|not found"),
    ],
)
def test_a_broken_template_is_told_with_file_and_line(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=problem):
        rendered(tmp_path, text, a="text")


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"site/nope\.html"):
        render(environment(tmp_path, UTC), "site/nope.html", {})


@pytest.mark.parametrize("name", ["../secret.txt", "site/../../secret.txt", "/etc/passwd"])
def test_nothing_outside_the_folders_can_be_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    with pytest.raises(TemplateError):
        rendered(tmp_path / "templates", f"{{% include '{name}' %}}")


@pytest.mark.parametrize(
    "attempt",
    [
        "{{ a.__class__ }}",
        "{{ a.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ a['__class__'] }}",
        "{{ a|attr('__class__') }}",
        "{{ '{0.__class__}'.format(a) }}",
        "{{ f.__globals__ }}",
        "{{ l.append(1) }}",
    ],
)
def test_the_sandbox_holds(attempt: str, tmp_path: Path) -> None:
    try:
        shown = rendered(tmp_path, attempt, a="text", f=rendered, l=[])
    except TemplateError:
        return
    assert "class" not in shown
    assert shown.strip() in {"", "None"}


def test_the_sandbox_says_of_every_attribute_what_that_of_jinja2_says_at_any_time() -> None:
    def generator() -> Iterator[int]:
        yield 1

    async def coroutine() -> None: ...

    waiting = coroutine()
    ours, jinjas = environment(None, UTC), ImmutableSandboxedEnvironment()
    values = ["text", [1], {1}, {"a": 1}, deque([1]), (1,), str, generator, generator(), "".join, waiting]
    for _ in range(2):
        for value in [*values, generator.__code__, object(), PurePath("a")]:
            for name in [*dir(value), "mro", "gi_frame", "cr_code", "func_code", "clear"]:
                expected = jinjas.is_safe_attribute(value, name, None)
                assert ours.is_safe_attribute(value, name, None) is expected, (value, name)
    waiting.close()


def test_pages_escape_markup_and_plain_text_does_not(tmp_path: Path) -> None:
    assert rendered(tmp_path, "{{ a }}", a="<b> & 'x'") == "&lt;b&gt; &amp; &#39;x&#39;"
    assert rendered(tmp_path, "{{ a }}", "email/mine.txt", a="<b> & 'x'") == "<b> & 'x'"


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("{{ m | day }}", "UTC", "1 March 2026"),
        ("{{ m | day }}", "Asia/Tokyo", "2 March 2026"),
        ("{{ m | moment }}", "UTC", "1 March 2026, 23:30 UTC"),
        ("{{ m | moment }}", "Europe/Brussels", "2 March 2026, 00:30 CET"),
        ("{{ m | iso }}", "UTC", "2026-03-01T23:30:05+00:00"),
        ("{{ m | iso }}", "Asia/Kolkata", "2026-03-02T05:00:05+05:30"),
    ],
)
def test_dates_are_shown_in_the_zone_of_the_site(text: str, zone: str, expected: str, tmp_path: Path) -> None:
    assert rendered(tmp_path, text, zone=zone, m=MOMENT) == expected
