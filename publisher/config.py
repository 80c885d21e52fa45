"""config.toml and PUBLISHER_ variables -> frozen `Settings`. Floor: above `model`.

One table: each setting has a type with its unit, a default and a help text here; config.toml shows them all with a
comment. Unknown keys are refused by their dotted path, impossible values with what is allowed. A variable
``PUBLISHER_<SECTION>_<KEY>`` overrides a key of the file; ``..._FILE`` names a file that holds a secret's value.
Relative paths are meant from the folder of config.toml.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parseaddr
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from publisher.errors import ConfigError
from publisher.model import ALL, Frequency, Topic, TopicGroup

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
PREFIX = "PUBLISHER_"
NOT_SETTINGS = frozenset({"PUBLISHER_CONFIG"})
_HOSTNAME = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PLAIN_URL = re.compile(r"[!#-;=?-\[\]_a-z~]+")  # the characters of RFC 3986
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*")  # the subset of BCP 47 that people use


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("not a time zone; use a name such as 'Europe/Brussels' or 'UTC'") from error
    return name


def _cron(expression: str) -> str:
    try:
        CronSim(expression, _EPOCH)
    except CronSimError as error:
        raise ValueError(
            f"not a cron expression ({error}); use five fields: minute hour day month weekday, e.g. '0 7 * * MON'"
        ) from error
    return expression


def _base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("not a web address; use 'https://host/' or 'https://host/path/' without ? and #")
    return url if url.endswith("/") else url + "/"


def _hostname(name: str) -> str:
    if not _HOSTNAME.fullmatch(name):
        raise ValueError("not a domain name; use lower-case letters, digits, '-' and '.', e.g. 'customs.example'")
    return name


def _mailbox(value: str) -> str:
    _, address = parseaddr(value)
    local, at, domain = address.rpartition("@")
    if not (at and local and _HOSTNAME.fullmatch(domain.lower())) or any(ord(c) < 32 or c == "\x7f" for c in value):
        raise ValueError("not a mailbox; use 'address@domain' or 'Name <address@domain>'")
    return value


def check_language(tag: str) -> str:
    if not _LANGUAGE.fullmatch(tag):
        raise ValueError("not a language tag (BCP 47); use e.g. 'en', 'fr' or 'pt-BR'")
    return tag


def _store_url(url: str) -> str:
    if not url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("not a database; use 'sqlite:///' and a path, or 'postgresql://user@host/name'")
    return url


def _accent(colour: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise ValueError("not a colour; use '#' and six hexadecimal digits, e.g. '#0b5f8a'")
    return colour.lower()


Zone = Annotated[str, AfterValidator(_zone)]
Cron = Annotated[str, AfterValidator(_cron)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
Hostname = Annotated[str, AfterValidator(_hostname)]
Mailbox = Annotated[str, AfterValidator(_mailbox)]
Language = Annotated[str, AfterValidator(check_language)]
StoreUrl = Annotated[str, AfterValidator(_store_url)]
Accent = Annotated[str, AfterValidator(_accent)]
SourceFormat = Literal["auto", "text", "markdown", "jsonl"]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SiteSettings(Section):
    title: str = Field("Customs initiatives", min_length=1, max_length=100, description="name of the site")
    description: str = Field(
        "What the World Customs Organization and its partners start, topic by topic.",
        max_length=300,
        description="one sentence under the title",
    )
    base_url: BaseUrl = Field("http://127.0.0.1:8000/", description="where readers reach the site")
    language: Language = Field("en", description="language of site and articles, BCP 47")
    timezone: Zone = Field("UTC", description="zone of the timetable and of the dates people read")
    author: str = Field("", max_length=100, description="author of articles that name none; empty: the title")
    rights: str = Field("", max_length=300, description="rights line of feeds and pages")
    tag_authority: Hostname = Field("publisher.example", description="domain in the ids of feeds and entries")
    tag_year: int = Field(2026, ge=1990, le=9999, description="a year in which that domain was yours (RFC 4151)")
    output: Path = Field(Path("data/site"), description="folder of the published files")
    templates: Path = Field(Path("templates"), description="folder of your templates; missing ones are built in")
    accent: Accent = Field("#0b5f8a", description="the one colour of pages and letters")
    offline_links: bool = Field(False, description="links between pages name index.html: works from disk")


class StoreSettings(Section):
    url: StoreUrl = Field("sqlite:///data/publisher.db", description="SQLAlchemy URL of the database")
    secret_file: Path = Field(Path("data/secret.key"), description="key that signs links; made when missing")


class SourceSettings(Section):
    path: Path = Field(description="a file or a folder (with the folders below it)")
    format: SourceFormat = Field("auto", description="auto, text, markdown or jsonl")


class FeedSettings(Section):
    entries: int = Field(50, ge=1, le=1000, description="entries of a feed, and of each of its archives")
    withdrawn_notice_days: int = Field(14, ge=0, le=3650, description="days a feed shows a notice of withdrawal")
    tombstone_days: int = Field(90, ge=1, le=3650, description="days after it in which a feed says: deleted")
    every_minutes: int = Field(30, ge=1, le=1440, description="minutes between two runs of `publisher serve`")


class TimetableSettings(Section):
    enabled: bool = Field(True, description="false: nobody gets a digest of this frequency")
    cron: Cron = Field(description="when it is due: minute hour day month weekday")


class DigestSettings(Section):
    sender: Mailbox = Field("Customs initiatives <digest@publisher.example>", description="From of the letters")
    reply_to: Mailbox | None = Field(None, description="a mailbox that somebody reads")
    list_id: Hostname = Field("digest.publisher.example", description="List-Id (RFC 2919); never change it")
    postal_address: str = Field("", max_length=300, description="shown at the foot; the law of many places asks it")
    max_articles: int = Field(30, ge=1, le=200, description="articles in a letter; the rest becomes 'and N more'")
    hold_back_days: int = Field(
        0,
        ge=0,
        le=36500,
        description="articles dated more than so many days before they came in stay out; 0: none",
    )
    grace_hours: int = Field(72, ge=1, le=24 * 31, description="a slot missed by more is left to the next one")
    timezone: Zone | None = Field(None, description="zone of the cron expressions; default: site.timezone")
    daily: TimetableSettings = TimetableSettings(cron="0 7 * * *")
    weekly: TimetableSettings = TimetableSettings(cron="0 7 * * MON")
    monthly: TimetableSettings = TimetableSettings(cron="0 7 1 * *")

    @field_validator("daily", "weekly", "monthly", mode="before")
    @classmethod
    def _own_cron(cls, value: object, info: ValidationInfo) -> object:
        """A timetable that only says `enabled` keeps the time of its frequency."""
        default: TimetableSettings = cls.model_fields[str(info.field_name)].default
        return {"cron": default.cron, **value} if isinstance(value, Mapping) else value


class SmtpSettings(Section):
    host: str = Field("", description="the relay; empty: letters go to the local outbox")
    port: int = Field(587, ge=1, le=65535, description="587 for starttls, 465 for tls")
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="starttls, tls or none")
    username: str = Field("", description="login, empty for none")
    password: SecretStr = Field(SecretStr(""), description="better: PUBLISHER_SMTP_PASSWORD or ..._FILE")
    connections: int = Field(4, ge=1, le=100, description="connections at the same time")
    letters_per_connection: int = Field(100, ge=1, le=100_000, description="then the connection is made anew")
    timeout_seconds: int = Field(60, ge=1, le=3600, description="wait for a reply; after the letter ten minutes")
    retry_minutes: int = Field(15, ge=1, le=1440, description="first wait after a temporary refusal; then doubled")
    give_up_hours: int = Field(48, ge=1, le=24 * 14, description="a letter deferred longer expires")
    on_uncertain: Literal["resend", "hold"] = Field("resend", description="a letter whose reply was lost")

    @model_validator(mode="after")
    def _no_login_in_clear_text(self) -> Self:
        local = self.host in {"", "localhost", "127.0.0.1", "::1"}
        if self.username and self.security == "none" and not local:
            raise ValueError("a login over security = 'none' would show the password; use 'starttls' or 'tls'")
        return self


def _selector(name: str) -> str:
    if name and not _HOSTNAME.fullmatch(name):
        raise ValueError("not a selector; use lower-case letters, digits and '-', e.g. 'mail2026'")
    return name


Selector = Annotated[str, AfterValidator(_selector)]


class DkimSettings(Section):
    """Signatures on letters; docs/dkim.md says how to set them up and how to change keys."""

    selector: Selector = Field("", description="name of the key in the DNS; empty: letters are not signed here")
    key_file: Path = Field(Path("data/dkim-rsa.pem"), description="the RSA key; `publisher dkim new` makes it")
    domain: Hostname | None = Field(None, description="domain that signs; default: that of digest.sender")
    ed25519_selector: Selector = Field("", description="the same for a second signature; empty: none")
    ed25519_key_file: Path = Field(Path("data/dkim-ed25519.pem"), description="the Ed25519 key")

    @model_validator(mode="after")
    def _one_name_for_one_key(self) -> Self:
        if self.selector and self.selector == self.ed25519_selector:
            raise ValueError("the two selectors must differ: each names one key in the DNS")
        return self


def _bounce_address(value: str) -> str:
    local, _, domain = value.rpartition("@")
    if value and not (re.fullmatch(r"[A-Za-z0-9._-]{1,30}", local) and _HOSTNAME.fullmatch(domain)):
        raise ValueError("not an address that can be extended; use e.g. 'bounces@customs.example', 30 letters before @")
    return value


class BounceSettings(Section):
    """Letters that come back; docs/bounces.md says how to set the mailbox up."""

    address: Annotated[str, AfterValidator(_bounce_address)] = Field(
        "", description="where letters come back to, with +... added for each; empty: to digest.sender"
    )
    folder: Path = Field(Path("data/bounces"), description="read mail goes here: processed/ and unparsed/")
    imap_host: str = Field("", description="server that `publisher bounces read` asks when it is given no path")
    imap_port: int = Field(993, ge=1, le=65535, description="its port; always TLS")
    imap_user: str = Field("", description="its login")
    imap_password: SecretStr = Field(SecretStr(""), description="better: PUBLISHER_BOUNCES_IMAP_PASSWORD or ..._FILE")
    imap_folder: str = Field("INBOX", description="its folder; nothing is deleted from it")


class OutboxSettings(Section):
    path: Path = Field(Path("data/outbox"), description="where letters are kept as .eml when no relay is set")


class WebSettings(Section):
    host: str = Field("127.0.0.1", description="address `publisher serve` listens on")
    port: int = Field(8000, ge=0, le=65535, description="its port; 0: any free one")
    burst: int = Field(120, ge=0, le=100_000, description="requests of one address at once, then 429; 0: no limit")
    rate: float = Field(1.0, gt=0, le=10_000, description="requests a second that it may send on and on")


def _hub_list(value: object) -> object:
    """A variable of the environment names several hubs with spaces between them."""
    return tuple(value.split()) if isinstance(value, str) else value


def _hub(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment or not _PLAIN_URL.fullmatch(url):
        raise ValueError("not a hub's address; use e.g. 'https://pubsubhubbub.appspot.com/'")
    return url


class WebSubSettings(Section):
    """Feeds that are pushed instead of polled; docs/websub.md says what each setting means in practice."""

    hubs: Annotated[tuple[Annotated[str, AfterValidator(_hub)], ...], BeforeValidator(_hub_list)] = Field(
        (), max_length=10, description="hubs of others, told of each change"
    )
    builtin: bool = Field(False, description="true: `publisher serve` is a hub itself, at /websub")
    allow_private: bool = Field(False, description="true: its subscribers may be in private networks, on any port")
    lease_days: int = Field(10, ge=1, le=365, description="the longest subscription; readers renew it in time")
    max_subscriptions: int = Field(10_000, ge=1, le=1_000_000, description="then it takes no further ones")


class TopicSettings(Section):
    """A topic and the rules that file articles under it; docs/topics.md says how they are read."""

    label: str = Field(min_length=1, max_length=60, description="what people read")
    formerly: tuple[str, ...] = Field((), description="slugs it had before; their addresses lead to it for good")
    description: str = Field("", max_length=300, description="one sentence about what it covers")
    group: TopicGroup = Field(TopicGroup.THEME, description="theme or region")
    phrases: tuple[str, ...] = Field((), description="terms that say it plainly; each counts 2")
    words: tuple[str, ...] = Field((), description="terms that speak for it; each counts 1")
    hints: tuple[str, ...] = Field((), description="terms that only add to others; each counts a half")
    patterns: tuple[str, ...] = Field((), description="regular expressions; each counts 2")
    unless: tuple[str, ...] = Field((), description="terms whose words do not count for this topic")
    threshold: float = Field(3.0, gt=0, le=100, description="score from which an article is filed")
    share: float = Field(0.0, ge=0, le=1, description="least part of the best score in its group; 0: any")


class Settings(Section):
    """All settings. `root` is the folder that relative paths are meant from, `place` the file's name for errors."""

    site: SiteSettings = SiteSettings()
    store: StoreSettings = StoreSettings()
    source: tuple[SourceSettings, ...] = (SourceSettings(path=Path("data/articles")),)
    feeds: FeedSettings = FeedSettings()
    digest: DigestSettings = DigestSettings()
    smtp: SmtpSettings = SmtpSettings()
    dkim: DkimSettings = DkimSettings()
    bounces: BounceSettings = BounceSettings()
    outbox: OutboxSettings = OutboxSettings()
    web: WebSettings = WebSettings()
    websub: WebSubSettings = WebSubSettings()
    topics: dict[str, TopicSettings] = {}
    root: Path = Field(Path(), exclude=True)
    place: str = Field("config.toml", exclude=True)

    @model_validator(mode="after")
    def _slugs(self) -> Self:
        for slug in self.topics:
            if slug == ALL or not _SLUG.fullmatch(slug):
                raise ValueError(f"topics.{slug}: a topic's name is lower-case words joined by '-', and not '{ALL}'")
        taken = {slug: slug for slug in (*self.topics, ALL)}
        for slug, topic in self.topics.items():
            for former in topic.formerly:
                if former in taken:
                    raise ValueError(f"topics.{slug}.formerly: '{former}' is a name of topic '{taken[former]}' already")
                taken[former] = slug
        return self

    def path(self, path: Path) -> Path:
        """`path` of a setting, made absolute from the folder of config.toml."""
        return (self.root / path.expanduser()).resolve()

    @cached_property
    def topic_list(self) -> tuple[Topic, ...]:
        return tuple(Topic(slug, topic.label, topic.description, topic.group) for slug, topic in self.topics.items())

    @cached_property
    def renamed_topics(self) -> dict[str, str]:
        """The present slug of each former one."""
        return {former: slug for slug, topic in self.topics.items() for former in topic.formerly}

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.site.timezone)

    @cached_property
    def digest_zone(self) -> ZoneInfo:
        return ZoneInfo(self.digest.timezone or self.site.timezone)

    def timetable(self, frequency: Frequency) -> TimetableSettings:
        return {
            Frequency.DAILY: self.digest.daily,
            Frequency.WEEKLY: self.digest.weekly,
            Frequency.MONTHLY: self.digest.monthly,
        }[frequency]


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
    return from_values(values, os.environ if environ is None else environ, root=path.parent.absolute(), place=place)


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


