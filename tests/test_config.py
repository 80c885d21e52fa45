"""config.toml and the variables: one table of settings, refused by name when wrong."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from publisher.config import (
    DomainSettings,
    RelaySettings,
    Settings,
    SourceSettings,
    TopicSettings,
    from_values,
    load,
    variables,
)
from publisher.errors import ConfigError
from publisher.package import shipped

ROOT = Path("/srv/site")


def made(values: dict[str, Any] | None = None, environ: dict[str, str] | None = None) -> Settings:
    return from_values(values or {}, environ or {}, root=ROOT)


def refused(values: dict[str, Any] | None = None, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        made(values, environ)
    return str(caught.value)


# --- the shipped file ------------------------------------------------------------------------------------------


def test_the_shipped_file_says_the_defaults() -> None:
    said = load(shipped("config.toml"), {}).model_dump(exclude={"topics"})
    assert said == Settings().model_dump(exclude={"topics"})


def test_the_shipped_file_shows_every_setting() -> None:
    text = shipped("config.toml").read_text(encoding="utf-8")
    values = tomllib.loads(text)
    for _, key, _ in variables():
        section = text.partition(f"\n[{key[0]}]")[2].partition("\n[")[0]
        name = key[1] if len(key) > 1 else ""
        assert re.search(rf"(?m)^(# ?)?{name}\b", section), ".".join(key)
        if len(key) > 2:
            assert key[2] in values[key[0]][key[1]], ".".join(key)
    assert set(values["source"][0]) == set(SourceSettings.model_fields)
    for block, model in (("relay", RelaySettings), ("domain", DomainSettings)):
        shown = re.findall(r"(?m)^# (\w+) =", text.partition(f"\n# [[{block}]]")[2].partition("\n\n")[0])
        assert set(shown) == set(model.model_fields) - {"password"}
        assert tomllib.loads(re.sub(r"(?m)^# ?", "", text.partition("# [[relay]]")[2].partition("\n\n")[0]))


def test_every_setting_has_a_description() -> None:
    def check(model: type[BaseModel], path: str) -> None:
        for name, field in model.model_fields.items():
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                check(inner, f"{path}{name}.")
            elif not field.exclude and path:
                assert field.description, path + name

    check(Settings, "")
    check(SourceSettings, "source.")
    check(TopicSettings, "topics.")
    check(RelaySettings, "relay.")
    check(DomainSettings, "domain.")


def test_an_empty_file_is_a_good_one(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("", encoding="utf-8")
    settings = load(tmp_path / "config.toml", {})
    assert settings.path(settings.site.output) == tmp_path / "data" / "site"
    assert settings.topics == {}


# --- what is refused -------------------------------------------------------------------------------------------

UNKNOWN = {
    "site": ({"site": {"titel": "x"}}, "site.titel: unknown setting; did you mean 'title'?"),
    "section": ({"sites": {}}, "sites: unknown setting; did you mean 'site'?"),
    "source": ({"source": [{"path": "x", "fromat": "text"}]}, "source[0].fromat: unknown setting; did you mean"),
    "topic": ({"topics": {"ports": {"label": "P", "word": []}}}, "topics.ports.word: unknown setting; did you mean"),
    "nested": ({"digest": {"weekly": {"corn": ""}}}, "digest.weekly.corn: unknown setting; did you mean 'cron'?"),
    "ours": ({"root": "/"}, "root: unknown setting"),
    "nothing like it": ({"zzz": {}}, "log, outbox, relay, signup, site, smtp, source, store, topics, web, websub"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_key_is_refused_by_its_path(name: str) -> None:
    values, expected = UNKNOWN[name]
    assert expected in refused(values)


IMPOSSIBLE = {
    "site.timezone": ("Europe/Bruxelles", "not a time zone"),
    "site.base_url": ("news.customs.example", "not a web address"),
    "site.language": ("zz", "not a language tag"),
    "site.license": ("CC BY", "not a web address"),
    "site.accent": ("blue", "not a colour"),
    "site.tag_authority": ("Customs Example", "not a domain name"),
    "site.tag_year": (1889, "must be greater than or equal to 1990"),
    "site.title": ("", "at least 1 character"),
    "store.url": ("mysql://host/name", "not a database"),
    "feeds.entries": (0, "must be greater than or equal to 1"),
    "feeds.every_minutes": ("often", "must be a valid integer"),
    "digest.sender": ("nobody", "not a mailbox"),
    "digest.reply_to": ("a@b.example\nBcc: c@d.example", "not a mailbox"),
    "digest.list_id": ("my list", "not a domain name"),
    "smtp.host": ("mail.example:25", "not a server; use its name or address alone"),
    "bounces.imap_host": ("imaps://mail.example", "not a server"),
    "bounces.folder": (["a", "b"], "must be a path in quotes"),
    "smtp.port": (0, "must be greater than or equal to 1"),
    "smtp.security": ("ssl", "must be 'starttls', 'tls' or 'none'"),
    "smtp.on_uncertain": ("guess", "must be 'resend' or 'hold'"),
    "dkim.selector": ("my key", "not a selector"),
    "bounces.address": ("bounces", "not an address that can be extended"),
    "alarm.webhook": ("foo", "not a web address; use e.g. 'https://host.example/path'"),
    "signup.languages": (3, "must be a list"),
    "web.port": (70000, "must be less than or equal to 65535"),
}


@pytest.mark.parametrize("key", IMPOSSIBLE)
def test_an_impossible_value_is_refused_with_what_is_allowed(key: str) -> None:
    value, expected = IMPOSSIBLE[key]
    section, name = key.split(".")
    text = refused({section: {name: value}})
    assert text.startswith(f"config.toml: {key}: ")
    assert expected in text


@pytest.mark.parametrize(
    ("patterns", "place", "problem"),
    [
        (["a", "b", "(c"], 2, "is not a regular expression"),
        ([""], 0, "is empty"),
        (["x?"], 0, "matches the empty text"),
        (["(x+)+y"], 0, "repeats a group"),
        (["a(b(c*)){2,}"], 0, "repeats a group"),
        (["xa*b*c*d*"], 0, "4 repeats"),
        (["x" * 501], 0, "make it two patterns"),
    ],
)
def test_an_impossible_pattern_is_refused_when_the_file_is_read(patterns: list[str], place: int, problem: str) -> None:
    text = refused({"topics": {"ports": {"label": "Ports", "patterns": patterns}}})
    assert text.startswith(f"config.toml: topics.ports.patterns[{place}]: {patterns[place]!r} ")
    assert problem in text


@pytest.mark.parametrize("cron", ["", "0 7 * *", "0 25 * * *", "0 7 * * FUNDAY", "@weekly-ish"])
def test_a_wrong_timetable_is_refused_with_the_form(cron: str) -> None:
    assert "minute hour day month weekday" in refused({"digest": {"weekly": {"cron": cron}}})


@pytest.mark.parametrize("slug", ["Ports", "ports_", "a b", "-a", ""])
def test_a_topic_needs_a_name_that_is_a_slug(slug: str) -> None:
    assert f"topics.{slug}: a topic's name is" in refused({"topics": {slug: {"label": "Ports"}}})


@pytest.mark.parametrize("slug", ["all", "private", "archive-1", "archive-20"])
def test_a_topic_cannot_have_the_name_of_other_feeds(slug: str) -> None:
    assert f"topics.{slug}: feeds of ours have that name" in refused({"topics": {slug: {"label": "Ports"}}})
    made({"topics": {"archive": {"label": "Archive"}, "private-sector": {"label": "Private sector"}}})


@pytest.mark.parametrize(
    ("output", "values", "what"),
    [
        ("data", {}, "store.url"),
        (".", {}, "config.toml"),
        ("/", {}, "config.toml"),
        ("data/articles", {}, "source[0].path"),
        ("data/articles/site", {}, "source[0].path"),
        ("data/outbox", {}, "outbox.path"),
        ("public", {"store": {"secret_file": "public/key"}}, "store.secret_file"),
        ("public", {"backup": {"path": "public/backups"}}, "backup.path"),
        ("templates", {}, "site.templates"),
        ("keys", {"dkim": {"key_file": "keys/rsa.pem"}}, "dkim.key_file"),
        ("site/../data", {}, "store.url"),
    ],
)
def test_what_is_private_cannot_lie_where_everybody_may_read(output: str, values: dict[str, Any], what: str) -> None:
    problem = refused({"site": {"output": output}, **values})
    assert "site.output" in problem and what in problem and "name a folder of its own" in problem


def test_the_output_may_be_anywhere_else() -> None:
    for output in ("public", "data/site", "/srv/www/news", "data-site"):
        made({"site": {"output": output}})


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://zoll-übersicht.example", "https://xn--zoll-bersicht-0ob.example/"),
        ("https://News.Example/Zölle/a b", "https://news.example/Z%C3%B6lle/a%20b/"),
        ("https://news.example:8443/a%20b/", "https://news.example:8443/a%20b/"),
        ("http://[::1]:8000", "http://[::1]:8000/"),
    ],
)
def test_an_address_of_the_site_is_put_into_plain_characters(url: str, plain: str) -> None:
    assert made({"site": {"base_url": url}}).site.base_url == plain


@pytest.mark.parametrize(
    "url", ["https://u:p@news.example/", "https://news.example:99999/", "https://[::1/", "https:///a"]
)
def test_an_address_that_cannot_be_the_sites_is_refused(url: str) -> None:
    problem = refused({"site": {"base_url": url}})
    assert "site.base_url" in problem and "u:p" not in problem


@pytest.mark.parametrize("former", ["Old One", "ports_", "-a", "", "../x"])
def test_a_former_name_of_a_topic_is_a_slug_too(former: str) -> None:
    text = refused({"topics": {"ports": {"label": "Ports", "formerly": ["harbours", former]}}})
    assert text.startswith(f"config.toml: topics.ports.formerly: '{former}' cannot have been one; a topic's name is")


def test_a_password_in_clear_text_over_the_net_is_refused_and_not_shown() -> None:
    smtp = {"host": "relay.customs.example", "security": "none", "username": "me", "password": "hunter2"}
    text = refused({"smtp": smtp})
    assert "would show the password" in text
    assert "hunter2" not in text
    made({"smtp": {**smtp, "host": "127.0.0.1"}})
    made({"smtp": {**smtp, "security": "tls"}})


def test_each_of_several_mistakes_has_its_line() -> None:
    lines = refused({"site": {"titel": ""}, "web": {"port": -1}}).splitlines()
    assert len(lines) == 2
    assert all(line.startswith("config.toml: ") for line in lines)


def test_a_folder_whose_name_is_not_utf_8_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "config.toml").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="name is not UTF-8; rename it") as error:
        load(folder / "config.toml", {})
    assert str(error.value).startswith(rf"{tmp_path}/caf\xe9/config.toml: ")


@pytest.mark.parametrize("host", ["mail", "mail.example", "mail_server", "192.0.2.1", "2001:db8::1"])
def test_a_relay_is_named_or_numbered(host: str) -> None:
    assert made({"smtp": {"host": host}}).relays[0].host == host


def test_a_mistake_of_toml_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[site]\ntitle = "x"\nlanguage = = "en"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config\.toml: cannot be read: .*line 3"):
        load(tmp_path / "config.toml", {})


@pytest.mark.parametrize(("content", "line"), [(b"\xff\xfe\x00", 1), (b"[site]\ntitle = '\xe9'", 2)])
def test_a_file_that_is_no_utf_8_is_refused_with_its_line(content: bytes, line: int, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=f"cannot be read: line {line} is not UTF-8; save the file as UTF-8"):
        load(tmp_path / "config.toml", {})


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; `publisher init` makes one"):
        load(tmp_path / "config.toml", {})


def test_a_frequency_can_be_switched_off_without_naming_its_time() -> None:
    digest = made({"digest": {"daily": {"enabled": False}}}).digest
    assert (digest.daily.enabled, digest.daily.cron) == (False, Settings().digest.daily.cron)
    assert digest.weekly == Settings().digest.weekly


# --- variables -------------------------------------------------------------------------------------------------


def value_of(settings: Settings, key: tuple[str, ...]) -> object:
    value: object = settings
    for name in key:
        value = getattr(value, name)
    return value


@pytest.mark.parametrize(("variable", "key", "secret"), list(variables()), ids=[v[0] for v in variables()])
def test_every_variable_overrides_its_setting(variable: str, key: tuple[str, ...], secret: bool) -> None:
    default = value_of(Settings(), key)
    other: dict[str, str] = {
        "PUBLISHER_SITE_BASE_URL": "https://customs.example/",
        "PUBLISHER_SITE_LICENSE": "https://licence.example/by",
        "PUBLISHER_SITE_LANGUAGE": "fr",
        "PUBLISHER_SITE_TIMEZONE": "Europe/Brussels",
        "PUBLISHER_SITE_ACCENT": "#102030",
        "PUBLISHER_STORE_URL": "postgresql://host/name",
        "PUBLISHER_STORE_HOUSEKEEPING": "5 5 * * *",
        "PUBLISHER_ALARM_MAIL": "operator@customs.example",
        "PUBLISHER_ALARM_WEBHOOK": "https://chat.example/hook",
        "PUBLISHER_DIGEST_EDITOR": "desk@customs.example",
        "PUBLISHER_DIGEST_TIMEZONE": "Asia/Tokyo",
        "PUBLISHER_DIGEST_REPLY_TO": "desk@customs.example",
        "PUBLISHER_DIGEST_SENDER": "desk@customs.example",
        "PUBLISHER_SIGNUP_SENDER": "confirm@customs.example",
        "PUBLISHER_SIGNUP_LANGUAGES": "en fr",
        "PUBLISHER_SIGNUP_REFUSED_DOMAINS": "mailbox.example throw-away.example",
        "PUBLISHER_SMTP_SECURITY": "tls",
        "PUBLISHER_SMTP_ON_UNCERTAIN": "hold",
        "PUBLISHER_BOUNCES_ADDRESS": "bounces@customs.example",
        "PUBLISHER_LOG_FORMAT": "json",
        "PUBLISHER_LOG_LEVEL": "debug",
        "PUBLISHER_WEBSUB_HUBS": "https://hub.example/",
        "PUBLISHER_WEB_TRUSTED_PROXIES": "10.0.0.0/8 192.0.2.1",
    }
    if isinstance(default, bool):
        text = "false" if default else "true"
    elif isinstance(default, (int, float)):
        text = str(default + 1)
    elif variable.endswith("_CRON"):
        text = "5 5 * * *"
    else:
        text = other.get(variable, "other.example")
    settings = made(environ={variable: text})
    assert value_of(settings, key) != default
    assert settings.model_dump(exclude={key[0]}) == made().model_dump(exclude={key[0]})


def test_a_variable_wins_over_the_file() -> None:
    file = {"feeds": {"entries": 10, "every_minutes": 5}}
    feeds = made(file, {"PUBLISHER_FEEDS_ENTRIES": "20"}).feeds
    assert (feeds.entries, feeds.every_minutes) == (20, 5)
    assert file == {"feeds": {"entries": 10, "every_minutes": 5}}


def test_an_unknown_variable_is_refused_and_the_like_one_named() -> None:
    text = refused(environ={"PUBLISHER_SITE_TITEL": "x"})
    assert text == "environment: PUBLISHER_SITE_TITEL: unknown setting; did you mean 'PUBLISHER_SITE_TITLE'?"


def test_an_unknown_variable_is_not_taken_for_one_that_it_is_not_like() -> None:
    text = refused(environ={"PUBLISHER_FOO": "1"})
    assert text == "environment: PUBLISHER_FOO: unknown setting; docs/configuration.md lists the variables"


@pytest.mark.parametrize("name", ["TOPICS_PORTS_LABEL", "TOPIC_PORTS", "SOURCE_PATH", "RELAY_MAIN_HOST", "DOMAIN_X"])
def test_blocks_that_come_in_any_number_have_no_variables(name: str) -> None:
    assert "topics have no variables: use config.toml" in refused(environ={"PUBLISHER_" + name: "x"})


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"source": {"path": "x"}}, "source: write it as [[source]]; there may be several"),
        ({"relay": {"name": "main"}}, "relay: write it as [[relay]]; there may be several"),
        ({"domain": {"domain": "a.example"}}, "domain: write it as [[domain]]; there may be several"),
        ({"site": [{"title": "x"}]}, "site: write it as [site], once"),
    ],
)
def test_a_block_in_the_wrong_brackets_is_answered_with_the_right_ones(values: dict[str, Any], line: str) -> None:
    assert refused(values) == f"config.toml: {line}"


def test_variables_of_others_and_the_name_of_the_config_are_left_alone() -> None:
    assert made(environ={"PUBLISHER_CONFIG": "x.toml", "HOME": "/", "PUBLISHERS": "x"}) == made()


def test_an_impossible_value_of_a_variable_is_blamed_on_the_variable() -> None:
    text = refused({"web": {"port": -1}}, {"PUBLISHER_SMTP_PORT": "many", "PUBLISHER_DIGEST_DAILY_CRON": "x"})
    assert {": ".join(line.split(": ")[:2]) for line in text.splitlines()} == {
        "environment: PUBLISHER_SMTP_PORT",
        "environment: PUBLISHER_DIGEST_DAILY_CRON",
        "config.toml: web.port",
    }


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n", encoding="utf-8")
    settings = made(environ={"PUBLISHER_SMTP_PASSWORD_FILE": str(tmp_path / "password")})
    assert settings.smtp.password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(settings)
    missing = refused(environ={"PUBLISHER_SMTP_PASSWORD_FILE": str(tmp_path / "nope")})
    assert missing.startswith("environment: PUBLISHER_SMTP_PASSWORD_FILE: ")
    assert "No such file" in missing


def test_only_secrets_have_a_file_variable() -> None:
    secrets = {name for name, _, secret in variables() if secret}
    passwords = {"PUBLISHER_SMTP_PASSWORD", "PUBLISHER_BOUNCES_IMAP_PASSWORD"}
    assert secrets == {*passwords, "PUBLISHER_WEB_METRICS_TOKEN", "PUBLISHER_ALARM_WEBHOOK"}
    assert "unknown setting" in refused(environ={"PUBLISHER_SITE_TITLE_FILE": "x"})


def test_relative_paths_are_meant_from_the_folder_of_the_file() -> None:
    settings = made({"site": {"output": "out"}, "outbox": {"path": "/var/outbox"}})
    assert settings.path(settings.site.output) == ROOT / "out"
    assert settings.path(settings.outbox.path) == Path("/var/outbox")


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        made().feeds.entries = 3  # type: ignore[misc]
