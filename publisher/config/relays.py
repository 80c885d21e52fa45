"""The settings of relays and of the domains letters go to. Floor: `config`, below `settings`."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from publisher.config.kinds import Server
from publisher.config.section import Section

ANY_DOMAIN = "*"
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def check_login(host: str, username: str, security: str) -> None:
    """Raises ValueError for a login that anybody on the way could read."""
    if username and security == "none" and host not in LOCAL_HOSTS | {""}:
        raise ValueError("a login over security = 'none' would show the password; use 'starttls' or 'tls'")


class SmtpSettings(Section):
    host: Server = Field("", description="the relay; empty: letters go to the local outbox")
    port: int = Field(587, ge=1, le=65535, description="587 for starttls, 465 for tls")
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="starttls, tls or none")
    username: str = Field("", description="login, empty for none")
    password: SecretStr = Field(SecretStr(""), description="better: PUBLISHER_SMTP_PASSWORD or ..._FILE")
    connections: int = Field(4, ge=1, le=100, description="connections at the same time")
    letters_per_connection: int = Field(100, ge=1, le=100_000, description="then the connection is made anew")
    timeout_seconds: int = Field(60, ge=1, le=3600, description="wait for a reply; after the letter ten minutes")
    retry_minutes: int = Field(15, ge=1, le=1440, description="first wait after a temporary refusal; then doubled")
    give_up_hours: int = Field(48, ge=1, le=24 * 14, description="a letter deferred or in doubt longer is given up")
    on_uncertain: Literal["resend", "hold"] = Field("resend", description="a letter whose reply was lost")

    @model_validator(mode="after")
    def _no_login_in_clear_text(self) -> Self:
        check_login(self.host, self.username, self.security)
        return self


class Limited(Section):
    """How many letters may go out; 0: no limit."""

    letters_per_second: int = Field(0, ge=0, le=1_000_000, description="at most so many in any second; 0: no limit")
    letters_per_hour: int = Field(0, ge=0, le=1_000_000_000, description="at most so many in any hour; 0: no limit")
    letters_per_day: int = Field(0, ge=0, le=1_000_000_000, description="at most so many in 24 hours; 0: no limit")

    @property
    def has_rate(self) -> bool:
        return bool(self.letters_per_second or self.letters_per_hour or self.letters_per_day)


def _relay_name(name: str) -> str:
    if not _NAME.fullmatch(name) or len(name) > 40:
        raise ValueError("not a relay's name; use lower-case letters and digits, joined by '-', e.g. 'main'")
    return name


class RelaySettings(Limited):
    """One of several relays; docs/relays.md says how they share the letters."""

    name: Annotated[str, AfterValidator(_relay_name)] = Field(description="yours for it; part of its variables' names")
    host: Server = Field(min_length=1, description="the relay")
    port: int = Field(587, ge=1, le=65535, description="587 for starttls, 465 for tls")
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="starttls, tls or none")
    username: str = Field("", description="login, empty for none")
    password: SecretStr = Field(SecretStr(""), description="better: PUBLISHER_RELAY_<NAME>_PASSWORD or ..._FILE")
    weight: int = Field(1, ge=1, le=1000, description="its share of the letters, beside those of the others")
    connections: int = Field(4, ge=1, le=100, description="connections at the same time")
    letters_per_connection: int = Field(100, ge=1, le=100_000, description="then the connection is made anew")
    warm_up_from: date | None = Field(None, description="day (UTC) on which it begins to send, by `warm_up`")
    warm_up: tuple[int, ...] = Field((), description="most letters on that day, the day after, ...; then no more limit")

    @property
    def is_limited(self) -> bool:
        """Whether letters have to be counted: by time, or by the plan of a warm-up."""
        return self.has_rate or bool(self.warm_up)

    @field_validator("warm_up")
    @classmethod
    def _grows(cls, plan: tuple[int, ...]) -> tuple[int, ...]:
        if any(letters < 1 for letters in plan):
            raise ValueError("a day of the plan has less than one letter")
        if any(later < earlier for earlier, later in pairwise(plan)):
            raise ValueError("the plan must grow from day to day, e.g. [50, 100, 500, 1000]")
        return plan

    @model_validator(mode="after")
    def _sound(self) -> Self:
        check_login(self.host, self.username, self.security)
        if bool(self.warm_up) != (self.warm_up_from is not None):
            raise ValueError("warm_up and warm_up_from go together: the letters of each day, and the first day")
        return self

    @classmethod
    def of_smtp(cls, smtp: SmtpSettings) -> RelaySettings:
        """The one relay of a simple site."""
        names = ("host", "port", "security", "username", "password", "connections", "letters_per_connection")
        return cls(name="smtp", **{name: getattr(smtp, name) for name in names})

    @property
    def variable(self) -> str:
        return relay_variable(self.name)


def relay_variable(name: str) -> str:
    """The variable that holds the password of the relay `name`; ..._FILE names a file that does."""
    return f"PUBLISHER_RELAY_{name.upper().replace('-', '_')}_PASSWORD"


def _domain_name(domain: str) -> str:
    domain = domain.lower()
    if domain != ANY_DOMAIN and not _DOMAIN.fullmatch(domain):
        raise ValueError("not a domain name; use e.g. 'mail.example', or '*' for each domain that has no block")
    return domain


class DomainSettings(Limited):
    """What the readers at one domain get at most, over all relays."""

    domain: Annotated[str, AfterValidator(_domain_name)] = Field(description="what follows the @; '*': any other one")
    connections: int = Field(0, ge=0, le=100, description="letters on the way to it at the same time; 0: no limit")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.connections or self.has_rate):
            raise ValueError("a domain without a limit; set connections, letters_per_second, ..._hour or ..._day")
        return self