def variables() -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Each variable that may override a setting: its name, the key it overrides, and whether it is a secret."""
    yield from _variables(Settings, ())


def _variables(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    for name, field in model.model_fields.items():
        if field.exclude or name in {"topics", "source"}:
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
    overridden: dict[str, str] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        if name not in known:
            raise ConfigError(name, "unknown setting" + _suggestion(name, known), place="environment")
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
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _put(values: dict[str, Any], key: tuple[str, ...], value: str) -> None:
    for part in key[:-1]:
        inner = values.get(part)
        values[part] = dict(inner) if isinstance(inner, Mapping) else {}
        values = values[part]
    values[key[-1]] = value


def _where(key: str, overridden: Mapping[str, str], place: str) -> tuple[str, str]:
    """Where people find the value of `key`: the file and the key, or the environment and its variable."""
    for name, variable in overridden.items():
        if key == name or key.startswith(name + "."):
            return "environment", variable
    return place, key


def _dotted(detail: ErrorDetails) -> str:
    return ".".join(str(part) for part in detail["loc"])


def _problem(detail: ErrorDetails) -> str:
    if detail["type"] == "extra_forbidden":
        *parents, name = detail["loc"]
        allowed = _fields_at(parents)
        return "unknown setting" + _suggestion(str(name), allowed)
    if detail["type"] == "missing":
        return "is missing"
    message = detail["msg"].removeprefix("Value error, ")
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
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _suggestion(name: str, allowed: Mapping[str, object] | list[str]) -> str:
    close = difflib.get_close_matches(name, list(allowed), n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; allowed here: {', '.join(sorted(allowed))}" if allowed and len(allowed) < 25 else ""
