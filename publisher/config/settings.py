"""The table of all settings: type with unit, default, help. Floor: `config`, above `kinds`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from publisher.config.kinds import (
    Accent,
    BaseUrl,
    BounceAddress,
    Cron,
    Hostname,
    Hostnames,
    Hubs,
    Language,
    Languages,
    Mailbox,
    Networks,
    Selector,
    Server,
    SourceFormat,
    StoreUrl,
    WebAddress,
    Zone,
    check_web_address,
)
from publisher.config.places import check_output
from publisher.config.relays import DomainSettings, RelaySettings, SmtpSettings
from publisher.config.section import Section
from publisher.config.topics import TopicSettings, check_names
from publisher.model import Frequency, Topic


class SiteSettings(Section):
    title: str = Field("Customs initiatives", min_length=1, max_length=100, description="name of the site")
    description: str = Field(
        "What the World Customs Organization and its partners start, topic by topic.",
        max_length=300,
        description="one sentence under the title",
    )
    base_url: BaseUrl = Field("http://127.0.0.1:8000/", description="where readers reach the site")
    language: Language = Field("en", description="language of your texts and articles, BCP 47")
    timezone: Zone = Field("UTC", description="zone of the timetable and of the dates people read")
    author: str = Field("", max_length=100, description="author of articles that name none; empty: the title")
    rights: str = Field("", max_length=300, description="rights line of feeds and pages")
    license: WebAddress = Field("", description="address of the licence that all may be used by; empty: none is named")
    icon: Path | None = Field(
        None, description="your square PNG, GIF or JPEG for feed readers, at most 144 pixels wide"
    )
    logo: Path | None = Field(
        None,
        description="for feeds and the head of pages, twice as wide as high; default: drawn for feeds alone",
    )
    tag_authority: Hostname = Field("publisher.example", description="domain in the ids of feeds and entries")
    tag_year: int = Field(2026, ge=1990, le=9999, description="a year in which that domain was yours (RFC 4151)")
    output: Path = Field(Path("data/site"), description="folder of the published files")
    templates: Path = Field(Path("templates"), description="folder of your templates; missing ones are built in")
    accent: Accent = Field("#0b5f8a", description="the one colour of pages and letters")
    offline_links: bool = Field(False, description="links between pages name index.html: works from disk")


class StoreSettings(Section):
    url: StoreUrl = Field("sqlite:///data/publisher.db", description="SQLAlchemy URL of the database")
    secret_file: Path = Field(
        Path("data/secret.key"), description="keys that sign links, the newest first; made when missing"
    )
    housekeeping: Cron = Field("40 3 * * *", description="when what nobody needs is forgotten (site.timezone)")
    keep_runs_days: int = Field(400, ge=1, le=36500, description="days the record of a run is kept")
    keep_letters_days: int = Field(90, ge=7, le=36500, description="days the text of letters is kept, for `retry`")
    keep_log_days: int = Field(730, ge=1, le=36500, description="days the log of what operators changed is kept")


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
    approval: bool = Field(False, description="true: what the timetable composes waits until it is approved")
    editor: Mailbox | None = Field(None, description="who is written to when an issue waits for approval")
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


class SignUpSettings(Section):
    """How readers come to the digest by themselves; docs/sign-up.md says what happens step by step."""

    enabled: bool = Field(True, description="forms on the pages; false where no `publisher serve` answers them")
    sender: Mailbox | None = Field(
        None, description="From of letters that ask for a confirmation; default: digest.sender"
    )
    consent: str = Field(
        "I want the digest by e-mail. I can leave at any time, with the link in each letter.",
        min_length=1,
        max_length=500,
        description="what readers agree to at the form; each consent names its version",
    )
    languages: Languages = Field((), description="languages readers choose among; one or none: no choice is shown")
    confirm_hours: int = Field(48, ge=1, le=24 * 14, description="a confirmation letter's link and code hold so long")
    keep_days: int = Field(7, ge=1, le=90, description="then what nobody confirmed is deleted")
    fill_seconds: int = Field(2, ge=0, le=60, description="a form filled in faster is shown once more; 0: any speed")
    per_network: int = Field(10, ge=1, le=100_000, description="confirmation letters an hour for one network's wishes")
    per_domain: int = Field(100, ge=1, le=1_000_000, description="the same to one mail domain")
    overall: int = Field(300, ge=1, le=1_000_000, description="the same in all")
    refused_domains: Hostnames = Field((), description="mail domains, with those below them, that may not sign up")
    refused_domains_file: Path | None = Field(None, description="a file with more of them, one a line")
    refuse_roles: bool = Field(True, description="postmaster@, abuse@ and the like may not sign up (RFC 2142)")

    @model_validator(mode="after")
    def _kept_while_it_holds(self) -> Self:
        if self.keep_days * 24 < self.confirm_hours:
            raise ValueError("keep_days must be as long as confirm_hours at least: a link must find what it confirms")
        return self


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


class BounceSettings(Section):
    """Letters that come back; docs/bounces.md says how to set the mailbox up."""

    address: BounceAddress = Field(
        "", description="where letters come back to, with +... added for each; empty: to digest.sender"
    )
    folder: Path = Field(Path("data/bounces"), description="read mail goes here: processed/ and unparsed/")
    inbox: Path | None = Field(None, description="a Maildir, mbox or folder of messages that is read, if there is one")
    every_minutes: int = Field(10, ge=1, le=1440, description="so often `publisher serve` reads inbox and server")
    imap_host: Server = Field("", description="server that is read, by `publisher bounces read` without a path too")
    imap_port: int = Field(993, ge=1, le=65535, description="its port; always TLS")
    imap_user: str = Field("", description="its login")
    imap_password: SecretStr = Field(SecretStr(""), description="better: PUBLISHER_BOUNCES_IMAP_PASSWORD or ..._FILE")
    imap_folder: str = Field("INBOX", description="its folder; nothing is deleted from it")
    keep_days: int = Field(
        90, ge=1, le=36500, description="days read mail stays in processed/; unparsed/ stays for good"
    )


class OutboxSettings(Section):
    path: Path = Field(Path("data/outbox"), description="where letters are kept as .eml when no relay is set")
    keep_days: int = Field(90, ge=1, le=36500, description="days after which housekeeping deletes them")


class BackupSettings(Section):
    """Copies of the database; docs/operating.md says what is in them, and how one is put back."""

    enabled: bool = Field(True, description="false: the timetable makes none")
    path: Path = Field(Path("data/backups"), description="folder they go to; better on another disk")
    cron: Cron = Field("10 3 * * *", description="when one is made (site.timezone)")
    keep: int = Field(7, ge=1, le=10_000, description="so many of them stay, the newest")
    keys: bool = Field(True, description="with the keys of links and DKIM, without which old links are dead")
    config: bool = Field(True, description="with config.toml, its passwords too, and your templates")


class AlarmSettings(Section):
    """Who hears of it when something goes wrong; docs/operating.md says what."""

    mail: Mailbox | None = Field(None, description="gets a letter; default: nobody")
    webhook: SecretStr = Field(
        SecretStr(""), description="gets a POST with JSON; empty: none. A chat's address is a key: better a variable"
    )
    allow_private: bool = Field(False, description="true: the webhook may be in a private network, on any port")
    every_minutes: int = Field(5, ge=1, le=1440, description="so often is looked")
    every_hours: int = Field(12, ge=1, le=24 * 31, description="what lasts is told again after so many hours")
    rejected_percent: int = Field(
        10, ge=1, le=100, description="share of rejected letters from which on an issue is an alarm"
    )

    @field_validator("webhook")
    @classmethod
    def _is_web_address(cls, value: SecretStr) -> SecretStr:
        check_web_address(value.get_secret_value())
        return value


class WebSettings(Section):
    host: str = Field("127.0.0.1", description="address `publisher serve` listens on")
    port: int = Field(8000, ge=0, le=65535, description="its port; 0: any free one")
    burst: int = Field(120, ge=0, le=100_000, description="requests of one address at once, then 429; 0: no limit")
    rate: float = Field(1.0, gt=0, le=10_000, description="requests a second that it may send on and on")
    trusted_proxies: Networks = Field(
        ("127.0.0.1", "::1"), description="whose X-Forwarded-For and -Proto count: addresses, or networks"
    )
    metrics_token: SecretStr = Field(
        SecretStr(""), description="who says it (Bearer) may read /metrics; empty: this machine only"
    )
    access_log: bool = Field(False, description="true: a line for each request, without the secrets in its address")


class LogSettings(Section):
    format: Literal["auto", "json", "human"] = Field("auto", description="auto: human on a terminal, else JSON lines")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="lines below it are not written")


class WebSubSettings(Section):
    """Feeds that are pushed instead of polled; docs/websub.md says what each setting means in practice."""

    hubs: Hubs = Field((), max_length=10, description="hubs of others, told of each change")
    builtin: bool = Field(False, description="true: `publisher serve` is a hub itself, at /websub")
    allow_private: bool = Field(False, description="true: its subscribers may be in private networks, on any port")
    lease_days: int = Field(10, ge=1, le=365, description="the longest subscription; readers renew it in time")
    max_subscriptions: int = Field(10_000, ge=1, le=1_000_000, description="then it takes no further ones")


class Settings(Section):
    """All settings. `root` is the folder that relative paths are meant from, `place` the file's name for errors."""

    site: SiteSettings = SiteSettings()
    store: StoreSettings = StoreSettings()
    source: tuple[SourceSettings, ...] = (SourceSettings(path=Path("data/articles")),)
    feeds: FeedSettings = FeedSettings()
    digest: DigestSettings = DigestSettings()
    signup: SignUpSettings = SignUpSettings()
    smtp: SmtpSettings = SmtpSettings()
    relay: tuple[RelaySettings, ...] = ()
    domain: tuple[DomainSettings, ...] = ()
    dkim: DkimSettings = DkimSettings()
    bounces: BounceSettings = BounceSettings()
    outbox: OutboxSettings = OutboxSettings()
    backup: BackupSettings = BackupSettings()
    alarm: AlarmSettings = AlarmSettings()
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()
    websub: WebSubSettings = WebSubSettings()
    topics: dict[str, TopicSettings] = Field({})
    root: Path = Field(Path(), exclude=True)
    place: str = Field("config.toml", exclude=True)

    @model_validator(mode="after")
    def _slugs(self) -> Self:
        check_names(self.topics)
        return self

    @model_validator(mode="after")
    def _relays(self) -> Self:
        if self.relay and self.smtp.host:
            raise ValueError("smtp.host and [[relay]] name relays both; move that of [smtp] to a [[relay]] of its own")
        variables: dict[str, int] = {}
        for place, relay in enumerate(self.relay):
            first = variables.setdefault(relay.variable, place)
            if first != place:
                raise ValueError(f"relay[{place}].name: '{relay.name}' is the name of relay[{first}] already")
        domains: dict[str, int] = {}
        for place, cap in enumerate(self.domain):
            first = domains.setdefault(cap.domain, place)
            if first != place:
                raise ValueError(f"domain[{place}].domain: '{cap.domain}' is in domain[{first}] already")
        return self

    @model_validator(mode="after")
    def _output(self) -> Self:
        check_output(self)
        return self

    @cached_property
    def relays(self) -> tuple[RelaySettings, ...]:
        """Where letters go out, in the order of config.toml; none: to the local outbox."""
        return self.relay or ((RelaySettings.of_smtp(self.smtp),) if self.smtp.host else ())

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

    def present_topics(self, slugs: Sequence[str] | None) -> tuple[str, ...] | None:
        """These topics by their present names, each once; None where none are named."""
        return None if slugs is None else tuple(dict.fromkeys(self.renamed_topics.get(slug, slug) for slug in slugs))

    @cached_property
    def first_names(self) -> dict[str, str]:
        """The first slug of each topic that was renamed: it stays in the id of the topic's feed."""
        return {slug: topic.formerly[0] for slug, topic in self.topics.items() if topic.formerly}

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
